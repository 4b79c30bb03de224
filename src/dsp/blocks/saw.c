/* SPDX-License-Identifier: MIT
 * saw.c - a sawtooth whose corner is rounded by a two-point polynomial BLEP.
 *
 * Equation y = 2 t - 1, minus a quadratic residual within one frame before and after the corner.
 * Source   Valimaki, Huovilainen 2007, "Antialiasing oscillators in subtractive synthesis", IEEE
 *          Signal Processing Magazine 24(2), section on PolyBLEP.
 * Quality  alias-to-signal -46 dB at 110 Hz and -28 dB at 3.5 kHz, as the method gives
 *          (tests/dsp/test_osc.c).
 * Latency  0. State: 40 bytes a lane. */
#include "dsp/block.h"
#include "dsp/oscillator.h"

#define PER_PHASE (1.0f / 2147483648.0f)

struct pace {
    tac_u step;
    tac_v per_turn; /* 1 / (2 dt): what is left of the corner at half a turn per frame is nothing */
};

/* With s the phase from the corner, -1 .. 1 over a turn: the naive saw is s - sign(s), and within a
 * frame of the corner its step is rounded by (1 - |s| / 2 dt)^2. Computed as
 *     sign(s) (g |s| - g + (r - r |s| / 2 dt)^2),  g = r^2 the level,
 * eight operations. */
struct shape {
    tac_v gain, root, slope, fall; /* g, r; g and r / 2 dt for phases of 32 bits */
};

struct saw {
    tac_u phase;
    double per_hz;
    uint64_t kept; /* with the shape: tac_io.still; 0: something moves */
    struct tac_osc_known known;
    struct pace pace;   /* of what is known */
    struct shape shape; /* of the pace and a gain; a gain of -1 is none */
};

static uint32_t live(const void *state)
{
    (void)state;
    return offsetof(struct saw, kept);
}

static void forget(void *state)
{
    struct saw *s = state;
    s->kept = 0;
    s->known.hz = s->shape.gain = tac_v_set(-1);
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct saw *s = state;
    (void)memory;
    s->per_hz = 1.0 / (double)setup->rate_hz;
    forget(s);
}

TAC_INLINE struct pace pace_of(const struct tac_io *io, uint32_t i, double per_hz, tac_v ratio)
{
    tac_v hz = TAC_AT(io->param[OSC_FREQUENCY], i) * ratio;
    tac_v dt = tac_v_clamp(hz * (float)per_hz, 1e-7f, 0.499f);
    return (struct pace){tac_phase_step(hz, per_hz), 0.5f / dt};
}

TAC_INLINE struct shape shape_of(tac_v per_turn, tac_v gain)
{
    tac_v root = tac_v_sqrt(gain);
    return (struct shape){gain, root, gain * PER_PHASE, root * per_turn * PER_PHASE};
}

TAC_INLINE tac_v wave(tac_u phase, const struct shape *k)
{
    tac_v s = tac_m_to_float((tac_m)phase), size = tac_v_abs(s);
    tac_v near = tac_v_max(tac_v_nmadd(size, k->fall, k->root), tac_v_set(0));
    tac_v y = tac_v_madd(near, near, tac_v_madd(size, k->slope, -k->gain));
    return (tac_v)((tac_m)y ^ ((tac_m)s & (int32_t)0x80000000));
}

/* Pitch and frequency stand still; the pace is that of the frame before, or new. */
TAC_INLINE void keep_pace(struct saw *s, const struct tac_io *io)
{
    if (!tac_osc_is_new(&s->known, io, 0))
        return;
    s->pace = pace_of(io, 0, s->per_hz, tac_v_semitones(TAC_AT(io->param[OSC_PITCH], 0)));
    s->shape.gain = tac_v_set(-1);
}

/* The level moves, and perhaps the pitch. */
TAC_INLINE void run(struct saw *s, const struct tac_io *io, int moving)
{
    tac_u phase = s->phase;
    const struct tac_signal level = io->param[OSC_LEVEL], pitch = io->param[OSC_PITCH];
    tac_v ratio = {0};
    if (moving)
        ratio = tac_v_semitones(TAC_AT(pitch, 0));
    else
        keep_pace(s, io);
    struct pace pace = s->pace;
    s->kept = 0;
    for (uint32_t i = 0; i < io->frames; i++) {
        if (moving) {
            ratio = pitch.stride ? tac_v_semitones(TAC_AT(pitch, i)) : ratio;
            pace = pace_of(io, i, s->per_hz, ratio);
        }
        struct shape shape = shape_of(pace.per_turn, TAC_AT(level, i));
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, wave(phase, &shape));
        phase += pace.step;
    }
    s->phase = phase;
}

/* Banks in which nothing moves. */
TAC_INLINE void run_still(struct saw *const *s, const struct tac_io *io, int banks)
{
    tac_u phase[2], step[2];
    struct shape shape[2];
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        phase[b] = s[b]->phase;
        step[b] = s[b]->pace.step;
        shape[b] = s[b]->shape;
    }
    for (uint32_t i = 0; i < io->frames; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++) {
            tac_v_store(io[b].out[0] + (size_t)i * TAC_LANES, wave(phase[b], &shape[b]));
            phase[b] += step[b];
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        s[b]->phase = phase[b];
}

static int renew(struct saw *s, const struct tac_io *io)
{
    uint64_t now = tac_still(io);
    if (tac_osc_is_moving(io) || io->param[OSC_LEVEL].stride)
        return 0;
    s->kept = now;
    keep_pace(s, io);
    tac_v level = TAC_AT(io->param[OSC_LEVEL], 0);
    if (tac_v_differ(level, s->shape.gain))
        s->shape = shape_of(s->pace.per_turn, level);
    return 1;
}

/* True when nothing moves: then the shape is that of the call. */
TAC_INLINE int is_still(struct saw *s, const struct tac_io *io)
{
    return tac_is_still(io, s->kept) || renew(s, io);
}

static void process(void *state, const struct tac_io *io)
{
    struct saw *s = state;
    if (is_still(s, io))
        run_still(&s, io, 1);
    else if (tac_osc_is_moving(io))
        run(s, io, 1);
    else
        run(s, io, 0);
}

static void process2(void *states, const struct tac_io *io)
{
    struct saw *const *s = states;
    if (is_still(s[0], &io[0]) && is_still(s[1], &io[1])) {
        run_still(s, io, 2);
        return;
    }
    process(s[0], &io[0]);
    process(s[1], &io[1]);
}

TAC_BLOCK(saw) = {
    .name = "saw",
    .group = "source",
    .doc = "A sawtooth oscillator.",
    .about = "Two-point polynomial BLEP (Valimaki and Huovilainen 2007): cheap, bright, with some "
             "aliasing in the top octaves.",
    .out = {{"out", "rising saw, -1 to 1 times the level", TAC_PORT_SIGNAL, 0}},
    .param = {TAC_OSC_PARAMS},
    .state_bytes = sizeof(struct saw),
    .live = live,
    .forget = forget,
    .init = init,
    .process = process,
    .process2 = process2,
};
