/* SPDX-License-Identifier: MIT
 * perf.h - the kernel's account of one own thread, without privilege: when it left and came back to
 * a CPU (pre-empted or not), and each of its page faults with address.
 *
 * Three software events of perf_event_open(2) on the thread, in one kernel-written ring, on
 * CLOCK_MONOTONIC; read by the helper, so that the thread itself makes no call. */
#ifndef TAC_TRACE_PERF_H
#define TAC_TRACE_PERF_H

#include "trace/format.h"

#include <stdint.h>

struct tac_perf;

/* 0, or -errno: -EACCES (kernel.perf_event_paranoid), -ENOSYS, -EPERM (sandbox), ... */
int tac_perf_open(uint32_t tid, struct tac_perf **ret_perf);
void tac_perf_close(struct tac_perf *perf); /* NULL is fine */

/* Take at most max events; returns how many. */
uint32_t tac_perf_read(struct tac_perf *perf, struct tac_format_kernel *ret_events, uint32_t max);

#endif
