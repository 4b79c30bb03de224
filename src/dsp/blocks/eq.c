/* SPDX-License-Identifier: MIT
 * eq.c - one band of an equaliser: peak, low shelf or high shelf.
 *
 * Equation  the trapezoidal state-variable filter of svf.c, its input, band and low outputs mixed:
 *           y = m0 x + m1 v1 + m2 v2, with A = 10^(gain / 40) in m0, m1, m2 and the tuning.
 * Source    Andrew Simper 2013, "Solving the continuous SVF equations using trapezoidal
 *           integration" (Cytomic); the responses are those of R. Bristow-Johnson's cookbook.
 * Quality   within 0.05 dB of them (tests/dsp/test_effects.c). Latency 0. State: 8 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_FREQUENCY, P_GAIN, P_Q, P_SHAPE };
enum { PEAK, LOW_SHELF, HIGH_SHELF };

static const char *const shapes[] = {"peak", "low-shelf", "high-shelf", NULL};

struct eq {
    tac_v s1, s2;
    float per_hz;
};

struct coefficients {
    tac_v a1, a2, a3, m0, m1, m2;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct eq *s = state;
    (void)memory;
    s->per_hz = 1.0f / setup->rate_hz;
}

TAC_INLINE struct coefficients design(const struct tac_io *io, uint32_t i, float per_hz)
{
    tac_v octaves = TAC_AT(io->param[P_GAIN], i) * 0.0830482024f; /* log2 of A */
    tac_v a = tac_v_exp2(octaves), root = tac_v_exp2(octaves * 0.5f);
    tac_v shape = TAC_AT(io->param[P_SHAPE], i);
    tac_m low = (shape > 0.5f) & (shape < 1.5f), high = shape > 1.5f, peak = ~(low | high);
    tac_v norm = tac_v_clamp(TAC_AT(io->param[P_FREQUENCY], i) * per_hz, 1e-5f, 0.49f);
    tac_v g = tac_v_tan_pi(norm);
    g = tac_v_select(low, g / root, tac_v_select(high, g * root, g));
    tac_v q = TAC_AT(io->param[P_Q], i), one = tac_v_set(1);
    tac_v k = one / tac_v_select(peak, q * a, q);
    struct coefficients c;
    c.a1 = one / (1.0f + g * (g + k));
    c.a2 = g * c.a1;
    c.a3 = g * c.a2;
    c.m0 = tac_v_select(high, a * a, one);
    c.m1 = k * tac_v_select(peak, a * a - 1.0f, tac_v_select(low, a - 1.0f, (1.0f - a) * a));
    c.m2 = tac_v_select(peak, tac_v_set(0), tac_v_select(low, a * a - 1.0f, 1.0f - a * a));
    return c;
}

static void process(void *state, const struct tac_io *io)
{
    struct eq *s = state;
    tac_v s1 = s->s1, s2 = s->s2;
    int moving = io->param[P_FREQUENCY].stride || io->param[P_GAIN].stride ||
                 io->param[P_Q].stride || io->param[P_SHAPE].stride;
    struct coefficients c = design(io, 0, s->per_hz);
    for (uint32_t i = 0; i < io->frames; i++) {
        if (moving)
            c = design(io, i, s->per_hz);
        tac_v x = TAC_AT(io->in[0], i);
        tac_v v3 = x - s2;
        tac_v v1 = c.a1 * s1 + c.a2 * v3;
        tac_v v2 = s2 + c.a2 * s1 + c.a3 * v3;
        s1 = v1 + v1 - s1;
        s2 = v2 + v2 - s2;
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, c.m0 * x + c.m1 * v1 + c.m2 * v2);
    }
    s->s1 = s1;
    s->s2 = s2;
}

TAC_BLOCK(eq) = {
    .name = "eq",
    .group = "filter",
    .doc = "One band of an equaliser: peak, low shelf or high shelf.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {{"out", "the equalised sound", TAC_PORT_SIGNAL, 0}},
    .param = {[P_FREQUENCY] = {"frequency", "centre or corner", TAC_UNIT_HZ, 10, 22000, 1000,
                               TAC_CURVE_LOG, NULL},
              [P_GAIN] = {"gain", "of the band", TAC_UNIT_DB, -36, 36, 0, TAC_CURVE_LINEAR, NULL},
              [P_Q] = {"q", "narrowness; 0.7 for a smooth shelf", TAC_UNIT_NONE, 0.1f, 40, 0.7071f,
                       TAC_CURVE_LOG, NULL},
              [P_SHAPE] = {"shape", "of the band", TAC_UNIT_NONE, 0, 2, 0, TAC_CURVE_STEP, shapes}},
    .state_bytes = sizeof(struct eq),
    .tail_s = -1,
    .init = init,
    .process = process,
};
