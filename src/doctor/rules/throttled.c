/* SPDX-License-Identifier: MIT
 * throttled.c - a real-time thread was ready, and the scheduler chose a normal one, or to idle.
 *
 * By priority it never does. It does when the real-time budget is used up (sched_rt_runtime_us, the
 * budget of a cgroup) or when the fair server gives normal threads their part. A normal thread that
 * had the CPU already when this one woke up is another matter: see kernel_busy.c. */
#include "doctor/rule.h"

static bool is_choice(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_CHOSEN && tac_sight_is_real_time(s) &&
           (!s->who || (s->prio >= TAC_PRIO_NORMAL && s->prio != TAC_PRIO_UNKNOWN));
}

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t ns = tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, is_choice, &s);
    char who[64];
    if (!s)
        return;
    if (s->who)
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, ns, 0.95,
                  "the scheduler ran %s, of normal priority, for %.1f ms while this thread was "
                  "ready",
                  tac_case_who(c, s->who, who, sizeof who), (double)(s->to_ns - s->from_ns) / 1e6);
    else
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, ns, 0.95,
                  "the CPU stood idle for %.1f ms although this thread was ready",
                  (double)(s->to_ns - s->from_ns) / 1e6);
}

TAC_RULE(throttled) = {
    .name = "throttled",
    .title = "the real-time budget was used up",
    .means = "Real-time threads had used their share of the CPU, and the kernel let normal threads "
             "run although a real-time thread was ready.",
    .advice =
        "Lower the load of the real-time threads. Check /proc/sys/kernel/sched_rt_runtime_us, "
        "the cgroup's cpu.rt_runtime_us and the fair server's settings "
        "(/sys/kernel/debug/sched/fair_server).",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
