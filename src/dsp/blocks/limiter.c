/* SPDX-License-Identifier: MIT
 * limiter.c - a look-ahead limiter: no sample is ever louder than the ceiling.
 *
 * Method   the gain that each frame needs -> its minimum over 64 frames (six doublings) -> release
 *          -> two running means of 32 frames, in whole numbers so that the sums cannot drift -> the
 *          signal of 69 frames ago. Every value in the means is at most what the frame that leaves
 *          needs, so their mean is too. peak: true looks at three points between a frame and each
 *          of its neighbours, too, by sincs of 12 taps (tables.py), for which it waits 6 frames.
 * Source   the structure of D. Giannoulis, M. Massberg, J. Reiss 2012, "Digital dynamic range
 *          compressor design", JAES 60(6), with a sliding minimum for the attack.
 * Quality  no sample above the ceiling; with peak: true no point between them above it by 0.1 dB
 *          (tests/dsp/test_dynamics.c).
 * Latency  69 frames. State: 1112 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"
#include "dsp/tables.h"

enum { P_CEILING, P_DRIVE, P_RELEASE };
enum { IN_SIGNAL, IN_LINK };
enum { O_PEAK };
enum { AHEAD = 64, MEAN = 32, DOUBLINGS = 6, WAIT = TAC_PEAK_TAPS / 2, LATENCY = AHEAD - 1 + WAIT };
enum { RING = 128, LINK_RING = 16 }; /* powers of two above LATENCY and the taps */

static const char *const peaks[] = {"sample", "true", NULL};

#define ONE 33554432.0f /* a gain of 1; 32 of them fit 31 bits */

struct limiter {
    tac_v past[RING], link[LINK_RING];
    tac_v low[AHEAD]; /* of doubling d, 2^d values at 2^d - 1: the minima 2^d frames ago */
    tac_m first[MEAN], second[MEAN];
    tac_m sum1, sum2;
    tac_v gain, between, link_between; /* the loudest between the frames WAIT and WAIT + 1 ago */
    float rate_hz;
    uint32_t at;
    int true_peak;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct limiter *s = state;
    (void)memory;
    s->rate_hz = setup->rate_hz;
    s->true_peak = setup->option[O_PEAK] > 0.5f;
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

/* Of the frame WAIT ago; with true_peak of the points around it, too. before: those behind it. */
TAC_INLINE tac_v loudness(const tac_v *ring, uint32_t size, uint32_t at, int true_peak,
                          tac_v *before)
{
    tac_v loud = tac_v_abs(ring[(at - WAIT) % size]), ahead = tac_v_set(0);
    for (int row = 0; row < 3 && true_peak; row++) {
        tac_v y = tac_v_set(0);
        for (uint32_t k = 0; k < TAC_PEAK_TAPS; k++)
            y = tac_v_madd(tac_v_set(tac_peak[row][k]), ring[(at - (TAC_PEAK_TAPS - 1) + k) % size],
                           y);
        ahead = tac_v_max(ahead, tac_v_abs(y));
    }
    loud = tac_v_max(loud, tac_v_max(ahead, *before));
    *before = ahead;
    return loud;
}

static void process(void *state, const struct tac_io *io)
{
    struct limiter *s = state;
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_v drive = tac_v_db(TAC_AT(io->param[P_DRIVE], i));
        tac_v ceiling = tac_v_db(TAC_AT(io->param[P_CEILING], i));
        tac_v seconds = TAC_AT(io->param[P_RELEASE], i);
        tac_v rate = 1.0f - tac_v_exp2(-1.442695f / tac_v_max(seconds * s->rate_hz, tac_v_set(1)));
        s->past[s->at % RING] = TAC_AT(io->in[IN_SIGNAL], i) * drive;
        s->link[s->at % LINK_RING] = TAC_AT(io->in[IN_LINK], i) * drive;
        tac_v loud = tac_v_max(loudness(s->past, RING, s->at, s->true_peak, &s->between),
                               loudness(s->link, LINK_RING, s->at, s->true_peak, &s->link_between));
        loud = tac_v_max(loud, tac_v_set(1e-9f));
        tac_v need = sliding_minimum(s, tac_v_min(ceiling / loud, tac_v_set(1)));
        s->gain = tac_v_min(need, s->gain + (need - s->gain) * rate);
        tac_m mean = running_mean(s->first, &s->sum1, s->at, tac_v_to_int(s->gain * ONE));
        mean = running_mean(s->second, &s->sum2, s->at, mean);
        tac_v y = s->past[(s->at - LATENCY) % RING] * (tac_m_to_float(mean) * (1.0f / ONE));
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
    .about =
        "The gain moves before the peak comes, along a smooth curve of 64 frames. For stereo, "
        "plug each side's signal into the link of the other, so that the image stays. peak: true "
        "also keeps down what a converter will make between the samples.",
    .in = {[IN_SIGNAL] = {"in", "the sound", TAC_PORT_SIGNAL, 0},
           [IN_LINK] = {"link", "another sound that also turns the gain down", TAC_PORT_SIGNAL, 0}},
    .out = {{"out", "the limited sound", TAC_PORT_SIGNAL, 0}},
    .param = {[P_CEILING] = {"ceiling", "the loudest sample", TAC_UNIT_DB, -60, 0, -0.3f,
                             TAC_CURVE_LINEAR, NULL},
              [P_DRIVE] = {"drive", "gain before the limiter", TAC_UNIT_DB, -24, 48, 0,
                           TAC_CURVE_LINEAR, NULL},
              [P_RELEASE] = {"release", "time constant of the way back", TAC_UNIT_S, 0.001f, 5,
                             0.1f, TAC_CURVE_LOG, NULL}},
    .option = {[O_PEAK] = {"peak",
                           "what is kept below the ceiling: samples, or all between them, too",
                           TAC_OPTION_CHOICE, 0, 1, 0, peaks}},
    .state_bytes = sizeof(struct limiter),
    .latency_frames = LATENCY,
    .tail_s = 0.01f,
    .init = init,
    .process = process,
};
