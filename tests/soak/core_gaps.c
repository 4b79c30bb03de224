/* SPDX-License-Identifier: MIT
 * core_gaps.c - says when a core was kept even from a thread that nothing may delay.
 *
 * usage: soak_witness CORE...    until SIGTERM; then prints a line for each gap: CORE DUE WOKE
 *
 * How     A thread a core, pinned, of the highest real-time priority but one (the kernel's own have
 *         the highest), sleeps to the points of a grid of PERIOD_NS. Where it wakes more than
 * GAP_NS late, no program in user mode can have been the reason: the kernel did not give the core
 *         back, or the machine itself was not run. A gap on several cores at once can hardly be the
 *         kernel's. Times are CLOCK_MONOTONIC, in ns, as in the doctor's report.
 * Cost    about 3 us a wake-up. Memory: GAPS_MAX records a core, locked; more are counted.
 * Source  the method of jHiccup (Tene): what a thread sees that has nothing to do. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { PERIOD_NS = 200000, GAP_NS = 100000, GAPS_MAX = 1 << 18, CORES_MAX = 64, PRIORITY = 98 };

struct gap {
    uint64_t due_ns, woke_ns;
};

struct core {
    pthread_t thread;
    int number;
    uint64_t gaps; /* also those that found no room */
    struct gap *gap;
};

static atomic_bool stop;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void *watch(void *user)
{
    struct core *core = user;
    uint64_t due = now_ns();
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        due += PERIOD_NS;
        sleep_until(due);
        uint64_t woke = now_ns();
        if (woke - due <= GAP_NS)
            continue;
        if (core->gaps < GAPS_MAX)
            core->gap[core->gaps] = (struct gap){due, woke};
        core->gaps++;
        due = woke; // what was slept through is one gap
    }
    return NULL;
}

static int start(struct core *core, int number)
{
    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = PRIORITY};
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)number, &set);
    core->number = number;
    core->gap = calloc(GAPS_MAX, sizeof *core->gap);
    if (!core->gap)
        return ENOMEM;
    pthread_attr_init(&attr);
    pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
    pthread_attr_setschedparam(&attr, &param);
    pthread_attr_setaffinity_np(&attr, sizeof set, &set);
    int code = pthread_create(&core->thread, &attr, watch, core);
    pthread_attr_destroy(&attr);
    return code;
}

int main(int argc, char **argv)
{
    static struct core cores[CORES_MAX];
    sigset_t signals;
    int caught, count = argc - 1 < CORES_MAX ? argc - 1 : CORES_MAX;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (mlockall(MCL_CURRENT | MCL_FUTURE))
        return 3;
    for (int i = 0; i < count; i++)
        if (start(&cores[i], atoi(argv[1 + i])))
            return 3;
    sigwait(&signals, &caught);
    atomic_store(&stop, true);
    for (int i = 0; i < count; i++) {
        pthread_join(cores[i].thread, NULL);
        for (uint64_t k = 0; k < cores[i].gaps && k < GAPS_MAX; k++)
            printf("%d %llu %llu\n", cores[i].number, (unsigned long long)cores[i].gap[k].due_ns,
                   (unsigned long long)cores[i].gap[k].woke_ns);
    }
    return 0;
}
