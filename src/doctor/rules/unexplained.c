/* SPDX-License-Identifier: MIT
 * unexplained.c - what no witness speaks for; an honest verdict. Asked last: takes all that is
 * left. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    bool blind = !(c->has & (TAC_HAS_CLOCK | TAC_HAS_SWITCHES | TAC_HAS_SCHED));
    tac_claim(
        c, TAC_ACCOUNT_UNEXPLAINED, c->layout->doubted_ns, 0,
        "nothing was seen of the thread for %.1f ms while its CPU clock went on: it computed, "
        "or the host halted the virtual machine",
        (double)c->layout->doubted_ns / 1e6);
    for (int a = 0; a < TAC_ACCOUNTS; a++)
        tac_claim(c, (enum tac_account)a, UINT64_MAX, 0, "%s",
                  blind ? "the recording tells not whether it ran, slept or was pre-empted"
                        : "the evidence contradicts itself or is not enough");
}

TAC_RULE(unexplained) = {
    .name = "unexplained",
    .title = "unexplained",
    .means = "The recording does not hold the evidence to say why.",
    .advice =
        "Record with more evidence: the CPU clock at each cycle, and kernel events if you may.",
    .blame = TAC_BLAME_NOBODY,
    .check = check,
};
