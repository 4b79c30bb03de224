/* SPDX-License-Identifier: MIT
 * mix.c - adds up to eight signals, each with its level in decibels.
 *
 * The sum is taken in the order of the inputs, so it has the same bits every time. An input that
 * nothing is connected to costs nothing. No state; latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { INPUTS = 8 };

static void add_input(const struct tac_io *io, uint32_t input)
{
    const struct tac_signal x = io->in[input], level = io->param[input];
    float *out = io->out[0];
    tac_v factor = tac_v_db(TAC_AT(level, 0));
    for (uint32_t i = 0; i < io->frames; i++) {
        if (level.stride)
            factor = tac_v_db(TAC_AT(level, i));
        float *at = out + (size_t)i * TAC_LANES;
        tac_v_store(at, tac_v_madd(TAC_AT(x, i), factor, tac_v_load(at)));
    }
}

static void process(void *state, const struct tac_io *io)
{
    (void)state;
    for (uint32_t i = 0; i < io->frames; i++)
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, tac_v_set(0));
    for (uint32_t input = 0; input < INPUTS; input++)
        if (io->in[input].connected)
            add_input(io, input);
}

#define LEVEL(n)                                                                                   \
    {                                                                                              \
        "level" #n, "gain of input " #n, TAC_UNIT_DB, -120, 48, 0, TAC_CURVE_LINEAR, NULL          \
    }
#define INPUT(n)                                                                                   \
    {                                                                                              \
        "in" #n, "input " #n, TAC_PORT_SIGNAL, 0                                                   \
    }

TAC_BLOCK(mix) = {
    .name = "mix",
    .group = "mix",
    .doc = "Adds up to eight signals, each with a level.",
    .in = {INPUT(1), INPUT(2), INPUT(3), INPUT(4), INPUT(5), INPUT(6), INPUT(7), INPUT(8)},
    .out = {{"out", "the sum", TAC_PORT_SIGNAL, 0}},
    .param = {LEVEL(1), LEVEL(2), LEVEL(3), LEVEL(4), LEVEL(5), LEVEL(6), LEVEL(7), LEVEL(8)},
    .not_in_place = 1,
    .process = process,
};
