/* SPDX-License-Identifier: MIT
 * stopped.c - the thread stood still in a stop or trace state: a debugger, SIGSTOP, a freezer.
 *
 * The scheduler's event carries the state that the thread was left in: 4 stopped, 8 traced, and the
 * parked and frozen bits above (include/linux/sched.h). */
#include "doctor/rule.h"

enum { STATE_STOPPED = 4, STATE_TRACED = 8 };

static void check(struct tac_case *c)
{
    for (size_t i = 0; i < c->layout->segments; i++) {
        const struct tac_segment *s = &c->layout->segment[i];
        const struct tac_sight *sleep = tac_case_overlap(c, TAC_SIGHT_ASLEEP, s->from_ns, s->to_ns);
        if (s->account == TAC_ACCOUNT_BLOCKED && sleep &&
            (sleep->hard == STATE_STOPPED || sleep->hard == STATE_TRACED))
            tac_claim(c, TAC_ACCOUNT_BLOCKED, s->to_ns - s->from_ns, 0.97,
                      "the thread was %s for %.1f ms",
                      sleep->hard == STATE_TRACED ? "held by a debugger" : "stopped by a signal",
                      (double)(s->to_ns - s->from_ns) / 1e6);
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
