/* SPDX-License-Identifier: MIT
 * emit.c - a steady 100 000 events a second for bench/trace/hour: every millisecond a cycle with 49
 * zones, as an instrument with small blocks makes them.
 *
 * usage: emit PATH SECONDS. PATH as for tac_trace_start (a file or an address). Prints what was
 * emitted, stored and dropped. */
#include "base/clock.h"
#include "tactus/cycle.h"

#include <stdio.h>
#include <stdlib.h>

enum { ZONES = 49, PERIOD_NS = 1000000 };

static void cycle(int source, uint64_t deadline_ns)
{
    TAC_CYCLE_BEGIN(source, deadline_ns, 48);
    for (int i = 0; i < ZONES; i++) {
        TAC_ZONE("node");
        for (volatile int k = 0; k < 20 + i; k++)
            ;
    }
    TAC_CYCLE_END(source);
}

int main(int argc, char **argv)
{
    uint64_t cycles = argc > 2 ? strtoull(argv[2], NULL, 10) * 1000 : 0;
    struct tac_trace_config config = {.path = argc > 1 ? argv[1] : NULL};
    int source = tac_cycle_source_open("emit", PERIOD_NS);
    /* 650 ms of events: a machine under heavy load kept the helper away for 330 */
    if (tac_thread_register("emit", 1 << 16) || tac_trace_start(&config))
        return 1;
    uint64_t next = tac_clock_ns();
    for (uint64_t i = 0; i < cycles; i++) {
        cycle(source, next + PERIOD_NS);
        next += PERIOD_NS;
        tac_clock_sleep_until(next);
    }
    struct tac_trace_stats s;
    tac_clock_sleep_until(tac_clock_ns() + 500000000);
    tac_trace_get_stats(&s);
    printf("emitted %llu stored %llu dropped %llu\n",
           (unsigned long long)(cycles * (2 * ZONES + 2)), (unsigned long long)s.stored,
           (unsigned long long)s.dropped);
    return tac_trace_stop() < 0;
}
