/* SPDX-License-Identifier: MIT
 * exit.c - the statistics that stats=exit prints when the process ends.
 *
 * Programs close their standard error before destructors run (coreutils do), so a duplicate with a
 * high number, out of the way of programs that count on theirs, is kept from the start. */
#include "mem/heap.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { COPY_MIN = 230 };

static int copy; /* of standard error; 0: not wanted */

void tac_mem_report_at_exit(void)
{
    copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, COPY_MIN);
    copy = copy > 0 ? copy : STDERR_FILENO;
}

__attribute__((destructor)) static void report(void)
{
    if (!copy)
        return;
    struct tac_heap_stats s;
    tac_heap_stats_get(&s);
    double us = 1e6 / tac_counter_hz(1000000);
    dprintf(copy,
            "tactus: heap of %s (process %d)\n"
            "  most in use   %10zu KiB of %zu MiB, %zu MiB locked\n"
            "  at exit       %10zu KiB in blocks, %zu KiB taken\n"
            "  slow path     %10llu mallocs, %llu frees; the slowest %.1f us\n"
            "  other threads %10llu blocks freed by a thread that did not allocate them\n"
            "  refused       %10llu\n",
            program_invocation_short_name, (int)getpid(), s.taken_peak_bytes >> 10,
            s.arena_bytes >> 20, s.locked_bytes >> 20, s.live_bytes >> 10, s.taken_bytes >> 10,
            (unsigned long long)s.slow_mallocs, (unsigned long long)s.slow_frees,
            (double)s.worst_ticks * us, (unsigned long long)s.remote_frees,
            (unsigned long long)s.failures);
}
