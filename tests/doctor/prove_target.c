/* SPDX-License-Identifier: MIT
 * prove_target.c - a small program with a deadline and one defect, for tests of `doctor --prove`.
 *
 * usage: prove_target DEFECT [CYCLES [PERIOD_US]]
 *   clean      none
 *   denormal   every 8th cycle computes too long, on denormal numbers, which cost this processor
 *              more than normal ones; cured by ftz. Where they cost the same it computes too long
 *   touch      every 8th cycle touches memory for the first time; cured by mlockall
 *   compute    every 8th cycle computes too long; cured by nothing
 *   heap       every 8th cycle takes and gives back large blocks, which the system's heap maps and
 *              unmaps each time; cured by Tactus' heap */
#include "tactus/cycle.h"
#include "tactus/trace.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { EVERY = 8, BLOCK_BYTES = 40 << 20, PAGE = 4096, TOUCH_BYTES = 400 << 20 };

static unsigned cycles = 240;
static uint64_t period_ns = 3000000, steps; /* steps: of normal arithmetic in a tenth of a period */
static uint64_t denormal_steps;             /* of arithmetic on denormals: two periods */
static size_t pages;                        /* first touches that take longer than a period */
static const char *defect;
static char *memory;
static size_t touched;
static volatile float sink;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The same instructions on numbers that are normal or denormal. */
static void filter(float x, uint64_t count)
{
    volatile float in = x;
    float y = 0;
    for (uint64_t i = 0; i < count; i++)
        y = y * 0.5f + in * 0.25f;
    sink = y;
}

static double step_ns(float x)
{
    uint64_t best = UINT64_MAX, count = 2000;
    for (int i = 0; i < 100; i++) {
        uint64_t from = now();
        filter(x, count);
        uint64_t took = now() - from;
        best = took < best ? took : best;
    }
    return (double)(best ? best : 1) / (double)count;
}

static void calibrate(void)
{
    steps = (uint64_t)((double)period_ns / 10 / step_ns(1));
}

/* What they cost when they are not flushed, also in a run in which they are. */
static void calibrate_denormals(void)
{
#if defined(__SSE__)
    unsigned mode = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(mode & ~0x8040u);
#endif
    denormal_steps = (uint64_t)((double)period_ns * 2 / step_ns(1e-39f));
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr(mode);
#endif
}

/* What a first touch costs differs tenfold between machines, and with what the host has to do. */
static void calibrate_touch(void)
{
    enum { PROBE = 2000, EVENTS = 16 };
    uint64_t from = now();
    for (size_t end = (size_t)PROBE * PAGE; touched < end; touched += PAGE)
        memory[touched] = 1;
    uint64_t each_ns = (now() - from) / PROBE + 1;
    pages = (size_t)(period_ns * 4 / each_ns);
    size_t most = (TOUCH_BYTES / PAGE - PROBE) / EVENTS;
    pages = pages < most ? pages : most;
}

static void take_blocks(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char *p = malloc(BLOCK_BYTES);
        for (size_t at = 0; p && at < BLOCK_BYTES / 2; at += PAGE)
            ((volatile char *)p)[at] = 1;
        free(p);
    }
}

static void work(unsigned number)
{
    filter(1, steps);
    if (number % EVERY != 0 || number == 0)
        return;
    if (!strcmp(defect, "denormal"))
        filter(1e-39f, denormal_steps);
    else if (!strcmp(defect, "touch"))
        for (size_t end = touched + pages * PAGE; touched < end; touched += PAGE)
            memory[touched % TOUCH_BYTES] = 1;
    else if (!strcmp(defect, "compute"))
        filter(1, steps * 15);
    else if (!strcmp(defect, "heap"))
        take_blocks(1);
}

static void *run(void *unused)
{
    struct sched_param param = {.sched_priority = 60};
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
    if (tac_thread_register("audio", 1 << 15))
        abort();
    int source = tac_cycle_source_open("audio", period_ns);
    uint64_t release = now() + 10 * period_ns;
    for (unsigned i = 0; i < cycles; i++, release += period_ns) {
        struct timespec t = {(time_t)(release / 1000000000u), (long)(release % 1000000000u)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
            ;
        tac_cycle_begin(source, release + period_ns, 64);
        work(i);
        tac_cycle_end(source);
    }
    return unused;
}

int main(int argc, char **argv)
{
    defect = argc > 1 ? argv[1] : "clean";
    cycles = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : cycles;
    period_ns = argc > 3 ? strtoull(argv[3], NULL, 10) * 1000 : period_ns;
    /* not from malloc, which may fill what it gives (MALLOC_PERTURB_) */
    memory = mmap(NULL, TOUCH_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return 3;
    madvise(memory, TOUCH_BYTES, MADV_NOHUGEPAGE);
    calibrate();
    calibrate_denormals();
    calibrate_touch();
    struct tac_trace_config config = {.path = "/dev/null", .evidence = TAC_EVIDENCE_CLOCK};
    if (tac_trace_start(&config))
        return 3;
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL))
        return 3;
    pthread_join(thread, NULL);
    return tac_trace_stop() < 0 ? 3 : 0;
}
