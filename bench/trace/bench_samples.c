/* SPDX-License-Identifier: MIT
 * bench_samples.c - what a sample of a thread's CPU time costs the thread: without a stack, with
 * one by frame pointers, with a copy of 4 KiB of the stack.
 *
 * The same computation under each way, in rotation, by the clock on the wall; medians of the
 * rounds. What it takes longer than with perf alone, by the samples in its recording, is the cost
 * of one: the timer's interrupt, what the kernel writes, and what both push out of the caches. The
 * samples that the kernel's ring had no room for are counted, too. */
#include "capture/capture.h"
#include "tactus/trace.h"

#include "base/clock.h"
#include "base/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 15, WAYS = 7, WORK_NS = 60000000, PERF_ALONE = 1 };

static const char path[] = "/tmp/tactus-bench-samples.tac";

static const struct {
    const char *name;
    uint32_t evidence, stack_bytes, samples_hz;
} way[WAYS] = {
    {"nothing", 0, 0, 0},
    {"perf, no samples", TAC_EVIDENCE_PERF, 0, 0},
    {"1 000 samples a second", TAC_EVIDENCE_PERF, 0, 1000},
    {"1 000, copies of 4096 bytes", TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS, 4096, 1000},
    {"10 000", TAC_EVIDENCE_PERF, 0, 10000},
    {"10 000, stacks by frame pointers", TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS, 0, 10000},
    {"10 000, copies of 4096 bytes", TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS, 4096, 10000},
};

static uint64_t spent_ns[WAYS][ROUNDS], samples[WAYS];

/* Integers in a chain: the same number of clocks each time. */
__attribute__((noinline)) static uint64_t compute(uint64_t n)
{
    uint64_t x = 88172645463325252u;
    for (uint64_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

static uint64_t time_of(uint64_t n)
{
    uint64_t begin = tac_clock_ns();
    compute(n);
    return tac_clock_ns() - begin;
}

/* Those that were taken, also when there was no room for them. */
static uint64_t samples_in_recording(void)
{
    struct tac_capture *c;
    uint64_t n = 0;
    if (tac_capture_open(path, NULL, &c))
        exit(1);
    for (size_t i = 0; i < c->kernel_count; i++)
        n += c->kernel[i].type == TAC_KERNEL_SAMPLE ? 1
             : c->kernel[i].type == TAC_KERNEL_LOST ? c->kernel[i].a
                                                    : 0;
    tac_capture_close(c);
    return n;
}

static void measure(int w, int round, uint64_t work)
{
    struct tac_trace_config config = {.path = path,
                                      .evidence = way[w].evidence,
                                      .stack_bytes = way[w].stack_bytes,
                                      .samples_hz = way[w].samples_hz};
    const struct timespec rest = {0, 8000000};
    if (tac_trace_start(&config))
        exit(1);
    nanosleep(&rest, NULL);
    spent_ns[w][round] = time_of(work);
    if (tac_trace_stop())
        exit(1);
    samples[w] += samples_in_recording();
}

static double median(uint64_t *values)
{
    qsort(values, ROUNDS, sizeof *values, tac_compare_u64);
    return (double)values[ROUNDS / 2];
}

int main(void)
{
    uint64_t least = UINT64_MAX;
    const uint64_t probe = 1000000;
    if (tac_thread_register("bench", 0))
        return 1;
    for (int i = 0; i < 10; i++) {
        uint64_t ns = time_of(probe);
        least = ns < least ? ns : least;
    }
    uint64_t work = WORK_NS * probe / least;
    for (int round = 0; round < ROUNDS; round++)
        for (int w = 0; w < WAYS; w++)
            measure(w, round, work);
    double alone = 0;
    for (int w = 0; w < WAYS; w++) {
        double ns = median(spent_ns[w]), n = (double)samples[w] / ROUNDS;
        alone = w == PERF_ALONE ? ns : alone;
        printf("%-34s %8.3f ms", way[w].name, ns / 1e6);
        if (n > 0)
            printf(", %5.0f samples: %+.2f %%, %.2f us a sample", n, 100 * (ns / alone - 1),
                   (ns - alone) / n / 1e3);
        printf("\n");
    }
    unlink(path);
    return 0;
}
