/* SPDX-License-Identifier: MIT
 * bench_stolen.c - what is left of a second thread when its core is stolen: all of the time, or a
 * part of it.
 *
 * usage: bench_stolen [strips]. Slices of 64 frames follow each other on CPU 0, with one thread and
 * with two in turns of 400 ms, while a thread of higher priority keeps CPU 1 busy for a part of
 * each period. Printed: the mean of a slice with one thread and with two, the ratio, what of the
 * slices the engine chose to run alone, and tasks that were lost to the thief. "then": how long
 * helpers were called on, when they come no more at all. */
#include "strips.h"

#include "base/clock.h"
#include "tactus/engine.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE = 64, TURN_NS = 400000000, TURNS = 4, PAID_NS = 500000000 };

static char text[1 << 20];

static struct {
    pthread_t thread;
    uint64_t on_ns, off_ns;
    _Atomic int goes_on, steals;
} thief;

static void bind_to(int cpu, int priority)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    struct sched_param fifo = {.sched_priority = priority};
    if (sched_setaffinity(0, sizeof set, &set) ||
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &fifo))
        printf("CPU %d, priority %d: not permitted\n", cpu, priority);
}

static void *steal(void *user)
{
    (void)user;
    bind_to(1, 60);
    atomic_store(&thief.steals, 1);
    while (atomic_load(&thief.goes_on)) {
        uint64_t until = tac_clock_ns() + thief.on_ns;
        while (tac_clock_ns() < until && atomic_load(&thief.goes_on))
            ;
        tac_clock_sleep_until(tac_clock_ns() + thief.off_ns);
    }
    return NULL;
}

static void begin_theft(uint64_t on_us, uint64_t off_us)
{
    thief.on_ns = on_us * 1000;
    thief.off_ns = off_us * 1000;
    atomic_store(&thief.goes_on, 1);
    if (on_us && pthread_create(&thief.thread, NULL, steal, NULL))
        exit(1);
    while (on_us && !atomic_load(&thief.steals)) /* it begins on the CPU that we keep busy */
        tac_clock_sleep_until(tac_clock_ns() + 100000);
}

static void end_theft(void)
{
    atomic_store(&thief.goes_on, 0);
    if (thief.on_ns)
        pthread_join(thief.thread, NULL);
    atomic_store(&thief.steals, 0);
}

static struct tac_engine *load(uint32_t threads)
{
    struct tac_engine *e;
    struct tac_error err = {0};
    struct tac_engine_config config = {.threads = threads, .priority = 40};
    if (tac_engine_new(&config, &e) < 0 ||
        tac_engine_load_text(e, text, strlen(text), "bench", NULL, &err) < 0) {
        fprintf(stderr, "%u: %s\n", err.line, err.text);
        exit(1);
    }
    return e;
}

/* ns: of the thread's own clock. The kernel keeps some of each second for other programs. */
struct played {
    uint64_t ns, slices, alone, lost;
    uint64_t alone_ns; /* when it first went alone, from the beginning on */
};

static void play(struct tac_engine *e, uint64_t ns, struct played *p)
{
    static float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    struct tac_engine_stats stats;
    uint64_t begin = tac_clock_ns(), now = begin;
    tac_engine_stats(e, &stats);
    p->lost -= stats.tasks_lost;
    p->ns -= tac_clock_thread_cpu_ns();
    while (now < begin + ns) {
        tac_engine_process(e, NULL, out, SLICE);
        tac_engine_stats(e, &stats);
        now = tac_clock_ns();
        p->slices++;
        p->alone += stats.alone;
        if (stats.alone && !p->alone_ns)
            p->alone_ns = now - begin;
    }
    p->ns += tac_clock_thread_cpu_ns();
    p->lost += stats.tasks_lost;
}

static void compare(const char *name, uint64_t on_us, uint64_t off_us)
{
    struct played one = {0}, two = {0}, first = {0}, warm = {0};
    bind_to(1, 50); /* the helper inherits it */
    struct tac_engine *a = load(1), *b = load(2);
    bind_to(0, 50);
    play(b, PAID_NS, &warm);
    begin_theft(on_us, off_us);
    play(b, TURN_NS, &first);
    for (int i = 0; i < TURNS; i++) {
        play(a, TURN_NS, &one);
        play(b, TURN_NS, &two);
    }
    end_theft();
    double x = (double)one.ns / (double)one.slices / 1000;
    double y = (double)two.ns / (double)two.slices / 1000;
    double z = (double)first.ns / (double)first.slices / 1000;
    printf("%-12s %7.1f us %7.1f us  %5.2f x  alone %3.0f %%  lost %llu; at first %5.2f x", name, x,
           y, x / y, 100 * (double)two.alone / (double)two.slices, (unsigned long long)two.lost,
           x / z);
    if (first.alone_ns)
        printf(", alone after %.0f ms", (double)first.alone_ns / 1e6);
    printf("\n");
    fflush(stdout);
    tac_engine_free(a);
    tac_engine_free(b);
}

int main(int argc, char **argv)
{
    strips_write(text, argc > 1 ? (unsigned)atoi(argv[1]) : 64);
    printf("stolen       1 thread  2 threads\n");
    compare("nothing", 0, 0);
    compare("3 of 40 ms", 3000, 37000);
    compare("0.2 of 2 ms", 200, 1800);
    compare("half, 1 ms", 1000, 1000);
    compare("half, 10 ms", 10000, 10000);
    compare("nine tenths", 9000, 1000);
    compare("nearly all", 100000, 100);
    return 0;
}
