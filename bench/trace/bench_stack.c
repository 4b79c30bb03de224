/* SPDX-License-Identifier: MIT
 * bench_stack.c - what a page fault costs with each kind of evidence about it: nothing, perf, perf
 * with a stack by frame pointers, perf with a copy of 4 KiB of the stack; and what it costs the
 * reader to unwind such a copy.
 *
 * First touches of 32 pages, then a rest in which the helper drains; ways in rotation, least of the
 * rounds, since what disturbs only adds. Built without frame pointers, eight frames deep. */
#include "capture/capture.h"
#include "tactus/trace.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 32, TOUCHES = 8, ROUNDS = 15, WAYS = 4, DEPTH = 8 };

static const char path[] = "/tmp/tactus-bench-stack.tac";

static const struct {
    const char *name;
    uint32_t evidence, stack_bytes;
} way[WAYS] = {{"nothing", 0, 0},
               {"perf", TAC_EVIDENCE_PERF, 0},
               {"perf, stack by frame pointers", TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS, 0},
               {"perf, copy of 4096 bytes", TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS, 4096}};

/* Nanoseconds of a first touch. */
__attribute__((noinline)) static double touch_all(int depth, char *pages)
{
    if (depth) {
        double ns = touch_all(depth - 1, pages);
        __asm__ volatile("" : : : "memory"); /* so that the call is no jump */
        return ns;
    }
    uint64_t begin = tac_clock_ns();
    for (int i = 0; i < PAGES; i++)
        ((volatile char *)pages)[i * 4096] = 1;
    return (double)(tac_clock_ns() - begin) / PAGES;
}

static double touch_new(void)
{
    const struct timespec rest = {0, 8000000};
    const size_t bytes = PAGES * 4096;
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        exit(1);
    madvise(pages, bytes, MADV_NOHUGEPAGE);
    double ns = touch_all(DEPTH, pages);
    munmap(pages, bytes);
    nanosleep(&rest, NULL);
    return ns;
}

static double measure(int w)
{
    struct tac_trace_config config = {
        .path = path, .evidence = way[w].evidence, .stack_bytes = way[w].stack_bytes};
    double best = 1e12;
    if (tac_trace_start(&config))
        exit(1);
    for (int i = 0; i < TOUCHES; i++) {
        double ns = touch_new();
        best = ns < best ? ns : best;
    }
    if (tac_trace_stop())
        exit(1);
    return best;
}

/* Of the recording that is there: microseconds a stack, and frames of the deepest. */
static void read_back(void)
{
    struct tac_capture *c;
    uint64_t begin = tac_clock_ns();
    if (tac_capture_open(path, NULL, &c))
        exit(1);
    double us = (double)(tac_clock_ns() - begin) / 1e3;
    unsigned deepest = 0;
    for (size_t i = 0; i < c->kernel_stacks_count; i++)
        deepest = c->kernel_stacks[i].count > deepest ? c->kernel_stacks[i].count : deepest;
    printf("read: %zu stacks, %u frames at most, %.1f us each; %.0f bytes a stack\n",
           c->kernel_stacks_count, deepest,
           us / (double)(c->kernel_stacks_count ? c->kernel_stacks_count : 1),
           (double)c->bytes / (double)(c->kernel_stacks_count ? c->kernel_stacks_count : 1));
    tac_capture_close(c);
}

int main(void)
{
    double best[WAYS] = {1e12, 1e12, 1e12, 1e12};
    if (tac_thread_register("bench", 0))
        return 1;
    for (int round = 0; round < ROUNDS; round++)
        for (int w = 0; w < WAYS; w++) {
            double ns = measure(w);
            best[w] = ns < best[w] ? ns : best[w];
        }
    for (int w = 0; w < WAYS; w++)
        printf("%-32s %6.0f ns a page fault\n", way[w].name, best[w]);
    read_back();
    unlink(path);
    return 0;
}
