/* SPDX-License-Identifier: MIT
 * delay.c - a delay line with feedback, a time that may move, and a dry/wet mix.
 *
 * Method   a ring of a power of two frames per lane, read between frames by 4-point, 3rd-order
 * Hermite interpolation (Niemitalo 2001, "Polynomial interpolators for high-quality resampling of
 *          oversampled audio", section on 4-point Hermite).
 * Ranges   time from 3 frames to max_time.
 * Latency  0 (dry). Tail: depends on the feedback. State: the ring. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_TIME, P_FEEDBACK, P_MIX };
enum { O_MAX_TIME };

struct delay {
    float *ring; /* [frames][lanes] */
    uint32_t mask, at;
    float rate_hz, longest;
};

static uint32_t ring_frames(const struct tac_setup *setup)
{
    float wanted = setup->option[O_MAX_TIME] * setup->rate_hz + 8.0f;
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
    s->longest = (float)s->mask - 4.0f;
}

/* Gather frame at - back of each lane. */
TAC_INLINE tac_v tap(const struct delay *s, uint32_t at, tac_m back)
{
    tac_v v;
    for (int l = 0; l < TAC_LANES; l++)
        v[l] = s->ring[(size_t)((at - (uint32_t)back[l]) & s->mask) * TAC_LANES + (uint32_t)l];
    return v;
}

TAC_INLINE tac_v read_at(const struct delay *s, uint32_t at, tac_v frames)
{
    tac_v whole = tac_v_floor(frames);
    tac_v f = frames - whole;
    tac_m back = tac_v_to_int(whole);
    tac_v y0 = tap(s, at, back - 1), y1 = tap(s, at, back);
    tac_v y2 = tap(s, at, back + 1), y3 = tap(s, at, back + 2);
    tac_v c1 = 0.5f * (y2 - y0);
    tac_v c2 = y0 - 2.5f * y1 + 2.0f * y2 - 0.5f * y3;
    tac_v c3 = 0.5f * (y3 - y0) + 1.5f * (y1 - y2);
    return ((c3 * f + c2) * f + c1) * f + y1;
}

static void process(void *state, const struct tac_io *io)
{
    struct delay *s = state;
    uint32_t at = s->at;
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_v x = TAC_AT(io->in[0], i);
        tac_v frames = tac_v_clamp(TAC_AT(io->param[P_TIME], i) * s->rate_hz, 3.0f, s->longest);
        tac_v wet = read_at(s, at, frames);
        tac_v_store(s->ring + (size_t)(at & s->mask) * TAC_LANES,
                    x + wet * TAC_AT(io->param[P_FEEDBACK], i));
        at++;
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES,
                    x + (wet - x) * TAC_AT(io->param[P_MIX], i));
    }
    s->at = at;
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
                               0.001f, 30, 2, NULL}},
    .state_bytes = sizeof(struct delay),
    .tail_s = -1,
    .memory_bytes = memory_bytes,
    .init = init,
    .process = process,
};
