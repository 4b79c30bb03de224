/* SPDX-License-Identifier: MIT
 * perf.h - the kernel's account of one own thread, without privilege: when it left and came back to
 * a CPU (pre-empted or not), and each of its page faults with address.
 *
 * Software events of perf_event_open(2) on the thread, in one kernel-written ring, on
 * CLOCK_MONOTONIC; read by the helper, so that the thread itself makes no call. With samples, a
 * timer of the thread's CPU time tells where it computes; with a pulse, that its CPU takes timers
 * at all, which it does not while a host halts the virtual machine. With stacks, the kernel walks
 * the frame pointers of the program where the thread leaves its CPU and at faults, or copies the
 * registers and the top of the stack, which the recording's reader unwinds. */
#ifndef TAC_TRACE_PERF_H
#define TAC_TRACE_PERF_H

#include "trace/format.h"

#include <stdbool.h>
#include <stdint.h>

struct tac_perf;

enum tac_perf_stacks { TAC_PERF_NO_STACKS, TAC_PERF_CHAINS, TAC_PERF_COPIES };

/* Which stacks are to be had: copies need the registers, whose names we know for some machines. */
enum tac_perf_stacks tac_perf_stacks(bool wanted, uint32_t copy_bytes);

struct tac_perf_config {
    enum tac_perf_stacks stacks;
    uint32_t copy_bytes; /* of each copy, a multiple of 8, at most TAC_STACK_BYTES_MAX */
    uint32_t sample_ns;  /* CPU time from one sample to the next; 0: no samples */
    uint32_t pulse_ns;   /* the same of the pulse; 0: none */
};

/* 0, or -errno: -EACCES (kernel.perf_event_paranoid), -ENOSYS, -EPERM (sandbox), ... */
int tac_perf_open(uint32_t tid, const struct tac_perf_config *config, struct tac_perf **ret_perf);
void tac_perf_close(struct tac_perf *perf); /* NULL is fine */
void tac_perf_leave(struct tac_perf *perf); /* the same in the child of a fork, where the kernel has
                                               taken the ring's mapping away */
/* These may be refused where the rest is not. */
bool tac_perf_has_stacks(const struct tac_perf *perf);
bool tac_perf_has_samples(const struct tac_perf *perf);

/* What a read gives: events, and stacks as in a STACKS (or STACK_COPIES) chunk, each of an event
 * with the same ns. stacks_max: at least TAC_PERF_STACK_MAX. */
enum {
    TAC_PERF_STACK_MAX = sizeof(struct tac_format_stack_copy) +
                         TAC_STACK_REGISTERS_MAX * sizeof(uint64_t) + TAC_STACK_BYTES_MAX
};
struct tac_perf_batch {
    struct tac_format_kernel *events;
    uint32_t events_max, events_count;
    unsigned char *stacks;
    uint32_t stacks_max, stacks_bytes, stacks_count;
};

/* Take what is there, as far as it fits. True when there was anything. */
bool tac_perf_read(struct tac_perf *perf, struct tac_perf_batch *batch);

#endif
