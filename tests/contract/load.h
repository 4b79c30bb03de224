/* SPDX-License-Identifier: MIT
 * load.h - calls that ask a block for all that it can do: what the dearest call is looked for in.
 *
 * Each call has 64 frames. Each input is silent, full on, held somewhere or noise, anew for each
 * call; notes come and go; parameters all move, or stand still and are set anew every eighth call.
 * Everything follows from the seed. */
#ifndef TAC_TEST_LOAD_H
#define TAC_TEST_LOAD_H

#include "rig.h"

enum { LOAD_FRAMES = 64, LOAD_SET_EVERY = 8 };

struct load {
    struct rig rig;
    uint64_t seed;
    uint32_t call;
};

static inline void load_fill_input(struct rig *r, uint32_t input, uint32_t first, uint64_t *seed)
{
    int kind = (int)(rig_random(seed) * 4);
    float held = kind == 0 ? 0 : kind == 1 ? 1 : (float)(2 * rig_random(seed) - 1);
    for (size_t i = (size_t)first * r->lanes; i < (size_t)(first + LOAD_FRAMES) * r->lanes; i++)
        r->in[input][i] = kind == 3 ? (float)(2 * rig_random(seed) - 1) : held;
}

static inline void load_fill_notes(struct rig *r, uint64_t *seed)
{
    r->notes_in.count = 0;
    for (uint32_t f = 0; f < LOAD_FRAMES; f += 1 + (uint32_t)(rig_random(seed) * 2 * LOAD_FRAMES))
        tac_notes_push(&r->notes_in, (struct tac_note){f, rig_random(seed) < 0.5,
                                                       40 + (float)(20 * rig_random(seed)), 1});
}

static inline void load_set_params(struct rig *r, uint64_t *seed)
{
    for (uint32_t p = 0; p < r->params; p++) {
        r->param[p][0] = rig_value(&r->block->param[p], rig_random(seed));
        for (uint32_t l = 1; l < r->lanes; l++)
            r->param[p][l] = r->param[p][0];
    }
}

static inline void load_open(struct load *load, const struct tac_variant *variant, uint32_t index,
                             bool moving)
{
    load->seed = 1234 + index;
    load->call = 0;
    rig_open(&load->rig, variant, index, moving, 5);
}

/* What the next call is given. The rig is a static one: a call may read it as long as it lives. */
static inline struct tac_io load_next(struct load *load)
{
    struct rig *r = &load->rig;
    uint32_t first = load->call * LOAD_FRAMES % RIG_FRAMES;
    for (uint32_t k = 0; k < r->ins; k++)
        load_fill_input(r, k, first, &load->seed);
    if (!r->moving && load->call % LOAD_SET_EVERY == 0)
        load_set_params(r, &load->seed);
    load_fill_notes(r, &load->seed);
    r->notes_out.count = 0;
    load->call++;
    return rig_io(r, first, LOAD_FRAMES);
}

#endif
