/* SPDX-License-Identifier: MIT
 * noise.c - white, pink, brown, blue and violet noise.
 *
 * Method   white: xorshift32 per lane (Marsaglia 2003, "Xorshift RNGs"), period 2^32 - 1, seeded
 *          from the patch, so a render is repeatable. pink: white through six poles two octaves
 *          apart with a zero in the middle of each two, on a logarithmic axis a line of -3 dB per
 *          octave, and a zero that takes back what sampling adds near the top. brown: a leaky
 *          integrator. blue and violet: the differences of pink (without its last zero) and white.
 * Quality  pink within 0.3 dB per octave (tests/dsp/test_sources.c).
 * Latency  0. State: 40 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

#include <math.h>

enum { P_LEVEL, P_COLOUR };
enum { WHITE, PINK, BROWN, BLUE, VIOLET };
enum { SECTIONS = 6 };

static const char *const colours[] = {"white", "pink", "brown", "blue", "violet", NULL};

static const double lowest_hz = 8, top_zero = 0.065, brown_hz = 20;

struct noise {
    tac_u random;
    tac_v z[SECTIONS]; /* outputs of the sections, z[0]'s input is white */
    tac_v white, brown;
    float pole[SECTIONS], zero[SECTIONS], pink_gain, brown_pole, brown_gain;
};

/* Gain of the pink filter at 1 kHz. */
static double pink_response(const struct noise *s, double w)
{
    double power = 1 + top_zero * top_zero + 2 * top_zero * cos(w);
    for (int k = 0; k < SECTIONS; k++) {
        double p = (double)s->pole[k], q = (double)s->zero[k];
        power *= (1 + q * q - 2 * q * cos(w)) / (1 + p * p - 2 * p * cos(w));
    }
    return sqrt(power);
}

/* Half the level of the white noise each: its power is spread over ln(24000 / 8) nepers. */
static void design(struct noise *s, double rate_hz)
{
    double turn = 2 * 3.141592653589793 / rate_hz;
    for (int k = 0; k < SECTIONS; k++) {
        double hz = lowest_hz * pow(4, k);
        s->pole[k] = (float)exp(-turn * hz);
        s->zero[k] = (float)exp(-turn * hz * 2);
    }
    double per_hz = rate_hz / 2 / log(rate_hz / 2 / lowest_hz);
    s->pink_gain = (float)(0.5 * sqrt(per_hz / 1000) / pink_response(s, turn * 1000));
    double p = exp(-turn * brown_hz);
    s->brown_pole = (float)p;
    s->brown_gain = (float)(0.5 * sqrt(1 - p * p));
}

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
    design(s, (double)setup->rate_hz);
}

TAC_INLINE tac_u advance(tac_u x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

TAC_INLINE tac_v to_unit(tac_u random)
{
    return tac_m_to_float((tac_m)random) * (1.0f / 2147483648.0f);
}

/* All colours of a frame, one of them chosen per lane. */
TAC_INLINE tac_v coloured(struct noise *s, tac_v white, tac_v colour)
{
    tac_v before = s->white, last = s->z[SECTIONS - 1], x = white;
    tac_v x1 = s->white;
    TAC_UNROLL
    for (int k = 0; k < SECTIONS; k++) {
        tac_v y = tac_v_nmadd(tac_v_set(s->zero[k]), x1, x);
        y = tac_v_madd(tac_v_set(s->pole[k]), s->z[k], y);
        x1 = s->z[k];
        s->z[k] = y;
        x = y;
    }
    s->white = white;
    s->brown = tac_v_madd(s->brown, tac_v_set(s->brown_pole), white * s->brown_gain);
    tac_v y = (x + last * (float)top_zero) * s->pink_gain;
    y = tac_v_select(colour > BROWN - 0.5f, s->brown, y);
    y = tac_v_select(colour > BLUE - 0.5f, (x - last) * (0.5f * 1.41421356f), y);
    y = tac_v_select(colour > VIOLET - 0.5f, (white - before) * 0.5f, y);
    return tac_v_select(colour > PINK - 0.5f, y, white);
}

/* The filters stand still where nothing but an edit or the program can ask for a colour. By a cable
 * one may come at any frame: there they run all the time, or the sound would depend on where calls
 * begin. */
static int is_white(const struct tac_io *io)
{
    const struct tac_signal colour = io->param[P_COLOUR];
    return !colour.stride && !colour.connected && !tac_m_any(TAC_AT(colour, 0) > 0.5f);
}

static void process(void *state, const struct tac_io *io)
{
    struct noise *state_ = state, s = *state_;
    const struct tac_signal level = io->param[P_LEVEL];
    int white_only = is_white(io);
    for (uint32_t i = 0; i < io->frames; i++) {
        s.random = advance(s.random);
        tac_v y = to_unit(s.random);
        if (!white_only)
            y = coloured(&s, y, TAC_AT(io->param[P_COLOUR], i));
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, y * TAC_AT(level, i));
    }
    *state_ = s;
}

TAC_BLOCK(noise) = {
    .name = "noise",
    .group = "source",
    .doc = "White, pink, brown, blue or violet noise, the same at every run of a patch.",
    .out = {{"out", "the noise", TAC_PORT_SIGNAL, 0}},
    .param = {[P_LEVEL] = {"level", "amplitude", TAC_UNIT_PERCENT, 0, 4, 1, TAC_CURVE_LINEAR, NULL},
              [P_COLOUR] = {"colour", "per octave: white 0 dB, pink -3, brown -6, blue 3, violet 6",
                            TAC_UNIT_NONE, 0, 4, 0, TAC_CURVE_STEP, colours}},
    .state_bytes = sizeof(struct noise),
    .init = init,
    .process = process,
};
