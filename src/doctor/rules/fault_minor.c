/* SPDX-License-Identifier: MIT
 * fault_minor.c - many first touches of ordinary pages; count times the price of one in this
 * recording. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    tac_claim(c, TAC_ACCOUNT_FAULT, UINT64_MAX, 0.85,
              "%u page faults, where %.0f are usual, at about %.1f us each", c->cycle->faults_minor,
              c->nominal->faults_minor, c->nominal->fault_ns / 1e3);
}

TAC_RULE(fault_minor) = {
    .name = "fault_minor",
    .title = "page faults",
    .means = "Memory was used for the first time (or after a fork) and the kernel had to provide "
             "its pages one by one.",
    .advice = "mlockall(MCL_CURRENT | MCL_FUTURE) and touch memory before audio runs, the stack "
              "too; use a heap over a region that is already touched.",
    .needs = TAC_HAS_CLOCK,
    .blame = TAC_BLAME_HEAP,
    .check = check,
};
