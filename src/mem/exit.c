/* SPDX-License-Identifier: MIT
 * exit.c - the statistics that stats=exit prints when the process ends.
 *
 * Programs close their standard error before destructors run (coreutils do), so a duplicate with a
 * high number, out of the way of programs that count on theirs, is kept from the start.
 *
 * One process reports: not the children that it forks, and when TACTUS_PID names a process (as
 * `tactus run` does), not the programs that it starts either. */
#include "mem/heap.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COPY_MIN = 230 };

static int copy; /* of standard error; 0: not wanted */
static pid_t reporter;

void tac_mem_report_at_exit(void)
{
    const char *only = environ ? getenv("TACTUS_PID") : NULL;
    reporter = getpid();
    if (only && strtol(only, NULL, 10) != reporter)
        return;
    copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, COPY_MIN);
    copy = copy > 0 ? copy : STDERR_FILENO;
}

__attribute__((destructor)) static void report(void)
{
    if (!copy || reporter != getpid())
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
