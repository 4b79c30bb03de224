/* SPDX-License-Identifier: MIT
 * worth.c - whether helpers are worth calling; see worth.h. */
#include "engine/worth.h"

enum {
    TRIAL_US = 30000,    /* helpers that slept need 10 ms to notice */
    REVIEW_US = 1000000, /* and again, when they paid */
    POOR_US = 12000,     /* for so long they may bring nothing: they may still sleep */
    PROBE_SLICES = 48,   /* alone, to know what that takes, where there is time for it */
    PROBE_WARMS = 16,    /* of these, until the helpers sleep and the caches have what is needed */
    PROBE_MOST_US = 100,
    APART_SLICES = 128, /* alone after helpers brought nothing, doubled each time */
    APART_DOUBLINGS = 9,
    GAIN_SLICES = 64, /* that the mean of the gain goes back */
};

static void begin_trial(struct tac_worth *w, uint64_t now, uint64_t us)
{
    w->trial_left = TAC_WORTH_TRY_SLICES;
    w->trial_end = now + us * w->ticks_per_us;
    w->good_at = now;
    w->together = 0;
    w->apart = 0;
    w->probe_left = PROBE_SLICES;
}

void tac_worth_begin(struct tac_worth *w, uint64_t now)
{
    w->apart_left = 0;
    w->paid = false;
    w->gain = 0;
    begin_trial(w, now, TRIAL_US);
}

static bool may_probe(const struct tac_worth *w, uint64_t sum)
{
    return w->probe_left && sum && sum <= PROBE_MOST_US * w->ticks_per_us;
}

enum tac_worth_way tac_worth_choose(const struct tac_worth *w, uint64_t sum)
{
    if (w->apart_left)
        return TAC_WORTH_ALONE;
    return may_probe(w, sum) ? TAC_WORTH_PROBE : TAC_WORTH_TOGETHER;
}

/* A hiccup is no trend. */
static void add_to_mean(uint64_t *mean, uint64_t took)
{
    took = *mean && took > 2 * *mean ? 2 * *mean : took;
    *mean = *mean ? *mean + took / 16 - *mean / 16 : took;
}

static void add_gain(struct tac_worth *w, const struct tac_worth_slice *s)
{
    int64_t gain = (int64_t)(s->helped / 4 * 3) - (int64_t)s->waited;
    w->gain += (gain - w->gain) / GAIN_SLICES;
}

/* Less than 3 % would be lost without them. */
static bool bring_nothing(const struct tac_worth *w)
{
    return w->gain * 100 < (int64_t)w->together * 3;
}

static bool take_as_long(const struct tac_worth *w)
{
    return w->apart && w->together * 100 > w->apart * 97;
}

static void fail(struct tac_worth *w, uint64_t now)
{
    w->apart_left = (uint64_t)APART_SLICES << w->failures;
    w->failures += w->failures < APART_DOUBLINGS;
    w->paid = false;
    begin_trial(w, now, TRIAL_US);
}

static void pass(struct tac_worth *w, uint64_t now)
{
    w->failures = 0;
    w->paid = true;
    begin_trial(w, now, REVIEW_US);
}

/* Helpers that paid until now: the trial goes on, unless something has changed. */
static void watch(struct tac_worth *w, uint64_t now)
{
    if (!bring_nothing(w) && !take_as_long(w))
        w->good_at = now;
    if (now - w->good_at < POOR_US * w->ticks_per_us)
        return;
    if (bring_nothing(w)) {
        fail(w, now);
    } else {
        w->paid = false;
        begin_trial(w, now, TRIAL_US);
    }
}

/* They need some time to notice that they are called again. */
static void wake(struct tac_worth *w, uint64_t now)
{
    uint64_t end = now + TRIAL_US * w->ticks_per_us;
    w->trial_end = end > w->trial_end ? end : w->trial_end;
    w->good_at = now;
    w->slept = false;
}

void tac_worth_went_together(struct tac_worth *w, const struct tac_worth_slice *slice)
{
    uint64_t now = slice->began + slice->took;
    if (w->slept)
        wake(w, slice->began);
    add_to_mean(&w->together, slice->took);
    add_gain(w, slice);
    w->trial_left -= w->trial_left != 0;
    if (w->trial_left || now < w->trial_end) {
        if (w->paid)
            watch(w, now);
    } else if (bring_nothing(w) || take_as_long(w)) {
        fail(w, now);
    } else {
        pass(w, now);
    }
}

void tac_worth_went_alone(struct tac_worth *w)
{
    w->slept = true;
    if (w->apart_left && --w->apart_left == 0)
        w->gain = 0;
}

void tac_worth_probed(struct tac_worth *w, uint64_t took)
{
    w->slept = true;
    if (--w->probe_left < PROBE_SLICES - PROBE_WARMS)
        add_to_mean(&w->apart, took);
}
