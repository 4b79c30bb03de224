/* SPDX-License-Identifier: MIT
 * bus.c - a stereo bus: level, balance and width of two sides.
 *
 * mid = (l + r) / 2, side = (l - r) / 2 * width; left = (mid + side) g min(1, 1 - balance), right =
 * (mid - side) g min(1, 1 + balance). With nothing at right the bus is fed with left on both sides.
 * No state; latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_LEVEL, P_BALANCE, P_WIDTH };
enum { LEFT, RIGHT };

struct gains {
    tac_v left, right, width;
};

TAC_INLINE struct gains gains_at(const struct tac_io *io, uint32_t i)
{
    tac_v level = tac_v_db(TAC_AT(io->param[P_LEVEL], i)), one = tac_v_set(1);
    tac_v balance = TAC_AT(io->param[P_BALANCE], i);
    return (struct gains){level * tac_v_min(one, 1.0f - balance),
                          level * tac_v_min(one, 1.0f + balance), TAC_AT(io->param[P_WIDTH], i)};
}

static void process(void *state, const struct tac_io *io)
{
    (void)state;
    const struct tac_signal l = io->in[LEFT], r = io->in[RIGHT].connected ? io->in[RIGHT] : l;
    int moving =
        io->param[P_LEVEL].stride || io->param[P_BALANCE].stride || io->param[P_WIDTH].stride;
    struct gains g = gains_at(io, 0);
    for (uint32_t i = 0; i < io->frames; i++) {
        if (moving)
            g = gains_at(io, i);
        tac_v left = TAC_AT(l, i), right = TAC_AT(r, i);
        tac_v mid = (left + right) * 0.5f, side = (left - right) * 0.5f * g.width;
        tac_put(io, LEFT, i, (mid + side) * g.left);
        tac_put(io, RIGHT, i, (mid - side) * g.right);
    }
}

TAC_BLOCK(bus) = {
    .name = "bus",
    .group = "mix",
    .doc = "A stereo bus: level, balance and width of two sides.",
    .in = {[LEFT] = {"left", "all that is cabled here is summed", TAC_PORT_SIGNAL, 0},
           [RIGHT] = {"right", "the same; left when nothing is connected", TAC_PORT_SIGNAL, 0}},
    .out = {[LEFT] = {"left", "left side", TAC_PORT_SIGNAL, 0},
            [RIGHT] = {"right", "right side", TAC_PORT_SIGNAL, 0}},
    .param = {[P_LEVEL] = {"level", "gain", TAC_UNIT_DB, -120, 48, 0, TAC_CURVE_LINEAR, NULL},
              [P_BALANCE] = {"balance", "-1 left side only, 1 right side only", TAC_UNIT_NONE, -1,
                             1, 0, TAC_CURVE_LINEAR, NULL},
              [P_WIDTH] = {"width", "0 %: mono, 100 %: as it came, 200 %: wide", TAC_UNIT_PERCENT,
                           0, 2, 1, TAC_CURVE_LINEAR, NULL}},
    .process = process,
};
