/* SPDX-License-Identifier: MIT
 * fault_major.c - a page had to come from a disk: code or file pages that were not in memory.
 *
 * A major fault sleeps, so its time stands on the account of blocked time; where a lock or a call
 * was open at the time, that is the better witness and gets it. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    uint32_t faults = c->cycle->faults_major;
    if (!faults)
        return;
    uint64_t asleep = tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_ASLEEP, NULL);
    if (!(c->has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
        asleep = UINT64_MAX;
    uint64_t ns =
        tac_claim(c, TAC_ACCOUNT_BLOCKED, asleep, 0.9,
                  "%u page%s had to be read from a file or disk", faults, faults == 1 ? "" : "s");
    ns += tac_claim(c, TAC_ACCOUNT_FAULT, UINT64_MAX, 0.9,
                    "%u page%s had to be read from a file or disk", faults, faults == 1 ? "" : "s");
    if (!ns)
        tac_claim(c, TAC_ACCOUNT_ALLOCATOR_WAIT, UINT64_MAX, 0.7,
                  "%u page%s had to be read from a file or disk", faults, faults == 1 ? "" : "s");
}

TAC_RULE(fault_major) = {
    .name = "fault_major",
    .title = "page faults that waited for a disk",
    .means = "Code or data was not in memory and had to be read from a file or from swap.",
    .advice = "Lock memory (mlockall(MCL_CURRENT | MCL_FUTURE)), read files before audio runs, no "
              "swap for this process.",
    .needs = TAC_HAS_CLOCK,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
