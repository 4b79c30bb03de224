/* SPDX-License-Identifier: MIT
 * exit.c - the statistics that stats=exit prints when the process ends. */
#include "mem/heap.h"

static int wanted;

void tac_mem_report_at_exit(void)
{
    wanted = 1;
}

__attribute__((destructor)) static void report(void)
{
    if (!wanted)
        return;
    struct tac_heap_stats s;
    tac_heap_stats_get(&s);
    tac_mem_say("heap: peak %zu KiB, now %zu KiB taken, %zu KiB live of %zu MiB (%zu MiB locked)",
                s.taken_peak_bytes >> 10, s.taken_bytes >> 10, s.live_bytes >> 10,
                s.arena_bytes >> 20, s.locked_bytes >> 20);
    tac_mem_say("heap: %llu refills, %llu slow frees, %llu remote frees, %llu failures, worst call "
                "%llu ticks, %u threads",
                (unsigned long long)s.slow_mallocs, (unsigned long long)s.slow_frees,
                (unsigned long long)s.remote_frees, (unsigned long long)s.failures,
                (unsigned long long)s.worst_ticks, s.threads);
}
