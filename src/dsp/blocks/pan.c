/* SPDX-License-Identifier: MIT
 * pan.c - places a signal between left and right with constant power.
 *
 * left = x cos(a), right = x sin(a), a = (1 + position) pi / 4; the centre is -3 dB on both sides.
 * No state; latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_POSITION };
enum { OUT_LEFT, OUT_RIGHT };

struct sides {
    tac_v left, right;
};

TAC_INLINE struct sides sides_at(const struct tac_io *io, uint32_t i)
{
    tac_v turn = tac_v_horner(TAC_AT(io->param[P_POSITION], i), tac_v_set(0.125f), 0.125f);
    return (struct sides){tac_v_sin_quarter(0.25f - turn), tac_v_sin_quarter(turn)};
}

/* add: bits of the outputs that are added to what is there. */
TAC_INLINE void run(const struct tac_io *io, int moving, int add)
{
    struct sides k = sides_at(io, 0);
    float *left = io->out[OUT_LEFT], *right = io->out[OUT_RIGHT];
    for (uint32_t i = 0; i < io->frames; i++) {
        if (moving)
            k = sides_at(io, i);
        tac_v x = TAC_AT(io->in[0], i);
        tac_give(left + (size_t)i * TAC_LANES, x * k.left, add & 1);
        if (right)
            tac_give(right + (size_t)i * TAC_LANES, x * k.right, add >> 1);
    }
}

static void process(void *state, const struct tac_io *io)
{
    (void)state;
    int moving = io->param[P_POSITION].stride != 0;
    if (io->add == 3 && !moving)
        run(io, 0, 3);
    else if (!io->add && !moving)
        run(io, 0, 0);
    else
        run(io, moving, (int)io->add);
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
    .adds = 1,
    .elementwise = 1,
    .silent_by = 1,
    .process = process,
};
