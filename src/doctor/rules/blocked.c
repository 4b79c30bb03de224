/* SPDX-License-Identifier: MIT
 * blocked.c - it slept, and no lock or call that the recording knows was open. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    uint64_t ns = c->open_ns[TAC_ACCOUNT_BLOCKED];
    tac_claim(c, TAC_ACCOUNT_BLOCKED, UINT64_MAX, 0.8,
              "slept %.0f us of its own will; on what was not recorded", (double)ns / 1e3);
}

TAC_RULE(blocked) = {
    .name = "blocked",
    .title = "asleep in a system call",
    .means =
        "The thread gave up its CPU inside the cycle: a lock, a sleep, a read or the like that "
        "the recording does not name.",
    .advice = "Run the program under tactus doctor -- PROGRAM, which watches locks and calls, to "
              "learn which one.",
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
