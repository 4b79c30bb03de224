/* SPDX-License-Identifier: MIT
 * lock_inversion.c - waited for a lock whose holder was not running: priority inversion. Or whose
 * holder waited for another lock, and so on, and the last of them was not running. */
#include "doctor/rule.h"

#include <stdio.h>

enum { HOPS_MAX = 4, LOOK_BACK_NS = 1000 * 1000 * 1000 };

/* Whom the thread waited for, at a lock, for more than half of [from, to); 0: nobody. */
static uint32_t holder_before(const struct tac_case *c, uint32_t tid, uint64_t from_ns,
                              uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    uint32_t thread = tac_capture_thread_of(cap, tid, from_ns);
    uint64_t start = from_ns > LOOK_BACK_NS ? from_ns - LOOK_BACK_NS : 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, locks, begin_ns, start);
         thread != TAC_CAPTURE_NONE && i < cap->locks_count && cap->locks[i].begin_ns < to_ns;
         i++) {
        const struct tac_capture_lock *l = &cap->locks[i];
        uint64_t from = l->begin_ns > from_ns ? l->begin_ns : from_ns;
        uint64_t to = l->end_ns < to_ns ? l->end_ns : to_ns;
        if (l->thread == thread && to > from && (to - from) * 2 > to_ns - from_ns)
            return l->holder_tid;
    }
    return 0;
}

/* The end of the row of holders, which could not run; 0: there is none. */
static uint32_t find_displaced(const struct tac_case *c, const struct tac_sight *wait,
                               unsigned *ret_hops, uint64_t *ret_away, uint32_t *ret_instead)
{
    uint32_t holder = wait->who;
    for (*ret_hops = 0; holder && *ret_hops < HOPS_MAX; ++*ret_hops) {
        *ret_away = tac_case_displaced(c, holder, wait->from_ns, wait->to_ns, ret_instead);
        if (*ret_away * 2 > wait->to_ns - wait->from_ns)
            return holder;
        holder = holder_before(c, holder, wait->from_ns, wait->to_ns);
    }
    return 0;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *wait;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_LOCK, &wait), away;
    unsigned hops;
    uint32_t instead, last = wait ? find_displaced(c, wait, &hops, &away, &instead) : 0;
    if (!last)
        return;
    char who[64], other[64], at[96], seen[160], chain[112] = "";
    const char *taken = tac_case_symbol(c, c->capture->locks[wait->index].taken_at, at, sizeof at);
    if (hops)
        snprintf(chain, sizeof chain, "waited for a lock%s of %s, which ",
                 hops > 1 ? ", by way of others," : "", tac_case_who(c, last, who, sizeof who));
    tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, 0.95,
              "the lock was held by %s, which %s%s%s%scould not run for %.0f us because of %s%s",
              tac_case_who(c, wait->who, who, sizeof who), *taken ? "took it in " : "", taken,
              *taken ? " and " : "", chain, (double)away / 1e3,
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
