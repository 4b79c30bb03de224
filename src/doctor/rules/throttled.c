/* SPDX-License-Identifier: MIT
 * throttled.c - a real-time thread was ready, and the scheduler chose a normal one, or to idle.
 *
 * By priority it never does. It does when the real-time budget is used up (sched_rt_runtime_us, the
 * budget of a cgroup) or when the fair server gives normal threads their part. A normal thread that
 * had the CPU already when this one woke up is another matter: see kernel_busy.c. That a CPU idles
 * although any thread of it is ready has one cause: the CPU quota of the thread's cgroup is used up
 * (cpu.max). Its CPU may have been idle when it woke up; that it lived on meanwhile, and left the
 * thread alone, tells it from one that was not run. */
#include "doctor/rule.h"

enum { LONG_NS = 1000 * 1000, EDGE_NS = 200 * 1000 };

/* The CPU of a wake-up. */
static uint32_t cpu_of(const struct tac_case *c, const struct tac_sight *s)
{
    return s->index < c->capture->kernel_count ? (uint32_t)(c->capture->kernel[s->index].b >> 32)
                                               : UINT32_MAX;
}

static bool idles_on(const struct tac_case *c, const struct tac_sight *s)
{
    if (s->kind != TAC_SIGHT_READY || s->who || tac_sight_is_real_time(s) ||
        s->to_ns - s->from_ns < LONG_NS)
        return false;
    return s->flags & TAC_SIGHT_CHOSEN ||
           (s->flags & TAC_SIGHT_WOKEN &&
            tac_case_cpu_lived(c, cpu_of(c, s), s->from_ns + EDGE_NS, s->to_ns - EDGE_NS));
}

static bool is_choice(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_CHOSEN && tac_sight_is_real_time(s) &&
           (!s->who || (s->prio >= TAC_PRIO_NORMAL && s->prio != TAC_PRIO_UNKNOWN));
}

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t quota = tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, idles_on, &s);
    if (s)
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, quota, 0.9,
                  "the CPU stood idle for %.1f ms although this thread was ready: the CPU quota of "
                  "its cgroup was used up",
                  (double)(s->to_ns - s->from_ns) / 1e6);
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
    .title = "the CPU budget was used up",
    .means = "Real-time threads, or the program's cgroup, had used their share of the CPU, and the "
             "kernel let others run, or the CPU idle, although the thread was ready.",
    .advice =
        "Lower the load of the real-time threads. Check /proc/sys/kernel/sched_rt_runtime_us, "
        "the cgroup's cpu.max (cpu.cfs_quota_us), its cpu.rt_runtime_us and the fair server's "
        "settings (/sys/kernel/debug/sched/fair_server).",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
