/* SPDX-License-Identifier: MIT
 * bench_switch.c - what capturing switches and wake-ups costs a context switch.
 *
 * Two threads on one CPU hand a byte to each other through pipes: two switches and two wake-ups a
 * turn. They are a process of their own, as a program that is watched is: the readers' memory is
 * not theirs. The ways of capturing take turns within one run, so that all see the same machine:
 * without, the tracefs tier with switches and wake-ups alone, the same with all that it takes by
 * default, the BPF tier, BPF programs that do nothing and that read the clock alone (bpf_floor.h),
 * and perf_event_open (perf_switches.h). Prints the median of CPU time of the two threads,
 * nanoseconds a switch, what each way adds, and the ratio to perf's. Needs root. usage:
 * bench_switch [ROUNDS] */
#include "base/clock.h"
#include "capture/kernel.h"

#include "bpf_floor.h"
#include "perf_switches.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 41, ROUNDS_MAX = 401, TURNS = 5000, WAYS = 7 };

static const char PATH[] = "/tmp/tactus-bench-switch.tac";
static int there[2], back[2], order[2], answer[2];
static clockid_t echo_clock;

struct way {
    const char *name;
    double (*measure)(struct way *w); /* NULL: nothing is captured */
    struct tac_kernel_config config;
    bool reads_clock;
    double ns[ROUNDS_MAX];
    uint64_t events, lost, bytes, reader_ns;
    int missing;
};

static double with_perf(struct way *w);
static double with_tier(struct way *w);
static double with_floor(struct way *w);

static struct way ways[WAYS] = {
    {.name = "nothing"},
    {.name = "perf, switch + waking", .measure = with_perf},
    {.name = "tracefs, switch + waking",
     .measure = with_tier,
     .config = {.path = PATH, .buffer_kb = 4096, .want = TAC_KERNEL_ONLY_SWITCHES}},
    {.name = "tracefs, all events",
     .measure = with_tier,
     .config = {.path = PATH, .buffer_kb = 4096}},
    {.name = "BPF, switch + waking",
     .measure = with_tier,
     .config = {.path = PATH, .buffer_kb = 4096, .tier = TAC_KERNEL_TIER_BPF}},
    {.name = "BPF, doing nothing", .measure = with_floor},
    {.name = "BPF, reading the clock", .measure = with_floor, .reads_clock = true},
};

static void pin(void)
{
    cpu_set_t cpu;
    CPU_ZERO(&cpu);
    CPU_SET(0, &cpu);
    pthread_setaffinity_np(pthread_self(), sizeof cpu, &cpu);
}

static void *echo(void *unused)
{
    char byte;
    pin();
    while (read(there[0], &byte, 1) == 1 && byte)
        if (write(back[1], &byte, 1) != 1)
            break;
    return unused;
}

/* CPU time of both threads: what else runs on the machine counts little. */
static uint64_t spent_ns(void)
{
    struct timespec t = {0};
    clock_gettime(echo_clock, &t);
    return tac_clock_thread_cpu_ns() + tac_timespec_ns(t);
}

static double turns(void)
{
    char byte = 1;
    uint64_t begin = spent_ns();
    for (int i = 0; i < TURNS; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            exit(1);
    return (double)(spent_ns() - begin) / (2.0 * TURNS);
}

/* The process that is watched: measures once for each byte that comes, after a run in which readers
 * touch their memory for the first time. */
static void be_watched(void)
{
    pthread_t thread;
    char byte;
    pin();
    if (pthread_create(&thread, NULL, echo, NULL) || pthread_getcpuclockid(thread, &echo_clock))
        exit(1);
    while (read(order[0], &byte, 1) == 1) {
        turns();
        double ns = turns();
        if (write(answer[1], &ns, sizeof ns) != sizeof ns)
            break;
    }
    exit(0);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return tac_timespec_ns(t);
}

static double measure(struct way *w)
{
    double ns = 0;
    uint64_t begin = own_cpu_ns();
    if (write(order[1], "", 1) != 1 || read(answer[0], &ns, sizeof ns) != sizeof ns)
        exit(1);
    w->reader_ns += own_cpu_ns() - begin;
    return ns;
}

static double with_perf(struct way *w)
{
    struct perf_switches *perf;
    uint64_t records, lost;
    w->missing = perf_switches_start(&perf);
    double ns = measure(w);
    if (!w->missing) {
        perf_switches_stop(perf, &records, &lost);
        w->events += records;
        w->lost += lost;
    }
    return ns;
}

static double with_tier(struct way *w)
{
    struct tac_kernel_stats stats = {0};
    struct tac_kernel *kernel = NULL;
    w->missing = tac_kernel_start(&w->config, NULL, &kernel);
    double ns = measure(w);
    if (!w->missing)
        (void)!tac_kernel_stop(kernel, &stats);
    w->events += stats.events;
    w->lost += stats.lost;
    w->bytes += stats.bytes;
    unlink(PATH);
    return ns;
}

static double with_floor(struct way *w)
{
    struct bpf_floor floor;
    w->missing = bpf_floor_start(&floor, w->reads_clock);
    double ns = measure(w);
    if (!w->missing)
        bpf_floor_stop(&floor);
    return ns;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(const struct way *w, int rounds)
{
    const double *none = ways[0].ns, *perf = ways[1].ns;
    int half = rounds / 2, quarter = rounds / 4;
    if (w->missing) {
        printf("%-26s not to be had here: %s\n", w->name, tac_error_sentence(w->missing));
        return;
    }
    printf("%-26s %6.0f ns a switch, + %4.0f, %4.2f of perf's (quartiles %6.0f, + %4.0f, %4.2f)",
           w->name, w->ns[half], w->ns[half] - none[half],
           (w->ns[half] - none[half]) / (perf[half] - none[half]), w->ns[quarter],
           w->ns[quarter] - none[quarter],
           (w->ns[quarter] - none[quarter]) / (perf[quarter] - none[quarter]));
    printf("; %.2f events a switch, %llu lost", (double)w->events / (4.0 * TURNS * rounds),
           (unsigned long long)w->lost);
    if (w->events)
        printf(", reader %.0f ns each", (double)w->reader_ns / (double)w->events);
    if (w->bytes)
        printf(", %.2f bytes each", (double)w->bytes / (double)w->events);
    putchar('\n');
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    if (pipe(there) || pipe(back) || pipe(order) || pipe(answer))
        return 1;
    pid_t watched = fork();
    if (!watched) {
        close(order[1]);
        be_watched();
    }
    close(answer[1]);
    measure(&ways[0]);
    for (int i = 0; i < rounds; i++)
        for (int k = 0; k < WAYS; k++) {
            struct way *w = &ways[(k + i) % WAYS];
            w->ns[i] = w->measure ? w->measure(w) : measure(w);
        }
    close(order[1]);
    waitpid(watched, NULL, 0);
    for (int k = 0; k < WAYS; k++)
        qsort(ways[k].ns, (size_t)rounds, sizeof *ways[k].ns, by_value);
    for (int k = 0; k < WAYS; k++)
        report(&ways[k], rounds);
    return 0;
}
