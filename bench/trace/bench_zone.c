/* SPDX-License-Identifier: MIT
 * bench_zone.c - what a zone costs the traced thread.
 *
 * The thread is pinned to CPU 0; the helper finds its own. One zone is begin and end. Each figure
 * is the median over batches of back-to-back zones; "burst" pauses 20 ms between batches of 5 000,
 * as an audio program does; "flat" runs 200 000 without a pause, more than the ring holds, so the
 * helper has to keep up (drops are printed); "single" times each zone and takes off nothing. Prints
 * one line a mode: name, nanoseconds a zone, dropped zones. With a file name, records to it;
 * default /dev/null. */
#include "base/clock.h"
#include "base/histogram.h"
#include "tactus/trace.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 15, BURST = 5000, FLAT = 200000, SINGLE = 1000000 };

static double hz;

__attribute__((noinline)) static void zones(int n)
{
    for (int i = 0; i < n; i++) {
        TAC_ZONE("bench");
        __asm__ volatile("" : : : "memory");
    }
}

__attribute__((noinline)) static void nothing(int n)
{
    for (int i = 0; i < n; i++)
        __asm__ volatile("" : : : "memory");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(void (*run)(int), int n, int pause_ms)
{
    double ns[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        uint64_t begin = tac_counter();
        run(n);
        ns[i] = (double)(tac_counter() - begin) / hz * 1e9 / n;
        if (pause_ms)
            tac_clock_sleep_until(tac_clock_ns() + (uint64_t)pause_ms * 1000000);
    }
    qsort(ns, BATCHES, sizeof *ns, by_value);
    return ns[BATCHES / 2];
}

static uint64_t dropped(void)
{
    struct tac_trace_stats s;
    tac_trace_get_stats(&s);
    return s.dropped / 2;
}

static void report(const char *name, void (*run)(int), int n, int pause_ms)
{
    uint64_t before = dropped();
    double ns = median(run, n, pause_ms);
    printf("%-28s %8.2f ns  %llu of %d zones dropped\n", name, ns,
           (unsigned long long)(dropped() - before), BATCHES * n);
}

static void measure_single(const char *name)
{
    static struct tac_histogram h;
    tac_histogram_init(&h);
    for (int i = 0; i < SINGLE; i++) {
        uint64_t begin = tac_counter();
        zones(1);
        tac_histogram_add(&h, tac_counter() - begin);
        if (i % 2000 == 0)
            tac_clock_sleep_until(tac_clock_ns() + 1000000);
    }
    static const double q[] = {0.5, 0.999, 0.9999};
    static const char *const text[] = {"p50", "p99.9", "p99.99"};
    for (int i = 0; i < 3; i++)
        printf("%-20s %-7s %8.2f ns\n", name, text[i],
               (double)tac_histogram_quantile(&h, q[i]) / hz * 1e9);
}

static int session(struct tac_trace_config config, const char *path)
{
    config.path = path;
    int error = tac_trace_start(&config);
    if (error)
        fprintf(stderr, "bench_zone: %s: %s\n", path, tac_error_sentence(error));
    return error;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/dev/null";
    cpu_set_t cpu;
    CPU_ZERO(&cpu);
    CPU_SET(0, &cpu);
    sched_setaffinity(0, sizeof cpu, &cpu);
    hz = tac_counter_hz(200000000);
    /* "flat" wants a ring for its 400 000 records, and time for the helper between batches */
    int flat = argc > 2 && !strcmp(argv[2], "flat"), flat_pause_ms = flat ? 50 : 0;
    if (tac_thread_register("bench", flat ? 1 << 20 : 16384))
        return 1;
    report("empty loop", nothing, FLAT, 0);
    report("off", zones, FLAT, 0);
    /* the helper inherits the affinity: let it have the other core */
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    if (session((struct tac_trace_config){.drain_ms = 1}, path))
        return 1;
    sched_setaffinity(0, sizeof cpu, &cpu);
    report("burst", zones, BURST, 20);
    report("flat", zones, FLAT, flat_pause_ms);
    measure_single("single");
    (void)!tac_trace_stop();
    if (session((struct tac_trace_config){.flight_s = 5}, path))
        return 1;
    report("burst, flight recorder", zones, BURST, 20);
    (void)!tac_trace_stop();
    if (session((struct tac_trace_config){.evidence = TAC_EVIDENCE_PERF}, path))
        return 1;
    measure_single("single, perf on");
    (void)!tac_trace_stop();
    return 0;
}
