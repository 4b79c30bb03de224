/* SPDX-License-Identifier: MIT
 * level.h - how loud a channel is: what an engine and a mixer tell of what they give out.
 *
 * Peak since it was last asked for, and power as a running mean over TAC_LEVEL_S seconds; sound
 * that is no number counts as silence there. Threads: measure, mend: the audio thread, real-time;
 * read: any. */
#ifndef TAC_ENGINE_LEVEL_H
#define TAC_ENGINE_LEVEL_H

#include "tactus/engine.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>

#define TAC_LEVEL_S 0.3f

struct tac_level {
    _Atomic float peak, power;
    _Atomic uint32_t mended; /* values since they were last asked for */
};

/* False when some of it may be no number. */
static inline bool tac_level_measure(struct tac_level *level, const float *x, uint32_t frames,
                                     double rate_hz)
{
    float peak = atomic_load_explicit(&level->peak, memory_order_relaxed), sum = 0;
    for (uint32_t f = 0; f < frames; f++) {
        float size = fabsf(x[f]);
        peak = size > peak && size <= FLT_MAX ? size : peak;
        sum += size * size;
    }
    atomic_store_explicit(&level->peak, peak, memory_order_relaxed);
    float power = atomic_load_explicit(&level->power, memory_order_relaxed);
    float share = (float)frames / (TAC_LEVEL_S * (float)rate_hz);
    share = share < 1 ? share : 1;
    power += share * ((isfinite(sum) ? sum / (float)frames : 0) - power);
    atomic_store_explicit(&level->power, power, memory_order_relaxed);
    return isfinite(sum);
}

/* What is no number becomes 0. Returns how many there were. */
static inline uint32_t tac_level_mend(struct tac_level *level, float *x, uint32_t frames)
{
    uint32_t mended = 0;
    for (uint32_t f = 0; f < frames; f++) {
        mended += !isfinite(x[f]);
        x[f] = isfinite(x[f]) ? x[f] : 0;
    }
    atomic_fetch_add_explicit(&level->mended, mended, memory_order_relaxed);
    return mended;
}

static inline void tac_level_read(struct tac_level *level, struct tac_engine_meter *ret_meter)
{
    ret_meter->peak = atomic_exchange_explicit(&level->peak, 0, memory_order_relaxed);
    ret_meter->rms = sqrtf(atomic_load_explicit(&level->power, memory_order_relaxed));
    ret_meter->mended = atomic_exchange_explicit(&level->mended, 0, memory_order_relaxed);
}

#endif
