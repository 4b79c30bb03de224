/* SPDX-License-Identifier: MIT
 * stopped.c - the thread stood still in a stop or trace state: a debugger, SIGSTOP, a freezer.
 *
 * The scheduler's event carries the state that the thread was left in: 4 stopped, 8 traced, and the
 * parked and frozen bits above (include/linux/sched.h). */
#include "doctor/rule.h"

enum { STATE_STOPPED = 4, STATE_TRACED = 8 };

/* Blocked time of the segments inside the stop. */
static uint64_t time_within(const struct tac_case *c, const struct tac_sight *stop)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < c->layout->segments; i++) {
        const struct tac_segment *s = &c->layout->segment[i];
        if (s->from_ns >= stop->from_ns && s->to_ns <= stop->to_ns)
            sum += s->account == TAC_ACCOUNT_BLOCKED || s->account == TAC_ACCOUNT_LATE_START
                       ? s->to_ns - s->from_ns
                       : 0;
    }
    return sum;
}

static void check(struct tac_case *c)
{
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_ASLEEP || (s->hard != STATE_STOPPED && s->hard != STATE_TRACED))
            continue;
        uint64_t ns = time_within(c, s);
        const char *how = s->hard == STATE_TRACED ? "held by a debugger" : "stopped by a signal";
        uint64_t got = tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, 0.97, "the thread was %s for %.1f ms",
                                 how, (double)ns / 1e6);
        tac_claim(c, TAC_ACCOUNT_LATE_START, ns - got, 0.97, "the thread was %s for %.1f ms", how,
                  (double)ns / 1e6);
    }
}

TAC_RULE(stopped) = {
    .name = "stopped",
    .title = "the thread was stopped",
    .means = "A debugger, tracer, or stop signal held the thread.",
    .advice = "Detach the debugger; look who sends SIGSTOP or freezes the cgroup.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
