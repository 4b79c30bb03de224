/* SPDX-License-Identifier: MIT
 * reclaim.c - the kernel had no free page at hand and made this thread find or join some. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    const struct tac_sight *a, *b;
    uint64_t reclaim = tac_case_time(c, TAC_ACCOUNT_FAULT, TAC_SIGHT_RECLAIM, &a);
    uint64_t compact = tac_case_time(c, TAC_ACCOUNT_FAULT, TAC_SIGHT_COMPACT, &b);
    if (a || b)
        tac_claim(c, TAC_ACCOUNT_FAULT, reclaim + compact, 0.95,
                  "%.0f us freeing and %.0f us joining pages for itself", (double)reclaim / 1e3,
                  (double)compact / 1e3);
}

TAC_RULE(reclaim) = {
    .name = "reclaim",
    .title = "the kernel was short of free pages",
    .means = "The thread needed a page and had to free or compact memory itself first.",
    .advice = "Lock and touch all memory before audio runs; raise vm.min_free_kbytes or the "
              "cgroup's memory.min; turn transparent huge pages off.",
    .needs = TAC_HAS_MM,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
