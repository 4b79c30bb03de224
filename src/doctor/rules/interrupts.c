/* SPDX-License-Identifier: MIT
 * interrupts.c - interrupt handlers and soft interrupts ran on the thread's CPU. */
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
    const struct tac_sight *hard, *soft;
    uint64_t hard_ns = tac_case_time(c, TAC_ACCOUNT_INTERRUPT, TAC_SIGHT_IRQ, &hard);
    uint64_t soft_ns = tac_case_time(c, TAC_ACCOUNT_INTERRUPT, TAC_SIGHT_SOFTIRQ, &soft);
    if (hard_ns >= soft_ns && hard)
        tac_claim(c, TAC_ACCOUNT_INTERRUPT, UINT64_MAX, 0.95,
                  "interrupts took %.0f us, the longest was number %llu", (double)hard_ns / 1e3,
                  (unsigned long long)hard->detail);
    else if (soft)
        tac_claim(c, TAC_ACCOUNT_INTERRUPT, UINT64_MAX, 0.95, "soft interrupts (%s) took %.0f us",
                  vector_name(soft->detail), (double)soft_ns / 1e3);
}

TAC_RULE(interrupts) = {
    .name = "interrupts",
    .title = "interrupts on the thread's CPU",
    .means = "The kernel served devices or timers on the CPU of this thread.",
    .advice = "Keep interrupts away from the CPU (irqbalance off, /proc/irq/*/smp_affinity, "
              "isolcpus), use threaded interrupts (threadirqs).",
    .needs = TAC_HAS_IRQ,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
