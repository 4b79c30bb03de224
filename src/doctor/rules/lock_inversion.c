/* SPDX-License-Identifier: MIT
 * lock_inversion.c - waited for a lock whose holder was not running: priority inversion. */
#include "doctor/rule.h"

/* How long the thread was switched out while it could run, within [from, to). */
static uint64_t displaced(const struct tac_capture *c, uint32_t tid, uint64_t from, uint64_t to)
{
    uint64_t sum = 0, out = 0;
    uint64_t start = from > 50000000 ? from - 50000000 : 0;
    for (size_t i = TAC_CAPTURE_LOWER(c, kernel, ns, start);
         i < c->kernel_count && c->kernel[i].ns < to; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        if (e->type != TAC_KERNEL_SWITCH)
            continue;
        if (e->tid == tid)
            out = e->b >> 32 ? 0 : e->ns;
        if ((uint32_t)(e->a >> 32) == tid && out) {
            if (e->ns > from)
                sum += e->ns - (out > from ? out : from);
            out = 0;
        }
    }
    return sum + (out ? to - (out > from ? out : from) : 0);
}

static void check(struct tac_case *c)
{
    const struct tac_sight *wait;
    uint64_t ns = tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_LOCK, &wait);
    if (!wait || !wait->who)
        return;
    uint64_t away = displaced(c->capture, wait->who, wait->from_ns, wait->to_ns);
    char who[64];
    if (away * 2 > wait->to_ns - wait->from_ns)
        tac_claim(c, TAC_ACCOUNT_BLOCKED, ns, 0.95,
                  "the lock was held by %s, which could not run for %.0f us",
                  tac_case_who(c, wait->who, who, sizeof who), (double)away / 1e3);
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
