/* SPDX-License-Identifier: MIT
 * signal.c - a signal was delivered to the thread inside the cycle, and its handler ran there.
 *
 * The kernel tells when a handler is entered, not when it is left, so the time above usual is given
 * to it, with less confidence the more often signals come without harm. */
#include "doctor/rule.h"

enum { BEFORE_PERIODS = 50, USUAL = 5, SIGSTOP_NUMBER = 19 };

/* Whether the thread was in a cycle then that came to be late. */
static bool did_harm(const struct tac_case *c, uint64_t ns)
{
    const struct tac_capture *cap = c->capture;
    for (size_t i = TAC_CAPTURE_LOWER(cap, cycles, begin_ns, ns + 1); i > 0; i--)
        if (cap->cycles[i - 1].thread == c->cycle->thread)
            return cap->cycles[i - 1].end_ns >= ns && tac_capture_late_ns(&cap->cycles[i - 1]);
    return false;
}

/* Signals of this thread that did no harm in the periods before. */
static unsigned usual(const struct tac_case *c)
{
    const struct tac_capture *cap = c->capture;
    uint64_t span = (c->cycle->deadline_ns - c->layout->release_ns) * BEFORE_PERIODS;
    uint64_t from = c->layout->release_ns > span ? c->layout->release_ns - span : 0;
    uint32_t tid = cap->threads[c->cycle->thread].tid;
    unsigned count = 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, from);
         i < cap->kernel_count && cap->kernel[i].ns < c->layout->release_ns; i++)
        count += cap->kernel[i].type == TAC_KERNEL_SIGNAL && cap->kernel[i].tid == tid &&
                 !did_harm(c, cap->kernel[i].ns);
    return count;
}

static void check(struct tac_case *c)
{
    const struct tac_sight *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_SIGNAL || s->from_ns < c->cycle->begin_ns ||
            s->detail == SIGSTOP_NUMBER)
            continue;
        first = first ? first : s;
        count++;
    }
    if (!first)
        return;
    unsigned before = usual(c);
    if (before < USUAL)
        tac_claim(c, TAC_ACCOUNT_OWN, UINT64_MAX, before ? 0.75 : 0.9,
                  "signal %llu was delivered %zu time%s, and its handler ran in the cycle",
                  (unsigned long long)first->detail, count, count == 1 ? "" : "s");
}

TAC_RULE(signal) = {
    .name = "signal",
    .title = "a signal handler",
    .means = "A signal was delivered to the thread in the middle of a cycle, and the program's "
             "handler ran on it.",
    .advice = "Block signals on the audio thread (pthread_sigmask) and take them on another one "
              "(signalfd, sigwait).",
    .needs = TAC_HAS_SCHED,
    .blame = TAC_BLAME_PROGRAM,
    .check = check,
};
