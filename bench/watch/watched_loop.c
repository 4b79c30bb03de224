/* SPDX-License-Identifier: MIT
 * watched_loop.c - the program that bench_watch measures: prints two numbers, ns for a malloc with
 * its free outside cycles, and ns for the begin and the end of an empty cycle; the least of many
 * rounds. It sees the watch library only when that is preloaded. The word "record" makes cycles of
 * it, so that a session that was asked for begins. */
#include "tactus/cycle.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 200, CALLS = 2000, CYCLES = 50 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void rest(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL); /* the helper empties the rings */
}

static void *volatile sink;

static void *heap_loop(void *ret_ns)
{
    double least = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < CALLS; i++) {
            sink = malloc(40);
            free(sink);
        }
        double ns = (now_ns() - begin) / CALLS;
        least = ns < least ? ns : least;
        rest();
    }
    *(double *)ret_ns = least;
    return NULL;
}

static double cycle_loop(int source)
{
    double least = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < CYCLES; i++) {
            tac_cycle_begin(source, (uint64_t)begin + 1000000000, 64);
            tac_cycle_end(source);
        }
        double ns = (now_ns() - begin) / CYCLES;
        least = ns < least ? ns : least;
        rest();
    }
    return least;
}

int main(int argc, char **argv)
{
    double heap_ns = 0, cycle_ns = 0;
    int source = -1;
    pthread_t thread;
    if (argc > 1 && !strcmp(argv[1], "record")) {
        source = tac_cycle_source_open("loop", 1000000);
        tac_thread_register("loop", 0);
    }
    if (source >= 0)
        cycle_ns = cycle_loop(source);
    if (pthread_create(&thread, NULL, heap_loop, &heap_ns) || pthread_join(thread, NULL))
        return 1;
    printf("%.2f %.2f\n", heap_ns, cycle_ns);
    return 0;
}
