/* SPDX-License-Identifier: MIT
 * work.c - inlets, units, what they wait for, and their order; see work.h. */
#include "engine/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(void **array, uint32_t *room, uint32_t count, size_t bytes)
{
    if (count < *room)
        return 0;
    uint32_t more = *room ? *room * 2 : 256;
    void *bigger = realloc(*array, more * bytes);
    if (!bigger)
        return -ENOMEM;
    *array = bigger;
    *room = more;
    return 0;
}

static int add_unit(struct tac_units *u, struct tac_piece unit)
{
    if (grow((void **)&u->unit, &u->unit_room, u->units, sizeof *u->unit) < 0)
        return -ENOMEM;
    u->unit[u->units++] = unit;
    return 0;
}

static int add_pred(struct tac_units *u, uint32_t unit)
{
    if (grow((void **)&u->pred, &u->pred_room, u->preds, sizeof *u->pred) < 0)
        return -ENOMEM;
    u->pred[u->preds++] = tac_unit_standing_for(u, unit);
    return 0;
}

/* ---- inlets -------------------------------------------------------------------------------- */

static const struct tac_graph_cable *cable_at(const struct tac_units *u,
                                              const struct tac_inlet *inlet, uint32_t i)
{
    return &u->g->cable[u->cable[inlet->cable.first + i]];
}

/* The only cable, and its signal can be read as it is. */
static bool is_direct(const struct tac_units *u, const struct tac_inlet *inlet)
{
    const struct tac_graph_cable *c = cable_at(u, inlet, 0);
    uint32_t lanes = u->g->node[inlet->node].lanes;
    if (inlet->cable.count != 1 || inlet->target != TAC_CABLE_INPUT || c->fade)
        return false;
    uint32_t from = tac_cable_folds(u->g, c) ? 1 : u->g->node[c->from.node].lanes;
    return from == lanes && c->from.first == 0 && c->to.first == 0 && c->to.count == lanes;
}

/* True when every lane of every bank gets the same: one mix serves all banks, and gives a line.
 * Signals of one lane move always, so the stride of such a mix never changes. */
static bool is_uniform(const struct tac_units *u, const struct tac_inlet *inlet)
{
    uint32_t lanes = u->g->node[inlet->node].lanes;
    if (u->plan->node[inlet->node].node->bank_lanes < 2)
        return false;
    for (uint32_t i = 0; i < inlet->cable.count; i++) {
        const struct tac_graph_cable *c = cable_at(u, inlet, i);
        bool from_voices = u->g->node[c->from.node].block == &tac_graph_block_voices && !c->summed;
        if (c->from.count != 1 || c->to.first || c->to.count != lanes || from_voices)
            return false;
    }
    return true;
}

/* Merge sort by first lane; stable. */
static void merge_runs(const struct tac_units *u, uint32_t *list, uint32_t *other, uint32_t count)
{
    if (count < 2)
        return;
    uint32_t half = count / 2, a = 0, b = half;
    merge_runs(u, list, other, half);
    merge_runs(u, list + half, other, count - half);
    for (uint32_t i = 0; i < count; i++) {
        bool left = b == count ||
                    (a < half && u->g->cable[list[a]].to.first <= u->g->cable[list[b]].to.first);
        other[i] = list[left ? a++ : b++];
    }
    memcpy(list, other, count * sizeof *list);
}

/* Cables to the same lanes side by side, else in file order: so that most parts of a large mix have
 * one destination. */
static int group_by_lanes(struct tac_units *u, struct tac_range range)
{
    uint32_t *list = u->cable + range.first;
    bool sorted = true;
    for (uint32_t i = 1; i < range.count && sorted; i++)
        sorted = u->g->cable[list[i - 1]].to.first <= u->g->cable[list[i]].to.first;
    uint32_t *other = sorted ? NULL : malloc(range.count * sizeof *other);
    if (other)
        merge_runs(u, list, other, range.count);
    free(other);
    return sorted || other ? 0 : -ENOMEM;
}

static int add_inlet(struct tac_units *u, uint32_t node, enum tac_cable_target target,
                     uint32_t port, uint32_t *at)
{
    const struct tac_graph_node *n = &u->g->node[node];
    struct tac_inlet inlet = {node, port, target, {*at, 0}, 0, TAC_GRAPH_NONE, false, false};
    for (uint32_t i = 0; i < n->cable_count; i++) {
        uint32_t index = u->g->by_target[n->cable_first + i];
        const struct tac_graph_cable *c = &u->g->cable[index];
        if (c->target == target && c->to.port == port)
            u->cable[(*at)++] = index;
    }
    inlet.cable.count = *at - inlet.cable.first;
    inlet.direct = target == TAC_CABLE_NOTES || is_direct(u, &inlet);
    inlet.uniform = !inlet.direct && is_uniform(u, &inlet);
    if (!inlet.direct && inlet.cable.count > TAC_MIX_SOURCES)
        inlet.parts = (inlet.cable.count + TAC_MIX_SOURCES - 1) / TAC_MIX_SOURCES;
    if (inlet.parts && group_by_lanes(u, inlet.cable) < 0)
        return -ENOMEM;
    if (grow((void **)&u->inlet, &u->inlet_room, u->inlets, sizeof *u->inlet) < 0)
        return -ENOMEM;
    u->inlet[u->inlets++] = inlet;
    return 0;
}

static int add_inlets(struct tac_units *u, uint32_t node)
{
    const struct tac_graph_node *n = &u->g->node[node];
    uint32_t used[3] = {0}, at = n->cable_first;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = &u->g->cable[u->g->by_target[n->cable_first + i]];
        used[c->target] |= 1u << c->to.port;
    }
    u->node_inlets[node].first = u->inlets;
    int code = 0;
    for (int target = 0; target < 3; target++)
        for (uint32_t port = 0; used[target] >> port && code >= 0; port++)
            if (used[target] >> port & 1)
                code = add_inlet(u, node, (enum tac_cable_target)target, port, &at);
    u->node_inlets[node].count = u->inlets - u->node_inlets[node].first;
    return code;
}

bool tac_part_is_narrow(const struct tac_units *u, const struct tac_inlet *inlet, uint32_t part)
{
    uint32_t first = part * TAC_MIX_SOURCES;
    const struct tac_graph_cable *a = cable_at(u, inlet, first);
    for (uint32_t i = first; i < first + TAC_MIX_SOURCES && i < inlet->cable.count; i++) {
        const struct tac_graph_cable *c = cable_at(u, inlet, i);
        bool one = tac_cable_folds(u->g, c) || u->g->node[c->from.node].lanes == 1;
        if (!one || c->to.first != a->to.first || c->to.count != a->to.count)
            return false;
    }
    return true;
}

/* ---- units --------------------------------------------------------------------------------- */

static bool is_anchored(const struct tac_units *u, uint32_t node)
{
    const struct tac_graph_node *n = &u->g->node[node];
    return n->block_index < 0 || !u->plan->node[node].node->movable;
}

static int add_parts(struct tac_units *u, struct tac_inlet *inlet)
{
    uint32_t banks = inlet->uniform ? 1 : u->plan->node[inlet->node].node->banks;
    inlet->part_unit = u->units;
    int code = 0;
    for (uint32_t bank = 0; inlet->parts && bank < banks && code >= 0; bank++)
        for (uint32_t part = 0; part < inlet->parts && code >= 0; part++)
            code = add_unit(u, (struct tac_piece){.kind = TAC_UNIT_OF_PART,
                                                  .node = inlet->node,
                                                  .bank = bank,
                                                  .index = (uint32_t)(inlet - u->inlet),
                                                  .part = part});
    return code;
}

static int add_node(struct tac_units *u, uint32_t node)
{
    uint32_t banks = u->plan->node[node].node->banks, step = tac_unit_banks(u, node);
    bool mixes = false;
    int code = 0;
    u->node_units[node].first = u->units;
    for (uint32_t i = 0; i < u->node_inlets[node].count && code >= 0; i++) {
        struct tac_inlet *inlet = &u->inlet[u->node_inlets[node].first + i];
        mixes = mixes || inlet->uniform;
        code = add_parts(u, inlet);
    }
    u->mix_unit[node] = mixes ? u->units : TAC_GRAPH_NONE;
    if (code >= 0 && mixes)
        code = add_unit(u, (struct tac_piece){.kind = TAC_UNIT_OF_MIXES, .node = node});
    u->bank_unit[node] = u->units;
    for (uint32_t bank = 0; bank < banks && code >= 0; bank += step)
        code = add_unit(u, (struct tac_piece){.kind = TAC_UNIT_OF_BANK,
                                              .node = node,
                                              .bank = bank,
                                              .banks = step < banks - bank ? step : banks - bank,
                                              .anchored = is_anchored(u, node)});
    u->node_units[node].count = u->units - u->node_units[node].first;
    return code;
}

static int add_loops(struct tac_units *u)
{
    u->loop_unit = malloc((u->g->loop_count + 1) * sizeof *u->loop_unit);
    if (!u->loop_unit)
        return -ENOMEM;
    int code = 0;
    for (uint32_t i = 0; i < u->g->loop_count && code >= 0; i++) {
        u->loop_unit[i] = u->units;
        code = add_unit(u, (struct tac_piece){.kind = TAC_UNIT_OF_LOOP,
                                              .node = u->g->loop_node[u->g->loop_first[i]],
                                              .index = i,
                                              .anchored = true});
    }
    return code;
}

static int add_folds(struct tac_units *u)
{
    for (uint32_t i = 0; i < u->g->cable_count; i++) {
        const struct tac_graph_cable *c = &u->g->cable[i];
        if (c->target == TAC_CABLE_NOTES || !tac_cable_folds(u->g, c))
            continue;
        uint32_t *unit = &u->fold_unit[u->port_first[c->from.node] + c->from.port];
        if (*unit != TAC_GRAPH_NONE)
            continue;
        *unit = u->units;
        if (add_unit(u, (struct tac_piece){.kind = TAC_UNIT_OF_FOLD,
                                           .node = c->from.node,
                                           .index = c->from.port}) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* ---- what a unit waits for ----------------------------------------------------------------- */

static int add_source_banks(struct tac_units *u, uint32_t node, uint32_t first, uint32_t count)
{
    uint32_t lanes = u->plan->node[node].node->bank_lanes;
    int code = 0;
    for (uint32_t b = first / lanes; b <= (first + count - 1) / lanes && code >= 0; b++)
        code = add_pred(u, tac_unit_of(u, node, b));
    return code;
}

/* What bank `bank` of the target needs of the cable; bank TAC_GRAPH_NONE: of any bank. */
static int add_source(struct tac_units *u, const struct tac_graph_cable *c, uint32_t bank)
{
    uint32_t lanes = u->plan->node[c->to.node].node->bank_lanes;
    uint32_t low = bank * lanes, high = low + lanes;
    if (bank != TAC_GRAPH_NONE && (c->to.first >= high || c->to.first + c->to.count <= low))
        return 0;
    if (c->feedback)
        return 0;
    if (c->target == TAC_CABLE_NOTES)
        return add_pred(u, tac_unit_of(u, c->from.node, 0));
    if (tac_cable_folds(u->g, c))
        return add_pred(u, u->fold_unit[u->port_first[c->from.node] + c->from.port]);
    if (c->from.count != c->to.count || bank == TAC_GRAPH_NONE)
        return add_source_banks(u, c->from.node, c->from.first, c->from.count);
    uint32_t first = c->to.first > low ? c->to.first : low;
    uint32_t end = c->to.first + c->to.count < high ? c->to.first + c->to.count : high;
    return add_source_banks(u, c->from.node, c->from.first + (first - c->to.first), end - first);
}

static int add_inlet_sources(struct tac_units *u, const struct tac_inlet *inlet, uint32_t bank)
{
    int code = 0;
    if (inlet->parts && !inlet->uniform)
        for (uint32_t p = 0; p < inlet->parts && code >= 0; p++)
            code = add_pred(u, inlet->part_unit + bank * inlet->parts + p);
    else
        for (uint32_t i = 0; i < inlet->cable.count && code >= 0; i++)
            code = add_source(u, cable_at(u, inlet, i),
                              inlet->target == TAC_CABLE_NOTES ? TAC_GRAPH_NONE : bank);
    return code;
}

/* A bank whose sum is gathered comes after the bank before it in the group. */
static bool is_gathered(const struct tac_units *u, uint32_t node)
{
    for (uint32_t p = u->port_first[node]; p < u->port_first[node + 1]; p++)
        if (u->fold_unit[p] != TAC_GRAPH_NONE)
            return true;
    return false;
}

static int wait_bank(struct tac_units *u, const struct tac_piece *unit)
{
    struct tac_range inlets = u->node_inlets[unit->node];
    int code = 0;
    if (unit->bank % TAC_GROUP_BANKS && is_gathered(u, unit->node))
        code = add_pred(u, tac_unit_of(u, unit->node, unit->bank - 1));
    if (code >= 0 && u->mix_unit[unit->node] != TAC_GRAPH_NONE)
        code = add_pred(u, u->mix_unit[unit->node]);
    for (uint32_t bank = unit->bank; bank < unit->bank + unit->banks; bank++)
        for (uint32_t i = 0; i < inlets.count && code >= 0; i++)
            if (!u->inlet[inlets.first + i].uniform)
                code = add_inlet_sources(u, &u->inlet[inlets.first + i], bank);
    return code;
}

static int wait_mixes(struct tac_units *u, const struct tac_piece *unit)
{
    struct tac_range inlets = u->node_inlets[unit->node];
    int code = 0;
    for (uint32_t i = 0; i < inlets.count && code >= 0; i++) {
        const struct tac_inlet *inlet = &u->inlet[inlets.first + i];
        for (uint32_t p = 0; inlet->uniform && p < inlet->parts && code >= 0; p++)
            code = add_pred(u, inlet->part_unit + p);
        for (uint32_t k = 0; inlet->uniform && !inlet->parts && k < inlet->cable.count && code >= 0;
             k++)
            code = add_source(u, cable_at(u, inlet, k), TAC_GRAPH_NONE);
    }
    return code;
}

static int wait_part(struct tac_units *u, const struct tac_piece *unit)
{
    const struct tac_inlet *inlet = &u->inlet[unit->index];
    uint32_t first = unit->part * TAC_MIX_SOURCES, code = 0;
    for (uint32_t i = first; i < first + TAC_MIX_SOURCES && i < inlet->cable.count; i++)
        if (add_source(u, cable_at(u, inlet, i), inlet->uniform ? TAC_GRAPH_NONE : unit->bank) < 0)
            return -ENOMEM;
    return (int)code;
}

/* The last bank of each group has the others before it. */
static int wait_fold(struct tac_units *u, const struct tac_piece *unit)
{
    uint32_t banks = u->plan->node[unit->node].node->banks;
    int code = 0;
    for (uint32_t first = 0; first < banks && code >= 0; first += TAC_GROUP_BANKS) {
        uint32_t last = first + TAC_GROUP_BANKS < banks ? first + TAC_GROUP_BANKS : banks;
        code = add_pred(u, tac_unit_of(u, unit->node, last - 1));
    }
    return code;
}

static int wait_unit(struct tac_units *u, const struct tac_piece *unit)
{
    switch (unit->kind) {
    case TAC_UNIT_OF_BANK:
        return wait_bank(u, unit);
    case TAC_UNIT_OF_MIXES:
        return wait_mixes(u, unit);
    case TAC_UNIT_OF_PART:
        return wait_part(u, unit);
    case TAC_UNIT_OF_FOLD:
        return wait_fold(u, unit);
    default:
        return -EINVAL;
    }
}

static int wait_loop(struct tac_units *u, const struct tac_piece *loop)
{
    uint32_t self = u->loop_unit[loop->index], first = u->preds, kept = first;
    int code = 0;
    for (uint32_t k = u->g->loop_first[loop->index]; k < u->g->loop_first[loop->index + 1]; k++) {
        struct tac_range units = u->node_units[u->g->loop_node[k]];
        for (uint32_t i = units.first; i < units.first + units.count && code >= 0; i++)
            code = wait_unit(u, &u->unit[i]);
    }
    for (uint32_t i = first; i < u->preds; i++)
        if (u->pred[i] != self)
            u->pred[kept++] = u->pred[i];
    u->preds = kept;
    return code;
}

/* What a loop stands for waits within it. */
static int wait_for(struct tac_units *u, uint32_t unit)
{
    struct tac_piece *p = &u->unit[unit];
    int code = 0;
    p->pred.first = u->preds;
    if (p->kind == TAC_UNIT_OF_LOOP)
        code = wait_loop(u, p);
    else if (tac_unit_standing_for(u, unit) == unit)
        code = wait_unit(u, p);
    p->pred.count = u->preds - p->pred.first;
    return code;
}

/* ---- order --------------------------------------------------------------------------------- */

struct search {
    struct tac_units *u;
    unsigned char *seen;
    struct {
        uint32_t unit, next;
    } * stack;
    uint32_t done;
};

static void visit(struct search *s, uint32_t root)
{
    uint32_t depth = 0;
    if (s->seen[root])
        return;
    s->seen[root] = 1;
    s->stack[depth].unit = root;
    s->stack[depth++].next = 0;
    while (depth) {
        const struct tac_piece *unit = &s->u->unit[s->stack[depth - 1].unit];
        if (s->stack[depth - 1].next == unit->pred.count) {
            s->u->order[s->done++] = s->stack[--depth].unit;
            continue;
        }
        uint32_t pred = s->u->pred[unit->pred.first + s->stack[depth - 1].next++];
        if (s->seen[pred])
            continue;
        s->seen[pred] = 1;
        s->stack[depth].unit = pred;
        s->stack[depth++].next = 0;
    }
}

/* From the output backwards, then from whatever is not heard. */
static int sort_units(struct tac_units *u)
{
    struct search s = {.u = u, .seen = calloc(u->units, 1)};
    s.stack = calloc(u->units, sizeof *s.stack);
    u->order = calloc(u->units, sizeof *u->order);
    int code = s.seen && s.stack && u->order ? 0 : -ENOMEM;
    if (code >= 0) {
        uint32_t output = u->g->output, banks = u->plan->node[output].node->banks;
        for (uint32_t b = 0; b < banks; b++)
            visit(&s, u->bank_unit[output] + b);
        for (uint32_t i = u->units; i-- > 0;)
            visit(&s, tac_unit_standing_for(u, i));
        u->ordered = s.done;
    }
    free(s.seen);
    free(s.stack);
    return code;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int take_tables(struct tac_units *u)
{
    uint32_t nodes = u->g->node_count, ports = 0;
    u->node_inlets = calloc(nodes, sizeof *u->node_inlets);
    u->cable = calloc(u->g->cable_count + 1, sizeof *u->cable);
    u->bank_unit = calloc(nodes, sizeof *u->bank_unit);
    u->node_units = calloc(nodes, sizeof *u->node_units);
    u->mix_unit = calloc(nodes, sizeof *u->mix_unit);
    u->port_first = calloc(nodes + 1, sizeof *u->port_first);
    if (!u->node_inlets || !u->cable || !u->bank_unit || !u->node_units || !u->mix_unit ||
        !u->port_first)
        return -ENOMEM;
    for (uint32_t i = 0; i < nodes; i++) {
        u->port_first[i] = ports;
        ports += tac_ports_count(u->g->node[i].block->out);
    }
    u->port_first[nodes] = ports;
    u->fold_unit = malloc((ports + 1) * sizeof *u->fold_unit);
    if (!u->fold_unit)
        return -ENOMEM;
    memset(u->fold_unit, 0xff, (ports + 1) * sizeof *u->fold_unit);
    return 0;
}

int tac_units_init(struct tac_units *u, const struct tac_plan *plan)
{
    *u = (struct tac_units){.plan = plan, .g = plan->graph};
    int code = take_tables(u);
    for (uint32_t i = 0; i < u->g->node_count && code >= 0; i++)
        code = add_inlets(u, i);
    for (uint32_t i = 0; i < u->g->node_count && code >= 0; i++)
        code = add_node(u, i);
    if (code >= 0)
        code = add_folds(u);
    if (code >= 0)
        code = add_loops(u);
    for (uint32_t i = 0; i < u->units && code >= 0; i++)
        code = wait_for(u, i);
    return code < 0 ? code : sort_units(u);
}

void tac_units_fini(struct tac_units *u)
{
    free(u->unit);
    free(u->pred);
    free(u->order);
    free(u->inlet);
    free(u->node_inlets);
    free(u->cable);
    free(u->bank_unit);
    free(u->node_units);
    free(u->loop_unit);
    free(u->mix_unit);
    free(u->fold_unit);
    free(u->port_first);
}
