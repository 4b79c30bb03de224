/* SPDX-License-Identifier: MIT
 * layout_pool.c - buffers by width, taken and given back, and the growing list of operations. */
#include "engine/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

float *tac_layout_take(struct tac_layout *l, uint32_t lanes)
{
    struct tac_layout_pool *p = &l->pool[__builtin_ctz(lanes)];
    if (p->count)
        return p->buffer[--p->count];
    return TAC_VAULT_NEW(&l->plan->vault, float, TAC_ENGINE_SLICE_FRAMES *lanes);
}

int tac_layout_give(struct tac_layout *l, const float *buffer, uint32_t lanes)
{
    struct tac_layout_pool *p = &l->pool[__builtin_ctz(lanes)];
    if (p->count == p->room) {
        uint32_t room = p->room ? p->room * 2 : 64;
        float **bigger = realloc(p->buffer, room * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        p->buffer = bigger;
        p->room = room;
    }
    memcpy(&p->buffer[p->count++], &buffer, sizeof buffer);
    return 0;
}

float *tac_layout_scratch(struct tac_layout *l, uint32_t lanes)
{
    if (l->scratches == l->scratch_room) {
        uint32_t room = l->scratch_room ? l->scratch_room * 2 : 64;
        float **buffers = realloc(l->scratch, room * sizeof *buffers);
        l->scratch = buffers ? buffers : l->scratch;
        uint32_t *widths = realloc(l->scratch_lanes, room * sizeof *widths);
        l->scratch_lanes = widths ? widths : l->scratch_lanes;
        if (!buffers || !widths)
            return NULL;
        l->scratch_room = room;
    }
    float *buffer = tac_layout_take(l, lanes);
    if (buffer) {
        l->scratch[l->scratches] = buffer;
        l->scratch_lanes[l->scratches++] = lanes;
    }
    return buffer;
}

int tac_layout_give_scratches(struct tac_layout *l)
{
    int code = 0;
    while (l->scratches && code >= 0) {
        l->scratches--;
        code = tac_layout_give(l, l->scratch[l->scratches], l->scratch_lanes[l->scratches]);
    }
    return code;
}

int tac_layout_op(struct tac_layout *l, uint32_t node, void (*run)(void *, const struct tac_io *),
                  void *self, const struct tac_io *io)
{
    struct tac_plan *p = l->plan;
    if (p->ops == p->op_room) {
        uint32_t room = p->op_room ? p->op_room * 2 : 256;
        struct tac_op *bigger = realloc(p->op, room * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        p->op = bigger;
        p->op_room = room;
    }
    p->op[p->ops++] = (struct tac_op){run, self, io, node};
    return 0;
}
