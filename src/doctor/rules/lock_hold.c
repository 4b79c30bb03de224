/* SPDX-License-Identifier: MIT
 * lock_hold.c - waited for a lock that another thread held for long. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    const struct tac_sight *wait;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_LOCK, &wait);
    if (!wait)
        return;
    char who[64], at[96], seen[160];
    const char *taken = tac_case_symbol(c, c->capture->locks[wait->index].taken_at, at, sizeof at);
    /* that the holder had its CPU all the while, the system's events alone tell */
    bool sure = wait->who && c->has & TAC_HAS_SCHED;
    tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, sure ? 0.95 : 0.85,
              "waited %.0f us for the lock at 0x%llx, held by %s%s%s%s",
              (double)(wait->to_ns - wait->from_ns) / 1e3, (unsigned long long)wait->detail,
              tac_case_who(c, wait->who, who, sizeof who), *taken ? ", which took it in " : "",
              taken, tac_case_seen(c, wait->from_ns, wait->to_ns, seen, sizeof seen));
    tac_claim_by(c, wait);
}

TAC_RULE(lock_hold) = {
    .name = "lock_hold",
    .title = "waiting for a lock",
    .means =
        "Another thread held a mutex (or read-write lock, or semaphore) that the cycle needed.",
    .advice =
        "Hand data over through a lock-free queue, or use trylock and go on without; priority "
        "inheritance does not help when the hold itself is too long.",
    .needs = TAC_HAS_LOCKS,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
