/* SPDX-License-Identifier: MIT
 * blocking_call.c - a call that real-time rules warn of: it slept in it, or spent its time there.
 */
#include "doctor/rule.h"

static const struct tac_sight *longest_call(const struct tac_case *c)
{
    const struct tac_sight *longest = NULL;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_CALL && s->to_ns != TAC_CAPTURE_OPEN &&
            (!longest || s->to_ns - s->from_ns > longest->to_ns - longest->from_ns))
            longest = s;
    }
    return longest;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *call = longest_call(c);
    if (!call)
        return;
    const char *name = c->capture->sites[c->capture->zones[call->index].site].name;
    uint64_t length = call->to_ns - call->from_ns;
    bool switches = c->has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED);
    uint64_t asleep =
        switches ? tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_CALL, NULL) : length;
    uint64_t ran = tac_case_time(c, TAC_ACCOUNT_OWN, TAC_SIGHT_CALL, NULL);
    tac_claim(c, TAC_ACCOUNT_BLOCKED, asleep, 0.95, "slept in %s, which took %.0f us", name,
              (double)length / 1e3);
    tac_claim(c, TAC_ACCOUNT_OWN, ran, 0.85, "%s took %.0f us", name, (double)length / 1e3);
    if (!(c->has & (TAC_HAS_CLOCK | TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
        tac_claim(c, TAC_ACCOUNT_UNEXPLAINED, length, 0.75, "%s took %.0f us", name,
                  (double)length / 1e3);
    tac_claim_by(c, call);
}

TAC_RULE(blocking_call) = {
    .name = "blocking_call",
    .title = "a call that blocks",
    .means = "The cycle called something that real-time code should not: file or socket access, "
             "sleep, starting threads, mapping memory, formatted output.",
    .advice = "Move the call to a helper thread and hand the data over.",
    .needs = TAC_HAS_CALLS,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
