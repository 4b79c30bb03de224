/* SPDX-License-Identifier: MIT
 * layout_cables.c - inputs and parameters of a node: signals that are read in place, or mixes.
 *
 * The rules of widths are those of graph.h; what reaches this file fits. */
#include "engine/layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The banks that cable c reads: *ret_lanes wide each. */
static struct tac_signal *source_banks(struct tac_layout *l, const struct tac_graph_cable *c,
                                       uint32_t *ret_lanes)
{
    struct tac_layout_port *p = tac_layout_port_of(l, c->from.node, c->from.port);
    *ret_lanes = c->summed ? 1 : l->plan->node[c->from.node].node->bank_lanes;
    if (c->feedback)
        return p->late;
    return c->summed ? &p->fold : p->bank;
}

/* Signals of voices change their stride: whoever keeps a copy of one has to be told. */
static void follow(struct tac_layout *l, const struct tac_graph_cable *c, struct tac_signal *reader)
{
    if (l->g->node[c->from.node].block != &tac_graph_block_voices || c->summed || c->feedback)
        return;
    struct tac_plan_section *s = &l->plan->section[l->g->node[c->from.node].section];
    s->reader[s->readers++] = reader;
}

static void add_source(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                       struct tac_signal signal, const struct tac_mix_source *how)
{
    struct tac_mix_source *s = &mix->source[mix->count++];
    *s = *how;
    s->signal = signal;
    follow(l, c, &s->signal);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Lane to lane: pieces that lie in one bank on both sides. */
static void add_pieces(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                       uint32_t bank)
{
    uint32_t lanes, low = bank * mix->lanes, high = low + mix->lanes;
    struct tac_signal *from = source_banks(l, c, &lanes);
    for (uint32_t i = 0; i < c->from.count;) {
        uint32_t a = c->from.first + i, b = c->to.first + i;
        uint32_t n =
            smaller(c->from.count - i, smaller(lanes - a % lanes, mix->lanes - b % mix->lanes));
        if (b >= low && b < high) {
            bool whole = lanes == mix->lanes && a % lanes == 0 && b % lanes == 0 &&
                         (n == lanes || i + n == c->from.count) && c->to.first == 0 &&
                         c->to.count == l->g->node[c->to.node].lanes;
            add_source(l, mix, c, from[a / lanes],
                       &(struct tac_mix_source){.from = a % lanes,
                                                .to = b % mix->lanes,
                                                .count = n,
                                                .kind = whole ? TAC_MIX_WHOLE : TAC_MIX_LANES});
        }
        i += n;
    }
}

static void add_spread(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                       uint32_t bank)
{
    uint32_t lanes, low = bank * mix->lanes, high = low + mix->lanes;
    struct tac_signal *from = source_banks(l, c, &lanes);
    uint32_t first = c->to.first > low ? c->to.first : low;
    uint32_t end = smaller(c->to.first + c->to.count, high);
    if (first < end)
        add_source(l, mix, c, from[c->from.first / lanes],
                   &(struct tac_mix_source){.from = c->from.first % lanes,
                                            .to = first - low,
                                            .count = end - first,
                                            .kind = TAC_MIX_SPREAD});
}

static void add_fold(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                     uint32_t bank)
{
    uint32_t lanes;
    struct tac_signal *from = source_banks(l, c, &lanes);
    if (c->to.first / mix->lanes != bank)
        return;
    for (uint32_t i = 0; i < c->from.count;) {
        uint32_t a = c->from.first + i, n = smaller(c->from.count - i, lanes - a % lanes);
        add_source(l, mix, c, from[a / lanes],
                   &(struct tac_mix_source){.from = a % lanes,
                                            .to = c->to.first % mix->lanes,
                                            .count = n,
                                            .kind = TAC_MIX_FOLD});
        i += n;
    }
}

/* How many sources cable c can add to one bank. */
static uint32_t sources_at_most(const struct tac_layout *l, const struct tac_graph_cable *c)
{
    uint32_t lanes = c->summed ? 1 : l->plan->node[c->from.node].node->bank_lanes;
    return c->from.count / lanes + c->to.count / l->plan->node[c->to.node].node->bank_lanes + 4;
}

/* ---- inputs and parameters ----------------------------------------------------------------- */

/* The only cable into that target, when its signal can be read as it is. */
static const struct tac_graph_cable *find_direct(const struct tac_layout *l,
                                                 const struct tac_graph_node *n, uint32_t port)
{
    const struct tac_graph_cable *only = NULL;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = tac_layout_cable(l, n, i);
        if (c->target == TAC_CABLE_INPUT && c->to.port == port) {
            if (only)
                return NULL;
            only = c;
        }
    }
    if (!only)
        return NULL;
    uint32_t from_lanes = only->summed ? 1 : l->g->node[only->from.node].lanes;
    bool fits = only->from.first == 0 && only->to.first == 0 && only->from.count == from_lanes &&
                only->to.count == n->lanes && from_lanes == n->lanes;
    return fits ? only : NULL;
}

/* True when every lane of every bank gets the same: one mix serves all banks. Signals of one lane
 * move always, so the stride of such a mix never changes. */
static bool is_uniform(const struct tac_layout *l, const struct tac_graph_node *n,
                       enum tac_cable_target target, uint32_t port)
{
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = tac_layout_cable(l, n, i);
        if (c->target != target || c->to.port != port)
            continue;
        bool from_voices = l->g->node[c->from.node].block == &tac_graph_block_voices && !c->summed;
        if (c->from.count != 1 || c->to.first || c->to.count != n->lanes || from_voices)
            return false;
    }
    return true;
}

/* Bank reads what the mix of bank 0 makes. */
static void share_mix(struct tac_plan_node *pn, enum tac_cable_target target, uint32_t port,
                      uint32_t bank)
{
    if (target == TAC_CABLE_INPUT) {
        pn->io[bank].in[port] = pn->io[0].in[port];
        return;
    }
    pn->io[bank].param[port] = pn->io[0].param[port];
    pn->set[bank * pn->node->params + port] = pn->set[port];
}

static int lay_mix(struct tac_layout *l, uint32_t node, enum tac_cable_target target, uint32_t port,
                   uint32_t bank)
{
    const struct tac_graph_node *n = &l->g->node[node];
    struct tac_plan_node *pn = &l->plan->node[node];
    uint32_t room = 0;
    if (bank && is_uniform(l, n, target, port)) {
        share_mix(pn, target, port, bank);
        return 0;
    }
    for (uint32_t i = 0; i < n->cable_count; i++)
        if (tac_layout_cable(l, n, i)->target == target &&
            tac_layout_cable(l, n, i)->to.port == port)
            room += sources_at_most(l, tac_layout_cable(l, n, i));
    struct tac_mix *mix = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix, 1);
    if (!mix)
        return -ENOMEM;
    mix->lanes = pn->node->bank_lanes;
    mix->source = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix_source, room);
    mix->out = tac_layout_scratch(l, mix->lanes);
    if (!mix->source || !mix->out)
        return -ENOMEM;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = tac_layout_cable(l, n, i);
        if (c->target != target || c->to.port != port)
            continue;
        if (c->from.count == c->to.count)
            add_pieces(l, mix, c, bank);
        else if (c->from.count == 1)
            add_spread(l, mix, c, bank);
        else
            add_fold(l, mix, c, bank);
    }
    struct tac_io *io = &pn->io[bank];
    mix->target = target == TAC_CABLE_INPUT ? &io->in[port] : &io->param[port];
    if (target == TAC_CABLE_PARAM) {
        mix->base = io->param[port];
        mix->clamp = 1;
        mix->min = pn->node->block->param[port].min;
        mix->max = pn->node->block->param[port].max;
        pn->set[bank * pn->node->params + port] = &mix->base;
    }
    *mix->target = (struct tac_signal){mix->out, mix->lanes, 1};
    return tac_layout_op(l, node, tac_mix_run, mix, l->frames);
}

static int lay_input(struct tac_layout *l, uint32_t node, uint32_t port)
{
    const struct tac_graph_node *n = &l->g->node[node];
    struct tac_plan_node *pn = &l->plan->node[node];
    const struct tac_graph_cable *direct = find_direct(l, n, port);
    int code = 0;
    for (uint32_t bank = 0; bank < pn->node->banks && code >= 0; bank++) {
        uint32_t lanes;
        if (!direct) {
            code = lay_mix(l, node, TAC_CABLE_INPUT, port, bank);
            continue;
        }
        pn->io[bank].in[port] = source_banks(l, direct, &lanes)[bank];
        pn->io[bank].in[port].connected = 1;
        follow(l, direct, &pn->io[bank].in[port]);
    }
    return code;
}

/* Rows for inputs at rest: 0 in the first, 1 in the second; others get their own. */
static const float *rest_row(struct tac_layout *l, float value)
{
    if (value == 0)
        return l->rest;
    float *row = TAC_VAULT_NEW(&l->plan->vault, float, TAC_BLOCK_LANES_MAX);
    for (int i = 0; row && i < TAC_BLOCK_LANES_MAX; i++)
        row[i] = value;
    return row;
}

/* Everything at rest; cables come on top. */
int tac_layout_rest(struct tac_layout *l, uint32_t node)
{
    struct tac_plan_node *pn = &l->plan->node[node];
    const struct tac_node *n = pn->node;
    pn->set = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal *, n->banks * n->params);
    if (!pn->set)
        return -ENOMEM;
    for (uint32_t i = 0; i < tac_layout_ports(n->block->in); i++) {
        const float *row = rest_row(l, n->block->in[i].rest);
        if (!row)
            return -ENOMEM;
        for (uint32_t bank = 0; bank < n->banks; bank++)
            pn->io[bank].in[i] = (struct tac_signal){row, 0, 0};
    }
    for (uint32_t bank = 0; bank < n->banks; bank++) {
        pn->io[bank].notes_in = l->no_notes;
        pn->io[bank].notes_out = l->any_notes;
        for (uint32_t p = 0; p < n->params; p++) {
            pn->io[bank].param[p] = (struct tac_signal){tac_node_row(n, p), 0, 0};
            pn->set[bank * n->params + p] = &pn->io[bank].param[p];
        }
    }
    return 0;
}

int tac_layout_targets(struct tac_layout *l, uint32_t node)
{
    const struct tac_graph_node *n = &l->g->node[node];
    uint32_t inputs = 0, params = 0;
    int code = 0;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = tac_layout_cable(l, n, i);
        if (c->target == TAC_CABLE_INPUT)
            inputs |= 1u << c->to.port;
        else if (c->target == TAC_CABLE_PARAM)
            params |= 1u << c->to.port;
    }
    for (uint32_t port = 0; inputs >> port && code >= 0; port++)
        if (inputs >> port & 1)
            code = lay_input(l, node, port);
    for (uint32_t p = 0; params >> p && code >= 0; p++)
        for (uint32_t bank = 0;
             params >> p & 1 && bank < l->plan->node[node].node->banks && code >= 0; bank++)
            code = lay_mix(l, node, TAC_CABLE_PARAM, p, bank);
    return code;
}
