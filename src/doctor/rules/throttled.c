/* SPDX-License-Identifier: MIT
 * throttled.c - a real-time thread was ready, and the scheduler chose a normal one, or to idle.
 *
 * By priority it never does. It does when the real-time budget is used up (sched_rt_runtime_us, the
 * budget of a cgroup) or when the fair server gives normal threads their part. A normal thread that
 * had the CPU already when this one woke up is another matter: see kernel_busy.c. That a CPU idles
 * although any thread of it is ready has one cause: the CPU quota of the thread's cgroup is used up
 * (cpu.max). Its CPU may have been idle when it woke up; that it lived on meanwhile, and left the
 * thread alone, tells it from one that was not run. Where others keep the CPU busy, the same shows
 * in turns: a thread that is ready, and no less urgent, is hardly passed over for several turns of
 * another (Linux, kernel/sched/fair.c: the lag of a thread is bounded by about one slice). Hardly,
 * for the weights of groups count as well: so the group must be known to have a quota. */
#include "doctor/rule.h"

enum { LONG_NS = 1000 * 1000, EDGE_NS = 200 * 1000, TURNS = 3, TURNS_NS = 20 * 1000 * 1000 };

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

/* A turn of another normal thread, no more urgent, while this one was ready. */
static bool is_turn(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_READY && s->who && s->prio >= TAC_PRIO_NORMAL &&
           s->prio != TAC_PRIO_UNKNOWN && !tac_sight_is_real_time(s) && s->prio >= s->own_prio;
}

/* One wait of this thread, turn after turn, and who had how much in it. A late comer takes the
 * place of the one with least. */
struct wait {
    uint64_t from_ns, to_ns;
    struct turn {
        uint32_t tid, count;
        uint64_t ns;
    } of[16];
};

static void add_turn(struct wait *w, const struct tac_sight *s)
{
    enum { THREADS = sizeof w->of / sizeof *w->of };
    unsigned at = 0;
    if (s->from_ns != w->to_ns)
        *w = (struct wait){.from_ns = s->from_ns};
    for (unsigned i = 0; i < THREADS && w->of[at].tid != s->who; i++)
        if (w->of[i].tid == s->who || w->of[i].ns < w->of[at].ns)
            at = i;
    if (w->of[at].tid != s->who)
        w->of[at] = (struct turn){.tid = s->who};
    w->of[at].count++;
    w->of[at].ns += s->to_ns - s->from_ns;
    w->to_ns = s->to_ns;
}

/* One that had several turns, long ones together, in the wait; tid 0: none. */
static struct turn passed_over(const struct wait *w)
{
    struct turn most = {0};
    for (unsigned i = 0; i < sizeof w->of / sizeof *w->of; i++)
        if (w->of[i].count >= TURNS && w->of[i].ns >= TURNS_NS && w->of[i].ns > most.ns)
            most = w->of[i];
    return most;
}

static uint64_t time_ready(const struct tac_case *c, const struct wait *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < c->layout->segments; i++) {
        const struct tac_segment *s = &c->layout->segment[i];
        if (s->account == TAC_ACCOUNT_RUNNABLE && s->from_ns >= w->from_ns && s->to_ns <= w->to_ns)
            sum += s->to_ns - s->from_ns;
    }
    return sum;
}

/* The wait is over. */
static void claim_wait(struct tac_case *c, const struct wait *w, const char *limit)
{
    struct turn t = passed_over(w);
    char who[64];
    if (t.tid)
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, time_ready(c, w), 0.8,
                  "%s, no more urgent, had %u turns and %.1f ms while this thread stood ready: the "
                  "CPU quota of its cgroup (quota and period: %s us) was used up",
                  tac_case_who(c, t.tid, who, sizeof who), t.count, (double)t.ns / 1e6, limit);
}

static void check_turns(struct tac_case *c)
{
    const char *limit = tac_capture_meta(c->capture, "cpu_quota_us");
    struct wait w = {0};
    for (size_t i = 0; limit && i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (!is_turn(c, s))
            continue;
        if (s->from_ns != w.to_ns)
            claim_wait(c, &w, limit);
        add_turn(&w, s);
    }
    if (limit)
        claim_wait(c, &w, limit);
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
    check_turns(c);
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
        "the cgroup's cpu.max (cpu.cfs_quota_us) and cpu.weight, its cpu.rt_runtime_us and the "
        "fair server's "
        "settings (/sys/kernel/debug/sched/fair_server).",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
