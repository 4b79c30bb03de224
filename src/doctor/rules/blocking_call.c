/* SPDX-License-Identifier: MIT
 * blocking_call.c - a call that real-time rules warn of: it slept in it, or spent its time there.
 */
#include "doctor/rule.h"

#include <stdio.h>
#include <string.h>

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

static bool waits_for_a_thread(const char *call)
{
    return !strncmp(call, "pthread_cond", 12) || !strncmp(call, "sem_", 4);
}

/* "; thread loader wakes it, which could not run for 812 us because of ffmpeg": the value of a wait
 * is who woke it. "" for other calls, and where that is not known. */
static const char *describe_waker(const struct tac_case *c, const struct tac_sight *call,
                                  char *text, size_t size)
{
    const struct tac_capture_zone *z = &c->capture->zones[call->index];
    text[0] = 0;
    if (!z->value || !waits_for_a_thread(c->capture->sites[z->site].name))
        return text;
    char name[64];
    uint32_t waker = (uint32_t)z->value, who = 0;
    int n = snprintf(text, size, "; %s wakes it", tac_case_who(c, waker, name, sizeof name));
    uint64_t away =
        c->has & TAC_HAS_SCHED ? tac_case_displaced(c, waker, call->from_ns, call->to_ns, &who) : 0;
    if (away * 2 > call->to_ns - call->from_ns && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, ", which could not run for %.0f us because of %s",
                 (double)away / 1e3, tac_case_who(c, who, name, sizeof name));
    return text;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *call = longest_call(c);
    if (!call)
        return;
    char waker[160];
    const char *name = c->capture->sites[c->capture->zones[call->index].site].name;
    describe_waker(c, call, waker, sizeof waker);
    uint64_t length = call->to_ns - call->from_ns;
    bool switches = c->has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED);
    uint64_t asleep =
        switches ? tac_case_time(c, TAC_ACCOUNT_BLOCKED, TAC_SIGHT_CALL, NULL) : length;
    uint64_t ran = tac_case_time(c, TAC_ACCOUNT_OWN, TAC_SIGHT_CALL, NULL);
    tac_claim(c, TAC_ACCOUNT_BLOCKED, asleep, 0.95, "slept in %s, which took %.0f us%s", name,
              (double)length / 1e3, waker);
    tac_claim(c, TAC_ACCOUNT_OWN, ran, 0.85, "%s took %.0f us%s", name, (double)length / 1e3,
              waker);
    if (!(c->has & (TAC_HAS_CLOCK | TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
        tac_claim(c, TAC_ACCOUNT_UNEXPLAINED, length, 0.75, "%s took %.0f us%s", name,
                  (double)length / 1e3, waker);
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
