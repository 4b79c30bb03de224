/* SPDX-License-Identifier: MIT
 * recorder.c - the recorder's own threads took the CPU: the instrument disturbed what it measures.
 */
#include "doctor/rule.h"

#include <string.h>

static bool is_ours(const struct tac_case *c, const struct tac_sight *s)
{
    const char *name =
        s->kind == TAC_SIGHT_READY && s->who ? tac_capture_comm(c->capture, s->who) : NULL;
    return name && !strncmp(name, "tactus-", 7);
}

static void check(struct tac_case *c)
{
    const struct tac_sight *s;
    uint64_t ns = tac_case_sum(c, TAC_ACCOUNT_RUNNABLE, is_ours, &s);
    char who[64];
    if (s)
        tac_claim(c, TAC_ACCOUNT_RUNNABLE, ns, 0.97, "%s, which records this, ran instead",
                  tac_case_who(c, s->who, who, sizeof who));
}

TAC_RULE(recorder) = {
    .name = "recorder",
    .title = "the recorder itself",
    .means = "A thread of Tactus, which writes the recording, had the CPU while the cycle was "
             "ready to run.",
    .advice = "Record less (fewer categories, an events budget, a flight recorder), or keep the "
              "audio thread on another CPU and real-time.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_NOBODY,
    .check = check,
};
