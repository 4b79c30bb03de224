/* SPDX-License-Identifier: MIT
 * ladder.c - the transistor ladder: a nonlinear low-pass, 24 dB per octave, that can sing.
 *
 * Equation  four trapezoidal one-poles in a row, their output fed back k times, without delay:
 *             u = x - k y4,  y4 = G^4 tanh(u) + S,  G = g / (1 + g),  g = tan(pi fc / fs)
 *           solved by one Newton step from the linear solution. The stages are passive and their
 *           input never leaves -1 .. 1, so the filter is bounded on any path of its parameters.
 * Source    V. Zavalishin 2018, "The Art of VA Filter Design", chapters 5 and 6.
 * Quality   sings within 5 cents of the cutoff, 20 Hz to 12 kHz (tests/dsp/test_filters.c).
 * Latency   0. State: 16 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_CUTOFF, P_PITCH, P_RESONANCE, P_DRIVE };
enum { OUT_LOW24, OUT_LOW12 };

struct ladder {
    tac_v z[4];
    float per_hz;
};

struct coefficients {
    tac_v gain, k, lag, g4, per_loop;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct ladder *s = state;
    (void)memory;
    s->per_hz = 1.0f / setup->rate_hz;
}

TAC_INLINE struct coefficients design(const struct tac_io *io, uint32_t i, float per_hz)
{
    tac_v hz =
        TAC_AT(io->param[P_CUTOFF], i) * tac_v_exp2(TAC_AT(io->param[P_PITCH], i) * (1.0f / 12));
    tac_v g = tac_v_tan_pi(tac_v_clamp(hz * per_hz, 1e-5f, 0.45f));
    struct coefficients c;
    c.lag = g / (1.0f + g);
    c.k = TAC_AT(io->param[P_RESONANCE], i) * 4.2f;
    c.gain = tac_v_db(TAC_AT(io->param[P_DRIVE], i));
    tac_v g2 = c.lag * c.lag;
    c.g4 = g2 * g2;
    c.per_loop = 1.0f / (1.0f + c.k * c.g4);
    return c;
}

/* The drive of the first stage: tanh(u) for the u that closes the loop. */
TAC_INLINE tac_v solve(const struct ladder *s, const struct coefficients *c, tac_v x)
{
    tac_v rest = 1.0f - c->lag;
    tac_v sum = s->z[0] * c->lag + s->z[1];
    sum = sum * c->lag + s->z[2];
    sum = (sum * c->lag + s->z[3]) * rest;
    tac_v aim = x - c->k * sum;
    tac_v u = aim * c->per_loop;
    tac_v t = tac_v_tanh(u);
    tac_v slope = 1.0f - t * t;
    tac_v loop = c->k * c->g4;
    tac_v correction = (aim - u - loop * t) / (1.0f + loop * slope);
    return tac_v_clamp(t + slope * correction, -1.0f, 1.0f);
}

TAC_INLINE tac_v stage(tac_v *z, tac_v lag, tac_v x)
{
    tac_v v = (x - *z) * lag;
    tac_v y = v + *z;
    *z = y + v;
    return y;
}

static void process(void *state, const struct tac_io *io)
{
    struct ladder *state_ = state, s = *state_;
    int moving = io->param[P_CUTOFF].stride || io->param[P_PITCH].stride ||
                 io->param[P_RESONANCE].stride || io->param[P_DRIVE].stride;
    struct coefficients c = design(io, 0, s.per_hz);
    for (uint32_t i = 0; i < io->frames; i++) {
        if (moving)
            c = design(io, i, s.per_hz);
        tac_v y = solve(&s, &c, TAC_AT(io->in[0], i) * c.gain);
        y = stage(&s.z[0], c.lag, y);
        tac_v y2 = stage(&s.z[1], c.lag, y);
        y = stage(&s.z[2], c.lag, y2);
        y = stage(&s.z[3], c.lag, y);
        tac_v_store(io->out[OUT_LOW24] + (size_t)i * TAC_LANES, y);
        tac_v_store(io->out[OUT_LOW12] + (size_t)i * TAC_LANES, y2);
    }
    *state_ = s;
}

TAC_BLOCK(ladder) = {
    .name = "ladder",
    .group = "filter",
    .doc = "Nonlinear ladder low-pass, 24 dB per octave, that sings at full resonance.",
    .about = "Zero-delay-feedback ladder with a saturating input (Zavalishin 2018). It sings from "
             "95 % resonance on, in tune with the cutoff.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {[OUT_LOW24] = {"out", "low-pass, 24 dB per octave", TAC_PORT_SIGNAL, 0},
            [OUT_LOW12] = {"low12", "after two of the four stages", TAC_PORT_SIGNAL, 0}},
    .param = {[P_CUTOFF] = {"cutoff", "corner frequency", TAC_UNIT_HZ, 10, 21000, 1000,
                            TAC_CURVE_LOG, NULL},
              [P_PITCH] = {"pitch", "semitones added to the cutoff", TAC_UNIT_SEMITONES, -136, 136,
                           0, TAC_CURVE_LINEAR, NULL},
              [P_RESONANCE] = {"resonance", "feedback; 95 % is the edge of singing",
                               TAC_UNIT_PERCENT, 0, 1, 0.3f, TAC_CURVE_LINEAR, NULL},
              [P_DRIVE] = {"drive", "gain into the saturation", TAC_UNIT_DB, -24, 48, 0,
                           TAC_CURVE_LINEAR, NULL}},
    .state_bytes = sizeof(struct ladder),
    .tail_s = -1,
    .init = init,
    .process = process,
};
