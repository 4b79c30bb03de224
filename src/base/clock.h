/* SPDX-License-Identifier: MIT
 * clock.h - the two clocks of Tactus.
 *
 * tac_clock_ns()     CLOCK_MONOTONIC in nanoseconds: the one base shared by user space, tracefs
 *                    (trace_clock=mono), perf and BPF. vDSO, about 42 cycles, no kernel entry.
 * tac_counter()      the raw counter of the core (rdtsc, CNTVCT_EL0; CLOCK_MONOTONIC where user
 *                    space may not read one): about 19 cycles on x86-64. Its rate and offset to
 *                    CLOCK_MONOTONIC are found by pairing, see tac_clock_pair().
 * Threads: any. Real-time: yes, except tac_clock_sleep_until. */
#ifndef TAC_BASE_CLOCK_H
#define TAC_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define TAC_NS_PER_S 1000000000ull

static inline uint64_t tac_timespec_ns(struct timespec t)
{
    return (uint64_t)t.tv_sec * TAC_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t tac_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return tac_timespec_ns(t);
}

/* CPU time of the calling thread. A system call of about 180 ns: never in a real-time path unless
 * the evidence was asked for. */
static inline uint64_t tac_clock_thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return tac_timespec_ns(t);
}

static inline uint64_t tac_counter(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    return tac_clock_ns();
#endif
}

/* One reading of both clocks at the same moment. */
struct tac_clock_pair {
    uint64_t counter;
    uint64_t ns;
    uint64_t width; /* counter ticks between the two counter reads around the ns read: the error */
};

/* Take the tightest of several brackets. */
struct tac_clock_pair tac_clock_pair(void);

/* Counter ticks per second measured over at least min_ns of wall time (sleeps). */
double tac_counter_hz(uint64_t min_ns);

/* Sleep until the absolute CLOCK_MONOTONIC time; returns early only for a signal whose handler
 * wants it (returns false then). Not real-time. */
bool tac_clock_sleep_until(uint64_t ns);

#endif
