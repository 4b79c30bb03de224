/* SPDX-License-Identifier: MIT
 * main.c - a program that records itself: an "audio" thread with a deadline every 2 ms, which it
 * misses once. Build it with the CMakeLists.txt or the meson.build beside it, run it, and ask
 * `tactus doctor my.tac` why. usage: example [RECORDING] */
#include <tactus/cycle.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { CYCLES = 200, PERIOD_NS = 2000000, FRAMES = 96 };

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void mix(int cycle)
{
    TAC_ZONE("mix");
    TAC_ZONE_VALUE((uint64_t)cycle);
    uint64_t until = now_ns() + (cycle == 100 ? 3000000 : 200000); /* once it is too long */
    while (now_ns() < until)
        ;
}

static void *audio(void *arg)
{
    int source = *(int *)arg;
    tac_thread_register("audio", 0); /* once, before the real-time work */
    uint64_t deadline = now_ns();
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        struct timespec begin = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &begin, NULL);
        deadline += PERIOD_NS;
        TAC_CYCLE_BEGIN(source, deadline, FRAMES);
        mix(cycle);
        TAC_PLOT("voices", "", cycle % 8);
        TAC_CYCLE_END(source);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct tac_trace_config config = {.path = argc > 1 ? argv[1] : "my.tac",
                                      .evidence = TAC_EVIDENCE_PERF};
    int error = tac_trace_start(&config);
    if (error < 0) {
        fprintf(stderr, "no recording: %s\n", tac_error_sentence(error));
        return 1;
    }
    int source = tac_cycle_source_open("callback", PERIOD_NS);
    pthread_t thread;
    if (pthread_create(&thread, NULL, audio, &source))
        return 1;
    pthread_join(thread, NULL);
    return tac_trace_stop() < 0;
}
