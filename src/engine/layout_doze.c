/* SPDX-License-Identifier: MIT
 * layout_doze.c - which sections may sleep, by what their nodes fall silent, and the stretches of
 * operations that are left out then; see doze.h. Threads: control. Cost: nodes + cables. */
#include "engine/doze.h"
#include "engine/layout.h"

#include <errno.h>
#include <stdlib.h>

enum { LONGEST = 30000 }; /* operations of a stretch before another begins: tac_op.skip */

struct survey {
    struct tac_layout *l;
    bool *awake;             /* [sections]: never sleep */
    bool *leaves;            /* [nodes]: heard outside their section */
    uint32_t *first, *nodes; /* nodes by section, in an order in which signals go */
    unsigned char *silent;
    struct tac_layout_list way, source, leaving; /* of the section that is looked at */
};

/* ---- which sections -------------------------------------------------------------------------- */

static bool keeps_awake(const struct tac_layout *l, const struct tac_graph_node *n, uint32_t node)
{
    const struct tac_node *built = l->plan->node[node].node;
    return n->block_index >= 0 && (!built->movable || built->block->reading || n->loop);
}

static void look_at_nodes(struct survey *s)
{
    const struct tac_graph *g = s->l->g;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const struct tac_graph_node *n = &g->node[i];
        if (n->section == TAC_GRAPH_NONE)
            continue;
        s->first[n->section + 1]++;
        s->awake[n->section] = s->awake[n->section] || keeps_awake(s->l, n, i);
    }
}

static void look_at_cables(struct survey *s)
{
    const struct tac_graph *g = s->l->g;
    for (uint32_t i = 0; i < g->cable_count; i++) {
        const struct tac_graph_cable *c = &g->cable[i];
        uint32_t from = g->node[c->from.node].section, to = g->node[c->to.node].section;
        if (from != TAC_GRAPH_NONE && c->feedback)
            s->awake[from] = true;
        if (to != TAC_GRAPH_NONE && c->feedback)
            s->awake[to] = true;
        if (from != TAC_GRAPH_NONE && from != to)
            s->leaves[c->from.node] = true;
    }
}

static void sort_nodes(struct survey *s)
{
    const struct tac_graph *g = s->l->g;
    for (uint32_t i = 0; i < g->section_count; i++)
        s->first[i + 1] += s->first[i];
    s->first[g->section_count + 1] = s->first[g->section_count];
    for (uint32_t i = g->node_count; i-- > 0;) {
        uint32_t section = g->node[g->order[i]].section;
        if (section != TAC_GRAPH_NONE)
            s->nodes[--s->first[section + 1]] = g->order[i];
    }
}

/* ---- by what they fall silent ---------------------------------------------------------------- */

/* The cable carries nothing when its node is silent; of the section itself that holds for the
 * gates. */
static bool can_be_silent(const struct tac_layout *l, const struct tac_graph_cable *c)
{
    const struct tac_graph_node *from = &l->g->node[c->from.node];
    if (from->block == &tac_graph_block_voices)
        return c->from.port == TAC_VOICES_OUT_GATE && !c->summed;
    return from->section == l->g->node[c->to.node].section && from->block->silent_by;
}

static int add_way(struct survey *s, uint32_t node, uint32_t port)
{
    const struct tac_graph *g = s->l->g;
    const struct tac_graph_node *n = &g->node[node];
    struct tac_doze_way way = {node, {s->source.count, 0}};
    if (n->block->in[port].rest != 0 && !n->cable_count)
        return 0;
    bool heard = false;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = &g->cable[g->by_target[n->cable_first + i]];
        if (c->target != TAC_CABLE_INPUT || c->to.port != port)
            continue;
        heard = true;
        if (!can_be_silent(s->l, c)) {
            s->source.count = way.source.first;
            return 0;
        }
        if (!tac_layout_append(&s->source, &c->from.node, sizeof c->from.node))
            return -ENOMEM;
    }
    if (!heard && n->block->in[port].rest != 0)
        return 0;
    way.source.count = s->source.count - way.source.first;
    return tac_layout_append(&s->way, &way, sizeof way) ? 0 : -ENOMEM;
}

static int add_ways(struct survey *s, uint32_t node)
{
    const struct tac_graph_node *n = &s->l->g->node[node];
    int code = 0;
    if (n->block_index < 0)
        return 0;
    for (uint32_t port = 0; n->block->silent_by >> port && code >= 0; port++)
        if (n->block->silent_by >> port & 1)
            code = add_way(s, node, port);
    if (code >= 0 && s->leaves[node] && n->follows_notes &&
        !tac_layout_append(&s->leaving, &node, sizeof node))
        code = -ENOMEM;
    return code;
}

static int settle(struct survey *s, struct tac_plan_section *section, uint32_t banks)
{
    struct tac_vault *vault = &s->l->plan->vault;
    struct tac_doze *d = TAC_VAULT_NEW(vault, struct tac_doze, 1);
    if (!d)
        return -ENOMEM;
    d->pairs = (banks + TAC_DOZE_BANKS - 1) / TAC_DOZE_BANKS;
    d->pair = TAC_VAULT_NEW(vault, struct tac_doze_pair, d->pairs);
    d->ways = s->way.count;
    d->leavings = s->leaving.count;
    d->way = tac_layout_freeze(s->l, &s->way, sizeof *d->way);
    d->source = tac_layout_freeze(s->l, &s->source, sizeof *d->source);
    d->leaving = tac_layout_freeze(s->l, &s->leaving, sizeof *d->leaving);
    d->silent = s->silent;
    section->doze = d;
    return d->pair && d->way && d->source && d->leaving ? 0 : -ENOMEM;
}

/* Voices of which nothing is heard need not run at all, but nobody would build that. */
static int look_at_section(struct survey *s, uint32_t section)
{
    const struct tac_layout *l = s->l;
    int code = 0;
    s->way.count = s->source.count = s->leaving.count = 0;
    for (uint32_t i = s->first[section + 1]; i < s->first[section + 2] && code >= 0; i++)
        code = add_ways(s, s->nodes[i]);
    if (code < 0 || !s->leaving.count)
        return code;
    return settle(s, &l->plan->section[section],
                  l->plan->node[l->g->section[section].node].node->banks);
}

int tac_doze_prepare(struct tac_layout *l, struct tac_stash *stash)
{
    const struct tac_graph *g = l->g;
    struct survey s = {.l = l};
    if (!g->section_count || l->plan->sleepless)
        return 0;
    s.awake = tac_stash_take(stash, g->section_count * sizeof *s.awake);
    s.leaves = tac_stash_take(stash, g->node_count * sizeof *s.leaves);
    s.first = tac_stash_take(stash, (g->section_count + 2) * sizeof *s.first);
    s.nodes = tac_stash_take(stash, (g->node_count + 1) * sizeof *s.nodes);
    s.silent = TAC_VAULT_NEW(&l->plan->vault, unsigned char, g->node_count);
    if (!s.awake || !s.leaves || !s.first || !s.nodes || !s.silent)
        return -ENOMEM;
    look_at_nodes(&s);
    look_at_cables(&s);
    sort_nodes(&s);
    int code = 0;
    for (uint32_t i = 0; i < g->section_count && code >= 0; i++)
        if (!s.awake[i])
            code = look_at_section(&s, i);
    free(s.way.items);
    free(s.source.items);
    free(s.leaving.items);
    return code;
}

/* ---- stretches ------------------------------------------------------------------------------- */

static int open_stretch(struct tac_layout *l, uint32_t node, const struct tac_doze_pair *pair,
                        uint32_t bank)
{
    struct tac_stretch *s = TAC_VAULT_NEW(&l->plan->vault, struct tac_stretch, 1);
    if (!s)
        return -ENOMEM;
    *s = (struct tac_stretch){
        .plan = l->plan, .pair = pair, .before = bank % TAC_GROUP_BANKS / TAC_DOZE_BANKS};
    l->stretch.pair = pair;
    l->stretch.at = l->op[l->runner].count;
    return tac_layout_op(l, node, tac_doze_run, s, l->plan->frame_io[l->worker]);
}

const struct tac_doze_pair *tac_doze_pair_of(const struct tac_layout *l, uint32_t node,
                                             uint32_t bank)
{
    const struct tac_graph_node *n = &l->g->node[node];
    const struct tac_doze *d =
        n->section != TAC_GRAPH_NONE ? l->plan->section[n->section].doze : NULL;
    return d && n->block_index >= 0 && n->follows_notes ? &d->pair[bank / TAC_DOZE_BANKS] : NULL;
}

int tac_doze_begin(struct tac_layout *l, uint32_t node, uint32_t bank)
{
    const struct tac_doze_pair *pair = tac_doze_pair_of(l, node, bank);
    uint32_t ops = l->op[l->runner].count;
    l->stretch.open = pair;
    if (!pair)
        return 0;
    if (l->stretch.pair == pair && l->stretch.end == ops && ops - l->stretch.at < LONGEST)
        return 0;
    return open_stretch(l, node, pair, bank);
}

void tac_doze_end(struct tac_layout *l)
{
    struct tac_op *op = l->op[l->runner].items;
    if (!l->stretch.open)
        return;
    l->stretch.end = l->op[l->runner].count;
    op[l->stretch.at].skip = (uint16_t)(l->stretch.end - l->stretch.at - 1);
}
