/* SPDX-License-Identifier: MIT
 * compressor.c - turns down what is louder than a threshold.
 *
 * Equation  over = 20 log10(max(|x|, |key|)) - threshold; within the knee w the slope bends as a
 *           parabola: (over + w / 2)^2 / (2 w); reduction = (1 - 1 / ratio) of that, smoothed in
 *           decibels, faster up (attack) than down (release).
 * Source    D. Giannoulis, M. Massberg, J. Reiss 2012, "Digital dynamic range compressor design: a
 *           tutorial and analysis", JAES 60(6): log-domain, branching detector.
 * Quality   static curve within 0.1 dB (tests/dsp/test_dynamics.c). Latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_THRESHOLD, P_RATIO, P_KNEE, P_ATTACK, P_RELEASE, P_MAKEUP };
enum { IN_SIGNAL, IN_KEY };
enum { OUT_SIGNAL, OUT_REDUCTION };

struct compressor {
    tac_v reduction; /* dB */
    float rate_hz;
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct compressor *s = state;
    (void)memory;
    s->rate_hz = setup->rate_hz;
}

TAC_INLINE tac_v rate(tac_v seconds, float rate_hz)
{
    return 1.0f - tac_v_exp2(-1.44269504f / tac_v_max(seconds * rate_hz, tac_v_set(1)));
}

/* How many dB to take away from a level, before smoothing. */
TAC_INLINE tac_v wanted(const struct tac_io *io, uint32_t i, tac_v level_db)
{
    tac_v knee = tac_v_max(TAC_AT(io->param[P_KNEE], i), tac_v_set(1e-3f));
    tac_v over = level_db - TAC_AT(io->param[P_THRESHOLD], i);
    tac_v into = tac_v_max(over + knee * 0.5f, tac_v_set(0));
    tac_v bent = into * into / (knee + knee);
    tac_v excess = tac_v_select(into < knee, bent, over);
    return excess * (1.0f - 1.0f / TAC_AT(io->param[P_RATIO], i));
}

static void process(void *state, const struct tac_io *io)
{
    struct compressor *s = state;
    tac_v reduction = s->reduction, attack = {0}, release = {0};
    int moving = io->param[P_ATTACK].stride || io->param[P_RELEASE].stride;
    for (uint32_t i = 0; i < io->frames; i++) {
        if (i == 0 || moving) {
            attack = rate(TAC_AT(io->param[P_ATTACK], i), s->rate_hz);
            release = rate(TAC_AT(io->param[P_RELEASE], i), s->rate_hz);
        }
        tac_v x = TAC_AT(io->in[IN_SIGNAL], i);
        tac_v loud = tac_v_max(tac_v_abs(x), tac_v_abs(TAC_AT(io->in[IN_KEY], i)));
        tac_v level = tac_v_log2(tac_v_max(loud, tac_v_set(1e-7f))) * 6.02059991f;
        tac_v target = wanted(io, i, level);
        reduction = tac_v_madd(target - reduction,
                               tac_v_select(target > reduction, attack, release), reduction);
        reduction = tac_v_select(reduction < 1e-9f, tac_v_set(0), reduction);
        tac_v gain = tac_v_db(TAC_AT(io->param[P_MAKEUP], i) - reduction);
        tac_v_store(io->out[OUT_SIGNAL] + (size_t)i * TAC_LANES, x * gain);
        tac_put(io, OUT_REDUCTION, i, reduction);
    }
    s->reduction = reduction;
}

TAC_BLOCK(compressor) = {
    .name = "compressor",
    .group = "effect",
    .doc = "Turns down what is louder than a threshold.",
    .about =
        "Peak detector in decibels with a soft knee. A cable at key makes it duck under another "
        "sound, or links the two sides of a stereo pair.",
    .in = {[IN_SIGNAL] = {"in", "the sound", TAC_PORT_SIGNAL, 0},
           [IN_KEY] = {"key", "another sound that also turns it down", TAC_PORT_SIGNAL, 0}},
    .out = {[OUT_SIGNAL] = {"out", "the compressed sound", TAC_PORT_SIGNAL, 0},
            [OUT_REDUCTION] = {"reduction", "what is taken away, in dB", TAC_PORT_SIGNAL, 0}},
    .param = {[P_THRESHOLD] = {"threshold", "where it begins", TAC_UNIT_DB, -80, 0, -18,
                               TAC_CURVE_LINEAR, NULL},
              [P_RATIO] = {"ratio", "dB in for one dB out above the threshold", TAC_UNIT_NONE, 1,
                           100, 4, TAC_CURVE_LOG, NULL},
              [P_KNEE] = {"knee", "width of the bend", TAC_UNIT_DB, 0, 40, 6, TAC_CURVE_LINEAR,
                          NULL},
              [P_ATTACK] = {"attack", "time constant of turning down", TAC_UNIT_S, 1e-5f, 1, 0.005f,
                            TAC_CURVE_LOG, NULL},
              [P_RELEASE] = {"release", "time constant of the way back", TAC_UNIT_S, 1e-3f, 5, 0.1f,
                             TAC_CURVE_LOG, NULL},
              [P_MAKEUP] = {"makeup", "gain after all", TAC_UNIT_DB, -24, 48, 0, TAC_CURVE_LINEAR,
                            NULL}},
    .state_bytes = sizeof(struct compressor),
    .init = init,
    .process = process,
};
