/* SPDX-License-Identifier: MIT
 * ghosts.c - compares two graphs and merges what fades out; see ghosts.h. */
#include "engine/ghosts.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE TAC_GRAPH_NONE

struct merge {
    struct tac_graph *g;
    const struct tac_plan *heard;
    const struct tac_graph *old;
    uint32_t *kept;    /* [old nodes]: the same node in the new graph, or NONE */
    uint32_t *ghost;   /* [old nodes]: its ghost in the new graph, or NONE */
    uint32_t *section; /* [old sections]: the same in the new graph, their ghosts, or NONE */
    bool *stays;       /* [new nodes] */
    uint32_t *todo;    /* old nodes whose ghosts have no cables yet */
    uint32_t todos;
    uint32_t *slot; /* hash table of cables that stay: index + 1 in the new graph */
    uint32_t mask;
    uint32_t own_nodes, own_cables, own_sections; /* of the new graph before */
    bool fades;
};

/* ---- which nodes stay ---------------------------------------------------------------------- */

static void match_nodes(struct merge *m)
{
    for (uint32_t i = 0; i < m->old->node_count; i++) {
        m->kept[i] = m->ghost[i] = NONE;
        if (m->old->node[i].ghost)
            continue;
        int64_t now = tac_graph_find(m->g, m->old->node[i].name);
        if (now < 0 ||
            !tac_node_fits(m->heard->node[i].node, m->g, &m->g->node[now], m->g->tempo_bpm))
            continue;
        m->kept[i] = (uint32_t)now;
        m->stays[now] = true;
    }
}

/* Ghosts among voices that stay are their nodes still. */
static void match_sections(struct merge *m)
{
    for (uint32_t i = 0; i < m->old->section_count; i++) {
        uint32_t now = m->kept[m->old->section[i].node];
        m->section[i] = now == NONE ? NONE : m->g->node[now].section;
    }
}

/* ---- which cables stay --------------------------------------------------------------------- */

static uint64_t hash_cable(const struct tac_graph_cable *c, uint32_t from, uint32_t to)
{
    uint32_t part[] = {from,        c->from.port, c->from.first,      c->from.count,
                       to,          c->to.port,   c->to.first,        c->to.count,
                       c->feedback, c->summed,    (uint32_t)c->target};
    uint64_t hash = tac_hash_bytes(TAC_HASH_BEGIN, part, sizeof part);
    return hash ^ hash >> 32;
}

static bool is_same(const struct tac_graph_cable *a, const struct tac_graph_cable *b, uint32_t from,
                    uint32_t to)
{
    return a->from.node == from && a->to.node == to && a->from.port == b->from.port &&
           a->from.first == b->from.first && a->from.count == b->from.count &&
           a->to.port == b->to.port && a->to.first == b->to.first && a->to.count == b->to.count &&
           a->feedback == b->feedback && a->summed == b->summed && a->target == b->target;
}

static bool may_fade(const struct merge *m, const struct tac_graph_cable *c)
{
    return c->target != TAC_CABLE_NOTES && m->stays[c->to.node];
}

/* New cables to nodes that stay go into the table; whoever is found there by an old one was there
 * before. The others fade in. */
static int list_cables(struct merge *m)
{
    uint32_t room = 16;
    while (room < m->own_cables * 2)
        room *= 2;
    m->mask = room - 1;
    m->slot = calloc(room, sizeof *m->slot);
    if (!m->slot)
        return -ENOMEM;
    for (uint32_t i = 0; i < m->own_cables; i++) {
        struct tac_graph_cable *c = &m->g->cable[i];
        if (!may_fade(m, c))
            continue;
        c->fade = TAC_FADE_IN;
        uint32_t at = (uint32_t)hash_cable(c, c->from.node, c->to.node) & m->mask;
        while (m->slot[at])
            at = (at + 1) & m->mask;
        m->slot[at] = i + 1;
    }
    return 0;
}

/* True when the old cable is in the new graph; it does not fade then. */
static bool stays(struct merge *m, const struct tac_graph_cable *c)
{
    uint32_t from = m->kept[c->from.node], to = m->kept[c->to.node];
    if (from == NONE)
        return false;
    for (uint32_t at = (uint32_t)hash_cable(c, from, to) & m->mask; m->slot[at];
         at = (at + 1) & m->mask) {
        struct tac_graph_cable *now = &m->g->cable[m->slot[at] - 1];
        if (now->fade == TAC_FADE_IN && is_same(now, c, from, to)) {
            now->fade = TAC_FADE_NONE;
            return true;
        }
    }
    return false;
}

/* ---- ghosts -------------------------------------------------------------------------------- */

static int ghost_section(struct merge *m, uint32_t old)
{
    struct tac_graph_section *bigger =
        tac_stash_take(&m->g->stash, (m->g->section_count + 1) * sizeof *bigger);
    if (!bigger)
        return -ENOMEM;
    if (m->g->section_count)
        memcpy(bigger, m->g->section, m->g->section_count * sizeof *bigger);
    bigger[m->g->section_count] = m->old->section[old];
    m->g->section = bigger;
    m->section[old] = m->g->section_count++;
    return 0;
}

static int copy_node(struct merge *m, uint32_t old, struct tac_graph_node *n)
{
    const struct tac_node *node = m->heard->node[old].node;
    *n = m->old->node[old];
    n->name = tac_stash_string(&m->g->stash, n->name, strlen(n->name));
    float *param = tac_stash_take(&m->g->stash, (node->params + 1) * sizeof *param);
    if (!n->name || !param)
        return -ENOMEM;
    memcpy(param, n->param, node->params * sizeof *param);
    n->param = param;
    n->option = NULL;
    n->file = NULL;
    n->numbers = NULL;
    n->numbers_count = NULL;
    n->ghost = old + 1;
    n->cable_count = 0;
    if (n->section == NONE)
        return 0;
    int code = m->section[n->section] == NONE ? ghost_section(m, n->section) : 0;
    if (code >= 0)
        n->section = m->section[n->section];
    return code;
}

/* The old node in the new graph: itself where it stays, else its ghost. */
static int64_t find_or_call(struct merge *m, uint32_t old)
{
    if (m->kept[old] != NONE)
        return m->kept[old];
    if (m->ghost[old] != NONE)
        return m->ghost[old];
    struct tac_graph_node n;
    if (copy_node(m, old, &n) < 0 || tac_graph_append_node(m->g, &n) < 0)
        return -ENOMEM;
    m->ghost[old] = m->g->node_count - 1;
    m->todo[m->todos++] = old;
    if (n.block == &tac_graph_block_voices)
        m->g->section[n.section].node = m->ghost[old];
    /* the nodes of a section need what gives their notes */
    else if (n.section != NONE &&
             find_or_call(m, m->old->section[m->old->node[old].section].node) < 0)
        return -ENOMEM;
    return m->ghost[old];
}

static int add_ghost_cable(struct merge *m, const struct tac_graph_cable *c, uint32_t to,
                           enum tac_cable_fade fade)
{
    if (atomic_load_explicit(&m->heard->node[c->from.node].node->ill, memory_order_relaxed))
        return 0;
    int64_t from = find_or_call(m, c->from.node);
    if (from < 0)
        return -ENOMEM;
    struct tac_graph_cable copy = *c;
    copy.from.node = (uint32_t)from;
    copy.to.node = to;
    copy.fade = (uint8_t)fade;
    return tac_graph_append_cable(m->g, &copy);
}

/* What feeds a ghost. */
static int feed(struct merge *m, uint32_t old)
{
    const struct tac_graph_node *n = &m->old->node[old];
    int code = 0;
    for (uint32_t i = 0; i < n->cable_count && code >= 0; i++) {
        const struct tac_graph_cable *c = &m->old->cable[m->old->by_target[n->cable_first + i]];
        if (c->fade != TAC_FADE_OUT)
            code = add_ghost_cable(m, c, m->ghost[old], TAC_FADE_NONE);
    }
    return code;
}

static int call_ghosts(struct merge *m)
{
    int code = 0;
    for (uint32_t i = 0; i < m->old->cable_count && code >= 0; i++) {
        const struct tac_graph_cable *c = &m->old->cable[i];
        uint32_t to = m->kept[c->to.node];
        if (c->target == TAC_CABLE_NOTES || c->fade == TAC_FADE_OUT || to == NONE || stays(m, c))
            continue;
        m->fades = true;
        code = add_ghost_cable(m, c, to, TAC_FADE_OUT);
    }
    while (m->todos && code >= 0)
        code = feed(m, m->todo[--m->todos]);
    for (uint32_t i = 0; i < m->own_cables; i++)
        m->fades = m->fades || m->g->cable[i].fade;
    return code;
}

/* As if nothing had been heard before. */
static void forget(struct merge *m)
{
    m->g->node_count = m->own_nodes;
    m->g->cable_count = m->own_cables;
    m->g->section_count = m->own_sections;
    for (uint32_t i = 0; i < m->own_cables; i++)
        m->g->cable[i].fade = TAC_FADE_NONE;
    m->fades = false;
}

static int merge(struct merge *m)
{
    match_nodes(m);
    match_sections(m);
    int code = list_cables(m);
    if (code >= 0)
        code = call_ghosts(m);
    if (code >= 0 && m->fades)
        code = tac_graph_arrange(m->g);
    if (code == -TAC_E_LOOP) {
        forget(m);
        code = tac_graph_arrange(m->g);
    }
    return code;
}

int tac_ghosts_add(struct tac_graph *graph, const struct tac_plan *heard, bool *ret_fades)
{
    struct merge m = {.g = graph,
                      .heard = heard,
                      .old = heard->graph,
                      .own_nodes = graph->node_count,
                      .own_cables = graph->cable_count,
                      .own_sections = graph->section_count};
    m.kept = malloc((m.old->node_count + 1) * sizeof *m.kept);
    m.ghost = malloc((m.old->node_count + 1) * sizeof *m.ghost);
    m.todo = malloc((m.old->node_count + 1) * sizeof *m.todo);
    m.section = malloc((m.old->section_count + 1) * sizeof *m.section);
    m.stays = calloc(graph->node_count + 1, sizeof *m.stays);
    int code = m.kept && m.ghost && m.todo && m.section && m.stays ? 0 : -ENOMEM;
    if (code >= 0)
        code = merge(&m);
    *ret_fades = m.fades;
    free(m.kept);
    free(m.ghost);
    free(m.todo);
    free(m.section);
    free(m.stays);
    free(m.slot);
    return code;
}
