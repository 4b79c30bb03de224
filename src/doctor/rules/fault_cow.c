/* SPDX-License-Identifier: MIT
 * fault_cow.c - page faults after a fork: until the child is gone or runs another program, every
 * page that the parent writes is copied first. */
#include "doctor/rule.h"

enum { BEFORE_NS = 2000 * 1000 * 1000, SOME_FAULTS = 4 };

static void check(struct tac_case *c)
{
    double more = c->cycle->faults_minor - c->nominal->faults_minor;
    uint64_t from = c->cycle->begin_ns > BEFORE_NS ? c->cycle->begin_ns - BEFORE_NS : 0;
    const struct tac_capture_kernel *fork =
        more >= SOME_FAULTS ? tac_case_fork(c, from, c->cycle->end_ns, true) : NULL;
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
