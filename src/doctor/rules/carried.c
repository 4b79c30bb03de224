/* SPDX-License-Identifier: MIT
 * carried.c - the cycle before still ran at the release, although it met its own deadline.
 *
 * Where the cycle before missed its deadline, its causes are inherited and this rule is not asked
 * for that time (see diagnosis.c). */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    tac_claim(c, TAC_ACCOUNT_CARRIED, UINT64_MAX, 0.9,
              "the cycle before ended %.0f us after this one could have begun",
              (double)(c->layout->previous_ns - c->layout->release_ns) / 1e3);
}

TAC_RULE(carried) = {
    .name = "carried",
    .title = "the cycle before still ran",
    .means = "The cycle before used so much of its time that this one had to begin late.",
    .advice = "The load fills the period: do less in a cycle, or make the period longer.",
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
