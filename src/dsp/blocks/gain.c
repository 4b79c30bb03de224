/* SPDX-License-Identifier: MIT
 * gain.c - multiplies a signal by a level in decibels and by a control signal (a VCA).
 *
 * y = x * control * 10^(level / 20). No state; latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

#include <string.h>

enum { P_LEVEL };
enum { IN_SIGNAL, IN_CONTROL };

/* Whole slices, for which the loops below are straight code. */
enum { USUAL = 64 };

/* The level stands still: one product a float, whatever the lanes. A single lane is done as plain
 * floats, which the compiler packs over frames; in and out may be the same memory. */
TAC_INLINE void multiply(float *out, const float *x, const float *control, tac_v factor,
                         size_t floats, int add)
{
#if TAC_LANES == 1
    float f = factor[0];
    TAC_IVDEP
    for (size_t i = 0; i < floats; i++) {
        float y = x[i] * control[i] * f;
        out[i] = add ? out[i] + y : y;
    }
#else
    for (size_t i = 0; i < floats; i += TAC_LANES)
        tac_give(out + i, tac_v_load(x + i) * tac_v_load(control + i) * factor, add);
#endif
}

/* The same with a control that stands still, too. */
TAC_INLINE void scale(float *out, const float *x, tac_v factor, size_t floats, int add)
{
#if TAC_LANES == 1
    float f = factor[0];
    TAC_IVDEP
    for (size_t i = 0; i < floats; i++) {
        float y = x[i] * f;
        out[i] = add ? out[i] + y : y;
    }
#else
    for (size_t i = 0; i < floats; i += TAC_LANES)
        tac_give(out + i, tac_v_load(x + i) * factor, add);
#endif
}

/* Most nodes stand at 0 dB, and a node of one lane costs little more than this exponential. */
TAC_INLINE tac_v factor_of(tac_v level)
{
#if TAC_LANES == 1
    if (level[0] == 0)
        return tac_v_set(1);
#endif
    return tac_v_db(level);
}

TAC_INLINE void run(const struct tac_io *io, int add)
{
    const struct tac_signal x = io->in[IN_SIGNAL], control = io->in[IN_CONTROL];
    const struct tac_signal level = io->param[P_LEVEL];
    tac_v factor = factor_of(TAC_AT(level, 0));
    float *out = io->out[0];
    size_t floats = (size_t)io->frames * TAC_LANES;
    if (!level.stride && x.stride && control.stride) {
        multiply(out, x.data, control.data, factor, floats, add);
        return;
    }
    if (!level.stride && x.stride) {
        factor *= TAC_AT(control, 0);
        if (TAC_LANES == 1 && floats == USUAL)
            scale(out, x.data, factor, USUAL, add);
        else
            scale(out, x.data, factor, floats, add);
        return;
    }
    for (uint32_t i = 0; i < io->frames; i++) {
        if (level.stride)
            factor = tac_v_db(TAC_AT(level, i));
        tac_give(out + (size_t)i * TAC_LANES, TAC_AT(x, i) * TAC_AT(control, i) * factor, add);
    }
}

static void process(void *state, const struct tac_io *io)
{
    (void)state;
    if (io->add)
        run(io, 1);
    else
        run(io, 0);
}

static int scale_of(const struct tac_io *io, float *ret_factor)
{
    const struct tac_signal control = io->in[IN_CONTROL], level = io->param[P_LEVEL];
    if (control.stride || control.connected || level.stride)
        return 0;
    tac_v factor = factor_of(TAC_AT(level, 0)) * TAC_AT(control, 0);
    memcpy(ret_factor, &factor, sizeof factor);
    return 1;
}

TAC_BLOCK(gain) = {
    .name = "gain",
    .group = "mix",
    .doc = "Level in decibels, and a control input that multiplies.",
    .in = {[IN_SIGNAL] = {"in", "the sound", TAC_PORT_SIGNAL, 0},
           [IN_CONTROL] = {"control", "multiplies; 1 when nothing is connected", TAC_PORT_SIGNAL,
                           1}},
    .out = {{"out", "the product", TAC_PORT_SIGNAL, 0}},
    .param = {[P_LEVEL] = {"level", "gain", TAC_UNIT_DB, -120, 48, 0, TAC_CURVE_LINEAR, NULL}},
    .adds = 1,
    .elementwise = 1,
    .silent_by = 1u << IN_SIGNAL | 1u << IN_CONTROL,
    .process = process,
    .scale = scale_of,
};
