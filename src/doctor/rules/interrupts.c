/* SPDX-License-Identifier: MIT
 * interrupts.c - interrupt handlers of devices ran on the thread's CPU. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_INTERRUPT, TAC_SIGHT_IRQ, &s);
    if (s)
        tac_claim(c, TAC_ACCOUNT_INTERRUPT, ns, 0.95,
                  "interrupts took %.0f us, the longest was number %llu", (double)ns / 1e3,
                  (unsigned long long)s->detail);
}

TAC_RULE(interrupts) = {
    .name = "interrupts",
    .title = "interrupts on the thread's CPU",
    .means = "The kernel served a device on the CPU of this thread.",
    .advice = "Keep interrupts away from the CPU (irqbalance off, /proc/irq/*/smp_affinity, "
              "isolcpus), use threaded interrupts (threadirqs).",
    .needs = TAC_HAS_IRQ,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
