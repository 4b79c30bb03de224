/* SPDX-License-Identifier: MIT
 * worth.h - whether helpers are worth calling: an engine's running account of what they bring.
 *
 * Trial     Helpers are called for a while, and longer when they slept, as they need that to
 *           notice. Before it the audio thread runs some slices alone, where that is short enough,
 *           to know what it takes. When helpers brought too little, it goes alone for a number of
 *           slices, twice as many each time; then comes the next trial. When they paid they are
 *           called on, and once a second there is another trial.
 * Gain      In between, and where no slice may be run alone: what helpers have done of a slice,
 *           less what was waited for them. That needs no comparison, so a helper that comes no more
 *           is known as such after some hundred slices. What they did counts less than it took
 *           them, as work takes longer beside another thread.
 * Change    Slices that take as long as those alone did may mean more work just as well: they begin
 *           another trial, which looks anew at both.
 *
 * Times are counter ticks, as the caller gives them: nothing here reads a clock. Real-time: yes. */
#ifndef TAC_ENGINE_WORTH_H
#define TAC_ENGINE_WORTH_H

#include <stdbool.h>
#include <stdint.h>

enum { TAC_WORTH_TRY_SLICES = 128 };

struct tac_worth {
    uint64_t together, apart; /* a slice with helpers and without: running means; 0: unknown */
    int64_t gain;             /* running mean */
    uint64_t good_at;         /* when helpers were seen to bring something */
    bool paid;                /* in the latest trial */
    bool slept;               /* helpers were not called of late */
    uint64_t trial_left, trial_end; /* slices, time: until helpers are judged */
    uint64_t apart_left;            /* slices that are still run alone */
    uint32_t probe_left;            /* slices to run alone for comparison */
    uint32_t failures;              /* trials in a row that did not pay */
    uint64_t ticks_per_us;
};

/* A slice with helpers. */
struct tac_worth_slice {
    uint64_t began, took;
    uint64_t helped; /* what the tasks that helpers did take as a rule */
    uint64_t waited; /* for them */
};

enum tac_worth_way { TAC_WORTH_TOGETHER, TAC_WORTH_ALONE, TAC_WORTH_PROBE };

/* Nothing is known (any more) of what is played. */
void tac_worth_begin(struct tac_worth *worth, uint64_t now);

/* How to run the next slice. sum: what all its tasks take as a rule, 0: unknown. After it, one of
 * the calls below. */
enum tac_worth_way tac_worth_choose(const struct tac_worth *worth, uint64_t sum);

void tac_worth_went_together(struct tac_worth *worth, const struct tac_worth_slice *slice);
void tac_worth_went_alone(struct tac_worth *worth);
void tac_worth_probed(struct tac_worth *worth, uint64_t took);

#endif
