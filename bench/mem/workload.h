/* SPDX-License-Identifier: MIT
 * workload.h - what the workloads of bench/mem share: a random sequence that is the same in each
 * run, the counter, and the note of how long one call took. */
#ifndef TAC_BENCH_MEM_WORKLOAD_H
#define TAC_BENCH_MEM_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
    uint64_t t = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return t;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

enum { RANDOM_SEED = 88172645 };

/* How long operation i took, since then. */
void note(size_t i, uint64_t begin);

/* workload_latency.c: each call is timed alone */
void run_timer(void);
void run_small(void);
void run_power(void);
void run_exchange(void);
/* workload_single.c: one thread */
void run_simple(void);
void run_algebra(void);
void run_minimize(void);
void run_fragment(void);
void run_burst(void);
/* workload_threads.c */
void run_larson(void);
void run_handover(void);
void run_stress(void);
void run_false_active(void);
void run_false_passive(void);
void run_threads(void);

#endif
