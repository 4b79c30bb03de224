/* SPDX-License-Identifier: MIT
 * fork_stall.c - the process was forked: the kernel copied its page tables under the lock of the
 * address space, and this thread stood before it. Longer with more resident memory. */
#include "doctor/forks.h"
#include "doctor/rule.h"

enum { BEFORE_NS = 100 * 1000 * 1000 };

static void check(struct tac_case *c)
{
    const struct tac_sight *wait;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_MMAP, &wait);
    uint64_t from = c->layout->release_ns > BEFORE_NS ? c->layout->release_ns - BEFORE_NS : 0;
    const struct tac_fork *fork =
        wait ? tac_forks_last(c->diagnosis->forks, from, c->cycle->end_ns) : NULL;
    char who[64];
    if (fork)
        tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, 0.95, "stood %.1f ms behind a fork by %s",
                  (double)ns / 1e6, tac_case_who(c, fork->parent, who, sizeof who));
}

TAC_RULE(fork_stall) = {
    .name = "fork_stall",
    .title = "the process was forked",
    .means =
        "A thread of the program called fork() or system(); copying the page tables of a large "
        "process takes milliseconds, and page faults of all threads wait for it.",
    .advice = "Start helper processes before audio runs, or from a small helper process; use "
              "posix_spawn or vfork. Locked memory makes it worse: keep the region small.",
    .needs = TAC_HAS_MM | TAC_HAS_SCHED,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
