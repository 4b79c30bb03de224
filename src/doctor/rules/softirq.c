/* SPDX-License-Identifier: MIT
 * softirq.c - the kernel's deferred work (network, block devices, timers, RCU) ran on the thread's
 * CPU, in front of it. */
#include "doctor/rule.h"

static const char *vector_name(uint64_t vector)
{
    static const char *const name[] = {"high-priority tasklets",
                                       "timers",
                                       "network send",
                                       "network receive",
                                       "block devices",
                                       "interrupt polling",
                                       "tasklets",
                                       "scheduler",
                                       "high-resolution timers",
                                       "RCU"};
    return vector < sizeof name / sizeof *name ? name[vector] : "unknown";
}

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_INTERRUPT, TAC_SIGHT_SOFTIRQ, &s);
    if (s)
        tac_claim(c, TAC_ACCOUNT_INTERRUPT, ns, 0.95, "soft interrupts (%s) took %.0f us",
                  vector_name(s->detail), (double)ns / 1e3);
}

TAC_RULE(softirq) = {
    .name = "softirq",
    .title = "soft interrupts on the thread's CPU",
    .means = "Network packets, finished disk requests or timers were worked off on the CPU of this "
             "thread, before it could go on.",
    .advice = "Threaded interrupts (boot with threadirqs) and a priority above theirs; move the "
              "device's interrupt to another CPU (/proc/irq/*/smp_affinity).",
    .needs = TAC_HAS_IRQ,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
