/* SPDX-License-Identifier: MIT
 * stopped.c - the thread stood still in a stop or trace state: a debugger, SIGSTOP, a freezer.
 *
 * The scheduler's event carries the state that the thread was left in: 4 stopped, 8 traced
 * (include/linux/sched.h). A frozen cgroup looks like an uninterruptible sleep; what tells it is
 * that the recorder's own helper in the same process, which wakes up every few milliseconds, was
 * still for the same time. */
#include "doctor/rule.h"

#include <stdlib.h>
#include <string.h>

enum {
    STATE_UNINTERRUPTIBLE = 2,
    STATE_STOPPED = 4,
    STATE_TRACED = 8,
    DRAINS = 3, /* of the helper left out before it counts as stopped */
    DRAIN_MS = 5,
};

static bool is_stop(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_ASLEEP && (s->state == STATE_STOPPED || s->state == STATE_TRACED);
}

/* True when threads of this process ran before and after the sleep, and none in it, although the
 * helper was due several times. */
static bool is_frozen(const struct tac_case *c, const struct tac_sight *s)
{
    if (s->kind != TAC_SIGHT_ASLEEP || s->state != STATE_UNINTERRUPTIBLE)
        return false;
    const struct tac_capture *cap = c->capture;
    const char *drain = tac_capture_meta(cap, "drain_ms");
    uint64_t due = (drain ? strtoull(drain, NULL, 10) : DRAIN_MS) * 1000000;
    if (s->to_ns - s->from_ns < DRAINS * due)
        return false;
    const char *pid = tac_capture_meta(cap, "pid");
    uint32_t own = pid ? (uint32_t)strtoul(pid, NULL, 10) : 0;
    size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, s->from_ns + due);
    bool helper = false;
    for (; i < cap->kernel_count && cap->kernel[i].ns + due / 2 < s->to_ns; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        if (e->tid && (e->tid == own || tac_capture_thread_of(cap, e->tid, e->ns) !=
                                            TAC_CAPTURE_NONE))
            return false;
        const char *name = e->tid ? tac_capture_comm(cap, e->tid) : NULL;
        helper = helper || (name && !strcmp(name, "tactus-trace"));
    }
    return !helper;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *stop, *frozen;
    uint64_t stopped = tac_case_sum(c, TAC_ACCOUNT_BLOCKED, is_stop, &stop);
    if (stop)
        tac_claim(c, TAC_ACCOUNT_BLOCKED, stopped, 0.97, "the thread was %s for %.1f ms",
                  stop->state == STATE_TRACED ? "held by a debugger" : "stopped by a signal",
                  (double)stopped / 1e6);
    uint64_t cold = tac_case_sum(c, TAC_ACCOUNT_BLOCKED, is_frozen, &frozen);
    if (frozen)
        tac_claim(c, TAC_ACCOUNT_BLOCKED, cold, 0.85,
                  "no thread of the program ran for %.1f ms, the recorder's neither: it was frozen",
                  (double)cold / 1e6);
}

TAC_RULE(stopped) = {
    .name = "stopped",
    .title = "the thread was stopped",
    .means = "A debugger, tracer, stop signal or the freezer of its cgroup held the thread.",
    .advice = "Detach the debugger; look who sends SIGSTOP or freezes the cgroup.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
