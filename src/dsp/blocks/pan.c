/* SPDX-License-Identifier: MIT
 * pan.c - places a signal between left and right with constant power.
 *
 * left = x cos(a), right = x sin(a), a = (1 + position) pi / 4; the centre is -3 dB on both sides.
 * No state; latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_POSITION };
enum { OUT_LEFT, OUT_RIGHT };

static void process(void *state, const struct tac_io *io)
{
    (void)state;
    const struct tac_signal x = io->in[0], position = io->param[P_POSITION];
    tac_v left = {0}, right = {0};
    for (uint32_t i = 0; i < io->frames; i++) {
        if (i == 0 || position.stride) {
            tac_v turn = TAC_AT(position, i) * 0.125f + 0.125f;
            right = tac_v_sin_quarter(turn);
            left = tac_v_sin_quarter(0.25f - turn);
        }
        tac_v v = TAC_AT(x, i);
        tac_v_store(io->out[OUT_LEFT] + (size_t)i * TAC_LANES, v * left);
        tac_v_store(io->out[OUT_RIGHT] + (size_t)i * TAC_LANES, v * right);
    }
}

TAC_BLOCK(pan) = {
    .name = "pan",
    .group = "mix",
    .doc = "Places a sound between left and right, with constant power.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {[OUT_LEFT] = {"left", "left side", TAC_PORT_SIGNAL, 0},
            [OUT_RIGHT] = {"right", "right side", TAC_PORT_SIGNAL, 0}},
    .param = {[P_POSITION] = {"position", "-1 left, 0 centre, 1 right", TAC_UNIT_NONE, -1, 1, 0,
                              TAC_CURVE_LINEAR, NULL}},
    .elementwise = 1,
    .process = process,
};
