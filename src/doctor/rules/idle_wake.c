/* SPDX-License-Identifier: MIT
 * idle_wake.c - woken in time on a CPU that slept, which took long to come back to life. */
#include "doctor/rule.h"

static bool is_idle(const struct tac_case *c, const struct tac_sight *s)
{
    (void)c;
    return s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_WOKEN && !s->who &&
           !(s->flags & TAC_SIGHT_CHOSEN);
}

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t ns = tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, is_idle, &s);
    if (s)
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, ns, 0.75,
                  "woken on an idle CPU, which took %.0f us to start it", (double)ns / 1e3);
}

TAC_RULE(idle_wake) = {
    .name = "idle_wake",
    .title = "an idle CPU that woke slowly",
    .means = "The wake-up came, the CPU was in a deep sleep state, and leaving that took time.",
    .advice = "Hold /dev/cpu_dma_latency open with 0 while audio runs (most audio servers do), or "
              "boot with processor.max_cstate=1; performance governor.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_MACHINE,
    .check = check,
};
