/* SPDX-License-Identifier: MIT
 * kernel_busy.c - ready, of higher priority, and yet a normal thread kept the CPU for a while: it
 * was inside the kernel, which this kernel does not pre-empt there. */
#include "doctor/rule.h"

#include <string.h>

enum { PRIO_NORMAL = 100, PRIO_UNKNOWN = 255, SHORT_NS = 100 * 1000 };

static bool is_real_time(const struct tac_case *c)
{
    const char *policy = tac_capture_meta(c->capture, "sched");
    return !policy || !strncmp(policy, "fifo", 4) || !strncmp(policy, "rr", 2);
}

static void check(struct tac_case *c)
{
    for (size_t i = 0; i < c->layout->sights.count && is_real_time(c); i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_READY || !s->who || s->prio < PRIO_NORMAL ||
            s->prio == PRIO_UNKNOWN || !s->hard || s->to_ns - s->from_ns < SHORT_NS)
            continue;
        char who[64];
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, s->to_ns - s->from_ns, 0.75,
                  "%s stayed on the CPU, inside the kernel, for %.0f us",
                  tac_case_who(c, s->who, who, sizeof who), (double)(s->to_ns - s->from_ns) / 1e3);
    }
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
