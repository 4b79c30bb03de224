/* SPDX-License-Identifier: MIT
 * ftrace.h - raw pages of the kernel's ring buffer to our kernel events and stacks.
 *
 * libtraceevent, which the kernel's tracing maintainers keep, reads the `format` and `header_page`
 * files and walks the pages, so a kernel that packs them differently is no matter. What is ours:
 * the list of events that we want, and what becomes of their fields. Threads: one. */
#ifndef TAC_CAPTURE_FTRACE_H
#define TAC_CAPTURE_FTRACE_H

#include "capture/kernel_writer.h"

#include <stdbool.h>
#include <stddef.h>

struct tac_clockmap;
struct tac_ftrace;

/* Groups of events that are switched on together: `want` of struct tac_kernel_config. */
struct tac_ftrace_kind {
    const char *path;   /* below events/ */
    const char *filter; /* or NULL */
    uint32_t want;      /* group, enum tac_kernel_want; 0: always */
    uint16_t type;      /* enum tac_kernel_type */
    uint16_t form;      /* how the fields are packed, see ftrace.c */
    const char *field[7];
    uint64_t constant; /* a, where no field gives it */
};

extern const struct tac_ftrace_kind tac_ftrace_kinds[];
extern const uint32_t tac_ftrace_kinds_count;

/* NULL when out of memory. writer gets names of threads, and all that is decoded. */
struct tac_ftrace *tac_ftrace_new(struct tac_kernel_writer *writer);
void tac_ftrace_free(struct tac_ftrace *ftrace); /* NULL is fine */

/* Times in pages are raw counters, which this relates to nanoseconds; NULL, as at first: they are
 * CLOCK_MONOTONIC. */
void tac_ftrace_set_clock(struct tac_ftrace *ftrace, struct tac_clockmap *clock);

/* Read the layout of the page header. Bytes of a page, or -TAC_E_VERSION when it cannot be
 * understood. */
long tac_ftrace_learn_page(struct tac_ftrace *ftrace, const char *header_page);

/* Read the format file of kind i. 0, or -TAC_E_VERSION when a field is missing. */
int tac_ftrace_learn_event(struct tac_ftrace *ftrace, uint32_t i, const char *format);

/* Read the format file of ftrace/kernel_stack: from then on stacks are taken. */
int tac_ftrace_learn_stack(struct tac_ftrace *ftrace, const char *format);

/* Decode one page. Returns what the kernel says it dropped before it. */
uint64_t tac_ftrace_decode(struct tac_ftrace *ftrace, unsigned char *page, size_t bytes,
                           uint16_t cpu);

/* Of the page decoded last: events fill at least half of it, so the kernel has left it. */
bool tac_ftrace_was_full(const struct tac_ftrace *ftrace);

#endif
