/* SPDX-License-Identifier: MIT
 * lock_inversion.c - waited for a lock whose holder was not running: priority inversion. */
#include "doctor/rule.h"

static void check(struct tac_case *c)
{
    const struct tac_sight *wait;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_LOCK, &wait);
    if (!wait || !wait->who)
        return;
    uint32_t instead;
    uint64_t away = tac_case_displaced(c, wait->who, wait->from_ns, wait->to_ns, &instead);
    if (away * 2 <= wait->to_ns - wait->from_ns)
        return;
    char who[64], other[64], at[96], seen[160];
    const char *taken = tac_case_symbol(c, c->capture->locks[wait->index].taken_at, at, sizeof at);
    tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, 0.95,
              "the lock was held by %s, which %s%s%scould not run for %.0f us because of %s%s",
              tac_case_who(c, wait->who, who, sizeof who), *taken ? "took it in " : "", taken,
              *taken ? " and " : "", (double)away / 1e3,
              tac_case_who(c, instead, other, sizeof other),
              tac_case_seen(c, wait->from_ns, wait->to_ns, seen, sizeof seen));
    tac_claim_by(c, wait);
}

TAC_RULE(lock_inversion) = {
    .name = "lock_inversion",
    .title = "a lock held by a thread that was pre-empted",
    .means = "Priority inversion: the holder of the lock had a lower priority and was kept from "
             "running by a third thread.",
    .advice = "Use PTHREAD_PRIO_INHERIT for this lock, or no lock between the two threads.",
    .needs = TAC_HAS_LOCKS | TAC_HAS_SCHED,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
