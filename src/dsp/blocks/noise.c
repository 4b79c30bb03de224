/* SPDX-License-Identifier: MIT
 * noise.c - white and pink noise.
 *
 * Method   white: xorshift32 per lane (Marsaglia 2003, "Xorshift RNGs"), period 2^32 - 1, seeded
 * from the patch, so a render is repeatable. pink: white through the three-pole filter that Paul
 *          Kellet published on the music-dsp list, within 0.5 dB of -3 dB per octave above 40 Hz.
 * Latency  0. State: 16 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_LEVEL, P_COLOUR };

static const char *const colours[] = {"white", "pink", NULL};

struct noise {
    tac_u random;
    tac_v b0, b1, b2;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct noise *s = state;
    (void)memory;
    for (int i = 0; i < TAC_LANES; i++) {
        uint64_t x = setup->seed + 0x9e3779b97f4a7c15u * (setup->lane_first + (uint32_t)i + 1u);
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        s->random[i] = (uint32_t)(x >> 32) | 1u;
    }
}

TAC_INLINE tac_u advance(tac_u x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

static void process(void *state, const struct tac_io *io)
{
    struct noise *s = state;
    tac_u random = s->random;
    tac_v b0 = s->b0, b1 = s->b1, b2 = s->b2;
    const struct tac_signal level = io->param[P_LEVEL], colour = io->param[P_COLOUR];
    for (uint32_t i = 0; i < io->frames; i++) {
        random = advance(random);
        tac_v white = tac_m_to_float((tac_m)random) * (1.0f / 2147483648.0f);
        b0 = b0 * 0.99765f + white * 0.0990460f;
        b1 = b1 * 0.96300f + white * 0.2965164f;
        b2 = b2 * 0.57000f + white * 1.0526913f;
        tac_v pink = (b0 + b1 + b2 + white * 0.1848f) * 0.2f;
        tac_v y = tac_v_select(TAC_AT(colour, i) > 0.5f, pink, white);
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, y * TAC_AT(level, i));
    }
    s->random = random;
    s->b0 = b0;
    s->b1 = b1;
    s->b2 = b2;
}

TAC_BLOCK(noise) = {
    .name = "noise",
    .group = "source",
    .doc = "White or pink noise, the same at every run of a patch.",
    .out = {{"out", "the noise", TAC_PORT_SIGNAL, 0}},
    .param = {[P_LEVEL] = {"level", "amplitude", TAC_UNIT_PERCENT, 0, 4, 1, TAC_CURVE_LINEAR, NULL},
              [P_COLOUR] = {"colour", "white: flat; pink: -3 dB per octave", TAC_UNIT_NONE, 0, 1, 0,
                            TAC_CURVE_STEP, colours}},
    .state_bytes = sizeof(struct noise),
    .init = init,
    .process = process,
};
