/* SPDX-License-Identifier: MIT
 * mixer.c - eight sounds into two sides, each with a level and a place.
 *
 * Per input: left += x g cos(a), right += x g sin(a), g = 10^(level / 20), a = (1 + pan) pi / 4.
 * The sum is taken in the order of the inputs, so it has the same bits every time; an input that
 * nothing is connected to costs nothing. No state; latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { INPUTS = 8 };
enum { OUT_LEFT, OUT_RIGHT };

struct sides {
    tac_v left, right;
};

TAC_INLINE struct sides gains_at(const struct tac_io *io, uint32_t input, uint32_t i)
{
    tac_v level = tac_v_db(TAC_AT(io->param[input], i));
    tac_v turn = tac_v_horner(TAC_AT(io->param[INPUTS + input], i), tac_v_set(0.125f), 0.125f);
    return (struct sides){level * tac_v_sin_quarter(0.25f - turn), level * tac_v_sin_quarter(turn)};
}

static void add_to(float *out, tac_v x, uint32_t i)
{
    float *at = out + (size_t)i * TAC_LANES;
    tac_v_store(at, tac_v_load(at) + x);
}

static void add_input(const struct tac_io *io, uint32_t input)
{
    struct sides g = gains_at(io, input, 0);
    int moving = io->param[input].stride || io->param[INPUTS + input].stride;
    for (uint32_t i = 0; i < io->frames; i++) {
        if (moving)
            g = gains_at(io, input, i);
        tac_v x = TAC_AT(io->in[input], i);
        add_to(io->out[OUT_LEFT], x * g.left, i);
        if (io->out[OUT_RIGHT])
            add_to(io->out[OUT_RIGHT], x * g.right, i);
    }
}

static void process(void *state, const struct tac_io *io)
{
    (void)state;
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_put(io, OUT_LEFT, i, tac_v_set(0));
        tac_put(io, OUT_RIGHT, i, tac_v_set(0));
    }
    for (uint32_t input = 0; input < INPUTS; input++)
        if (io->in[input].connected)
            add_input(io, input);
}

/* clang-format off */
#define LEVEL(n) [n - 1] = {"level" #n, "gain of input " #n, TAC_UNIT_DB, -120, 48, 0,             \
                            TAC_CURVE_LINEAR, NULL}
#define PAN(n) [INPUTS + n - 1] = {"pan" #n, "place of input " #n ": -1 left, 0 centre, 1 right",  \
                                   TAC_UNIT_NONE, -1, 1, 0, TAC_CURVE_LINEAR, NULL}
#define INPUT(n) [n - 1] = {"in" #n, "input " #n, TAC_PORT_SIGNAL, 0}
/* clang-format on */

TAC_BLOCK(mixer) = {
    .name = "mixer",
    .group = "mix",
    .doc = "Eight sounds into two sides, each with a level and a place.",
    .about = "Constant power: a sound in the centre is 3 dB lower on each side.",
    .in = {INPUT(1), INPUT(2), INPUT(3), INPUT(4), INPUT(5), INPUT(6), INPUT(7), INPUT(8)},
    .out = {[OUT_LEFT] = {"left", "left side of the sum", TAC_PORT_SIGNAL, 0},
            [OUT_RIGHT] = {"right", "right side of the sum", TAC_PORT_SIGNAL, 0}},
    .param = {LEVEL(1), LEVEL(2), LEVEL(3), LEVEL(4), LEVEL(5), LEVEL(6), LEVEL(7), LEVEL(8),
              PAN(1), PAN(2), PAN(3), PAN(4), PAN(5), PAN(6), PAN(7), PAN(8)},
    .not_in_place = 1,
    .process = process,
};
