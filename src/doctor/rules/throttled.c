/* SPDX-License-Identifier: MIT
 * throttled.c - a real-time thread was ready, and a normal thread ran for a whole tick or longer.
 *
 * The scheduler never does that for priority; it does it when the real-time budget is used up
 * (sched_rt_runtime_us) or when the fair server gives normal threads their part. A shorter stretch
 * is a neighbour inside the kernel, see kernel_busy.c. */
#include "doctor/rule.h"

enum { TICK_NS = 8 * 1000 * 1000, PRIO_NORMAL = 100, PRIO_UNKNOWN = 255 };

static void check(struct tac_case *c)
{
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_READY || !s->who || s->prio < PRIO_NORMAL ||
            s->prio == PRIO_UNKNOWN || s->to_ns - s->from_ns < TICK_NS)
            continue;
        char who[64];
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, s->to_ns - s->from_ns, 0.8,
                  "%s, a normal thread, ran for %.1f ms while this thread was ready",
                  tac_case_who(c, s->who, who, sizeof who), (double)(s->to_ns - s->from_ns) / 1e6);
    }
}

TAC_RULE(throttled) = {
    .name = "throttled",
    .title = "the real-time budget was used up",
    .means = "Real-time threads had used their share of the CPU, and the kernel let normal threads "
             "run although a real-time thread was ready.",
    .advice =
        "Lower the load of the real-time threads. Check /proc/sys/kernel/sched_rt_runtime_us, "
        "the cgroup's cpu.rt_runtime_us and the fair server's settings.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
