/* SPDX-License-Identifier: MIT
 * gain.c - multiplies a signal by a level in decibels and by a control signal (a VCA).
 *
 * y = x * (control * 10^(level / 20)), in this order whether or not they move: so where a call
 * begins is not heard. State: 8 bytes a lane, where there are several: the factor of a level that
 * stands still. Latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

#include <string.h>

enum { P_LEVEL };
enum { IN_SIGNAL, IN_CONTROL };

struct gain {
    tac_v factor;
    uint64_t kept; /* with the factor: tac_io.still */
};

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
        float y = x[i] * (control[i] * f);
        out[i] = add ? out[i] + y : y;
    }
#else
    for (size_t i = 0; i < floats; i += TAC_LANES)
        tac_give(out + i, tac_v_load(x + i) * (tac_v_load(control + i) * factor), add);
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

/* That of the first frame. */
TAC_INLINE tac_v factor_now(struct gain *s, const struct tac_io *io)
{
#if TAC_LANES == 1
    (void)s;
    return factor_of(TAC_AT(io->param[P_LEVEL], 0));
#else
    if (!tac_is_still(io, s->kept)) {
        s->kept = tac_still(io);
        s->factor = factor_of(TAC_AT(io->param[P_LEVEL], 0));
    }
    return s->factor;
#endif
}

TAC_INLINE void run(struct gain *s, const struct tac_io *io, int add)
{
    const struct tac_signal x = io->in[IN_SIGNAL], control = io->in[IN_CONTROL];
    const struct tac_signal level = io->param[P_LEVEL];
    tac_v factor = factor_now(s, io);
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
        tac_give(out + (size_t)i * TAC_LANES, TAC_AT(x, i) * (TAC_AT(control, i) * factor), add);
    }
}

static void process(void *state, const struct tac_io *io)
{
    if (io->add)
        run(state, io, 1);
    else
        run(state, io, 0);
}

/* Two banks whose levels stand still, under controls of their own. */
TAC_INLINE void multiply_both(struct gain *const *s, const struct tac_io *io)
{
    tac_v a = factor_now(s[0], &io[0]), b = factor_now(s[1], &io[1]);
    const float *x0 = io[0].in[IN_SIGNAL].data, *x1 = io[1].in[IN_SIGNAL].data;
    const float *c0 = io[0].in[IN_CONTROL].data, *c1 = io[1].in[IN_CONTROL].data;
    float *out0 = io[0].out[0], *out1 = io[1].out[0];
    for (size_t i = 0; i < (size_t)io->frames * TAC_LANES; i += TAC_LANES) {
        tac_v y = tac_v_load(x0 + i) * (tac_v_load(c0 + i) * a);
        tac_v z = tac_v_load(x1 + i) * (tac_v_load(c1 + i) * b);
        tac_v_store(out0 + i, y);
        tac_v_store(out1 + i, z);
    }
}

static int is_voice(const struct tac_io *io)
{
    return io->in[IN_SIGNAL].stride && io->in[IN_CONTROL].stride && !io->param[P_LEVEL].stride &&
           !io->add;
}

static void process2(void *states, const struct tac_io *io)
{
    struct gain *const *s = states;
    if (TAC_LANES > 1 && is_voice(&io[0]) && is_voice(&io[1])) {
        multiply_both(s, io);
        return;
    }
    process(s[0], &io[0]);
    process(s[1], &io[1]);
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

static uint32_t live(const void *state)
{
    (void)state;
    return 0;
}

static void forget(void *state)
{
    ((struct gain *)state)->kept = 0;
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
    .state_bytes = TAC_LANES > 1 ? sizeof(struct gain) : 0,
    .live = TAC_LANES > 1 ? live : NULL,
    .forget = TAC_LANES > 1 ? forget : NULL,
    .adds = 1,
    .silent_by = 1u << IN_SIGNAL | 1u << IN_CONTROL,
    .process = process,
    .process2 = process2,
    .scale = scale_of,
};
