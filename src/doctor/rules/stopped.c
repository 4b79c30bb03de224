/* SPDX-License-Identifier: MIT
 * stopped.c - the thread stood still in a stop or trace state: a debugger, SIGSTOP, a freezer.
 *
 * The scheduler's event carries the state that the thread was left in: 4 stopped, 8 traced
 * (include/linux/sched.h). A frozen cgroup looks like an uninterruptible sleep; what tells it is
 * that the recorder's own helper in the same process, which wakes up every few milliseconds, was
 * still for the same time, on CPUs that lived on: a host that halts a virtual machine leaves no
 * event of any. Or that it and the thread were woken together by a thread of another program, when
 * the helper's timer should have woken it long before.
 */
#include "doctor/evidence.h"
#include "doctor/kin.h"
#include "doctor/rule.h"

#include <stdlib.h>

enum {
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

static uint64_t number_of(const struct tac_case *c, const char *key, uint64_t otherwise)
{
    const char *text = tac_capture_meta(c->capture, key);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* Whether a thread stands ready after the event, as it did before. A frozen one is not woken. */
static bool is_ready(const struct tac_capture_kernel *e, uint32_t tid, bool ready)
{
    uint32_t other = (uint32_t)(e->a >> 32);
    if (e->type == TAC_KERNEL_WAKING && other == tid)
        return true;
    if (e->type == TAC_KERNEL_SWITCH && e->tid == tid)
        return !(e->b >> 32 & 0xff);
    return ready && !(e->type == TAC_KERNEL_SWITCH && other == tid);
}

/* Where the thread fell asleep. */
static uint32_t cpu_of(const struct tac_case *c, const struct tac_sight *s)
{
    return s->index < c->capture->kernel_count ? c->capture->kernel[s->index].cpu : UINT32_MAX;
}

/* True when the helper, and every registered thread, was still for as long as several of the
 * helper's turns, had been seen in the turns before, and the helper did not wait for a CPU. */
static bool is_frozen(const struct tac_case *c, const struct tac_sight *s)
{
    const struct tac_capture *cap = c->capture;
    uint64_t due = number_of(c, "drain_ms", DRAIN_MS) * 1000000;
    uint32_t helper = (uint32_t)number_of(c, "helper_tid", 0);
    uint64_t begin = s->from_ns > c->layout->release_ns ? s->from_ns : c->layout->release_ns;
    uint64_t before = begin > DRAINS * due ? begin - DRAINS * due : 0, last = 0;
    uint32_t cpu = UINT32_MAX; /* the helper's */
    if (s->kind != TAC_SIGHT_ASLEEP || is_stop(c, s) || !helper || s->to_ns < begin + DRAINS * due)
        return false;
    bool ready = false;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, before);
         i < cap->kernel_count && cap->kernel[i].ns + due / 2 < s->to_ns; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        ready = is_ready(e, helper, ready);
        bool own = e->tid && (e->tid == helper ||
                              tac_capture_thread_of(cap, e->tid, e->ns) != TAC_CAPTURE_NONE);
        if (own && e->ns > begin + due)
            return false;
        last = e->tid == helper ? e->ns : last;
        cpu = e->tid == helper ? e->cpu : cpu;
    }
    bool halted =
        tac_evidence_is_virtual(cap) && tac_case_silence(c, begin, s->to_ns) * 2 > s->to_ns - begin;
    return last != 0 && !ready && !halted && !tac_case_unticked(c, cpu, begin, s->to_ns) &&
           !tac_case_unticked(c, cpu_of(c, s), begin, s->to_ns);
}

/* Who ended the sleep; 0: an interrupt, or not known. */
static uint32_t waker_of(const struct tac_case *c, const struct tac_sight *sleep)
{
    const struct tac_sights *all = &c->layout->sights;
    for (size_t i = 0; i < all->count; i++)
        if (all->data[i].kind == TAC_SIGHT_READY && all->data[i].from_ns == sleep->to_ns)
            return (uint32_t)all->data[i].detail;
    return 0;
}

/* Since when the thread sleeps that is woken by event `wake`: when it left its CPU last, from
 * since_ns on, or that. */
static uint64_t asleep_since(const struct tac_capture *cap, size_t wake, uint32_t tid,
                             uint64_t since_ns)
{
    for (size_t i = wake; i > 0 && cap->kernel[i - 1].ns >= since_ns; i--)
        if (cap->kernel[i - 1].type == TAC_KERNEL_SWITCH && cap->kernel[i - 1].tid == tid)
            return cap->kernel[i - 1].ns;
    return since_ns;
}

/* True when a thread of another program woke this one and, overdue, the helper together. */
static bool is_thawed(const struct tac_case *c, const struct tac_sight *s)
{
    enum { TOGETHER_NS = 5 * 1000 * 1000 };
    const struct tac_capture *cap = c->capture;
    uint64_t due = number_of(c, "drain_ms", DRAIN_MS) * 1000000;
    uint32_t helper = (uint32_t)number_of(c, "helper_tid", 0), waker = waker_of(c, s);
    if (s->kind != TAC_SIGHT_ASLEEP || is_stop(c, s) || !helper || !waker ||
        tac_kin_has(c->diagnosis->kin, waker) || s->from_ns < 2 * due)
        return false;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, s->to_ns - TOGETHER_NS);
         i < cap->kernel_count && cap->kernel[i].ns < s->to_ns + TOGETHER_NS; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        if (e->type == TAC_KERNEL_WAKING && e->tid == waker && (uint32_t)(e->a >> 32) == helper &&
            !(e->b & 1))
            return e->ns - asleep_since(cap, i, helper, s->from_ns - 2 * due) > due + due / 4;
    }
    return false;
}

/* Of those that no waker tells: time counts once. */
static bool is_frozen_alone(const struct tac_case *c, const struct tac_sight *s)
{
    return !is_thawed(c, s) && is_frozen(c, s);
}

static void check_thawed(struct tac_case *c, enum tac_account account)
{
    const struct tac_sight *s;
    char who[64];
    uint64_t cold = tac_case_sum(c, account, is_thawed, &s);
    if (s)
        tac_claim(c, account, cold, 0.9,
                  "%s woke it and the recorder's thread together, after %.1f ms: it was frozen",
                  tac_case_who(c, waker_of(c, s), who, sizeof who), (double)cold / 1e6);
}

static void check(struct tac_case *c)
{
    const struct tac_sight *stop, *frozen;
    uint64_t stopped = tac_case_sum(c, TAC_ACCOUNT_BLOCKED, is_stop, &stop);
    if (stop)
        tac_claim(c, TAC_ACCOUNT_BLOCKED, stopped, 0.97, "the thread was %s for %.1f ms",
                  stop->state == STATE_TRACED ? "held by a debugger" : "stopped by a signal",
                  (double)stopped / 1e6);
    for (int before = 0; before < 2; before++) {
        enum tac_account account = before ? TAC_ACCOUNT_LATE_START : TAC_ACCOUNT_BLOCKED;
        check_thawed(c, account);
        uint64_t cold = tac_case_sum(c, account, is_frozen_alone, &frozen);
        if (frozen)
            tac_claim(c, account, cold, 0.85,
                      "no thread of the program ran for %.1f ms, the recorder's neither: it was "
                      "frozen",
                      (double)cold / 1e6);
    }
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
