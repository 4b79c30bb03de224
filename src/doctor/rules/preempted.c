/* SPDX-License-Identifier: MIT
 * preempted.c - the thread could run, and another ran on its CPU. One that a call of the cycle had
 * started is of that call: blocking_call.c. */
#include "doctor/rule.h"

static bool is_others(const struct tac_case *c, const struct tac_sight *s)
{
    return s->kind == TAC_SIGHT_READY &&
           !(s->who && c->has & TAC_HAS_CALLS && tac_case_is_started(c, s->who));
}

static void check(struct tac_case *c)
{
    const struct tac_sight *longest;
    uint64_t all = tac_case_time(c, TAC_ACCOUNT_RUNNABLE, TAC_SIGHT_READY, &longest);
    uint64_t seen = all ? tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, is_others, &longest) : 0;
    uint64_t open = c->open_ns[TAC_ACCOUNT_RUNNABLE];
    uint64_t ns = all - seen < open ? open - (all - seen) : 0;
    if (all && !seen)
        return;
    if (!longest) {
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, UINT64_MAX, 0.85,
                  "pre-empted %u times; by whom was not recorded", c->cycle->switches_involuntary);
        return;
    }
    if (!longest->who) {
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, ns, 0.9,
                  "not on a CPU for %.0f us although it could run; by whom was not recorded",
                  (double)seen / 1e3);
        return;
    }
    char who[64];
    const char *kind = longest->prio < TAC_PRIO_NORMAL     ? ", a real-time thread"
                       : longest->prio == TAC_PRIO_UNKNOWN ? ""
                                                           : ", of normal priority";
    tac_claim(c, TAC_ACCOUNT_RUNNABLE, ns, 0.97, "%s%s, ran instead, up to %.0f us at a time",
              tac_case_who(c, longest->who, who, sizeof who), kind,
              (double)(longest->to_ns - longest->from_ns) / 1e3);
}

TAC_RULE(preempted) = {
    .name = "preempted",
    .title = "another thread ran instead",
    .means = "The thread was ready and its CPU was given to another thread.",
    .advice = "Give the audio thread SCHED_FIFO and a higher priority than the one that ran, or "
              "keep the two on different CPUs.",
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
