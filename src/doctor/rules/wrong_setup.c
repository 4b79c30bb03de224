/* SPDX-License-Identifier: MIT
 * wrong_setup.c - the thread has no real-time priority and had to share its CPU as any other. */
#include "doctor/rule.h"

static bool is_shared(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_READY && s->own_prio >= TAC_PRIO_NORMAL &&
           s->own_prio != TAC_PRIO_UNKNOWN && s->who && s->prio >= TAC_PRIO_NORMAL &&
           s->prio != TAC_PRIO_UNKNOWN;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t ns = tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, is_shared, &s);
    char who[64];
    if (s)
        tac_claim(
            c, TAC_ACCOUNT_RUNNABLE, ns, 0.97,
            "the thread is not real-time (SCHED_OTHER): %s, a normal thread too, had its turn "
            "for up to %.0f us",
            tac_case_who(c, s->who, who, sizeof who), (double)(s->to_ns - s->from_ns) / 1e3);
}

TAC_RULE(wrong_setup) = {
    .name = "wrong_setup",
    .title = "no real-time priority",
    .means =
        "The thread that has deadlines runs with normal priority, so every other normal thread "
        "has the same right to the CPU.",
    .advice = "Run it SCHED_FIFO (chrt -f 70, or the program's real-time option); permit it with "
              "rtprio in /etc/security/limits.d; tactus doctor --setup checks the rest.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
