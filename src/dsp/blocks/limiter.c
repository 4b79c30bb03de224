/* SPDX-License-Identifier: MIT
 * limiter.c - a look-ahead limiter: no sample is ever louder than the ceiling.
 *
 * Method   the gain that each frame needs -> its minimum over 64 frames (six doublings) -> release
 *          -> two running means of 32 frames, in whole numbers so that the sums cannot drift -> the
 *          signal of 63 frames ago. Every value in the means is at most what the frame that leaves
 *          needs, so their mean is too.
 * Source   the structure of D. Giannoulis, M. Massberg, J. Reiss 2012, "Digital dynamic range
 *          compressor design", JAES 60(6), with a sliding minimum for the attack.
 * Latency  63 frames. State: 191 frames a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_CEILING, P_DRIVE, P_RELEASE };
enum { IN_SIGNAL, IN_LINK };
enum { AHEAD = 64, MEAN = 32, DOUBLINGS = 6 };

#define ONE 33554432.0f /* a gain of 1; 32 of them fit 31 bits */

struct limiter {
    tac_v past[AHEAD];
    tac_v low[AHEAD]; /* of doubling d, 2^d values at 2^d - 1: the minima 2^d frames ago */
    tac_m first[MEAN], second[MEAN];
    tac_m sum1, sum2;
    tac_v gain;
    float rate_hz;
    uint32_t at;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct limiter *s = state;
    (void)memory;
    s->rate_hz = setup->rate_hz;
    s->gain = tac_v_set(1);
    for (int i = 0; i < AHEAD; i++)
        s->low[i] = tac_v_set(1);
    tac_m one = tac_v_to_int(tac_v_set(ONE));
    for (int i = 0; i < MEAN; i++) {
        s->first[i] = s->second[i] = one;
        s->sum1 += one;
        s->sum2 += one;
    }
}

/* The smallest of the last 64 values. */
TAC_INLINE tac_v sliding_minimum(struct limiter *s, tac_v x)
{
    for (uint32_t d = 0; d < DOUBLINGS; d++) {
        tac_v *old = &s->low[(1u << d) - 1 + (s->at & ((1u << d) - 1))];
        tac_v smaller = tac_v_min(x, *old);
        *old = x;
        x = smaller;
    }
    return x;
}

TAC_INLINE tac_m running_mean(tac_m *ring, tac_m *sum, uint32_t at, tac_m x)
{
    *sum += x - ring[at % MEAN];
    ring[at % MEAN] = x;
    return *sum >> 5;
}

static void process(void *state, const struct tac_io *io)
{
    struct limiter *s = state;
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_v drive = tac_v_db(TAC_AT(io->param[P_DRIVE], i));
        tac_v ceiling = tac_v_db(TAC_AT(io->param[P_CEILING], i));
        tac_v seconds = TAC_AT(io->param[P_RELEASE], i);
        tac_v rate = 1.0f - tac_v_exp2(-1.442695f / tac_v_max(seconds * s->rate_hz, tac_v_set(1)));
        tac_v x = TAC_AT(io->in[IN_SIGNAL], i) * drive;
        tac_v link = TAC_AT(io->in[IN_LINK], i) * drive;
        tac_v loud = tac_v_max(tac_v_max(tac_v_abs(x), tac_v_abs(link)), tac_v_set(1e-9f));
        tac_v need = sliding_minimum(s, tac_v_min(ceiling / loud, tac_v_set(1)));
        s->gain = tac_v_min(need, s->gain + (need - s->gain) * rate);
        tac_m mean = running_mean(s->first, &s->sum1, s->at, tac_v_to_int(s->gain * ONE));
        mean = running_mean(s->second, &s->sum2, s->at, mean);
        tac_v late = s->past[(s->at + 1) % AHEAD];
        s->past[s->at % AHEAD] = x;
        tac_v y = late * (tac_m_to_float(mean) * (1.0f / ONE));
        /* What is left above the ceiling is rounding, or a ceiling that moved meanwhile. */
        y = tac_v_min(tac_v_max(y, -ceiling), ceiling);
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, y);
        s->at++;
    }
}

TAC_BLOCK(limiter) = {
    .name = "limiter",
    .group = "effect",
    .doc = "Look-ahead limiter: nothing is ever louder than the ceiling.",
    .about = "The gain moves before the peak comes, along a smooth curve of 64 frames. For stereo, "
             "plug each side's signal into the link of the other, so that the image stays.",
    .in = {[IN_SIGNAL] = {"in", "the sound", TAC_PORT_SIGNAL, 0},
           [IN_LINK] = {"link", "another sound that also turns the gain down", TAC_PORT_SIGNAL, 0}},
    .out = {{"out", "the limited sound", TAC_PORT_SIGNAL, 0}},
    .param = {[P_CEILING] = {"ceiling", "the loudest sample", TAC_UNIT_DB, -60, 0, -0.3f,
                             TAC_CURVE_LINEAR, NULL},
              [P_DRIVE] = {"drive", "gain before the limiter", TAC_UNIT_DB, -24, 48, 0,
                           TAC_CURVE_LINEAR, NULL},
              [P_RELEASE] = {"release", "time constant of the way back", TAC_UNIT_S, 0.001f, 5,
                             0.1f, TAC_CURVE_LOG, NULL}},
    .state_bytes = sizeof(struct limiter),
    .latency_frames = AHEAD - 1,
    .tail_s = 0.01f,
    .init = init,
    .process = process,
};
