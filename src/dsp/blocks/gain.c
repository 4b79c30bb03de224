/* SPDX-License-Identifier: MIT
 * gain.c - multiplies a signal by a level in decibels and by a control signal (a VCA).
 *
 * y = x * control * 10^(level / 20). No state; latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_LEVEL };
enum { IN_SIGNAL, IN_CONTROL };

static void process(void *state, const struct tac_io *io)
{
    (void)state;
    const struct tac_signal x = io->in[IN_SIGNAL], control = io->in[IN_CONTROL];
    const struct tac_signal level = io->param[P_LEVEL];
    tac_v factor = tac_v_db(TAC_AT(level, 0));
    for (uint32_t i = 0; i < io->frames; i++) {
        if (level.stride)
            factor = tac_v_db(TAC_AT(level, i));
        tac_v_store(io->out[0] + (size_t)i * TAC_LANES, TAC_AT(x, i) * TAC_AT(control, i) * factor);
    }
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
    .elementwise = 1,
    .process = process,
};
