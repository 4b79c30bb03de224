/* SPDX-License-Identifier: MIT
 * fork_stall.c - the process was forked: the kernel copied its page tables under the lock of the
 * address space, and this thread stood before it. Longer with more resident memory.
 *
 * The kernel tells of a fork when the child is complete, a little after it has given the lock back
 * (Linux, copy_process() in kernel/fork.c): so the fork that the thread waited for is told after
 * its wait began, and not long after its end, but for the time in which the forking thread could
 * not run. */
#include "doctor/forks.h"
#include "doctor/rule.h"

enum { UNTOLD_NS = 20 * 1000 * 1000, LATEST_NS = 200 * 1000 * 1000 };

/* The fork that the wait was for, or NULL. */
static const struct tac_fork *fork_of(const struct tac_case *c, const struct tac_sight *wait)
{
    const struct tac_fork *fork =
        tac_forks_first(c->diagnosis->forks, wait->from_ns, wait->to_ns + LATEST_NS);
    if (!fork || fork->ns <= wait->to_ns + UNTOLD_NS)
        return fork;
    uint64_t away = tac_case_displaced(c, fork->parent, wait->to_ns, fork->ns, NULL);
    return fork->ns - wait->to_ns <= away + UNTOLD_NS ? fork : NULL;
}

static bool is_behind_a_fork(const struct tac_case *c, const struct tac_sight *s)
{
    return s->kind == TAC_SIGHT_MMAP && fork_of(c, s);
}

static void check(struct tac_case *c)
{
    const struct tac_sight *wait;
    uint64_t ns = tac_case_sum(c, TAC_ACCOUNT_BLOCKED, is_behind_a_fork, &wait);
    char who[64];
    if (wait)
        tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, 0.95, "stood %.1f ms behind a fork by %s",
                  (double)ns / 1e6, tac_case_who(c, fork_of(c, wait)->parent, who, sizeof who));
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
