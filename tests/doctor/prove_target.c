/* SPDX-License-Identifier: MIT
 * prove_target.c - a small program with a deadline and one defect, for tests of `doctor --prove`.
 *
 * usage: prove_target DEFECT [CYCLES [PERIOD_US]]
 *
 * clean: none.
 *
 * denormal: every 8th cycle computes too long, on denormal numbers, which cost this processor more
 * than normal ones; cured by ftz. Where they cost the same it computes too long.
 *
 * touch: every 8th cycle touches memory for the first time; cured by mlockall.
 *
 * compute: every 8th cycle computes too long; cured by nothing.
 *
 * huge: every 8th cycle touches huge pages for the first time; cured by thp.
 *
 * rival: a normal thread of the same CPU computes all through every 8th cycle, and the thread of
 * the cycles is the least of normal threads; cured by priority.
 *
 * arena: every 8th cycle allocates while another thread has the system heap look through many free
 * blocks, under the lock of the first arena; cured by MALLOC_ARENA_MAX when the environment had
 * that at 1.
 *
 * heap: every 8th cycle takes and gives back a large block, which the system's heap maps and unmaps
 * each time; cured by Tactus' heap.
 */
#include "tactus/cycle.h"
#include "tactus/trace.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVERY = 8, PAGE = 4096, TOUCH_BYTES = 64 << 20, HUGE_BYTES = 2 << 20 };

static unsigned cycles = 240;
static uint64_t period_ns = 3000000, steps; /* steps: of normal arithmetic in a tenth of a period */
static uint64_t denormal_steps;             /* of arithmetic on denormals: two periods */
static uint64_t touch_ns;                   /* of the first touch of a page, at least 1 */
static size_t pages;                        /* first touches that take longer than a period */
static const char *defect;
static char *memory;
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

/* So many that touching them first takes so long, as far as the memory goes. */
static size_t pages_for(uint64_t ns)
{
    size_t count = (size_t)(ns / touch_ns);
    return count < TOUCH_BYTES / PAGE ? count : TOUCH_BYTES / PAGE;
}

/* What a first touch costs differs tenfold between machines, and with what the host has to do. */
static void calibrate_touch(void)
{
    enum { PROBE = 2000 };
    uint64_t from = now();
    for (size_t i = 0; i < PROBE; i++)
        memory[i * PAGE] = 1;
    touch_ns = (now() - from) / PROBE + 1;
    madvise(memory, (size_t)PROBE * PAGE, MADV_DONTNEED);
    pages = pages_for(period_ns * 8);
}

static void touch(void)
{
    for (size_t i = 0; i < pages; i++)
        memory[i * PAGE] = 1;
}

/* After the step-th cycle since: a part of the pages is untouched again. Locked ones stay. */
static void untouch(unsigned step)
{
    size_t part = pages / (EVERY - 2) + 1, from = part * (step - 1);
    if (step >= 1 && from < pages)
        madvise(memory + from * PAGE, (pages - from < part ? pages - from : part) * PAGE,
                MADV_DONTNEED);
}

/* ---- huge pages ---- */

static char *huge;
static size_t huge_pages; /* of one strike: what clearing them costs at least is over a period */

static void prepare_huge(void)
{
    enum { PAGES_MAX = 64 };
    size_t bytes = (size_t)PAGES_MAX * HUGE_BYTES;
    char *probe =
        mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    huge = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED || huge == MAP_FAILED)
        exit(3);
    huge += -(uintptr_t)huge & (HUGE_BYTES - 1);
    madvise(huge, bytes, MADV_HUGEPAGE);
    memset(probe, 1, HUGE_BYTES);
    uint64_t from = now();
    memset(probe, 2, HUGE_BYTES);
    huge_pages = (size_t)(period_ns * 3 / 2 / (now() - from + 1)) + 1;
    huge_pages = huge_pages < PAGES_MAX ? huge_pages : PAGES_MAX;
}

/* And give them back: the next strike meets the same ones, which the host has provided by then. */
static void touch_huge(void)
{
    for (size_t i = 0; i < huge_pages; i++)
        huge[i * HUGE_BYTES] = 1;
    madvise(huge, huge_pages * HUGE_BYTES, MADV_DONTNEED);
}

/* ---- another thread, which is busy in every 8th cycle ---- */

static _Atomic uint64_t start_ns; /* release of the first cycle; 0: the thread is not there yet */
static void *volatile fence;

static void wait_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

static void pin(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((int)sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void wait_for_start(void)
{
    while (!start_ns)
        wait_until(now() + 1000000);
}

static void *compete(void *unused)
{
    struct sched_param normal = {0}; /* also where the program has more */
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal);
    pin();
    wait_for_start();
    for (unsigned i = EVERY; i < cycles; i += EVERY) {
        wait_until(start_ns + i * period_ns - period_ns / 2);
        while (now() < start_ns + i * period_ns + period_ns * 2)
            filter(1, 1000);
    }
    return unused;
}

/* More than a thread's own cache holds. */
static void allocate_once(void)
{
    void *volatile block = malloc(3000);
    free(block);
}

/* Free blocks between blocks in use, so many that looking through them takes two periods. */
static void litter(void)
{
    enum { MOST = 1 << 21 };
    void **block = mmap(NULL, MOST * sizeof *block, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        exit(3);
    uint64_t took = 0;
    for (size_t count = 1 << 15; count <= MOST && took < period_ns * 2; count *= 2) {
        for (size_t i = 0; i < count; i++) {
            block[i] = malloc(160);
            fence = malloc(24);
        }
        for (size_t i = 0; i < count; i++)
            free(block[i]);
        allocate_once(); /* puts them in order, which is not to be seen later */
        uint64_t from = now();
        (void)mallinfo2();
        took = now() - from;
    }
    munmap(block, MOST * sizeof *block);
}

static void *look_through(void *unused)
{
    wait_for_start();
    for (unsigned i = EVERY; i < cycles; i += EVERY) {
        wait_until(start_ns + i * period_ns - period_ns / 8);
        (void)mallinfo2();
    }
    return unused;
}

/* In small pages, of which the system's heap has new ones each time. */
static void take_block(void)
{
    char *block = malloc(TOUCH_BYTES);
    for (size_t i = 0; block && i < pages_for(period_ns * 3); i++)
        ((volatile char *)block)[i * PAGE] = 1;
    free(block);
}

static void work(unsigned number)
{
    filter(1, steps);
    if (number % EVERY != 0 || number == 0)
        return;
    if (!strcmp(defect, "denormal"))
        filter(1e-39f, denormal_steps);
    else if (!strcmp(defect, "touch"))
        touch();
    else if (!strcmp(defect, "compute"))
        filter(1, steps * 15);
    else if (!strcmp(defect, "heap"))
        take_block();
    else if (!strcmp(defect, "huge"))
        touch_huge();
    else if (!strcmp(defect, "arena"))
        allocate_once();
}

static void take_priority(void)
{
    struct sched_param param = {.sched_priority = 60};
    if (strcmp(defect, "rival") != 0) {
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
        return;
    }
    pin();
    setpriority(PRIO_PROCESS, 0, 19); /* of this thread; a real-time one does not mind */
}

static void *run(void *unused)
{
    take_priority();
    if (tac_thread_register("audio", 1 << 15))
        abort();
    int source = tac_cycle_source_open("audio", period_ns);
    uint64_t release = now() + 10 * period_ns;
    start_ns = release;
    for (unsigned i = 0; i < cycles; i++, release += period_ns) {
        wait_until(release);
        tac_cycle_begin(source, release + period_ns, 64);
        work(i);
        tac_cycle_end(source);
        if (!strcmp(defect, "touch"))
            untouch(i % EVERY);
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
    if (!strcmp(defect, "heap"))
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    calibrate();
    calibrate_denormals();
    calibrate_touch();
    struct tac_trace_config config = {.path = "/dev/null", .evidence = TAC_EVIDENCE_CLOCK};
    if (tac_trace_start(&config))
        return 3;
    pthread_t thread, other;
    if (!strcmp(defect, "huge"))
        prepare_huge();
    if (!strcmp(defect, "arena"))
        litter();
    void *(*help)(void *) = !strcmp(defect, "rival")   ? compete
                            : !strcmp(defect, "arena") ? look_through
                                                       : NULL;
    if (pthread_create(&thread, NULL, run, NULL) ||
        (help && pthread_create(&other, NULL, help, NULL)))
        return 3;
    pthread_join(thread, NULL);
    if (help)
        pthread_join(other, NULL);
    return tac_trace_stop() < 0 ? 3 : 0;
}
