/* SPDX-License-Identifier: MIT
 * delay.c - a delay line with feedback, a time that may move, and a dry/wet mix.
 *
 * Method   a ring of a power of two frames per lane, read between frames. fast: the polynomial of
 *          5th order through six frames (Lagrange). fine: a windowed sinc of 32 taps (tables.py).
 *          While the time stands still and is the same in all lanes, rows of the ring are read
 *          whole, and fast needs one new row a frame.
 * Quality  under a moving time, distortion: fast below -120 dB at 1 kHz, -65 at 5 kHz; fine below
 *          -105 at 5 kHz. Level between two frames: fast -0.01 dB at 5 kHz, fine -0.1 dB at 18 kHz
 *          (tests/dsp/test_effects.c).
 * Ranges   time from 3 frames (fine: 17) to max_time.
 * Latency  0 (dry). Tail: depends on the feedback. State: the ring. */
#include "dsp/block.h"
#include "dsp/maths.h"
#include "dsp/tables.h"

enum { P_TIME, P_FEEDBACK, P_MIX };
enum { O_MAX_TIME, O_QUALITY };
enum { FAST, FINE };
enum { BEFORE = TAC_SINC_TAPS / 2 }; /* taps that lie nearer than the place that is read */
enum { TAPS = 6, NEARER = 2 };       /* of fast; how many frames the nearest lies before `back` */

static const char *const qualities[] = {"fast", "fine", NULL};

struct delay {
    float *ring; /* [frames][lanes] */
    uint32_t mask, at;
    float rate_hz, shortest, longest;
    int quality;
};

static uint32_t ring_frames(const struct tac_setup *setup)
{
    float wanted = setup->option[O_MAX_TIME] * setup->rate_hz + 32.0f;
    uint32_t frames = 16;
    while ((float)frames < wanted && frames < 1u << 26)
        frames *= 2;
    return frames;
}

static size_t memory_bytes(const struct tac_setup *setup)
{
    return (size_t)ring_frames(setup) * TAC_LANES * sizeof(float);
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct delay *s = state;
    s->ring = memory;
    s->mask = ring_frames(setup) - 1;
    s->rate_hz = setup->rate_hz;
    s->quality = setup->option[O_QUALITY] > 0.5f ? FINE : FAST;
    s->shortest = s->quality == FINE ? BEFORE + 1 : 3;
    s->longest = (float)s->mask - (s->quality == FINE ? BEFORE + 1 : 4);
}

/* Row of the ring so many frames back. */
TAC_INLINE float *row(const struct delay *s, uint32_t back)
{
    return s->ring + (size_t)((s->at - back) & s->mask) * TAC_LANES;
}

/* The frame so many back, for each lane its own. */
TAC_INLINE tac_v gather(const struct delay *s, tac_m back)
{
    tac_v v;
    for (int l = 0; l < TAC_LANES; l++)
        v[l] = row(s, (uint32_t)back[l])[l];
    return v;
}

/* Weights of frames -2 .. 3 for the place f, 0 to 1: products of the distances to all others. */
TAC_INLINE void weigh(tac_v f, tac_v ret_weight[TAPS])
{
    static const float scale[TAPS] = {-1.0f / 120, 1.0f / 24,  -1.0f / 12,
                                      1.0f / 12,   -1.0f / 24, 1.0f / 120};
    tac_v newer = tac_v_set(1), older = tac_v_set(1);
    TAC_UNROLL
    for (int k = 0; k < TAPS; k++) {
        ret_weight[k] = newer * scale[k];
        newer *= f - (float)(k - NEARER);
    }
    TAC_UNROLL
    for (int k = TAPS - 1; k >= 0; k--) {
        ret_weight[k] *= older;
        older *= f - (float)(k - NEARER);
    }
}

/* One lane through the sinc; the newest tap is BEFORE - 1 frames nearer than `back`. */
static float read_lane(const struct delay *s, uint32_t back, float f, uint32_t lane)
{
    float place = f * TAC_SINC_PHASES, sum = 0;
    uint32_t phase = (uint32_t)place;
    float between = place - (float)phase;
    const float *a = tac_sinc[phase], *b = tac_sinc[phase + 1];
    for (uint32_t k = 0; k < TAC_SINC_TAPS; k++)
        sum = tac_madd(row(s, back + k + 1 - BEFORE)[lane], tac_madd(between, b[k] - a[k], a[k]),
                       sum);
    return sum;
}

TAC_INLINE tac_v read_any(const struct delay *s, tac_v frames)
{
    tac_m back = tac_v_to_int(frames); /* frames > 0: to the floor */
    tac_v f = frames - tac_m_to_float(back), y;
    if (s->quality == FAST) {
        tac_v weight[TAPS];
        weigh(f, weight);
        y = gather(s, back - NEARER) * weight[0];
        TAC_UNROLL
        for (int k = 1; k < TAPS; k++)
            y = tac_v_madd(gather(s, back + (k - NEARER)), weight[k], y);
        return y;
    }
    for (uint32_t l = 0; l < TAC_LANES; l++)
        y[l] = read_lane(s, (uint32_t)back[l], f[l], l);
    return y;
}

TAC_INLINE tac_v frames_at(const struct delay *s, const struct tac_io *io, uint32_t i)
{
    return tac_v_clamp(TAC_AT(io->param[P_TIME], i) * s->rate_hz, s->shortest, s->longest);
}

/* Into the ring, and out. */
TAC_INLINE void pass(struct delay *s, const struct tac_io *io, uint32_t i, tac_v wet)
{
    tac_v x = TAC_AT(io->in[0], i);
    tac_v_store(row(s, 0), tac_v_madd(wet, TAC_AT(io->param[P_FEEDBACK], i), x));
    s->at++;
    tac_v_store(io->out[0] + (size_t)i * TAC_LANES,
                tac_v_madd(wet - x, TAC_AT(io->param[P_MIX], i), x));
}

static void run_fast(struct delay *s, const struct tac_io *io, uint32_t back, float f)
{
    tac_v weight[TAPS], y[TAPS];
    weigh(tac_v_set(f), weight);
    TAC_UNROLL
    for (uint32_t k = 1; k < TAPS; k++)
        y[k] = tac_v_load(row(s, back + k - NEARER));
    for (uint32_t i = 0; i < io->frames; i++) {
        y[0] = tac_v_load(row(s, back - NEARER));
        tac_v sum = y[0] * weight[0];
        TAC_UNROLL
        for (int k = 1; k < TAPS; k++)
            sum = tac_v_madd(y[k], weight[k], sum);
        pass(s, io, i, sum);
        TAC_UNROLL
        for (int k = TAPS - 1; k > 0; k--)
            y[k] = y[k - 1];
    }
}

static void run_fine(struct delay *s, const struct tac_io *io, uint32_t back, float f)
{
    float place = f * TAC_SINC_PHASES, weight[TAC_SINC_TAPS];
    uint32_t phase = (uint32_t)place;
    const float *a = tac_sinc[phase], *b = tac_sinc[phase + 1];
    for (uint32_t k = 0; k < TAC_SINC_TAPS; k++)
        weight[k] = tac_madd(place - (float)phase, b[k] - a[k], a[k]);
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_v sum = tac_v_set(0);
        for (uint32_t k = 0; k < TAC_SINC_TAPS; k++)
            sum = tac_v_madd(tac_v_load(row(s, back + k + 1 - BEFORE)), tac_v_set(weight[k]), sum);
        pass(s, io, i, sum);
    }
}

static void process(void *state, const struct tac_io *io)
{
    struct delay *s = state;
    tac_v frames = frames_at(s, io, 0);
    if (io->param[P_TIME].stride || tac_m_any(frames != tac_v_set(frames[0]))) {
        for (uint32_t i = 0; i < io->frames; i++)
            pass(s, io, i, read_any(s, frames_at(s, io, i)));
        return;
    }
    uint32_t back = (uint32_t)frames[0];
    if (s->quality == FAST)
        run_fast(s, io, back, frames[0] - (float)back);
    else
        run_fine(s, io, back, frames[0] - (float)back);
}

TAC_BLOCK(delay) = {
    .name = "delay",
    .group = "effect",
    .doc = "Echo: a delay with feedback and a moving time.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {{"out", "dry and wet", TAC_PORT_SIGNAL, 0}},
    .param = {[P_TIME] = {"time", "delay", TAC_UNIT_S, 0, 30, 0.25f, TAC_CURVE_LINEAR, NULL},
              [P_FEEDBACK] = {"feedback", "how much comes back", TAC_UNIT_PERCENT, -0.99f, 0.99f,
                              0.3f, TAC_CURVE_LINEAR, NULL},
              [P_MIX] = {"mix", "0 %: dry, 100 %: wet", TAC_UNIT_PERCENT, 0, 1, 0.3f,
                         TAC_CURVE_LINEAR, NULL}},
    .option = {[O_MAX_TIME] = {"max_time", "the longest time, in seconds", TAC_OPTION_NUMBER,
                               0.001f, 30, 2, NULL},
               [O_QUALITY] = {"quality", "how the sound is read between its frames",
                              TAC_OPTION_CHOICE, 0, 1, 0, qualities}},
    .state_bytes = sizeof(struct delay),
    .tail_s = -1,
    .memory_bytes = memory_bytes,
    .init = init,
    .process = process,
};
