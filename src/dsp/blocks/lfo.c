/* SPDX-License-Identifier: MIT
 * lfo.c - a slow oscillator for modulation: sine, triangle, saw, square.
 *
 * A 32-bit phase per lane; the shapes are plain (not band-limited), as control signals want them.
 * Latency 0. State: 8 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_RATE, P_DEPTH, P_CENTRE, P_SHAPE };
enum { SHAPE_SINE, SHAPE_TRIANGLE, SHAPE_SAW, SHAPE_SQUARE };

static const char *const shapes[] = {"sine", "triangle", "saw", "square", NULL};

struct lfo {
    tac_u phase;
    double per_hz;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct lfo *s = state;
    (void)memory;
    s->per_hz = 1.0 / (double)setup->rate_hz;
}

TAC_INLINE tac_v shape_at(tac_u phase, tac_v shape)
{
    tac_v t = tac_phase_unit(phase);
    tac_v triangle = 1.0f - tac_v_abs(tac_phase_unit(phase + 0x40000000u) * 4.0f - 2.0f);
    tac_v square = tac_v_select(t < 0.5f, tac_v_set(1), tac_v_set(-1));
    tac_v y = tac_phase_sin(phase);
    y = tac_v_select(shape > 0.5f, triangle, y);
    y = tac_v_select(shape > 1.5f, t + t - 1.0f, y);
    return tac_v_select(shape > 2.5f, square, y);
}

/* sine: all lanes are sines; a constant where this is inlined. */
TAC_INLINE void run(struct lfo *s, const struct tac_io *io, int sine)
{
    const struct tac_signal rate = io->param[P_RATE];
    tac_u phase = s->phase, step = tac_phase_step(TAC_AT(rate, 0), s->per_hz);
    for (uint32_t i = 0; i < io->frames; i++) {
        if (rate.stride)
            step = tac_phase_step(TAC_AT(rate, i), s->per_hz);
        tac_v y = sine ? tac_phase_sin(phase) : shape_at(phase, TAC_AT(io->param[P_SHAPE], i));
        y = tac_v_madd(y, TAC_AT(io->param[P_DEPTH], i), TAC_AT(io->param[P_CENTRE], i));
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, y);
        phase += step;
    }
    s->phase = phase;
}

static void process(void *state, const struct tac_io *io)
{
    const struct tac_signal shape = io->param[P_SHAPE];
    if (!shape.stride && !tac_m_any(TAC_AT(shape, 0) > 0.5f))
        run(state, io, 1);
    else
        run(state, io, 0);
}

TAC_BLOCK(lfo) = {
    .name = "lfo",
    .group = "control",
    .doc = "Slow oscillator for modulation.",
    .out = {{"out", "centre + depth times the shape", TAC_PORT_SIGNAL, 0}},
    .param = {[P_RATE] = {"rate", "frequency", TAC_UNIT_HZ, 0, 1000, 1, TAC_CURVE_LINEAR, NULL},
              [P_DEPTH] = {"depth", "how far it swings, in the unit of what it drives",
                           TAC_UNIT_NONE, -20000, 20000, 1, TAC_CURVE_LINEAR, NULL},
              [P_CENTRE] = {"centre", "value in the middle", TAC_UNIT_NONE, -20000, 20000, 0,
                            TAC_CURVE_LINEAR, NULL},
              [P_SHAPE] = {"shape", "sine, triangle, saw or square", TAC_UNIT_NONE, 0, 3, 0,
                           TAC_CURVE_STEP, shapes}},
    .state_bytes = sizeof(struct lfo),
    .init = init,
    .process = process,
};
