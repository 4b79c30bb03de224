/* SPDX-License-Identifier: MIT
 * heap.c - `tactus heap PID`: the heap of a running program, live. */
#include "cli/cmd.h"

#include "base/clock.h"
#include "cli/heap_view.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_ONCE, OPTION_JSON, OPTION_PROMETHEUS, OPTION_INTERVAL, OPTION_SITES };
enum form { TEXT, JSON, PROMETHEUS };

#define SAMPLE_BYTES 65536 /* one allocation in so many bytes */

struct watching {
    struct tac_heap_view *view[TAC_HEAP_VIEW_HEAPS];
    int count;
    uint32_t sample;
    enum form form;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static int parse_pid(const char *text, pid_t *ret_pid)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n < 1 || n > INT_MAX)
        return tac_cmd_fail(TAC_EXIT_USAGE, "'%s' is not the number of a process", text);
    *ret_pid = (pid_t)n;
    return 0;
}

static int look(struct watching *w, struct tac_error *err)
{
    for (int i = 0; i < w->count; i++) {
        int r = tac_heap_view_take(w->view[i], w->sample, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void add_json(const struct watching *w, struct tac_text *page)
{
    for (int i = 0; i < w->count; i++)
        tac_heap_view_json(w->view[i], page);
}

static int print(const struct watching *w, int live)
{
    struct tac_text page = {0};
    if (live)
        tac_text_add(&page, "\033[H\033[2J");
    if (w->form == JSON)
        add_json(w, &page);
    else if (w->form == PROMETHEUS)
        tac_heap_view_prometheus((const struct tac_heap_view *const *)w->view, w->count, &page);
    for (int i = 0; w->form == TEXT && i < w->count; i++) {
        tac_text_add(&page, i ? "\n" : "");
        tac_heap_view_text(w->view[i], &page);
    }
    int r = tac_text_write(&page, stdout);
    tac_text_fini(&page);
    fflush(stdout);
    return r;
}

/* Until the program ends or the user has seen enough. With sites even --once waits one interval. */
static int watch(struct watching *w, double interval_s, int once)
{
    struct tac_error err = {0};
    int live = !once && w->form == TEXT && isatty(STDOUT_FILENO), seen = 0;
    for (;;) {
        int r = look(w, &err);
        if (r == -ESRCH && seen)
            return TAC_EXIT_OK; /* it ended while being watched */
        if (r < 0)
            return tac_cmd_fail_error(&err);
        if (!once || !w->sample || seen) {
            r = print(w, live);
            if (r < 0)
                return tac_cmd_fail(TAC_EXIT_FAILED, "standard output: %s", strerror(-r));
        }
        if (stopped || (once && (!w->sample || seen)))
            return TAC_EXIT_OK;
        seen = 1;
        tac_clock_sleep_until(tac_clock_ns() + (uint64_t)(interval_s * 1e9));
    }
}

static int open_views(struct watching *w, pid_t pid)
{
    struct tac_error err = {0};
    uint64_t address[TAC_HEAP_VIEW_HEAPS];
    int count = tac_heap_view_find(pid, address, &err);
    if (count < 0)
        return tac_cmd_fail_error(&err);
    for (; w->count < count; w->count++)
        if (!(w->view[w->count] = tac_heap_view_new(pid, w->count, address[w->count], w->sample)))
            return tac_cmd_fail(TAC_EXIT_FAILED, "not enough memory");
    return TAC_EXIT_OK;
}

static int run(const struct tac_cmd_args *args)
{
    struct watching w = {.sample = args->option[OPTION_SITES] ? SAMPLE_BYTES : 0};
    double interval_s = 1;
    pid_t pid = 0;
    if (!tac_cmd_number("interval", args->option[OPTION_INTERVAL], 0.05, 3600, &interval_s))
        return TAC_EXIT_USAGE;
    if (args->option[OPTION_JSON] && args->option[OPTION_PROMETHEUS])
        return tac_cmd_fail(TAC_EXIT_USAGE, "choose one of --json and --prometheus");
    w.form = args->option[OPTION_JSON] ? JSON : args->option[OPTION_PROMETHEUS] ? PROMETHEUS : TEXT;
    int code = parse_pid(args->operand[0], &pid);
    if (code)
        return code;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    code = open_views(&w, pid);
    if (code == TAC_EXIT_OK)
        code = watch(&w, interval_s, args->option[OPTION_ONCE] || w.form != TEXT);
    while (w.count)
        tac_heap_view_free(w.view[--w.count]);
    return code;
}

TAC_CMD(heap) = {
    .name = "heap",
    .summary = "the heap of a running program, live",
    .synopsis = "[options] PID",
    .text =
        "Shows the Tactus heap of a process as it is: what is in use and free, how fragmented, a "
        "map of the arena, the block sizes that hold the most, every thread, the object pools, the "
        "slowest call. It is read from outside: the program is not stopped, makes no system call "
        "for it, and does not know.\n\n"
        "With --sites the program's allocations are sampled while you look, about one in every "
        "64 KiB, and the places that allocate the most are listed. Sampling ends by itself when "
        "this command ends.\n\n"
        "To look at a process takes the right to debug it: your own programs, or root. Where "
        "kernel.yama.ptrace_scope is 1 (Ubuntu), start the program with TACTUS_HEAP=outside=yes, "
        "or use sudo.",
    .option =
        {
            [OPTION_ONCE] = {"once", '1', NULL, "Print one page and end."},
            [OPTION_JSON] = {"json", 0, NULL,
                             "One page as JSON (docs/heap.md has the fields); one object for each "
                             "heap of the process."},
            [OPTION_PROMETHEUS] = {"prometheus", 0, NULL,
                                   "One page in Prometheus' text format, for its textfile "
                                   "collector."},
            [OPTION_INTERVAL] = {"interval", 'i', "SECONDS",
                                 "From one page to the next (default 1)."},
            [OPTION_SITES] = {"sites", 's', NULL,
                              "Sample call sites too; with --once for one interval."},
        },
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
