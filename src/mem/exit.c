/* SPDX-License-Identifier: MIT
 * exit.c - the statistics that stats=exit prints when the process ends, and stats=full with tables
 * of classes, threads and pools.
 *
 * Programs close their standard error before destructors run (coreutils do), so a duplicate with a
 * high number, out of the way of programs that count on theirs, is kept from the start.
 *
 * One process reports: not the children that it forks, and when TACTUS_PID names a process (as
 * `tactus run` does), not the programs that it starts either. */
#include "mem/heap.h"
#include "tactus/pool.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COPY_MIN = 230 };

static int copy; /* of standard error; 0: not wanted */
static pid_t reporter;
static int wanted; /* 1: statistics in brief, 2: in full */

/* Whether this is the process that is meant to report. */
bool tac_mem_reports_here(void)
{
    char buffer[32];
    const char *only = tac_mem_environment("TACTUS_PID=", buffer, sizeof buffer);
    pid_t self = getpid();
    return (!reporter || reporter == self) && (!only || strtol(only, NULL, 10) == self);
}

/* Line on a copy of standard error that programs do not close. */
static void keep_error(void)
{
    copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, COPY_MIN);
    copy = copy > 0 ? copy : STDERR_FILENO;
}

void tac_mem_report_at_exit(int stats)
{
    reporter = getpid();
    wanted = stats;
    if (tac_mem_reports_here())
        keep_error();
}

void tac_mem_say(const char *format, ...)
{
    char line[600] = "tactus: ";
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + 8, sizeof line - 9, format, args);
    va_end(args);
    size_t length = 8 + (n < 0 ? 0 : (size_t)n < sizeof line - 10 ? (size_t)n : sizeof line - 10);
    line[length++] = '\n';
    if (write(copy ? copy : STDERR_FILENO, line, length) < 0)
        return;
}

static void report_classes(const struct tac_heap_stats *s)
{
    dprintf(copy, "  %10s %10s %12s\n", "block", "blocks", "held");
    for (unsigned c = 0; c < s->class_count; c++)
        if (s->of_class[c].slab_bytes)
            dprintf(copy, "  %10zu %10zu %8zu KiB\n", s->of_class[c].block_bytes,
                    s->of_class[c].live_blocks, s->of_class[c].slab_bytes >> 10);
    if (s->large_blocks)
        dprintf(copy, "  %10s %10zu %8zu KiB\n", "pages", s->large_blocks, s->large_bytes >> 10);
}

static void report_threads(double us)
{
    static struct tac_heap_thread_stats list[64];
    unsigned n = tac_heap_threads_get(list, sizeof list / sizeof *list);
    dprintf(copy, "  %10s %10s %12s %10s %10s\n", "thread", "slow calls", "in blocks", "remote",
            "slowest");
    for (unsigned i = 0; i < n; i++)
        dprintf(copy, "  %10d %10llu %8zu KiB %10llu %7.1f us\n", list[i].tid,
                (unsigned long long)(list[i].slow_mallocs + list[i].slow_frees),
                list[i].live_bytes >> 10, (unsigned long long)list[i].remote_frees,
                (double)list[i].worst_ticks * us);
}

static void report_pool(const struct tac_pool_stats *s, void *user)
{
    bool *headed = user;
    if (!*headed)
        dprintf(copy, "  %10s %10s %10s %10s %10s  %s\n", "object", "count", "most", "gets",
                "refused", "pool");
    *headed = true;
    dprintf(copy, "  %10zu %10u %10u %10llu %10llu  %s\n", s->object_bytes, s->count, s->used_peak,
            (unsigned long long)s->gets, (unsigned long long)s->failures, s->name ? s->name : "");
}

__attribute__((destructor)) void tac_mem_report(void)
{
    if (!wanted || !tac_mem_reports_here())
        return;
    int stats = wanted;
    wanted = 0;
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
    bool headed = false;
    if (stats > 1) {
        report_classes(&s);
        report_threads(us);
        tac_pool_each(report_pool, &headed);
    }
}
