/* SPDX-License-Identifier: MIT
 * bench_switch.c - what the kernel capture costs a context switch: two threads on one CPU hand a
 * byte to each other through pipes, without and with it, in turns; medians of nanoseconds a switch.
 * Needs root for the second half. */
#include "base/clock.h"
#include "capture/kernel.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 7, TURNS = 10000 };

static int there[2], back[2];

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

static double ns_per_switch(void)
{
    char byte = 1;
    uint64_t begin = tac_clock_ns();
    for (int i = 0; i < TURNS; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            exit(1);
    return (double)(tac_clock_ns() - begin) / (2.0 * TURNS);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void *turns(void *result)
{
    double *ns = result;
    pin();
    *ns = ns_per_switch();
    return NULL;
}

/* On a thread of its own, so that the reader of the capture is not pinned with it. */
static double measure(void)
{
    pthread_t thread;
    double ns = 0;
    pthread_create(&thread, NULL, turns, &ns);
    pthread_join(thread, NULL);
    return ns;
}

int main(void)
{
    struct tac_kernel_config config = {.path = "/tmp/tactus-bench-switch.tac", .buffer_kb = 16384};
    struct tac_kernel_stats stats = {0};
    struct tac_error err;
    double plain[ROUNDS], traced[ROUNDS];
    pthread_t thread;
    char end = 0;
    if (pipe(there) || pipe(back) || pthread_create(&thread, NULL, echo, NULL))
        return 1;
    measure();
    for (int i = 0; i < ROUNDS; i++) {
        struct tac_kernel *kernel;
        plain[i] = measure();
        if (tac_kernel_start(&config, &err, &kernel) < 0) {
            printf("%s\n", err.text);
            return 77;
        }
        traced[i] = measure();
        (void)!tac_kernel_stop(kernel, &stats);
    }
    if (write(there[1], &end, 1) == 1)
        pthread_join(thread, NULL);
    qsort(plain, ROUNDS, sizeof *plain, by_value);
    qsort(traced, ROUNDS, sizeof *traced, by_value);
    printf("a switch            %.0f ns, with kernel capture %.0f ns: + %.0f ns\n",
           plain[ROUNDS / 2], traced[ROUNDS / 2], traced[ROUNDS / 2] - plain[ROUNDS / 2]);
    printf("last round          %llu events, %llu lost\n", (unsigned long long)stats.events,
           (unsigned long long)stats.lost);
    unlink(config.path);
    return 0;
}
