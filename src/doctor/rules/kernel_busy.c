/* SPDX-License-Identifier: MIT
 * kernel_busy.c - a real-time thread woke up, and the normal thread that had the CPU kept it: it
 * was inside the kernel, which this kernel does not pre-empt there, or had interrupts off. */
#include "doctor/rule.h"

enum { SHORT_NS = 100 * 1000 };

static bool is_stay(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_WOKEN &&
           !(s->flags & TAC_SIGHT_CHOSEN) && tac_sight_is_real_time(s) && s->who &&
           s->prio >= TAC_PRIO_NORMAL && s->prio != TAC_PRIO_UNKNOWN &&
           s->to_ns - s->from_ns >= SHORT_NS;
}

/* The timer itself came late, and a thread that was charged for the time had the CPU. */
static void check_late_timer(struct tac_case *c)
{
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_READY || !(s->flags & TAC_SIGHT_HARD) || !s->who ||
            s->from_ns < c->layout->release_ns + SHORT_NS || s->from_ns > c->cycle->begin_ns ||
            !tac_sight_is_real_time(s))
            continue;
        char who[64];
        tac_claim(c, TAC_ACCOUNT_LATE_START, s->from_ns - c->layout->release_ns, 0.7,
                  "the timer came %.0f us late: %s had the CPU, with interrupts off",
                  (double)(s->from_ns - c->layout->release_ns) / 1e3,
                  tac_case_who(c, s->who, who, sizeof who));
    }
}

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t ns = tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, is_stay, &s);
    char who[64];
    if (s)
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, ns, 0.85,
                  "%s, of normal priority, was inside the kernel and kept the CPU for %.0f us",
                  tac_case_who(c, s->who, who, sizeof who), (double)(s->to_ns - s->from_ns) / 1e3);
    check_late_timer(c);
}

TAC_RULE(kernel_busy) = {
    .name = "kernel_busy",
    .title = "a kernel section that cannot be pre-empted",
    .means = "A thread of lower priority was in a system call or fault, and this kernel gives the "
             "CPU back only when that is done.",
    .advice = "Boot with preempt=full or use a PREEMPT_RT kernel; give the audio thread a CPU of "
              "its own; stop the named program.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
