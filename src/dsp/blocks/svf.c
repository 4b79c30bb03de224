/* SPDX-License-Identifier: MIT
 * svf.c - a state-variable filter, 12 dB per octave, low-, band-, high-pass and notch at once.
 *
 * Equation  trapezoidal integration of the two integrators, solved without delay:
 *             g = tan(pi fc / fs), k = 1 / Q, a1 = 1 / (1 + g (g + k)), a2 = g a1, a3 = g a2
 *             v3 = x - s2, v1 = a1 s1 + a2 v3, v2 = s2 + a2 s1 + a3 v3
 *             s1 = 2 v1 - s1, s2 = 2 v2 - s2; low = v2, band = k v1, high = x - k v1 - v2
 * Source    Andrew Simper 2013, "Solving the continuous SVF equations using trapezoidal integration
 *           and equivalent currents" (Cytomic technical paper).
 * Quality   response within 0.05 dB of the bilinear analytic one; bounded for any path of the
 * cutoff at audio rate (tests/dsp/test_filters.c). Latency   0. State: 8 bytes a lane. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_CUTOFF, P_PITCH, P_RESONANCE };
enum { OUT_LOW, OUT_BAND, OUT_HIGH, OUT_NOTCH };

struct svf {
    tac_v s1, s2;
    float per_hz;
};

struct coefficients {
    tac_v k, a1, a2, a3;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct svf *s = state;
    (void)memory;
    s->per_hz = 1.0f / setup->rate_hz;
}

/* resonance 0..1 -> Q from 0.5 to 50, evenly in its logarithm. */
TAC_INLINE struct coefficients design(const struct tac_io *io, uint32_t i, float per_hz)
{
    tac_v hz =
        TAC_AT(io->param[P_CUTOFF], i) * tac_v_exp2(TAC_AT(io->param[P_PITCH], i) * (1.0f / 12.0f));
    tac_v g = tac_v_tan_pi(tac_v_clamp(hz * per_hz, 1e-5f, 0.49f));
    struct coefficients c;
    c.k = tac_v_exp2(TAC_AT(io->param[P_RESONANCE], i) * -6.64385619f + 1.0f);
    c.a1 = 1.0f / (1.0f + g * (g + c.k));
    c.a2 = g * c.a1;
    c.a3 = g * c.a2;
    return c;
}

static void process(void *state, const struct tac_io *io)
{
    struct svf *s = state;
    tac_v s1 = s->s1, s2 = s->s2;
    int moving =
        io->param[P_CUTOFF].stride || io->param[P_PITCH].stride || io->param[P_RESONANCE].stride;
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
        size_t at = (size_t)i * TAC_LANES;
        tac_v band = c.k * v1;
        tac_v_store(io->out[OUT_LOW] + at, v2);
        tac_v_store(io->out[OUT_BAND] + at, band);
        tac_v_store(io->out[OUT_HIGH] + at, x - band - v2);
        tac_v_store(io->out[OUT_NOTCH] + at, x - band);
    }
    s->s1 = s1;
    s->s2 = s2;
}

TAC_BLOCK(svf) = {
    .name = "svf",
    .group = "filter",
    .doc = "Resonant filter, 12 dB per octave: low-, band-, high-pass and notch.",
    .about =
        "Trapezoidal state-variable filter (Simper 2013). Stays bounded however fast the cutoff "
        "moves.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {[OUT_LOW] = {"out", "low-pass", TAC_PORT_SIGNAL, 0},
            [OUT_BAND] = {"band", "band-pass, 0 dB at the peak", TAC_PORT_SIGNAL, 0},
            [OUT_HIGH] = {"high", "high-pass", TAC_PORT_SIGNAL, 0},
            [OUT_NOTCH] = {"notch", "all but the band", TAC_PORT_SIGNAL, 0}},
    .param = {[P_CUTOFF] = {"cutoff", "corner frequency", TAC_UNIT_HZ, 10, 23500, 1000,
                            TAC_CURVE_LOG, NULL},
              [P_PITCH] = {"pitch", "semitones added to the cutoff", TAC_UNIT_SEMITONES, -136, 136,
                           0, TAC_CURVE_LINEAR, NULL},
              [P_RESONANCE] = {"resonance", "0 %: Q 0.5, 50 %: Q 5, 100 %: Q 50", TAC_UNIT_PERCENT,
                               0, 1, 0.1f, TAC_CURVE_LINEAR, NULL}},
    .state_bytes = sizeof(struct svf),
    .tail_s = -1,
    .init = init,
    .process = process,
};
