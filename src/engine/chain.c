/* SPDX-License-Identifier: MIT
 * chain.c - see chain.h. */
#include "engine/chain.h"

#include "engine/doze.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 64, ROW = 16 };

/* Frames side by side: the compiler cuts it into the registers that there are. */
typedef float row __attribute__((vector_size(ROW * 4)));

struct tac_chain {
    struct tac_shortcut shortcut;
    const struct tac_plan *plan;
    uint64_t values; /* of the plan, when the factors were taken */
    uint32_t count;
    bool scales; /* all of them do, by the factors */
    float factor[CHAIN_MAX];
};

static void learn(struct tac_chain *c, uint64_t values)
{
    const struct tac_op *op = c->shortcut.op;
    c->values = values;
    c->scales = true;
    for (uint32_t i = 0; i < c->count && c->scales; i++)
        c->scales = c->plan->node[op[i].node].node->block->scale(op[i].io, &c->factor[i]);
}

/* Buffers have room for whole slices. */
TAC_WIDE static void scale_rows(const struct tac_chain *c, const float *in, float *out,
                                uint32_t rows)
{
    const row *x = (const row *)(const void *)in;
    row *y = (row *)(void *)out;
    if (rows == 4) {
        row a = x[0], b = x[1], d = x[2], e = x[3];
        for (uint32_t i = 0; i < c->count; i++) {
            a *= c->factor[i];
            b *= c->factor[i];
            d *= c->factor[i];
            e *= c->factor[i];
        }
        y[0] = a;
        y[1] = b;
        y[2] = d;
        y[3] = e;
        return;
    }
    for (uint32_t r = 0; r < rows; r++) {
        row a = x[r];
        for (uint32_t i = 0; i < c->count; i++)
            a *= c->factor[i];
        y[r] = a;
    }
}

static void run(void *self, const struct tac_io *unused)
{
    struct tac_chain *c = self;
    const struct tac_op *op = c->shortcut.op;
    (void)unused;
    /* acquire: the values that were counted are seen */
    uint64_t values = atomic_load_explicit(&c->plan->values, memory_order_acquire);
    if (c->values != values)
        learn(c, values);
    if (c->scales && op->io->in[0].stride) {
        scale_rows(c, op->io->in[0].data, op[c->count - 1].io->out[0],
                   (op->io->frames + ROW - 1) / ROW);
        return;
    }
    for (uint32_t i = 0; i < c->count; i++)
        op[i].run(op[i].self, op[i].io);
}

/* ---- where they are ------------------------------------------------------------------------ */

static bool is_scale(const struct tac_layout *l, const struct tac_op *op)
{
    const struct tac_node *n = l->plan->node[op->node].node;
    return n->block->scale && op->run == n->block->process && n->bank_lanes == 1;
}

/* b follows a in a chain: it hears a as its first input, and nobody else does. */
static bool follows(const struct tac_layout *l, const struct tac_op *a, const struct tac_op *b)
{
    const float *between = a->io->out[0];
    bool follows =
        is_scale(l, b) && b->io->in[0].data == between && l->plan->node[a->node].reader == b->node;
    for (uint32_t i = 1; i < TAC_BLOCK_PORTS_MAX && follows; i++)
        follows = b->io->in[i].data != between;
    return follows;
}

static uint32_t length(const struct tac_layout *l, const struct tac_op *op, uint32_t ops)
{
    uint32_t count = 1;
    if (!is_scale(l, op))
        return 1;
    while (count < ops && count < CHAIN_MAX && follows(l, &op[count - 1], &op[count]))
        count++;
    return count;
}

static int add_chain(struct tac_layout *l, const struct tac_op *op, uint32_t count)
{
    struct tac_chain *c = TAC_VAULT_NEW(&l->plan->vault, struct tac_chain, 1);
    if (!c)
        return -ENOMEM;
    *c = (struct tac_chain){.plan = l->plan, .values = UINT64_MAX, .count = count};
    struct tac_op lead = *op;
    lead.run = run;
    lead.self = c;
    lead.skip = (uint16_t)count;
    return tac_layout_append(&l->op[l->runner], &lead, sizeof lead) ? 0 : -ENOMEM;
}

/* A stretch (doze.h) that chains come into stands for more operations than before. */
static void lengthen(struct tac_layout *l, uint32_t at)
{
    struct tac_op *op = l->op[l->runner].items;
    op[at].skip = (uint16_t)(l->op[l->runner].count - at - 1);
}

static int put_back(struct tac_layout *l, const struct tac_op *op, uint32_t ops)
{
    uint32_t stretch = 0, end = 0; /* where the latest stands now; its end among op */
    int code = 0;
    for (uint32_t i = 0, count; i < ops && code >= 0; i += count) {
        if (op[i].run == tac_doze_run) {
            stretch = l->op[l->runner].count;
            end = i + 1 + op[i].skip;
        }
        count = length(l, op + i, i < end ? end - i : ops - i);
        if (count > 1)
            code = add_chain(l, op + i, count);
        for (uint32_t k = 0; k < count && code >= 0; k++)
            if (!tac_layout_append(&l->op[l->runner], &op[i + k], sizeof *op))
                code = -ENOMEM;
        if (i + count == end)
            lengthen(l, stretch);
    }
    return code;
}

int tac_chain_find(struct tac_layout *l, uint32_t first)
{
    struct tac_layout_list *list = &l->op[l->runner];
    const struct tac_op *op = (const struct tac_op *)list->items + first;
    uint32_t ops = list->count - first, i = 0;
    while (i < ops && length(l, op + i, ops - i) < 2)
        i++;
    if (i >= ops)
        return 0;
    struct tac_op *moved = malloc(ops * sizeof *moved);
    if (!moved)
        return -ENOMEM;
    memcpy(moved, op, ops * sizeof *moved);
    list->count = first;
    int code = put_back(l, moved, ops);
    free(moved);
    return code;
}
