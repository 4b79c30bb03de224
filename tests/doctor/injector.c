/* SPDX-License-Identifier: MIT
 * injector.c - a program with a deadline into which faults of known kind are put at known cycles.
 *
 * usage: injector FAULT RECORDING TRUTH [CYCLES [PERIOD_US]]
 *
 * A thread (SCHED_FIFO where permitted, with RLIMIT_RTTIME as a guard, on the last CPU) runs cycles
 * of PERIOD_US, each with about a tenth of that as its work. Every 16th cycle carries the fault.
 * TRUTH gets one line a cycle from the program's own clock: number begin_ns deadline_ns end_ns
 * fault-or-dash injected_ns. The truth knows nothing of the recording; score.py compares the two.
 *
 * INJECTOR_KERNEL=1 records the whole system's scheduling too (needs privilege); INJECTOR_NO_PERF=1
 * leaves the kernel's own-process events out.
 *
 * The heap, locks and calls are recorded through the public functions of trace.h, as a program that
 * is built with it would. */
#include "capture/kernel.h"
#include "tactus/cycle.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVERY = 16, CYCLES_MAX = 200000 };

struct fault {
    const char *name;
    void (*prepare)(void); /* before the cycles; may be NULL */
    void (*strike)(void);  /* inside a cycle; NULL: the helper thread strikes */
    void (*help)(void);    /* body of a helper thread, called again until the end; may be NULL */
};

struct truth {
    uint64_t begin_ns, deadline_ns, end_ns, injected_ns;
    int hit;
};

static struct truth *truths;
static uint64_t period_ns = 2000000;
static atomic_int running = 1;
static atomic_uint tick; /* number of the cycle that runs or comes next */
static volatile double sink;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void spin(uint64_t ns)
{
    double x = sink + 1;
    for (uint64_t end = now() + ns; now() < end;)
        for (int i = 0; i < 100; i++)
            x = x * 0.999 + 1;
    sink = x;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

static void pin(int last)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_SET((int)(last ? cpus - 1 : 0), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int fifo(int priority)
{
    struct sched_param p = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
}

/* ---- the recorded forms of what a program does ---- */

static void *heap_get(size_t bytes)
{
    uint64_t begin = tac_trace_counter();
    void *p = malloc(bytes);
    tac_trace_memory(p ? TAC_MEMORY_ALLOC : TAC_MEMORY_FAIL, p, NULL, bytes, begin);
    return p;
}

static void heap_put(void *p)
{
    volatile uintptr_t address = (uintptr_t)p; /* the compiler must not see that it is p */
    uint64_t begin = tac_trace_counter();
    free(p);
    tac_trace_memory(TAC_MEMORY_FREE, (void *)address, NULL, 0, begin);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int holder;

static void lock(void)
{
    if (pthread_mutex_trylock(&mutex)) {
        uint64_t begin = tac_trace_counter();
        uint32_t who = (uint32_t)atomic_load(&holder);
        pthread_mutex_lock(&mutex);
        tac_trace_lock_wait(&mutex, who, begin);
    }
    atomic_store(&holder, gettid());
}

static void unlock(void)
{
    atomic_store(&holder, 0);
    pthread_mutex_unlock(&mutex);
}

/* ---- faults that strike inside the cycle ---- */

static void strike_compute(void)
{
    spin(period_ns + period_ns / 4);
}

static void strike_denormal(void)
{
    volatile float x = 1e-39f, y = 0;
    for (uint64_t end = now() + period_ns + period_ns / 4; now() < end;)
        for (int i = 0; i < 200; i++)
            y = x * 0.999f + y * 0.5f;
    sink = (double)y;
}

static void strike_storm(void)
{
    static void *block[4000];
    for (uint64_t end = now() + period_ns + period_ns / 4; now() < end;) {
        for (int i = 0; i < 400; i++)
            block[i] = heap_get((size_t)(8 + i % 60));
        for (int i = 0; i < 400; i++)
            heap_put(block[i]);
    }
}

static void prepare_one_arena(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 0);
}

static void strike_heap(void)
{
    void *block[64];
    for (int n = 0; n < 40; n++) {
        for (int i = 0; i < 64; i++)
            block[i] = heap_get((size_t)(1200 + i * 40));
        for (int i = 0; i < 64; i++)
            heap_put(block[i]);
    }
}

/* Large operations under the arena's lock, without pause. */
static void help_heap(void)
{
    static void *block[256];
    for (int i = 0; i < 256; i++)
        block[i] = heap_get((size_t)(1100 + (i * 7919) % 50000));
    for (int i = 0; i < 256; i++)
        heap_put(block[i]);
}

static char *fresh;
static size_t fresh_used, fresh_bytes;

static void map_fresh(size_t bytes, int advice)
{
    fresh_bytes = bytes;
    fresh = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (fresh == MAP_FAILED)
        abort();
    madvise(fresh, bytes, advice);
}

static void prepare_touch(void)
{
    map_fresh((size_t)3 << 30 >> (sizeof(void *) == 4 ? 2 : 0), MADV_NOHUGEPAGE);
}

static void strike_touch(void)
{
    for (uint64_t end = now() + period_ns + period_ns / 4; now() < end && fresh_used < fresh_bytes;)
        for (int i = 0; i < 16; i++, fresh_used += 4096)
            fresh[fresh_used] = 1;
}

static void prepare_huge(void)
{
    map_fresh((size_t)3 << 30 >> (sizeof(void *) == 4 ? 2 : 0), MADV_HUGEPAGE);
    fresh_used = -(uintptr_t)fresh & (((size_t)2 << 20) - 1);
}

static void strike_huge(void)
{
    for (int i = 0; i < 2 && fresh_used < fresh_bytes; i++, fresh_used += (size_t)2 << 20)
        fresh[fresh_used + 4096 * 3] = 1;
}

static void strike_mutex(void)
{
    lock();
    unlock();
}

/* Hold the lock from before a struck cycle until well after its deadline. */
static void help_mutex(void)
{
    unsigned at = atomic_load(&tick);
    if (at % EVERY == EVERY - 1 || at % EVERY == 0) {
        lock();
        sleep_ns(period_ns * 7 / 2);
        unlock();
        sleep_ns(period_ns * 4);
    }
    sleep_ns(period_ns / 8);
}

static void strike_sleep(void)
{
    TAC_ZONE_AT(TAC_CAT_CALL, 1, "nanosleep");
    sleep_ns(period_ns + period_ns / 4);
}

static void strike_silent_sleep(void)
{
    sleep_ns(period_ns + period_ns / 4);
}

static int file = -1;

static void prepare_sync(void)
{
    char path[] = "/var/tmp/tactus-injector-XXXXXX";
    file = mkstemp(path);
    unlink(path);
}

static void strike_sync(void)
{
    static char text[65536];
    TAC_ZONE_AT(TAC_CAT_CALL, 1, "fdatasync");
    for (uint64_t end = now() + period_ns + period_ns / 4; now() < end;)
        if (pwrite(file, text, sizeof text, 0) < 0 || fdatasync(file))
            return;
}

/* ---- faults from outside ---- */

static atomic_uint hog_turns;

static void strike_nothing(void)
{
}

/* Of higher priority and on the same CPU: takes it in the middle of a struck cycle. */
static void help_hog(void)
{
    static int set;
    if (!set) {
        pin(1);
        fifo(80);
        set = 1;
    }
    unsigned at = atomic_load(&tick);
    if (at % EVERY == 0 && at / EVERY != atomic_load(&hog_turns)) {
        atomic_store(&hog_turns, at / EVERY);
        spin(period_ns * 5 / 2);
    }
    sleep_ns(period_ns / 40);
}

/* A child that stops and continues its parent, until the parent is gone. */
static void prepare_stop(void)
{
    pid_t parent = getpid();
    if (fork())
        return;
    while (getppid() == parent) {
        sleep_ns(period_ns * EVERY);
        kill(parent, SIGSTOP);
        sleep_ns(period_ns * 2);
        kill(parent, SIGCONT);
    }
    _exit(0);
}

static const struct fault faults[] = {
    {"none", NULL, strike_nothing, NULL},
    {"compute", NULL, strike_compute, NULL},
    {"denormal", NULL, strike_denormal, NULL},
    {"storm", NULL, strike_storm, NULL},
    {"heap", prepare_one_arena, strike_heap, help_heap},
    {"touch", prepare_touch, strike_touch, NULL},
    {"huge", prepare_huge, strike_huge, NULL},
    {"mutex", NULL, strike_mutex, help_mutex},
    {"sleep", NULL, strike_sleep, NULL},
    {"silent-sleep", NULL, strike_silent_sleep, NULL},
    {"sync", prepare_sync, strike_sync, NULL},
    {"hog", NULL, NULL, help_hog},
    {"stop", prepare_stop, NULL, NULL},
};

static const struct fault *fault_of(const char *name)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (!strcmp(faults[i].name, name))
            return &faults[i];
    return NULL;
}

/* ---- the cycles ---- */

struct plan {
    const struct fault *fault;
    unsigned cycles;
    int source;
};

static void wait_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void run_cycle(const struct plan *plan, unsigned number, uint64_t release)
{
    struct truth *t = &truths[number];
    t->deadline_ns = release + period_ns;
    t->hit = number && number % EVERY == 0;
    tac_cycle_begin(plan->source, t->deadline_ns, 96);
    t->begin_ns = now();
    {
        TAC_ZONE("work");
        spin(period_ns / 10);
    }
    if (t->hit && plan->fault->strike) {
        uint64_t from = now();
        plan->fault->strike();
        t->injected_ns = now() - from;
    }
    t->end_ns = now();
    tac_cycle_end(plan->source);
}

static void *run_cycles(void *argument)
{
    const struct plan *plan = argument;
    pin(1);
    fifo(60);
    if (tac_thread_register("audio", 1 << 19))
        abort();
    uint64_t release = now() + 20 * period_ns;
    for (unsigned i = 0; i < plan->cycles; i++, release += period_ns) {
        atomic_store(&tick, i);
        wait_until(release);
        run_cycle(plan, i, release);
    }
    atomic_store(&running, 0);
    return NULL;
}

static void *run_helper(void *argument)
{
    const struct plan *plan = argument;
    pin(0);
    if (tac_thread_register("helper", 1 << 16))
        abort();
    while (atomic_load(&running))
        plan->fault->help();
    return NULL;
}

static int write_truth(const char *path, const struct plan *plan)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return -1;
    for (unsigned i = 0; i < plan->cycles; i++) {
        const struct truth *t = &truths[i];
        fprintf(out, "%u %llu %llu %llu %s %llu\n", i, (unsigned long long)t->begin_ns,
                (unsigned long long)t->deadline_ns, (unsigned long long)t->end_ns,
                t->hit ? plan->fault->name : "-", (unsigned long long)t->injected_ns);
    }
    return fclose(out);
}

static int record(const struct plan *plan, const char *recording)
{
    const char *meta[] = {"program=injector", NULL};
    struct tac_trace_config config = {
        .path = recording, .evidence = TAC_EVIDENCE_CLOCK | TAC_EVIDENCE_PERF, .meta = meta};
    if (getenv("INJECTOR_NO_PERF"))
        config.evidence = TAC_EVIDENCE_CLOCK;
    if (tac_trace_start(&config))
        return -1;
    struct tac_kernel *kernel = NULL;
    struct tac_kernel_config kernel_config = {.path = recording, .buffer_kb = 8192};
    if (getenv("INJECTOR_KERNEL") && tac_kernel_start(&kernel_config, NULL, &kernel))
        return -1;
    pthread_t audio, helper;
    if (pthread_create(&audio, NULL, run_cycles, (void *)(uintptr_t)plan))
        return -1;
    int helped =
        plan->fault->help && !pthread_create(&helper, NULL, run_helper, (void *)(uintptr_t)plan);
    pthread_join(audio, NULL);
    if (helped)
        pthread_join(helper, NULL);
    int r = tac_kernel_stop(kernel, NULL);
    return tac_trace_stop() < 0 || r < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct plan plan = {.fault = argc > 3 ? fault_of(argv[1]) : NULL, .cycles = 1600};
    if (!plan.fault) {
        fprintf(stderr, "usage: injector FAULT RECORDING TRUTH [CYCLES [PERIOD_US]]\n");
        return 2;
    }
    if (argc > 4)
        plan.cycles = (unsigned)strtoul(argv[4], NULL, 10);
    if (argc > 5)
        period_ns = strtoull(argv[5], NULL, 10) * 1000;
    truths = plan.cycles && plan.cycles <= CYCLES_MAX ? calloc(plan.cycles, sizeof *truths) : NULL;
    if (!truths)
        return 2;
    struct rlimit limit = {2000000, 2000000}; /* a spinning real-time thread ends after 2 s */
    setrlimit(RLIMIT_RTTIME, &limit);
    mlockall(MCL_CURRENT);
    if (plan.fault->prepare)
        plan.fault->prepare();
    plan.source = tac_cycle_source_open("audio", period_ns);
    if (plan.source < 0 || record(&plan, argv[2]) < 0 || write_truth(argv[3], &plan)) {
        fprintf(stderr, "injector: %s\n", strerror(errno));
        return 3;
    }
    return 0;
}
