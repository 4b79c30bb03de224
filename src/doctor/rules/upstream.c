/* SPDX-License-Identifier: MIT
 * upstream.c - the thread slept until another thread woke it, and that one did so late: an audio
 * server, or a client before this one in the graph. */
#include "doctor/rule.h"

#include <stdio.h>

enum { LATE_NS = 50 * 1000 };

/* The wake-up by another thread after the release, before the cycle began. */
static const struct tac_sight *late_waker(const struct tac_case *c)
{
    const struct tac_sight *last = NULL;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_WOKEN && s->detail &&
            s->from_ns > c->layout->release_ns + LATE_NS && s->from_ns <= c->cycle->begin_ns)
            last = s;
    }
    return last;
}

/* What is known of the waker's own lateness: a miss of it that ended about when it woke us. */
static const struct tac_miss *miss_of_waker(const struct tac_case *c, uint32_t tid, uint64_t ns)
{
    const struct tac_diagnosis *d = c->diagnosis;
    uint64_t span = c->cycle->deadline_ns - c->layout->release_ns;
    for (size_t i = d->misses_count; i-- > 0;) {
        const struct tac_capture_cycle *o = &c->capture->cycles[d->misses[i].cycle];
        if (o->thread < c->capture->threads_count && c->capture->threads[o->thread].tid == tid &&
            o->end_ns + span > ns && o->begin_ns < ns)
            return &d->misses[i];
    }
    return NULL;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *wake = late_waker(c);
    uint64_t ns = c->open_ns[TAC_ACCOUNT_LATE_START];
    if (!wake || !ns)
        return;
    uint32_t tid = (uint32_t)wake->detail;
    const struct tac_miss *miss = miss_of_waker(c, tid, wake->from_ns);
    char who[64], why[TAC_VERDICT_TEXT_MAX + 64] = "";
    if (miss)
        snprintf(why, sizeof why, ", which was late itself: %s", miss->verdict[0].rule->title);
    tac_claim(c, TAC_ACCOUNT_LATE_START, ns, miss ? 0.95 : 0.85, "woken %.0f us late by %s%s",
              (double)(wake->from_ns - c->layout->release_ns) / 1e3,
              tac_case_who(c, tid, who, sizeof who), why);
}

TAC_RULE(upstream) = {
    .name = "upstream",
    .title = "the thread that wakes it was late",
    .means = "The cycle could not begin because a thread before it, an audio server or another "
             "client of the graph, woke it late.",
    .advice = "Look at the named thread: record that program. In JACK and PipeWire, take clients "
              "out of the chain one by one, or let them run in parallel.",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_SYSTEM,
    .check = check,
};
