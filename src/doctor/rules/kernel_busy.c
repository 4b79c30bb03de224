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

/* The last moment in [from, to) at which the CPU is seen to take interrupts, or from. Events of the
 * scheduler's own locks and of interrupts themselves show nothing. */
static uint64_t last_open(const struct tac_case *c, uint32_t cpu, uint64_t from, uint64_t to)
{
    const struct tac_capture *cap = c->capture;
    uint64_t last = from;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, from);
         i < cap->kernel_count && cap->kernel[i].ns < to; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        bool is_open = e->type == TAC_KERNEL_SWITCH || e->type == TAC_KERNEL_SOFTIRQ_BEGIN ||
                       e->type == TAC_KERNEL_SOFTIRQ_END ||
                       (e->type >= TAC_KERNEL_FAULT_MINOR && e->type <= TAC_KERNEL_FAULT) ||
                       e->type == TAC_KERNEL_MMAP_WAIT || e->type == TAC_KERNEL_MMAP_GOT;
        last = is_open && e->cpu == cpu ? e->ns : last;
    }
    return last;
}

/* The timer itself came late, and a thread that was charged for the time had the CPU. */
static void check_late_timer(struct tac_case *c)
{
    struct tac_timed_wake timed = tac_case_late_timer(c, SHORT_NS);
    const struct tac_sight *s = timed.wake;
    if (!s || !timed.is_timer || !s->who || !tac_sight_is_real_time(s) ||
        tac_timed_wake_is_wanted(c, timed))
        return;
    uint32_t cpu = c->capture->kernel[s->index].cpu;
    uint64_t shut = s->from_ns - last_open(c, cpu, c->layout->release_ns, s->from_ns);
    char who[64];
    if (shut >= SHORT_NS)
        tac_claim(c, TAC_ACCOUNT_LATE_START, shut, 0.7,
                  "the timer came %.0f us late: %s had the CPU, with interrupts off",
                  (double)shut / 1e3, tac_case_who(c, s->who, who, sizeof who));
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
