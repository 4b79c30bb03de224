/* SPDX-License-Identifier: MIT
 * zone_loops.h - the loops in which the zone of any recorder is measured; C and C++.
 *
 * The program that includes it defines BENCH_ZONE, the statements that make a zone of the rest of
 * the scope. The measuring thread is pinned to CPU 0. Each figure is a median over batches of
 * back-to-back zones: "burst" are 5 000 zones and then 20 ms of rest, as an audio program does;
 * "flat" are 200 000, then 50 ms in which a reader may catch up. "single" times each zone by
 * itself, the two clock reads of the measurement included. "first" is the thread's very first zone,
 * "counter" two reads of the counter and nothing else: no zone can cost less.
 * One line a figure: name, what, nanoseconds. */
#ifndef TAC_BENCH_ZONE_LOOPS_H
#define TAC_BENCH_ZONE_LOOPS_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCHES = 15, BURST = 5000, FLAT = 200000, SINGLE = 1000000 };

static double zone_hz;

/* A peer that instruments functions leaves these out. */
#ifndef ZONE_INLINE
#define ZONE_INLINE static inline
#endif

ZONE_INLINE uint64_t zone_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

ZONE_INLINE uint64_t zone_counter(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#else
    return zone_ns();
#endif
}

ZONE_INLINE void zone_sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

ZONE_INLINE void zone_pin(void)
{
    cpu_set_t cpu;
    CPU_ZERO(&cpu);
    CPU_SET(0, &cpu);
    sched_setaffinity(0, sizeof cpu, &cpu);
}

ZONE_INLINE void zone_unpin(void)
{
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int i = 0; i < CPU_SETSIZE; i++)
        CPU_SET(i, &all);
    sched_setaffinity(0, sizeof all, &all);
}

ZONE_INLINE void zone_calibrate(void)
{
    uint64_t ns = zone_ns(), count = zone_counter();
    zone_sleep_ms(200);
    count = zone_counter() - count;
    zone_hz = (double)count * 1e9 / (double)(zone_ns() - ns);
}

static __attribute__((noinline)) void zone_loop(int n)
{
    for (int i = 0; i < n; i++) {
        BENCH_ZONE;
        __asm__ volatile("" : : : "memory");
    }
}

ZONE_INLINE int zone_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

ZONE_INLINE void zone_say(const char *name, const char *what, double ticks)
{
    printf("%-12s %-8s %9.2f\n", name, what, ticks / zone_hz * 1e9);
    fflush(stdout);
}

/* What is left when nothing is recorded: the two reads of the counter that a zone takes. */
ZONE_INLINE void zone_floor(const char *name)
{
    double ticks[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        uint64_t begin = zone_counter();
        for (int k = 0; k < FLAT; k++) {
            (void)zone_counter();
            __asm__ volatile("" : : : "memory");
            (void)zone_counter();
            __asm__ volatile("" : : : "memory");
        }
        ticks[i] = (double)(zone_counter() - begin) / FLAT;
        zone_sleep_ms(20);
    }
    qsort(ticks, BATCHES, sizeof *ticks, zone_by_value);
    zone_say(name, "counter", ticks[BATCHES / 2]);
}

ZONE_INLINE void zone_first(const char *name)
{
    uint64_t begin = zone_counter();
    zone_loop(1);
    zone_say(name, "first", (double)(zone_counter() - begin));
}

ZONE_INLINE void zone_batches(const char *name, const char *what, int n, int pause_ms)
{
    double ticks[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        uint64_t begin = zone_counter();
        zone_loop(n);
        ticks[i] = (double)(zone_counter() - begin) / n;
        zone_sleep_ms(pause_ms);
    }
    qsort(ticks, BATCHES, sizeof *ticks, zone_by_value);
    zone_say(name, what, ticks[BATCHES / 2]);
}

ZONE_INLINE void zone_single(const char *name)
{
    static double ticks[SINGLE];
    static const struct {
        double q;
        const char *what;
    } quantile[] = {{0.5, "p50"}, {0.999, "p99.9"}, {0.9999, "p99.99"}};
    memset(ticks, 1, sizeof ticks); /* a page fault would be part of the next zone's time */
    for (int i = 0; i < SINGLE; i++) {
        uint64_t begin = zone_counter();
        zone_loop(1);
        ticks[i] = (double)(zone_counter() - begin);
        if (i % 2000 == 0)
            zone_sleep_ms(1);
    }
    qsort(ticks, SINGLE, sizeof *ticks, zone_by_value);
    for (int i = 0; i < 3; i++)
        zone_say(name, quantile[i].what, ticks[(int)(quantile[i].q * SINGLE)]);
}

#endif
