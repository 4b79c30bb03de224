/* SPDX-License-Identifier: MIT
 * perf_switches.h - the peer of bench_switch: switches and wake-ups through perf_event_open, as a
 * profiler does it that does not use tracefs or BPF. One tracepoint event of each kind and CPU,
 * time and raw data, no call chain, a mapped ring each, and a thread that copies what is there. */
#ifndef TAC_BENCH_PERF_SWITCHES_H
#define TAC_BENCH_PERF_SWITCHES_H

#include <stdint.h>

struct perf_switches;

/* 0 or -errno. */
int perf_switches_start(struct perf_switches **ret_perf);

/* Records read, and those that the kernel dropped. */
void perf_switches_stop(struct perf_switches *perf, uint64_t *ret_records, uint64_t *ret_lost);

#endif
