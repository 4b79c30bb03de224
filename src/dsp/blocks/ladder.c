/* SPDX-License-Identifier: MIT
 * ladder.c - the transistor ladder: a nonlinear low-pass, 24 dB per octave, that can sing.
 *
 * Equation four trapezoidal one-poles in a row, their output fed back k times, without delay:
 *            u = x - k y4,  y4 = G^4 tanh(u) + S,  G = g / (1 + g),  g = tan(pi fc / fs)
 *          solved by one Newton step from the linear solution (one division a frame). The stages
 *          are passive and their input never leaves -1 .. 1, so the filter is bounded on any path
 *          of its parameters.
 * Source   V. Zavalishin 2018, "The Art of VA Filter Design", chapters 5 and 6.
 * Quality  sings within 5 cents of the cutoff, 20 Hz to 12 kHz (tests/dsp/test_filters.c).
 * Latency  0. State: 16 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_CUTOFF, P_PITCH, P_RESONANCE, P_DRIVE };
enum { OUT_LOW24, OUT_LOW12 };

struct ladder {
    tac_v z[4];
    float per_hz;
};

struct coefficients {
    tac_v gain, k, lag, rest, loop, per_loop, w[4]; /* w: what each state adds to k y4 */
};

/* What a bank computes with while it runs. */
struct bank {
    tac_v z[4];
    struct coefficients c;
    tac_v ratio; /* of the pitch */
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct ladder *s = state;
    (void)memory;
    s->per_hz = 1.0f / setup->rate_hz;
}

TAC_INLINE void shape(struct bank *b, const struct tac_io *io, uint32_t i)
{
    b->ratio = tac_v_semitones(TAC_AT(io->param[P_PITCH], i));
    b->c.k = TAC_AT(io->param[P_RESONANCE], i) * 4.2f;
    b->c.gain = tac_v_db(TAC_AT(io->param[P_DRIVE], i));
}

TAC_INLINE void tune(struct bank *b, const struct tac_io *io, uint32_t i, float per_hz)
{
    tac_v hz = TAC_AT(io->param[P_CUTOFF], i) * b->ratio;
    struct tac_ratio g = tac_v_tan_pi(tac_v_clamp(hz * per_hz, 1e-5f, 0.45f));
    struct coefficients *c = &b->c;
    c->lag = g.n / (g.n + g.d);
    c->rest = 1.0f - c->lag;
    tac_v g2 = c->lag * c->lag;
    c->loop = c->k * g2 * g2;
    c->per_loop = 1.0f / (1.0f + c->loop);
    c->w[3] = c->k * c->rest;
    c->w[2] = c->w[3] * c->lag;
    c->w[1] = c->w[3] * g2;
    c->w[0] = c->w[2] * g2;
}

/* The drive of the first stage: tanh(u) for the u with u + loop tanh(u) = aim. From the u of the
 * linear loop, with tanh(u) = n / d, one Newton step and one division:
 *     slope 1 - n^2 / d^2,  n / d + slope (aim - u - loop n / d) / (1 + loop slope) */
TAC_INLINE tac_v solve(const struct bank *b, tac_v x)
{
    const struct coefficients *c = &b->c;
    tac_v late = tac_v_madd(b->z[1], c->w[1], b->z[0] * c->w[0]);
    late = tac_v_madd(b->z[2], c->w[2], late);
    tac_v aim = tac_v_nmadd(b->z[3], c->w[3], x - late);
    tac_v u = aim * c->per_loop;
    struct tac_ratio t = tac_v_tanh_ratio(u);
    tac_v slope = tac_v_nmadd(t.n, t.n, t.d * t.d);
    tac_v whole = tac_v_madd(c->loop, slope, t.d * t.d);
    tac_v rest = tac_v_nmadd(c->loop, t.n, (aim - u) * t.d);
    tac_v y = tac_v_madd(slope, rest, t.n * whole) / (t.d * whole);
    return tac_v_clamp(y, -1.0f, 1.0f);
}

TAC_INLINE tac_v stage(tac_v *z, tac_v lag, tac_v x)
{
    tac_v v = (x - *z) * lag;
    tac_v y = tac_v_madd(x - *z, lag, *z);
    *z = y + v;
    return y;
}

/* banks, moving and low12 are constants where this is inlined. */
TAC_INLINE void run(struct ladder *const *s, const struct tac_io *io, int banks, int moving,
                    int low12)
{
    struct bank bank[2];
    float per_hz = s[0]->per_hz;
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        TAC_UNROLL
        for (int k = 0; k < 4; k++)
            bank[b].z[k] = s[b]->z[k];
        shape(&bank[b], &io[b], 0);
        tune(&bank[b], &io[b], 0, per_hz);
    }
    for (uint32_t i = 0; i < io->frames; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++) {
            struct bank *k = &bank[b];
            if (moving > 1)
                shape(k, &io[b], i);
            if (moving)
                tune(k, &io[b], i, per_hz);
            tac_v y = solve(k, TAC_AT(io[b].in[0], i) * k->c.gain);
            y = stage(&k->z[0], k->c.lag, y);
            tac_v y2 = stage(&k->z[1], k->c.lag, y);
            y = stage(&k->z[2], k->c.lag, y2);
            y = stage(&k->z[3], k->c.lag, y);
            tac_v_store(io[b].out[OUT_LOW24] + (size_t)i * TAC_LANES, y);
            if (low12)
                tac_v_store(io[b].out[OUT_LOW12] + (size_t)i * TAC_LANES, y2);
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        TAC_UNROLL
    for (int k = 0; k < 4; k++)
        s[b]->z[k] = bank[b].z[k];
}

/* 0: nothing moves, 1: the cutoff does, 2: more. */
static int motion_of(const struct tac_io *io)
{
    if (io->param[P_PITCH].stride || io->param[P_RESONANCE].stride || io->param[P_DRIVE].stride)
        return 2;
    return io->param[P_CUTOFF].stride ? 1 : 0;
}

static void process(void *state, const struct tac_io *io)
{
    struct ladder *s = state;
    int motion = motion_of(io), low12 = io->out[OUT_LOW12] != NULL;
    if (low12 || motion == 2)
        run(&s, io, 1, motion, low12);
    else if (motion == 1)
        run(&s, io, 1, 1, 0);
    else
        run(&s, io, 1, 0, 0);
}

static void process2(void *states, const struct tac_io *io)
{
    struct ladder *const *s = states;
    int motion = motion_of(&io[0]);
    int alone =
        motion == 2 || motion != motion_of(&io[1]) || io[0].out[OUT_LOW12] || io[1].out[OUT_LOW12];
    if (alone) {
        process(s[0], &io[0]);
        process(s[1], &io[1]);
    } else if (motion == 1) {
        run(s, io, 2, 1, 0);
    } else {
        run(s, io, 2, 0, 0);
    }
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
    .process2 = process2,
};
