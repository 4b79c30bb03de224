/* SPDX-License-Identifier: MIT
 * layout_units.c - a unit as operations: the mixes that a bank needs, the node itself, and what its
 * readers need of it.
 *
 * A buffer goes back to the pool of its width when the last unit of the task that reads it has been
 * laid, so the next unit may write to it. A buffer that another task reads is kept.
 * Threads: control. */
#include "engine/direct.h"
#include "engine/doze.h"

#include <errno.h>
#include <string.h>

/* ---- notes: always the audio thread's ------------------------------------------------------ */

uint32_t tac_layout_notes(struct tac_layout *l, uint32_t node, const struct tac_notes **lists)
{
    struct tac_range inlets = l->units.node_inlets[node];
    uint32_t count = 0;
    for (uint32_t i = inlets.first; i < inlets.first + inlets.count; i++) {
        const struct tac_inlet *inlet = &l->units.inlet[i];
        for (uint32_t k = 0; inlet->target == TAC_CABLE_NOTES && k < inlet->cable.count; k++) {
            const struct tac_graph_cable *c = tac_layout_cable(l, inlet, k);
            if (count < TAC_LAYOUT_NOTES_MAX)
                lists[count++] = tac_layout_port_of(l, c->from.node, c->from.port)->notes;
        }
    }
    return count;
}

static int lay_notes_in(struct tac_layout *l, uint32_t node)
{
    const struct tac_notes *lists[TAC_LAYOUT_NOTES_MAX];
    uint32_t count = tac_layout_notes(l, node, lists);
    struct tac_io *io = tac_layout_io(l, node, 0);
    if (!count)
        return 0;
    io->notes_in = lists[0];
    if (count == 1)
        return 0;
    struct tac_notes_merge *merge = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes_merge, 1);
    struct tac_notes *merged = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes, 1);
    const struct tac_notes **list = TAC_VAULT_NEW(&l->plan->vault, const struct tac_notes *, count);
    if (!merge || !merged || !list)
        return -ENOMEM;
    memcpy(list, lists, count * sizeof *list);
    *merge = (struct tac_notes_merge){merged, list, count};
    io->notes_in = merged;
    return tac_layout_op(l, node, tac_plan_merge_run, merge, l->plan->frame_io[0]);
}

static int lay_notes_out(struct tac_layout *l, uint32_t node, struct tac_layout_port *p)
{
    p->notes = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes, 1);
    if (!p->notes)
        return -ENOMEM;
    tac_layout_io(l, node, 0)->notes_out = p->notes;
    l->plan->notes[l->plan->notes_count++] = p->notes;
    return 0;
}

/* ---- outputs ------------------------------------------------------------------------------- */

static bool is_echoed(const struct tac_layout *l, uint32_t node, uint32_t port)
{
    const struct tac_echoes *e = l->g->node[node].loop ? l->plan->node[node].node->echoes : NULL;
    return e && e->close[port];
}

/* The buffers of inputs are the plan's own: the audio thread fills them. */
static int lay_outputs(struct tac_layout *l, uint32_t unit, uint32_t node, uint32_t bank)
{
    const struct tac_node *n = l->plan->node[node].node;
    bool kept = l->exported[unit] || l->g->node[node].block_index < 0 || l->g->node[node].loop;
    for (uint32_t o = 0; o < tac_ports_count(n->block->out); o++) {
        struct tac_layout_port *p = tac_layout_port_of(l, node, o);
        if (n->block->out[o].kind == TAC_PORT_NOTES) {
            if (lay_notes_out(l, node, p) < 0)
                return -ENOMEM;
            continue;
        }
        if (o && !p->heard && l->g->node[node].block_index >= 0)
            continue; /* nobody listens */
        float *buffer = is_echoed(l, node, o) ? tac_layout_echo(l, node, o, bank)
                                              : tac_layout_take(l, n->bank_lanes, kept && p->heard);
        if (!buffer)
            return -ENOMEM;
        tac_layout_io(l, node, bank)->out[o] = buffer;
        p->bank[l->runner][bank] = (struct tac_signal){buffer, n->bank_lanes, 1, 0};
    }
    return 0;
}

/* ---- units --------------------------------------------------------------------------------- */

/* A pair of banks has a list of its two states, in each copy of the task. */
static int lay_process(struct tac_layout *l, const struct tac_piece *u)
{
    struct tac_plan_node *pn = &l->plan->node[u->node];
    struct tac_io *io = tac_layout_io(l, u->node, u->bank);
    if (l->g->node[u->node].block_index < 0)
        return 0;
    if (u->banks == 1)
        return tac_layout_op(l, u->node, pn->node->block->process, pn->node->state[u->bank], io);
    void **states = TAC_VAULT_NEW(&l->plan->vault, void *, u->banks);
    if (!states)
        return -ENOMEM;
    memcpy(states, pn->node->state + u->bank, u->banks * sizeof *states);
    return tac_layout_op(l, u->node, pn->node->block->process2, states, io);
}

/* What reaches a bank, and where its outputs go. */
static int lay_ends(struct tac_layout *l, uint32_t unit, uint32_t bank)
{
    uint32_t node = l->units.unit[unit].node;
    bool voices = l->plan->node[node].node->voices;
    int code = tac_layout_rest(l, node, bank);
    if (code >= 0 && (!voices || !bank))
        code = tac_layout_inlets(l, node, bank);
    if (code >= 0 && !voices && !bank)
        code = lay_notes_in(l, node);
    if (code >= 0 && !voices)
        code = lay_outputs(l, unit, node, bank);
    return code;
}

static int lay_bank(struct tac_layout *l, uint32_t unit)
{
    const struct tac_piece *u = &l->units.unit[unit];
    struct tac_plan_node *pn = &l->plan->node[u->node];
    for (uint32_t b = u->bank; b < u->bank + u->banks; b++)
        pn->io[l->runner][b] = &l->plan->io[l->runner][l->ios[l->runner]++];
    struct tac_direct *direct = NULL;
    int code = 0;
    for (uint32_t b = u->bank; b < u->bank + u->banks && code >= 0; b++)
        code = lay_ends(l, unit, b);
    bool in_loop = l->g->node[u->node].loop; /* sums are added to when the loop has run */
    if (code >= 0 && l->g->node[u->node].block_index >= 0 && !in_loop)
        code = tac_direct_begin(l, unit, &direct);
    if (code >= 0)
        code = pn->node->voices ? tac_layout_section(l, u->node) : lay_process(l, u);
    for (uint32_t b = u->bank; !in_loop && b < u->bank + u->banks && code >= 0; b++)
        code = tac_layout_gathers(l, u->node, b);
    if (code >= 0 && direct)
        tac_direct_end(l, direct);
    for (uint32_t b = u->bank; !in_loop && b < u->bank + u->banks && code >= 0; b++)
        code = tac_layout_lanes(l, u->node, b);
    return code;
}

int tac_layout_bank(struct tac_layout *l, uint32_t unit)
{
    int code = tac_doze_begin(l, l->units.unit[unit].node, l->units.unit[unit].bank);
    if (code >= 0)
        code = lay_bank(l, unit);
    if (code >= 0)
        tac_doze_end(l);
    return code;
}

int tac_layout_unit(struct tac_layout *l, uint32_t unit)
{
    l->bank = l->units.unit[unit].bank;
    switch (l->units.unit[unit].kind) {
    case TAC_UNIT_OF_BANK:
        return tac_layout_bank(l, unit);
    case TAC_UNIT_OF_MIXES:
        return tac_layout_shared(l, l->units.unit[unit].node);
    case TAC_UNIT_OF_PART:
        return tac_layout_part(l, unit);
    case TAC_UNIT_OF_FOLD:
        return tac_layout_fold(l, unit);
    case TAC_UNIT_OF_LOOP:
        return tac_layout_loop(l, unit);
    }
    return -EINVAL;
}

/* ---- buffers that were read for the last time ---------------------------------------------- */

static int give_ports(struct tac_layout *l, const struct tac_piece *u, bool heard)
{
    const struct tac_node *n = l->plan->node[u->node].node;
    int code = 0;
    if (l->g->node[u->node].block_index < 0)
        return 0;
    for (uint32_t o = 0; o < tac_ports_count(n->block->out); o++) {
        struct tac_layout_port *p = tac_layout_port_of(l, u->node, o);
        bool there = !p->notes && (p->heard || !o);
        for (uint32_t b = u->bank; there && b < u->bank + u->banks && code >= 0; b++)
            if (p->heard == heard)
                code = tac_layout_give(l, p->bank[l->runner][b].data, n->bank_lanes);
    }
    return code;
}

static int give_shared(struct tac_layout *l, uint32_t node)
{
    struct tac_range inlets = l->units.node_inlets[node];
    int code = 0;
    for (uint32_t i = inlets.first; i < inlets.first + inlets.count && code >= 0; i++)
        if (l->units.inlet[i].uniform)
            code = tac_layout_give(l, l->inlet[l->runner][i].data,
                                   l->plan->node[node].node->bank_lanes);
    return code;
}

static int give_unit(struct tac_layout *l, uint32_t unit)
{
    const struct tac_piece *u = &l->units.unit[unit];
    switch (u->kind) {
    case TAC_UNIT_OF_BANK:
        return give_ports(l, u, true);
    case TAC_UNIT_OF_MIXES:
        return give_shared(l, u->node);
    case TAC_UNIT_OF_PART:
        return l->part[l->runner][unit].data ? tac_layout_give(l, l->part[l->runner][unit].data,
                                                               l->part[l->runner][unit].stride)
                                             : 0;
    case TAC_UNIT_OF_FOLD:
        return tac_layout_give(l, tac_layout_port_of(l, u->node, u->index)->fold[l->runner].data,
                               1);
    case TAC_UNIT_OF_LOOP:
        return 0;
    }
    return -EINVAL;
}

int tac_layout_finish(struct tac_layout *l, uint32_t unit)
{
    const struct tac_piece *u = &l->units.unit[unit];
    uint32_t *waiting = l->waiting[l->runner];
    int code = tac_layout_give_scratches(l);
    if (code >= 0 && u->kind == TAC_UNIT_OF_BANK)
        code = give_ports(l, u, false);
    if (code >= 0 && !waiting[unit] && !l->exported[unit])
        code = give_unit(l, unit);
    for (uint32_t i = 0; i < u->pred.count && code >= 0; i++) {
        uint32_t p = l->units.pred[u->pred.first + i];
        if (l->units.unit[p].task == u->task && --waiting[p] == 0 && !l->exported[p])
            code = give_unit(l, p);
    }
    return code;
}
