/* SPDX-License-Identifier: MIT
 * pace.h - the deadline of a callback that an audio server releases once a period.
 *
 * The server tells the end of the cycle that is under way. A client that slept through one or more
 * cycles (it was stopped, or kept from its CPU) reads that of a later one, and would seem to be in
 * time. So the last deadline is kept: it is when the next cycle is released, unless the client was
 * late itself; then that is the first edge after its end. A callback that begins more than a
 * period after its release, while the server's position says that cycles were lost meanwhile, has
 * the deadline of the cycle that it was released for: one miss, not one for each lost cycle.
 *
 * No start of the client is late when
 * - the position went on by one period only: the server itself had paused;
 * - the position did not go on as the time did: it counts from elsewhere now, or the server had
 *   paused for more than half of it;
 * - the callback begins as close to an edge as it mostly does: others kept the graph from being
 *   released (or a stream had enough for some periods), and this edge released it;
 * - a stream had such a rest in the last cycles: it is not called in each period.
 *
 * Threads: the one that runs the callback; forget() any. Cost: some 20 instructions. */
#ifndef TAC_WATCH_PACE_H
#define TAC_WATCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct tac_pace {
    _Atomic bool is_known; /* what follows is of the cycle before this one */
    uint64_t begin_ns, end_ns, deadline_ns;
    uint64_t position; /* the server's, in frames */
    uint64_t phase_ns; /* from the edge to the begin, the lesser of the last two */
    uint64_t last_phase_ns;
    uint8_t rests; /* a bit for each of the last cycles: periods without a call lay before it */
};

/* What the server says as a callback begins. */
struct tac_pace_tick {
    uint64_t now_ns;
    uint64_t edge_ns; /* when the cycle under way began; 0: not known */
    uint64_t next_ns; /* when it ends */
    uint64_t period_ns;
    uint64_t position, frames; /* at its begin; of a period */
    bool may_rest;             /* the client need not be called in each period */
};

/* Something began anew: the next callback has the server's word for it. */
static inline void tac_pace_forget(struct tac_pace *pace)
{
    pace->is_known = false;
}

static inline uint64_t tac_pace_due_ns(const struct tac_pace *pace, uint64_t period_ns)
{
    uint64_t release_ns = pace->deadline_ns;
    if (pace->end_ns > release_ns)
        release_ns += ((pace->end_ns - release_ns) / period_ns + 1) * period_ns;
    return release_ns + period_ns;
}

/* Cycles of the server since the last callback; 0 when its position says nothing. */
static inline uint64_t tac_pace_steps(const struct tac_pace *pace, const struct tac_pace_tick *tick)
{
    if (!pace->is_known || !tick->frames || !tick->period_ns)
        return 0;
    uint64_t steps = (tick->position - pace->position) / tick->frames;
    uint64_t went_ns = steps * tick->period_ns, passed_ns = tick->now_ns - pace->begin_ns;
    bool fits = steps < 1u << 24 && 2 * went_ns > passed_ns &&
                went_ns < passed_ns + passed_ns / 16 + 2 * tick->period_ns;
    return fits ? steps : 0;
}

static inline bool tac_pace_is_late(struct tac_pace *pace, const struct tac_pace_tick *tick)
{
    bool rested = pace->rests != 0;
    pace->rests = (uint8_t)(pace->rests << 1);
    if (tac_pace_steps(pace, tick) < 2)
        return false;
    if (tick->now_ns < tick->edge_ns + pace->phase_ns + tick->period_ns / 32) {
        pace->rests |= tick->may_rest;
        return false;
    }
    return !rested && tick->now_ns > tac_pace_due_ns(pace, tick->period_ns);
}

static inline void tac_pace_learn(struct tac_pace *pace, const struct tac_pace_tick *tick)
{
    uint64_t phase_ns = tick->now_ns > tick->edge_ns ? tick->now_ns - tick->edge_ns : 0;
    if (!tick->edge_ns)
        return;
    pace->phase_ns = phase_ns < pace->last_phase_ns ? phase_ns : pace->last_phase_ns;
    pace->last_phase_ns = phase_ns;
}

/* The deadline of the callback that begins. Real-time: yes. */
static inline uint64_t tac_pace_begin(struct tac_pace *pace, const struct tac_pace_tick *tick)
{
    uint64_t deadline_ns = tick->next_ns;
    if (tac_pace_is_late(pace, tick))
        deadline_ns = tac_pace_due_ns(pace, tick->period_ns);
    else
        tac_pace_learn(pace, tick);
    pace->begin_ns = pace->end_ns = tick->now_ns;
    pace->position = tick->position;
    pace->deadline_ns = deadline_ns;
    pace->is_known = true;
    return deadline_ns;
}

static inline void tac_pace_end(struct tac_pace *pace, uint64_t now_ns)
{
    pace->end_ns = now_ns;
}

#endif
