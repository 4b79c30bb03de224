/* SPDX-License-Identifier: MIT
 * gap.c - the recording has a hole here; no verdict is given across it. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    const struct tac_sight *gap = NULL;
    tac_case_count(c, TAC_SIGHT_GAP, &gap);
    tac_claim(c, TAC_ACCOUNT_GAP, UINT64_MAX, 1.0,
              "%llu events of this thread were lost: what happened then is not known",
              gap ? (unsigned long long)gap->detail : 0ull);
}

TAC_RULE(gap) = {
    .name = "gap",
    .title = "a gap in the recording",
    .means = "The recorder's buffer was full while this cycle ran, so part of it was not seen.",
    .advice = "Record less (fewer categories, an events budget) or give the thread a larger ring; "
              "nothing is concluded from these cycles.",
    .blame = TAC_BLAME_NOBODY,
    .check = check,
};
