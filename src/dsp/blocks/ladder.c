/* SPDX-License-Identifier: MIT
 * ladder.c - the transistor ladder: a nonlinear low-pass, 24 dB per octave, that can sing.
 *
 * Equation four trapezoidal one-poles in a row, their output fed back k times, without delay:
 *            u = x - k y4,  y4 = G^4 tanh(u) + S,  G = g / (1 + g),  g = tan(pi fc / fs)
 *          solved by one Newton step from the linear solution (one division a frame). The stages
 *          are passive and their input never leaves -1 .. 1, so the filter is bounded on any path
 *          of its parameters. quality fine: at twice the rate (half_band_iir.h).
 *          saturation stages: each stage is an amplifier that saturates too,
 *            y' = 2 pi fc tanh(x - y),
 *          whose tanh(e) / e, taken where the stage was one frame ago, makes its g smaller; that
 *          leaves all of the above as it is. What the stages lose by their own singing above 95 %
 *          resonance is made good in g, so that it sings in tune.
 * Source   V. Zavalishin 2018, "The Art of VA Filter Design", chapters 5 and 6; the stages as there
 *          in 6.10; the loss by the describing function.
 * Quality  sings within 5 cents of the cutoff, 20 Hz to 12 kHz. Alias of a full sine of 4 kHz under
 *          a cutoff of 6 kHz, driven by 6 and 12 dB: -54 and -34 dB fast, -110 and -69 dB fine; of
 *          2 kHz by 6 dB below -120 dB (tests/dsp/test_filters.c).
 * Latency  0; fine: 3 frames at low frequencies, not of linear phase. State: 156 bytes a lane. */
#include "dsp/block.h"
#include "dsp/half_band_iir.h"

#include <string.h>

enum { P_CUTOFF, P_PITCH, P_RESONANCE, P_DRIVE };
enum { OUT_LOW24, OUT_LOW12, OUTS };
enum { O_QUALITY, O_SATURATION };

static const char *const qualities[] = {"fast", "fine", NULL};
static const char *const saturations[] = {"input", "stages", NULL};

/* What follows from pitch, resonance and drive, and those that it is of: it is computed when they
 * change and not in every call. A resonance of -1 is none. */
struct shape {
    tac_v pitch, resonance, drive;
    tac_v ratio, k, gain;
};

struct ladder {
    tac_v z[4];
    float per_hz; /* of the rate that it runs at */
    int fine, stages;
    tac_v gap[4]; /* over each stage in the last frame, where stages saturate */
    struct tac_half_iir up, down[OUTS];
    struct shape shape;
};

/* By how much g must be larger for each 1 of k above 4, for stages that saturate: the share that
 * they lose at the level they sing at, at low frequencies. */
#define SINGING_LOSS 0.06f

struct coefficients {
    tac_v gain, k, lag, rest, loop, per_loop, w[4]; /* w: what each state adds to k y4 */
};

/* What a bank computes with while it runs. */
struct bank {
    tac_v z[4];
    struct coefficients c;
    tac_v ratio; /* of the pitch */
};

static uint32_t live(const void *state)
{
    const struct ladder *s = state;
    if (s->fine)
        return offsetof(struct ladder, shape);
    return s->stages ? offsetof(struct ladder, up) : offsetof(struct ladder, gap);
}

static void forget(void *state)
{
    struct ladder *s = state;
    s->shape.resonance = tac_v_set(-1);
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct ladder *s = state;
    (void)memory;
    s->fine = setup->option[O_QUALITY] > 0.5f;
    s->stages = setup->option[O_SATURATION] > 0.5f;
    s->per_hz = (s->fine ? 0.5f : 1.0f) / setup->rate_hz;
    forget(s);
}

TAC_INLINE struct shape shape_at(const struct tac_io *io, uint32_t i)
{
    struct shape s = {.pitch = TAC_AT(io->param[P_PITCH], i),
                      .resonance = TAC_AT(io->param[P_RESONANCE], i),
                      .drive = TAC_AT(io->param[P_DRIVE], i)};
    s.ratio = tac_v_semitones(s.pitch);
    s.k = s.resonance * 4.2f;
    s.gain = tac_v_db(s.drive);
    return s;
}

TAC_INLINE void put_shape(struct bank *b, const struct shape *s)
{
    b->ratio = s->ratio;
    b->c.k = s->k;
    b->c.gain = s->gain;
}

TAC_INLINE void shape(struct bank *b, const struct tac_io *io, uint32_t i)
{
    struct shape s = shape_at(io, i);
    put_shape(b, &s);
}

static void renew_shape(struct ladder *s, const struct tac_io *io)
{
    s->shape = shape_at(io, 0);
}

/* That of the first frame. */
TAC_INLINE void begin_shape(struct bank *b, struct ladder *s, const struct tac_io *io)
{
    if (tac_v_differ(TAC_AT(io->param[P_PITCH], 0), s->shape.pitch) |
        tac_v_differ(TAC_AT(io->param[P_RESONANCE], 0), s->shape.resonance) |
        tac_v_differ(TAC_AT(io->param[P_DRIVE], 0), s->shape.drive))
        renew_shape(s, io);
    put_shape(b, &s->shape);
}

TAC_INLINE void tune(struct bank *b, tac_v cutoff, float per_hz)
{
    tac_v hz = cutoff * b->ratio;
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
TAC_INLINE tac_v solve(tac_v aim, tac_v loop, tac_v per_loop)
{
    tac_v u = aim * per_loop;
    struct tac_ratio t = tac_v_tanh_ratio(u);
    tac_v slope = tac_v_nmadd(t.n, t.n, t.d * t.d);
    tac_v whole = tac_v_madd(loop, slope, t.d * t.d);
    tac_v rest = tac_v_nmadd(loop, t.n, (aim - u) * t.d);
    tac_v y = tac_v_madd(slope, rest, t.n * whole) / (t.d * whole);
    return tac_v_clamp(y, -1.0f, 1.0f);
}

/* The input less what the states bring back. */
TAC_INLINE tac_v aim_of(const struct bank *b, tac_v x)
{
    const struct coefficients *c = &b->c;
    tac_v late = tac_v_madd(b->z[1], c->w[1], b->z[0] * c->w[0]);
    late = tac_v_madd(b->z[2], c->w[2], late);
    return tac_v_nmadd(b->z[3], c->w[3], x - late);
}

TAC_INLINE tac_v stage(tac_v *z, tac_v lag, tac_v x)
{
    tac_v v = (x - *z) * lag;
    tac_v y = tac_v_madd(x - *z, lag, *z);
    *z = y + v;
    return y;
}

TAC_INLINE void step(struct bank *b, tac_v x, tac_v y[2])
{
    tac_v v = solve(aim_of(b, x * b->c.gain), b->c.loop, b->c.per_loop);
    v = stage(&b->z[0], b->c.lag, v);
    y[OUT_LOW12] = stage(&b->z[1], b->c.lag, v);
    v = stage(&b->z[2], b->c.lag, y[OUT_LOW12]);
    y[OUT_LOW24] = stage(&b->z[3], b->c.lag, v);
}

/* What tune leaves to stages that saturate. With t = 1 - e^2 / 3 of a gap one frame old, a sine of
 * the gap comes out as 1 - e^2 (1 + e^(-2 i phi) / 2) / 6, phi the turn of a frame: what moves the
 * pitch of that is its real part less its imaginary one. */
TAC_INLINE struct tac_ratio tune_stages(const struct bank *b, tac_v cutoff, float per_hz)
{
    struct tac_ratio g = tac_v_tan_pi(tac_v_clamp(cutoff * b->ratio * per_hz, 1e-5f, 0.45f));
    /* cosine and sine of a frame's turn at the cutoff */
    tac_v n2 = g.n * g.n, d2 = g.d * g.d, r = 1.0f / (d2 + n2);
    tac_v c = (d2 - n2) * r, s = 2.0f * g.n * g.d * r;
    tac_v loss = tac_v_madd(c, (c - s) * 0.6666667f, tac_v_set(0.3333333f)) * SINGING_LOSS;
    g.n *= tac_v_madd(tac_v_max(b->c.k - 4.0f, tac_v_set(0)), loss, tac_v_set(1));
    return g;
}

/* A frame of stages that saturate, each with a lag of its own. */
TAC_INLINE void step_stages(struct bank *b, tac_v gap[4], struct tac_ratio g, tac_v x, tac_v y[2])
{
    tac_v lag[4], loop = b->c.k, late = tac_v_set(0);
    TAC_UNROLL
    for (int k = 0; k < 4; k++) {
        struct tac_ratio t = tac_v_tanh_share(gap[k]);
        lag[k] = g.n * t.n / tac_v_madd(g.n, t.n, g.d * t.d);
        loop *= lag[k];
        late = tac_v_madd(late - b->z[k], lag[k], b->z[k]);
    }
    tac_v v = solve(tac_v_nmadd(b->c.k, late, x * b->c.gain), loop, 1.0f / (1.0f + loop));
    TAC_UNROLL
    for (int k = 0; k < 4; k++) {
        tac_v out = stage(&b->z[k], lag[k], v);
        gap[k] = v - out;
        v = out;
        if (k % 2)
            y[k == 1 ? OUT_LOW12 : OUT_LOW24] = v;
    }
}

/* At twice the rate, or with stages that saturate, or both. */
static void run_fine(struct ladder *s, const struct tac_io *io, int motion)
{
    struct bank bank = {0};
    struct tac_ratio g = {0};
    memcpy(bank.z, s->z, sizeof bank.z);
    begin_shape(&bank, s, io);
    for (uint32_t i = 0; i < io->frames; i++) {
        if (i && motion > 1)
            shape(&bank, io, i);
        if (i == 0 || motion) {
            tune(&bank, TAC_AT(io->param[P_CUTOFF], i), s->per_hz);
            g = tune_stages(&bank, TAC_AT(io->param[P_CUTOFF], i), s->per_hz);
        }
        tac_v x[2] = {TAC_AT(io->in[0], i)}, y[2][OUTS] = {0};
        if (s->fine)
            tac_half_iir_up(&s->up, x[0], x);
        for (int k = 0; k <= s->fine; k++) {
            if (s->stages)
                step_stages(&bank, s->gap, g, x[k], y[k]);
            else
                step(&bank, x[k], y[k]);
        }
        for (int port = 0; port < OUTS; port++) {
            tac_v pair[2] = {y[0][port], y[s->fine][port]};
            tac_put(io, port, i, s->fine ? tac_half_iir_down(&s->down[port], pair) : pair[0]);
        }
    }
    memcpy(s->z, bank.z, sizeof bank.z);
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
        begin_shape(&bank[b], s[b], &io[b]);
        tune(&bank[b], TAC_AT(io[b].param[P_CUTOFF], 0), per_hz);
    }
    for (uint32_t i = 0; i < io->frames; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++) {
            struct bank *k = &bank[b];
            if (moving > 1)
                shape(k, &io[b], i);
            if (moving)
                tune(k, TAC_AT(io[b].param[P_CUTOFF], i), per_hz);
            tac_v y[2];
            step(k, TAC_AT(io[b].in[0], i), y);
            tac_v_store(io[b].out[OUT_LOW24] + (size_t)i * TAC_LANES, y[OUT_LOW24]);
            if (low12)
                tac_v_store(io[b].out[OUT_LOW12] + (size_t)i * TAC_LANES, y[OUT_LOW12]);
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        TAC_UNROLL
    for (int k = 0; k < 4; k++)
        s[b]->z[k] = bank[b].z[k];
}

/* The cutoff moves, and in the same way in all lanes and banks: tuned for as many frames at once as
 * there are lanes. */
TAC_INLINE void run_alike(struct ladder *const *s, const struct tac_io *io, int banks)
{
    const struct tac_signal cutoff = io[0].param[P_CUTOFF];
    struct bank bank[2];
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        memcpy(bank[b].z, s[b]->z, sizeof bank[b].z);
        begin_shape(&bank[b], s[b], &io[b]);
    }
    for (uint32_t first = 0; first < io->frames; first += TAC_LANES) {
        struct bank all = bank[0];
        tune(&all, tac_v_load(cutoff.data + cutoff.line + first), s[0]->per_hz);
        _Alignas(64) float lag[TAC_LANES], loop[TAC_LANES], per_loop[TAC_LANES], w[4][TAC_LANES];
        tac_v_store(lag, all.c.lag);
        tac_v_store(loop, all.c.loop);
        tac_v_store(per_loop, all.c.per_loop);
        for (int k = 0; k < 4; k++)
            tac_v_store(w[k], all.c.w[k]);
        uint32_t frames = io->frames - first < TAC_LANES ? io->frames - first : TAC_LANES;
        for (uint32_t i = 0; i < frames; i++) {
            TAC_UNROLL
            for (int b = 0; b < banks; b++) {
                struct coefficients *c = &bank[b].c;
                c->lag = tac_v_set(lag[i]);
                c->loop = tac_v_set(loop[i]);
                c->per_loop = tac_v_set(per_loop[i]);
                TAC_UNROLL
                for (int k = 0; k < 4; k++)
                    c->w[k] = tac_v_set(w[k][i]);
                tac_v y[2];
                step(&bank[b], TAC_AT(io[b].in[0], first + i), y);
                tac_v_store(io[b].out[OUT_LOW24] + (size_t)(first + i) * TAC_LANES, y[OUT_LOW24]);
            }
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        memcpy(s[b]->z, bank[b].z, sizeof bank[b].z);
}

/* The cutoff alone moves, and the pitch and resonance are those of the first bank's first lane. */
static int is_alike(const struct tac_io *first, const struct tac_io *io)
{
    const struct tac_signal a = first->param[P_CUTOFF], b = io->param[P_CUTOFF];
    return TAC_LANES > 1 && a.line && b.line && a.data == b.data && !io->out[OUT_LOW12] &&
           !io->param[P_PITCH].stride && !io->param[P_RESONANCE].stride &&
           !io->param[P_DRIVE].stride &&
           tac_is_same(io->param[P_PITCH].data, first->param[P_PITCH].data[0]) &&
           tac_is_same(io->param[P_RESONANCE].data, first->param[P_RESONANCE].data[0]);
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
    if (s->fine || s->stages)
        run_fine(s, io, motion);
    else if (is_alike(io, io))
        run_alike(&s, io, 1);
    else if (low12 || motion == 2)
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
    int alone = s[0]->fine || s[0]->stages || motion == 2 || motion != motion_of(&io[1]) ||
                io[0].out[OUT_LOW12] || io[1].out[OUT_LOW12];
    if (alone) {
        process(s[0], &io[0]);
        process(s[1], &io[1]);
    } else if (is_alike(io, io) && is_alike(io, &io[1])) {
        run_alike(s, io, 2);
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
    .about =
        "Zero-delay-feedback ladder with a saturating input (Zavalishin 2018). It sings from "
        "95 % resonance on, in tune with the cutoff. quality: fine computes at twice the rate, for "
        "loud and high sounds, at a little more than twice the cost. saturation: stages makes "
        "each of the four stages saturate by itself, so that loud sounds also close the filter; "
        "at twice the cost.",
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
    .option = {[O_QUALITY] = {"quality", "fine: at twice the rate, with less alias",
                              TAC_OPTION_CHOICE, 0, 1, 0, qualities},
               [O_SATURATION] = {"saturation",
                                 "stages: each of the four saturates, not the input alone",
                                 TAC_OPTION_CHOICE, 0, 1, 0, saturations}},
    .state_bytes = sizeof(struct ladder),
    .tail_s = -1,
    .live = live,
    .forget = forget,
    .init = init,
    .process = process,
    .process2 = process2,
};
