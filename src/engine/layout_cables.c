/* SPDX-License-Identifier: MIT
 * layout_cables.c - inlets of a node: signals that are read in place, or mixes.
 *
 * The rules of widths are those of graph.h; what reaches this file fits. */
#include "engine/layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MOST = 0x7fffffff }; /* of tac_signal.line */

/* Signals of voices change their stride: whoever keeps a copy of one has to be told. */
static int follow(struct tac_layout *l, uint32_t node, struct tac_signal *reader)
{
    struct tac_layout_reader item = {l->g->node[node].section, reader};
    if (l->g->node[node].block != &tac_graph_block_voices)
        return 0;
    return tac_layout_append(&l->reader, &item, sizeof item) ? 0 : -ENOMEM;
}

int tac_layout_connect(struct tac_layout *l, struct tac_signal *reader, uint32_t unit,
                       const struct tac_signal *audio, const struct tac_signal *helper)
{
    uint32_t task = l->units.unit[unit].task;
    reader->connected = 1;
    reader->stride = audio->stride;
    reader->line = audio->line;
    if (task == l->task || task == TAC_GRAPH_NONE || !l->plan->task[task].worker) {
        bool own = task == l->task && l->runner == TAC_BY_HELPER;
        reader->data = own ? helper->data : audio->data;
        return 0;
    }
    struct tac_import import = {&reader->data, {audio->data, helper->data}, task};
    reader->data = audio->data;
    return tac_layout_append(&l->import, &import, sizeof import) ? 0 : -ENOMEM;
}

/* Bank `bank` of the source of cable c, in the form in which the cable carries it. */
static int connect_bank(struct tac_layout *l, struct tac_signal *reader,
                        const struct tac_graph_cable *c, uint32_t bank)
{
    struct tac_layout_port *p = tac_layout_port_of(l, c->from.node, c->from.port);
    if (tac_graph_is_short(c)) {
        uint32_t lanes = l->plan->node[c->from.node].node->bank_lanes;
        const float *rows = tac_layout_echo(l, c->from.node, c->from.port, bank);
        *reader = (struct tac_signal){rows ? rows - c->feedback * lanes : NULL, lanes, 1, 0};
        return rows ? 0 : -ENOMEM;
    }
    if (tac_cable_folds(l->g, c)) {
        if (c->feedback) {
            *reader = p->late_fold;
            return 0;
        }
        uint32_t unit = l->units.fold_unit[l->units.port_first[c->from.node] + c->from.port];
        return tac_layout_connect(l, reader, unit, &p->fold[0], &p->fold[1]);
    }
    if (c->feedback) {
        *reader = p->late[bank];
        return 0;
    }
    int code = tac_layout_connect(l, reader, tac_unit_of(&l->units, c->from.node, bank),
                                  &p->bank[0][bank], &p->bank[1][bank]);
    return code < 0 ? code : follow(l, c->from.node, reader);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t lanes_of(const struct tac_layout *l, const struct tac_graph_cable *c)
{
    return tac_cable_folds(l->g, c) ? 1 : l->plan->node[c->from.node].node->bank_lanes;
}

static int add_source(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                      uint32_t bank, struct tac_mix_source how)
{
    struct tac_mix_source *s = &mix->source[mix->count++];
    *s = how;
    if (c->fade)
        s->fade = c->fade == TAC_FADE_IN ? l->plan->fade.in : l->plan->fade.out;
    return connect_bank(l, &s->signal, c, bank);
}

/* Lane to lane: pieces that lie in one bank on both sides. */
static int add_pieces(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                      uint32_t bank)
{
    uint32_t lanes = lanes_of(l, c), low = bank * mix->lanes, high = low + mix->lanes;
    int code = 0;
    for (uint32_t i = 0; i < c->from.count && code >= 0;) {
        uint32_t a = c->from.first + i, b = c->to.first + i;
        uint32_t n =
            smaller(c->from.count - i, smaller(lanes - a % lanes, mix->lanes - b % mix->lanes));
        if (b >= low && b < high) {
            bool whole = lanes == mix->lanes && a % lanes == 0 && b % lanes == 0 &&
                         (n == lanes || i + n == c->from.count) && c->to.first == 0 &&
                         c->to.count == l->g->node[c->to.node].lanes;
            code =
                add_source(l, mix, c, a / lanes,
                           (struct tac_mix_source){.from = a % lanes,
                                                   .to = b % mix->lanes,
                                                   .count = n,
                                                   .kind = whole ? TAC_MIX_WHOLE : TAC_MIX_LANES});
        }
        i += n;
    }
    return code;
}

static int add_spread(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                      uint32_t bank)
{
    bool folds = tac_cable_folds(l->g, c);
    uint32_t lanes = lanes_of(l, c), low = bank * mix->lanes, high = low + mix->lanes;
    uint32_t first = c->to.first > low ? c->to.first : low;
    uint32_t end = smaller(c->to.first + c->to.count, high);
    if (first >= end)
        return 0;
    return add_source(l, mix, c, folds ? 0 : c->from.first / lanes,
                      (struct tac_mix_source){.from = folds ? 0 : c->from.first % lanes,
                                              .to = first - low,
                                              .count = end - first,
                                              .kind = TAC_MIX_SPREAD});
}

/* Some lanes of the source, but not all, into one. */
static int add_some(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                    uint32_t bank)
{
    uint32_t lanes = lanes_of(l, c);
    int code = 0;
    if (c->to.first / mix->lanes != bank)
        return 0;
    for (uint32_t i = 0; i < c->from.count && code >= 0;) {
        uint32_t a = c->from.first + i, n = smaller(c->from.count - i, lanes - a % lanes);
        code = add_source(l, mix, c, a / lanes,
                          (struct tac_mix_source){.from = a % lanes,
                                                  .to = c->to.first % mix->lanes,
                                                  .count = n,
                                                  .kind = TAC_MIX_FOLD});
        i += n;
    }
    return code;
}

static int add_cable(struct tac_layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                     uint32_t bank)
{
    if (tac_cable_folds(l->g, c))
        return add_spread(l, mix, c, bank);
    if (c->from.count == c->to.count)
        return add_pieces(l, mix, c, bank);
    return c->from.count == 1 ? add_spread(l, mix, c, bank) : add_some(l, mix, c, bank);
}

/* How many sources cable c can add to one bank. */
static uint32_t sources_at_most(const struct tac_layout *l, const struct tac_graph_cable *c)
{
    return tac_cable_folds(l->g, c)
               ? 1
               : c->from.count / lanes_of(l, c) +
                     c->to.count / l->plan->node[c->to.node].node->bank_lanes + 4;
}

/* ---- mixes --------------------------------------------------------------------------------- */

/* A mix with the cables [first, first + count) of the inlet. */
static struct tac_mix *new_mix(struct tac_layout *l, const struct tac_inlet *inlet, uint32_t bank,
                               uint32_t first, uint32_t count)
{
    uint32_t room = 0;
    for (uint32_t i = first; i < first + count; i++)
        room += sources_at_most(l, tac_layout_cable(l, inlet, i));
    struct tac_mix *mix = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix, 1);
    if (!mix || !(mix->source = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix_source, room)))
        return NULL;
    mix->lanes = l->plan->node[inlet->node].node->bank_lanes;
    for (uint32_t i = first; i < first + count; i++)
        if (add_cable(l, mix, tac_layout_cable(l, inlet, i), bank) < 0)
            return NULL;
    return mix;
}

/* Where a part goes within a bank; false: nowhere. */
static bool place_part(const struct tac_layout *l, const struct tac_inlet *inlet, uint32_t part,
                       uint32_t bank, uint32_t lanes, struct tac_mix_source *ret_source)
{
    *ret_source = (struct tac_mix_source){.count = lanes, .kind = TAC_MIX_WHOLE};
    if (!tac_part_is_narrow(&l->units, inlet, part))
        return true;
    const struct tac_graph_cable *c = tac_layout_cable(l, inlet, part * TAC_MIX_SOURCES);
    uint32_t low = bank * lanes, high = low + lanes;
    uint32_t first = c->to.first > low ? c->to.first : low;
    uint32_t end = smaller(c->to.first + c->to.count, high);
    *ret_source =
        (struct tac_mix_source){.to = first - low, .count = end - first, .kind = TAC_MIX_SPREAD};
    return first < end;
}

/* A mix of the parts of the inlet that were summed before. */
static struct tac_mix *new_mix_of_parts(struct tac_layout *l, const struct tac_inlet *inlet,
                                        uint32_t bank)
{
    struct tac_mix *mix = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix, 1);
    if (!mix ||
        !(mix->source = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix_source, inlet->parts)))
        return NULL;
    mix->lanes = l->plan->node[inlet->node].node->bank_lanes;
    for (uint32_t i = 0; i < inlet->parts; i++) {
        uint32_t unit = inlet->part_unit + (inlet->uniform ? 0 : bank) * inlet->parts + i;
        struct tac_mix_source *s = &mix->source[mix->count];
        if (!place_part(l, inlet, i, bank, mix->lanes, s))
            continue;
        mix->count++;
        if (tac_layout_connect(l, &s->signal, unit, &l->part[0][unit], &l->part[1][unit]) < 0)
            return NULL;
    }
    return mix;
}

/* The mix reads the set value of the parameter, and keeps the sum within its range. */
static void add_base(struct tac_layout *l, struct tac_mix *mix, const struct tac_inlet *inlet,
                     uint32_t bank)
{
    const struct tac_plan_node *pn = &l->plan->node[inlet->node];
    const struct tac_param *p = &pn->node->block->param[inlet->port];
    mix->base = (struct tac_signal){tac_node_row(pn->node, inlet->port), 0, 0, 0};
    mix->clamp = 1;
    mix->min = p->min;
    mix->max = p->max;
    pn->set[l->runner][bank * pn->node->params + inlet->port] = &mix->base;
}

static struct tac_signal *target_of(const struct tac_layout *l, const struct tac_inlet *inlet,
                                    uint32_t bank)
{
    struct tac_io *io = tac_layout_io(l, inlet->node, bank);
    return inlet->target == TAC_CABLE_INPUT ? &io->in[inlet->port] : &io->param[inlet->port];
}

static struct tac_mix *mix_of(struct tac_layout *l, const struct tac_inlet *inlet, uint32_t bank)
{
    struct tac_mix *mix = inlet->parts ? new_mix_of_parts(l, inlet, bank)
                                       : new_mix(l, inlet, bank, 0, inlet->cable.count);
    if (mix && inlet->target == TAC_CABLE_PARAM)
        add_base(l, mix, inlet, bank);
    return mix;
}

static int lay_mix(struct tac_layout *l, uint32_t node, struct tac_mix *mix, float *out,
                   struct tac_signal *target)
{
    if (!mix || !out)
        return -ENOMEM;
    mix->out = out;
    mix->target = target ? target : &mix->unread;
    *mix->target = (struct tac_signal){out, mix->lanes, 1, 0};
    return tac_layout_op(l, node, tac_mix_run, mix, l->plan->frame_io[l->worker]);
}

/* Signals of voices stand still for long, and all else moves. */
static bool may_rest(const struct tac_layout *l, const struct tac_inlet *inlet,
                     const struct tac_mix *mix)
{
    for (uint32_t i = 0; i < mix->count; i++)
        if (mix->source[i].kind != TAC_MIX_WHOLE || mix->source[i].fade)
            return false;
    for (uint32_t i = 0; i < inlet->cable.count; i++) {
        const struct tac_graph_cable *c = tac_layout_cable(l, inlet, i);
        if (l->g->node[c->from.node].block != &tac_graph_block_voices || c->summed || c->feedback)
            return false;
    }
    return !inlet->parts && !l->g->node[inlet->node].loop;
}

static int lay_row(struct tac_layout *l, const struct tac_inlet *inlet, struct tac_mix *mix)
{
    if (!may_rest(l, inlet, mix))
        return 0;
    mix->row = TAC_VAULT_NEW(&l->plan->vault, float, TAC_BLOCK_LANES_MAX);
    mix->rows = &l->plan->rows;
    return mix->row ? 0 : -ENOMEM;
}

/* One lane from each of the sources, without regard to where it goes. */
static struct tac_mix *new_narrow_mix(struct tac_layout *l, const struct tac_inlet *inlet,
                                      uint32_t first, uint32_t count)
{
    struct tac_mix *mix = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix, 1);
    if (!mix || !(mix->source = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix_source, count)))
        return NULL;
    mix->lanes = 1;
    for (uint32_t i = first; i < first + count; i++)
        if (add_source(l, mix, tac_layout_cable(l, inlet, i), 0,
                       (struct tac_mix_source){.count = 1, .kind = TAC_MIX_WHOLE}) < 0)
            return NULL;
    return mix;
}

int tac_layout_part(struct tac_layout *l, uint32_t unit)
{
    const struct tac_piece *u = &l->units.unit[unit];
    const struct tac_inlet *inlet = &l->units.inlet[u->index];
    uint32_t first = u->part * TAC_MIX_SOURCES, lanes = l->plan->node[u->node].node->bank_lanes;
    uint32_t count = smaller(TAC_MIX_SOURCES, inlet->cable.count - first);
    bool narrow = tac_part_is_narrow(&l->units, inlet, u->part);
    struct tac_mix_source place;
    if (!place_part(l, inlet, u->part, u->bank, lanes, &place))
        return 0; /* it goes to other banks */
    struct tac_mix *mix =
        narrow ? new_narrow_mix(l, inlet, first, count) : new_mix(l, inlet, u->bank, first, count);
    if (!mix)
        return -ENOMEM;
    mix->full = 1;
    float *out = tac_layout_take(l, mix->lanes, l->exported[unit]);
    l->part[l->runner][unit] = (struct tac_signal){out, mix->lanes, 1, 0};
    return lay_mix(l, u->node, mix, out, NULL);
}

/* Every bank reads what the mix of bank 0 makes. */
int tac_layout_shared(struct tac_layout *l, uint32_t node)
{
    struct tac_range inlets = l->units.node_inlets[node];
    bool kept = l->exported[l->units.mix_unit[node]];
    int code = 0;
    for (uint32_t i = inlets.first; i < inlets.first + inlets.count && code >= 0; i++) {
        struct tac_mix *mix = l->units.inlet[i].uniform ? mix_of(l, &l->units.inlet[i], 0) : NULL;
        if (!l->units.inlet[i].uniform)
            continue;
        if (!mix)
            return -ENOMEM;
        mix->full = 1;
        mix->line = 1;
        float *out = tac_layout_take(l, mix->lanes, kept);
        l->inlet[l->runner][i] = (struct tac_signal){
            out, mix->lanes, 1, mix->lanes * TAC_ENGINE_SLICE_FRAMES & LINE_MOST};
        code = lay_mix(l, node, mix, out, NULL);
    }
    return code;
}

static int lay_inlet(struct tac_layout *l, uint32_t index, uint32_t bank)
{
    const struct tac_inlet *inlet = &l->units.inlet[index];
    uint32_t lanes = l->plan->node[inlet->node].node->bank_lanes;
    if (inlet->target == TAC_CABLE_NOTES)
        return 0;
    struct tac_signal *target = target_of(l, inlet, bank);
    if (inlet->direct)
        return connect_bank(l, target, tac_layout_cable(l, inlet, 0), bank);
    if (inlet->uniform)
        return tac_layout_connect(l, target, l->units.mix_unit[inlet->node], &l->inlet[0][index],
                                  &l->inlet[1][index]);
    struct tac_mix *mix = mix_of(l, inlet, bank);
    if (!mix || lay_row(l, inlet, mix) < 0)
        return -ENOMEM;
    /* what goes out is read when everything has run */
    return lay_mix(l, inlet->node, mix,
                   inlet->node == l->g->output ? tac_layout_take(l, lanes, true)
                                               : tac_layout_scratch(l, lanes),
                   target);
}

int tac_layout_inlets(struct tac_layout *l, uint32_t node, uint32_t bank)
{
    struct tac_range inlets = l->units.node_inlets[node];
    int code = 0;
    for (uint32_t i = inlets.first; i < inlets.first + inlets.count && code >= 0; i++)
        code = lay_inlet(l, i, bank);
    return code;
}

/* ---- at rest ------------------------------------------------------------------------------- */

/* Rows for inputs at rest: zeros are shared; others get their own. */
static const float *rest_row(struct tac_layout *l, float value)
{
    if (value == 0)
        return l->rest;
    float *row = TAC_VAULT_NEW(&l->plan->vault, float, TAC_BLOCK_LANES_MAX);
    for (int i = 0; row && i < TAC_BLOCK_LANES_MAX; i++)
        row[i] = value;
    return row;
}

/* Parameters that are driven by a mix for all banks, as bits. */
static uint32_t shared_params(const struct tac_layout *l, uint32_t node)
{
    struct tac_range inlets = l->units.node_inlets[node];
    uint32_t bits = 0;
    for (uint32_t i = inlets.first; i < inlets.first + inlets.count; i++)
        if (l->units.inlet[i].target == TAC_CABLE_PARAM && l->units.inlet[i].uniform)
            bits |= 1u << l->units.inlet[i].port;
    return bits;
}

/* Everything at rest; cables come on top. */
int tac_layout_rest(struct tac_layout *l, uint32_t node, uint32_t bank)
{
    struct tac_plan_node *pn = &l->plan->node[node];
    const struct tac_node *n = pn->node;
    struct tac_io *io = tac_layout_io(l, node, bank);
    for (uint32_t i = 0; i < tac_ports_count(n->block->in); i++) {
        const float *row = rest_row(l, n->block->in[i].rest);
        if (!row)
            return -ENOMEM;
        io->in[i] = (struct tac_signal){row, 0, 0, 0};
    }
    io->still = (const uint64_t *)(uintptr_t)&l->plan->rows;
    io->notes_in = l->no_notes;
    io->notes_out = l->any_notes;
    uint32_t shared = shared_params(l, node);
    for (uint32_t p = 0; p < n->params; p++) {
        io->param[p] = (struct tac_signal){tac_node_row(n, p), 0, 0, 0};
        if (!(shared >> p & 1))
            pn->set[l->runner][bank * n->params + p] = &io->param[p];
    }
    return 0;
}
