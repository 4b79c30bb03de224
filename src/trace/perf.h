/* SPDX-License-Identifier: MIT
 * perf.h - the kernel's account of one own thread, without privilege: when it left and came back to
 * a CPU (pre-empted or not), and each of its page faults with address.
 *
 * Software events of perf_event_open(2) on the thread, in one kernel-written ring, on
 * CLOCK_MONOTONIC; read by the helper, so that the thread itself makes no call. With stacks, the
 * kernel walks the frame pointers of the program where the thread leaves its CPU and at faults. */
#ifndef TAC_TRACE_PERF_H
#define TAC_TRACE_PERF_H

#include "trace/format.h"

#include <stdbool.h>
#include <stdint.h>

struct tac_perf;

/* 0, or -errno: -EACCES (kernel.perf_event_paranoid), -ENOSYS, -EPERM (sandbox), ... */
int tac_perf_open(uint32_t tid, bool stacks, struct tac_perf **ret_perf);
void tac_perf_close(struct tac_perf *perf); /* NULL is fine */

/* What a read gives: events, and stacks as in a STACKS chunk, each of an event with the same ns. */
struct tac_perf_batch {
    struct tac_format_kernel *events;
    uint32_t events_max, events_count;
    unsigned char *stacks;
    uint32_t stacks_max, stacks_bytes, stacks_count;
};

/* Take what is there, as far as it fits. True when there was anything. */
bool tac_perf_read(struct tac_perf *perf, struct tac_perf_batch *batch);

#endif
