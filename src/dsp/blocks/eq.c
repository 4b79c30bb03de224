/* SPDX-License-Identifier: MIT
 * eq.c - one band of an equaliser: peak, low shelf or high shelf.
 *
 * Equation  the state-variable filter of svf_core.h, its input, band and low outputs mixed:
 *           y = m0 x + m1 v1 + m2 v2, with A = 10^(gain / 40) in m0, m1, m2 and the tuning.
 * Source    Andrew Simper 2013, "Solving the continuous SVF equations using trapezoidal
 *           integration" (Cytomic); the responses are those of R. Bristow-Johnson's cookbook.
 * Quality   within 0.05 dB of them (tests/dsp/test_effects.c). Latency 0. State: 8 bytes a lane. */
#include "dsp/block.h"
#include "dsp/svf_core.h"

enum { P_FREQUENCY, P_GAIN, P_Q, P_SHAPE };
enum { PEAK, LOW_SHELF, HIGH_SHELF };

static const char *const shapes[] = {"peak", "low-shelf", "high-shelf", NULL};

struct eq {
    struct tac_svf core;
    float per_hz;
};

struct bank {
    struct tac_svf core;
    struct tac_svf_tuning tuning;
    tac_v m0, m1, m2;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct eq *s = state;
    (void)memory;
    s->per_hz = 1.0f / setup->rate_hz;
}

TAC_INLINE void design(struct bank *b, const struct tac_io *io, uint32_t i, float per_hz)
{
    tac_v octaves = TAC_AT(io->param[P_GAIN], i) * 0.0830482024f; /* log2 of A */
    tac_v a = tac_v_exp2(octaves), root = tac_v_exp2(octaves * 0.5f);
    tac_v shape = TAC_AT(io->param[P_SHAPE], i);
    tac_m low = (shape > 0.5f) & (shape < 1.5f), high = shape > 1.5f, peak = ~(low | high);
    tac_v q = TAC_AT(io->param[P_Q], i), one = tac_v_set(1);
    tac_v k = one / tac_v_select(peak, q * a, q);
    tac_v scale = tac_v_select(low, one / root, tac_v_select(high, root, one));
    b->tuning = tac_svf_tune(TAC_AT(io->param[P_FREQUENCY], i), per_hz, k, scale);
    b->m0 = tac_v_select(high, a * a, one);
    b->m1 = k * tac_v_select(peak, a * a - 1.0f, tac_v_select(low, a - 1.0f, (1.0f - a) * a));
    b->m2 = tac_v_select(peak, tac_v_set(0), tac_v_select(low, a * a - 1.0f, 1.0f - a * a));
}

/* banks and moving are constants where this is inlined. */
TAC_INLINE void run(struct eq *const *s, const struct tac_io *io, int banks, int moving)
{
    struct bank bank[2];
    float per_hz = s[0]->per_hz;
    TAC_UNROLL
    for (int b = 0; b < banks; b++) {
        bank[b].core = s[b]->core;
        design(&bank[b], &io[b], 0, per_hz);
    }
    for (uint32_t i = 0; i < io->frames; i++) {
        TAC_UNROLL
        for (int b = 0; b < banks; b++) {
            if (moving)
                design(&bank[b], &io[b], i, per_hz);
            tac_v x = TAC_AT(io[b].in[0], i);
            struct tac_svf_bands y = tac_svf_step(&bank[b].core, &bank[b].tuning, x);
            tac_v_store(
                io[b].out[0] + (size_t)i * TAC_LANES,
                tac_v_madd(bank[b].m2, y.low, tac_v_madd(bank[b].m1, y.band, bank[b].m0 * x)));
        }
    }
    TAC_UNROLL
    for (int b = 0; b < banks; b++)
        s[b]->core = bank[b].core;
}

static int is_moving(const struct tac_io *io)
{
    return io->param[P_FREQUENCY].stride || io->param[P_GAIN].stride || io->param[P_Q].stride ||
           io->param[P_SHAPE].stride;
}

static void process(void *state, const struct tac_io *io)
{
    struct eq *s = state;
    if (is_moving(io))
        run(&s, io, 1, 1);
    else
        run(&s, io, 1, 0);
}

static void process2(void *states, const struct tac_io *io)
{
    struct eq *const *s = states;
    if (!is_moving(&io[0]) && !is_moving(&io[1])) {
        run(s, io, 2, 0);
        return;
    }
    process(s[0], &io[0]);
    process(s[1], &io[1]);
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
    .process2 = process2,
};
