/* SPDX-License-Identifier: MIT
 * reverb.c - a room: a feedback delay network of eight lines with an exact decay time.
 *
 * Method   four all-passes scatter what comes in, so that the room is dense from the start; then
 *          eight delays of mutually prime lengths, mixed by a Hadamard matrix, which loses no
 *          energy; in each line a first-order shelf takes away just what its length must lose for
 *          the decay time asked for, at low and at high frequencies. Coefficients are renewed every
 *          16 frames. Each lane enters with signs of its own, so that channels do not sound alike.
 * Source   J.-M. Jot, A. Chaigne 1991, "Digital delay networks for designing artificial
 *          reverberators", AES 90th convention; all-passes: M. R. Schroeder 1962, "Natural sounding
 *          artificial reverberation", JAES 10(3).
 * Quality  T60 within 5 % per octave; echo density above 0.9 from 100 ms on
 *          (tests/dsp/test_effects.c).
 * Latency  0 (dry). */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_TIME, P_TREBLE, P_CORNER, P_MIX };
enum { OUT_LEFT, OUT_RIGHT };
enum { O_SIZE };
enum { LINES = 8, SCATTERS = 4, RENEW = 16 };

static const float length_ms[LINES] = {23.1f, 27.7f, 31.3f, 35.9f, 40.3f, 44.9f, 51.1f, 58.7f};
static const float scatter_ms[SCATTERS] = {1.3f, 2.3f, 4.1f, 7.3f};
static const float scatter_gain = 0.62f;

struct line {
    tac_v b0, b1, a1; /* the shelf */
    tac_v x1, y1;
    uint32_t frames;
};

struct reverb {
    struct line line[LINES];
    tac_v sign[LINES];
    float *ring;    /* [line][frames][lanes] */
    float *scatter; /* [all-pass][frames][lanes] */
    uint32_t mask, scatter_mask, scatter_frames[SCATTERS], at;
    float rate_hz;
};

static uint32_t next_prime(uint32_t n)
{
    for (n |= 1;; n += 2) {
        uint32_t d = 3;
        while (d * d <= n && n % d)
            d += 2;
        if (d * d > n)
            return n;
    }
}

static uint32_t prime_frames(const struct tac_setup *setup, float ms)
{
    return next_prime((uint32_t)(ms * 0.001f * setup->option[O_SIZE] * setup->rate_hz) + 3u);
}

/* A power of two that holds delays of up to ms. */
static uint32_t ring_frames(const struct tac_setup *setup, float ms)
{
    uint32_t longest = prime_frames(setup, ms), frames = 16;
    while (frames < longest + 1)
        frames *= 2;
    return frames;
}

static uint32_t line_ring(const struct tac_setup *setup)
{
    return ring_frames(setup, length_ms[LINES - 1]);
}

static uint32_t scatter_ring(const struct tac_setup *setup)
{
    return ring_frames(setup, scatter_ms[SCATTERS - 1]);
}

static size_t memory_bytes(const struct tac_setup *setup)
{
    size_t frames = (size_t)line_ring(setup) * LINES + (size_t)scatter_ring(setup) * SCATTERS;
    return frames * TAC_LANES * sizeof(float);
}

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct reverb *s = state;
    s->ring = memory;
    s->mask = line_ring(setup) - 1;
    s->scatter = s->ring + (size_t)line_ring(setup) * LINES * TAC_LANES;
    s->scatter_mask = scatter_ring(setup) - 1;
    for (int i = 0; i < SCATTERS; i++)
        s->scatter_frames[i] = prime_frames(setup, scatter_ms[i]);
    s->rate_hz = setup->rate_hz;
    for (int i = 0; i < LINES; i++) {
        s->line[i].frames = prime_frames(setup, length_ms[i]);
        for (uint32_t l = 0; l < TAC_LANES; l++) {
            uint32_t hash = (setup->lane_first + l) * 0x9e3779b1u >> 24;
            s->sign[i][l] = hash >> i & 1 ? -1.0f : 1.0f;
        }
    }
}

/* The shelf of a line: its loss in octaves (log2 of the gain) at low and at high frequencies. */
TAC_INLINE void design(struct line *line, tac_v low, tac_v high, tac_v corner)
{
    tac_v spread = (low - high) * 0.5f;
    tac_v zero = corner * tac_v_exp2(spread), pole = corner * tac_v_exp2(-spread);
    tac_v gain = tac_v_exp2(high) / (1.0f + pole);
    line->b0 = gain * (1.0f + zero);
    line->b1 = gain * (zero - 1.0f);
    line->a1 = (pole - 1.0f) / (1.0f + pole);
}

static void renew(struct reverb *s, const struct tac_io *io, uint32_t i)
{
    tac_v time = TAC_AT(io->param[P_TIME], i);
    tac_v norm = tac_v_clamp(TAC_AT(io->param[P_CORNER], i) / s->rate_hz, 1e-4f, 0.45f);
    struct tac_ratio tan = tac_v_tan_pi(norm);
    tac_v corner = tan.n / tan.d;
    tac_v per_frame = -9.96578428f / (time * s->rate_hz); /* -60 dB in octaves */
    tac_v treble = per_frame / TAC_AT(io->param[P_TREBLE], i);
    for (int l = 0; l < LINES; l++) {
        float frames = (float)s->line[l].frames;
        design(&s->line[l], per_frame * frames, treble * frames, corner);
    }
}

TAC_INLINE tac_v lose(struct line *line, tac_v x)
{
    tac_v y = tac_v_madd(line->b1, line->x1, line->b0 * x);
    y = tac_v_nmadd(line->a1, line->y1, y);
    line->x1 = x;
    line->y1 = y;
    return y;
}

/* In place, scaled so that the energy stays. */
TAC_INLINE void hadamard(tac_v v[LINES])
{
    for (int half = 1; half < LINES; half *= 2)
        for (int i = 0; i < LINES; i++)
            if (!(i & half)) {
                tac_v a = v[i], b = v[i + half];
                v[i] = a + b;
                v[i + half] = a - b;
            }
    for (int i = 0; i < LINES; i++)
        v[i] *= 0.353553391f;
}

TAC_INLINE float *cell(const struct reverb *s, int line, uint32_t at)
{
    return s->ring + ((size_t)line * (s->mask + 1) + (at & s->mask)) * TAC_LANES;
}

/* Through the all-passes. */
TAC_INLINE tac_v scatter(struct reverb *s, tac_v x)
{
    TAC_UNROLL
    for (int k = 0; k < SCATTERS; k++) {
        float *ring = s->scatter + (size_t)k * (s->scatter_mask + 1) * TAC_LANES;
        uint32_t from = (s->at - s->scatter_frames[k]) & s->scatter_mask;
        tac_v late = tac_v_load(ring + (size_t)from * TAC_LANES);
        tac_v in = tac_v_madd(late, tac_v_set(scatter_gain), x);
        tac_v_store(ring + (size_t)(s->at & s->scatter_mask) * TAC_LANES, in);
        x = tac_v_nmadd(in, tac_v_set(scatter_gain), late);
    }
    return x;
}

static void process(void *state, const struct tac_io *io)
{
    struct reverb *s = state;
    for (uint32_t i = 0; i < io->frames; i++, s->at++) {
        if (s->at % RENEW == 0)
            renew(s, io, i);
        tac_v x = TAC_AT(io->in[0], i), mix = TAC_AT(io->param[P_MIX], i);
        tac_v v[LINES];
        for (int l = 0; l < LINES; l++)
            v[l] = lose(&s->line[l], tac_v_load(cell(s, l, s->at - s->line[l].frames)));
        tac_v left = (v[0] - v[2] + v[4] - v[6]) * 0.5f;
        tac_v right = (v[1] - v[3] + v[5] - v[7]) * 0.5f;
        hadamard(v);
        tac_v scattered = scatter(s, x);
        for (int l = 0; l < LINES; l++)
            tac_v_store(cell(s, l, s->at), tac_v_madd(scattered, s->sign[l], v[l]));
        tac_v_store(io->out[OUT_LEFT] + (size_t)i * TAC_LANES, tac_v_madd(left - x, mix, x));
        tac_put(io, OUT_RIGHT, i, tac_v_madd(right - x, mix, x));
    }
}

TAC_BLOCK(reverb) = {
    .name = "reverb",
    .group = "effect",
    .doc = "A room with an exact decay time, from one sound to two sides.",
    .about = "Feedback delay network of eight lines (Jot and Chaigne 1991). The time is that of a "
             "decay by 60 dB below the corner; above it the time is treble times as long.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {[OUT_LEFT] = {"left", "dry and left side of the room", TAC_PORT_SIGNAL, 0},
            [OUT_RIGHT] = {"right", "dry and right side of the room", TAC_PORT_SIGNAL, 0}},
    .param = {[P_TIME] = {"time", "until the room has fallen by 60 dB", TAC_UNIT_S, 0.05f, 60, 2,
                          TAC_CURVE_LOG, NULL},
              [P_TREBLE] = {"treble", "time at high frequencies, as a part of time",
                            TAC_UNIT_PERCENT, 0.05f, 1, 0.5f, TAC_CURVE_LINEAR, NULL},
              [P_CORNER] = {"corner", "where low turns into high", TAC_UNIT_HZ, 100, 15000, 3000,
                            TAC_CURVE_LOG, NULL},
              [P_MIX] = {"mix", "0 %: dry, 100 %: wet", TAC_UNIT_PERCENT, 0, 1, 0.3f,
                         TAC_CURVE_LINEAR, NULL}},
    .option = {[O_SIZE] = {"size", "of the room; lengths of the delays", TAC_OPTION_NUMBER, 0.25f,
                           4, 1, NULL}},
    .state_bytes = sizeof(struct reverb),
    .tail_s = -1,
    .memory_bytes = memory_bytes,
    .init = init,
    .process = process,
};
