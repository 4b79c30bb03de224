/* SPDX-License-Identifier: MIT
 * kernel_writer.h - kernel events, stacks and names into chunks of a recording: the common end of
 * the kernel's tiers.
 *
 * Events gather until a chunk is full or a quarter of a second old, are delta-coded and compressed
 * with zstd, and appended in one write, so that the traced program may write the same file. Memory
 * is constant. Addresses of the kernel in stacks get their names from /proc/kallsyms when they are
 * first written, because they mean nothing on another machine; of addresses in programs, what is
 * mapped there (process_maps.h). Threads: one at a time. */
#ifndef TAC_CAPTURE_KERNEL_WRITER_H
#define TAC_CAPTURE_KERNEL_WRITER_H

#include "trace/format.h"

#include <stdbool.h>
#include <stdint.h>

struct tac_kernel_writer;

struct tac_kernel_filter;

/* Append to a file, made when missing. stream: id of the chunks. filter: which events are kept, the
 * writer's from then on; NULL: all. 0 or -errno. */
int tac_kernel_writer_open(const char *path, uint32_t stream, struct tac_kernel_filter *filter,
                           struct tac_kernel_writer **ret_writer);

/* Write what is left; 0 or the first -errno of a write. NULL is fine. */
int tac_kernel_writer_close(struct tac_kernel_writer *writer);

void tac_kernel_writer_event(struct tac_kernel_writer *writer,
                             const struct tac_format_kernel *event);
void tac_kernel_writer_stack(struct tac_kernel_writer *writer, const struct tac_format_stack *stack,
                             const uint64_t *pc);
/* name: 16 bytes, ended by zero or full. Written when new for this thread. */
void tac_kernel_writer_comm(struct tac_kernel_writer *writer, uint32_t tid, const char *name);
void tac_kernel_writer_meta(struct tac_kernel_writer *writer, const char *key, const char *value);

/* Write what is old enough; call it every few milliseconds. */
void tac_kernel_writer_tick(struct tac_kernel_writer *writer);

struct tac_kernel_writer_stats {
    uint64_t events, stacks, lost, bytes;
    uint64_t left_out; /* switches that the kernel did not record, as the others show */
    int error;
};
void tac_kernel_writer_get_stats(const struct tac_kernel_writer *writer,
                                 struct tac_kernel_writer_stats *ret_stats);

#endif
