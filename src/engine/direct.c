/* SPDX-License-Identifier: MIT
 * direct.c - see direct.h. */
#include "engine/direct.h"

#include <errno.h>

enum { SUMS_MAX = 4 };

struct tac_direct {
    struct tac_shortcut shortcut;
    struct tac_io *io;             /* of the bank, or of both of a pair */
    const struct tac_signal *fade; /* of voices that are stolen, in this bank; or NULL */
    float *other[2][SUMS_MAX];     /* by output: what the io does not have at present */
    uint32_t banks, outs, add;     /* add: of the first bank; the second adds to all */
    uint32_t op;                   /* index of this one while it is laid */
    bool adds;                     /* the io has the sums */
};

static void swap_outputs(struct tac_direct *d)
{
    d->adds = !d->adds;
    for (uint32_t b = 0; b < d->banks; b++) {
        d->io[b].add = !d->adds ? 0 : b ? (1u << d->outs) - 1 : d->add;
        for (uint32_t o = 0; o < d->outs; o++) {
            float *now = d->io[b].out[o];
            d->io[b].out[o] = d->other[b][o];
            d->other[b][o] = now;
        }
    }
}

void tac_direct_stand_back(void *direct)
{
    struct tac_direct *d = direct;
    if (d->adds)
        swap_outputs(d);
}

static void run_apart(struct tac_direct *d)
{
    const struct tac_op *op = d->shortcut.op;
    tac_direct_stand_back(d);
    for (uint32_t i = 0; i < op[-1].skip; i++)
        op[i].run(op[i].self, op[i].io);
}

void tac_direct_run(void *self, const struct tac_io *unused)
{
    struct tac_direct *d = self;
    const struct tac_op *op = d->shortcut.op;
    (void)unused;
    if (d->fade && d->fade->stride) {
        run_apart(d);
        return;
    }
    if (!d->adds)
        swap_outputs(d);
    op->run(op->self, d->io);
}

/* Every output is summed over the banks, and nobody hears the banks themselves, or asks how loud
 * they are. */
static bool is_fit(const struct tac_layout *l, const struct tac_piece *u)
{
    const struct tac_node *n = l->plan->node[u->node].node;
    uint32_t outs = tac_ports_count(n->block->out);
    bool fit = n->block->adds && outs <= SUMS_MAX && !tac_layout_is_alone(n, u->bank) &&
               (u->bank + u->banks) * n->bank_lanes <= n->lanes &&
               (u->bank % TAC_GROUP_BANKS == 0 || tac_layout_sums_on(l, u->node, u->bank));
    uint32_t section = l->g->node[u->node].section;
    if (section != TAC_GRAPH_NONE && l->g->section[section].steal == TAC_VOICES_QUIETEST)
        return false;
    for (uint32_t o = 0; o < outs && fit; o++) {
        const struct tac_layout_port *p = tac_layout_port_of(l, u->node, o);
        fit = p->sum[l->runner] && !p->apart;
    }
    return fit;
}

int tac_direct_begin(struct tac_layout *l, uint32_t unit, struct tac_direct **ret_direct)
{
    const struct tac_piece *u = &l->units.unit[unit];
    *ret_direct = NULL;
    if (!is_fit(l, u))
        return 0;
    struct tac_direct *d = TAC_VAULT_NEW(&l->plan->vault, struct tac_direct, 1);
    if (!d)
        return -ENOMEM;
    *d = (struct tac_direct){.io = tac_layout_io(l, u->node, u->bank),
                             .fade = tac_layout_fade(l, u->node, u->bank),
                             .banks = u->banks,
                             .outs = tac_ports_count(l->plan->node[u->node].node->block->out),
                             .op = l->op[l->runner].count};
    for (uint32_t o = 0; o < d->outs; o++)
        d->add |= u->bank % TAC_GROUP_BANKS ? 1u << o : 0;
    *ret_direct = d;
    return tac_layout_op(l, u->node, tac_direct_run, d, d->io);
}

void tac_direct_end(struct tac_layout *l, struct tac_direct *d)
{
    struct tac_op *op = (struct tac_op *)l->op[l->runner].items + d->op;
    op->skip = (uint16_t)(l->op[l->runner].count - d->op - 1);
    for (uint32_t b = 0; b < d->banks; b++)
        for (uint32_t o = 0; o < d->outs; o++)
            d->other[b][o] = tac_layout_port_of(l, op->node, o)->sum[l->runner][op->bank + b];
}
