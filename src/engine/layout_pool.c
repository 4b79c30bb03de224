/* SPDX-License-Identifier: MIT
 * layout_pool.c - buffers by width and worker, taken and given back, and lists that grow. */
#include "engine/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXPORTED_MOST = 8192 };

static struct tac_layout_pool *pool_of(struct tac_layout *l, uint32_t lanes)
{
    return &l->pool[l->worker][__builtin_ctz(lanes)];
}

/* No more than the nearest cache has room for beside what the task works with. */
static bool export(struct tac_layout *l, float *buffer, uint32_t lanes)
{
    struct tac_export item = {buffer, tac_layout_floats(lanes) * (uint32_t)sizeof *buffer};
    if (l->export_bytes + item.bytes > EXPORTED_MOST)
        return true;
    l->export_bytes += item.bytes;
    return tac_layout_append(&l->export, &item, sizeof item) != NULL;
}

float *tac_layout_take(struct tac_layout *l, uint32_t lanes, bool kept)
{
    struct tac_layout_pool *p = pool_of(l, lanes);
    if (!kept && p->count)
        return p->buffer[--p->count];
    float *buffer = TAC_VAULT_NEW(&l->plan->vault, float, tac_layout_floats(lanes));
    return buffer && kept && l->plan->threads > 1 && !export(l, buffer, lanes) ? NULL : buffer;
}

int tac_layout_give(struct tac_layout *l, const float *buffer, uint32_t lanes)
{
    struct tac_layout_pool *p = pool_of(l, lanes);
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
    float *buffer = tac_layout_take(l, lanes, false);
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

void *tac_layout_append(struct tac_layout_list *list, const void *item, size_t bytes)
{
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 256;
        void *bigger = realloc(list->items, room * bytes);
        if (!bigger)
            return NULL;
        list->items = bigger;
        list->room = room;
    }
    return memcpy((char *)list->items + bytes * list->count++, item, bytes);
}

void *tac_layout_freeze(struct tac_layout *l, struct tac_layout_list *list, size_t bytes)
{
    void *settled = tac_vault_take(&l->plan->vault, list->count * bytes);
    if (settled && list->count)
        memcpy(settled, list->items, list->count * bytes);
    free(list->items);
    *list = (struct tac_layout_list){NULL, list->count, 0};
    return settled;
}

int tac_layout_op(struct tac_layout *l, uint32_t node, void (*run)(void *, const struct tac_io *),
                  void *self, const struct tac_io *io)
{
    struct tac_op op = {run, self, io, node, (uint16_t)l->bank, 0};
    return tac_layout_append(&l->op[l->runner], &op, sizeof op) ? 0 : -ENOMEM;
}
