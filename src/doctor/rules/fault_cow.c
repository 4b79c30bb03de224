/* SPDX-License-Identifier: MIT
 * fault_cow.c - page faults after a fork: until the child is gone or runs another program, every
 * page that the parent writes is copied first. */
#include "doctor/rule.h"

#include <stdio.h>
#include <string.h>

enum { BEFORE_NS = 2000 * 1000 * 1000, SOME_FAULTS = 4 };

static bool is_own(const struct tac_capture *cap, const struct tac_capture_kernel *e)
{
    const char *pid = tac_capture_meta(cap, "pid");
    char text[16];
    snprintf(text, sizeof text, "%u", e->tid);
    return (pid && !strcmp(pid, text)) ||
           tac_capture_thread_of(cap, e->tid, e->ns) != TAC_CAPTURE_NONE;
}

/* A process forked off, at most two seconds before. Threads are made the same way: those are of
 * this process and turn up in its list. */
static const struct tac_capture_kernel *last_fork(const struct tac_case *c)
{
    const struct tac_capture *cap = c->capture;
    uint64_t from = c->cycle->begin_ns > BEFORE_NS ? c->cycle->begin_ns - BEFORE_NS : 0;
    const struct tac_capture_kernel *last = NULL;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, from);
         i < cap->kernel_count && cap->kernel[i].ns < c->cycle->end_ns; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        if (e->type == TAC_KERNEL_FORK && is_own(cap, e) &&
            tac_capture_thread_of(cap, (uint32_t)e->a, e->ns) == TAC_CAPTURE_NONE)
            last = e;
    }
    return last;
}

static void check(struct tac_case *c)
{
    double more = c->cycle->faults_minor - c->nominal->faults_minor;
    const struct tac_capture_kernel *fork = more >= SOME_FAULTS ? last_fork(c) : NULL;
    if (fork)
        tac_claim(c, TAC_ACCOUNT_FAULT, UINT64_MAX, 0.8,
                  "%.0f pages copied on their first write, %.0f ms after a fork", more,
                  ((double)c->cycle->begin_ns - (double)fork->ns) / 1e6);
}

TAC_RULE(fault_cow) = {
    .name = "fault_cow",
    .title = "page faults after a fork",
    .means = "The program forked, and while the child lives each page that the program writes has "
             "to be copied first.",
    .advice = "Start helpers with posix_spawn or vfork before audio runs; "
              "madvise(MADV_DONTFORK) for audio memory.",
    .needs = TAC_HAS_CLOCK | TAC_HAS_SCHED,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
