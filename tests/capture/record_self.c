/* SPDX-License-Identifier: MIT
 * record_self.c - a small program that records itself, for the tests of commands: cycles of 2 ms
 * with zones. usage: record_self FILE-OR-ADDRESS [CYCLES [LATE [ZONES]]]: cycle LATE ends late; -1:
 * none does. */
#include "tactus/cycle.h"

#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    struct tac_trace_config config = {.path = argc > 1 ? argv[1] : "record_self.tac"};
    struct timespec nap = {0, 2000000};
    int cycles = argc > 2 ? atoi(argv[2]) : 50, late = argc > 3 ? atoi(argv[3]) : -1;
    int zones = argc > 4 ? atoi(argv[4]) : 1;
    if (tac_trace_start(&config) || tac_thread_register("audio", 0))
        return 1;
    int source = tac_cycle_source_open("callback", 2000000);
    for (int i = 0; i < cycles; i++) {
        nanosleep(&nap, NULL);
        /* a loaded machine must not make other cycles late: their deadline is far away */
        tac_cycle_begin(source, late < 0 ? 0 : now_ns() + (i == late ? 1 : 60000000000u), 64);
        for (int k = 0; k < zones; k++) {
            TAC_ZONE("work");
        }
        tac_cycle_end(source);
    }
    return tac_trace_stop() ? 1 : 0;
}
