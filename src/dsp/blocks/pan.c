/* SPDX-License-Identifier: MIT
 * pan.c - places a signal between left and right with constant power.
 *
 * left = x cos(a), right = x sin(a), a = (1 + position) pi / 4; the centre is -3 dB on both sides.
 * State: 12 bytes a lane: the factors of a position that stands still. Latency 0. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_POSITION };
enum { OUT_LEFT, OUT_RIGHT };

struct sides {
    tac_v left, right;
};

struct pan {
    struct sides sides;
    uint64_t kept; /* with the sides: tac_io.still */
};

TAC_INLINE struct sides sides_at(const struct tac_io *io, uint32_t i)
{
    tac_v turn = tac_v_horner(TAC_AT(io->param[P_POSITION], i), tac_v_set(0.125f), 0.125f);
    return (struct sides){tac_v_sin_quarter(0.25f - turn), tac_v_sin_quarter(turn)};
}

/* Those of the first frame. */
TAC_INLINE struct sides sides_now(struct pan *s, const struct tac_io *io)
{
    if (!tac_is_still(io, s->kept)) {
        s->kept = tac_still(io);
        s->sides = sides_at(io, 0);
    }
    return s->sides;
}

/* add: bits of the outputs that are added to what is there. */
TAC_INLINE void run(struct pan *s, const struct tac_io *io, int moving, int add)
{
    struct sides k = sides_now(s, io);
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
    int moving = io->param[P_POSITION].stride != 0;
    if (io->add == 3 && !moving)
        run(state, io, 0, 3);
    else if (!io->add && !moving)
        run(state, io, 0, 0);
    else
        run(state, io, moving, (int)io->add);
}

/* Both banks add themselves to one sum, which is begun with the first when `add` is not set. */
TAC_INLINE void run_sum(struct pan *const *s, const struct tac_io *io, int add)
{
    struct sides a = sides_now(s[0], &io[0]), b = sides_now(s[1], &io[1]);
    float *left = io->out[OUT_LEFT], *right = io->out[OUT_RIGHT];
    for (uint32_t i = 0; i < io->frames; i++) {
        tac_v x = TAC_AT(io[0].in[0], i), z = TAC_AT(io[1].in[0], i);
        tac_v l = x * a.left, r = x * a.right;
        if (add) {
            l += tac_v_load(left + (size_t)i * TAC_LANES);
            r += tac_v_load(right + (size_t)i * TAC_LANES);
        }
        tac_v_store(left + (size_t)i * TAC_LANES, l + z * b.left);
        tac_v_store(right + (size_t)i * TAC_LANES, r + z * b.right);
    }
}

static int sums_on(const struct tac_io *io)
{
    return io[1].add == 3 && (io[0].add == 3 || !io[0].add) && io[0].out[OUT_RIGHT] &&
           io[0].out[OUT_LEFT] == io[1].out[OUT_LEFT] &&
           io[0].out[OUT_RIGHT] == io[1].out[OUT_RIGHT] && !io[0].param[P_POSITION].stride &&
           !io[1].param[P_POSITION].stride;
}

static void process2(void *states, const struct tac_io *io)
{
    struct pan *const *s = states;
    if (sums_on(io)) {
        if (io->add)
            run_sum(s, io, 1);
        else
            run_sum(s, io, 0);
        return;
    }
    process(s[0], &io[0]);
    process(s[1], &io[1]);
}

static uint32_t live(const void *state)
{
    (void)state;
    return 0;
}

static void forget(void *state)
{
    ((struct pan *)state)->kept = 0;
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
    .state_bytes = sizeof(struct pan),
    .live = live,
    .forget = forget,
    .adds = 1,
    .silent_by = 1,
    .process = process,
    .process2 = process2,
};
