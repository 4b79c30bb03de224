/* SPDX-License-Identifier: MIT
 * loops.c - which nodes have to be computed together because of feedback of less than a slice.
 *
 * How     Strongly connected components, with cables of a whole slice of feedback left out: what is
 *         connected both ways by the others. The search keeps its own stack.
 * Cost    nodes + cables where there is such a cable, else one look at each cable.
 * Source  R. Tarjan 1972, "Depth-first search and linear graph algorithms". */
#include "graph/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct visit {
    uint32_t node, next; /* next: position among the node's cables */
};

struct search {
    struct tac_graph *g;
    uint32_t *number, *low, *part; /* [nodes]: from 1, 0: not yet; part: from 1 */
    uint32_t *open;                /* nodes that have no part yet */
    struct visit *stack;
    uint32_t numbers, opens, depth, parts;
};

static void enter(struct search *s, uint32_t node)
{
    s->number[node] = s->low[node] = ++s->numbers;
    s->open[s->opens++] = node;
    s->stack[s->depth++] = (struct visit){node, 0};
}

/* All cables of the node have been followed. */
static void leave(struct search *s)
{
    uint32_t node = s->stack[--s->depth].node;
    if (s->depth) {
        uint32_t below = s->stack[s->depth - 1].node;
        s->low[below] = s->low[node] < s->low[below] ? s->low[node] : s->low[below];
    }
    if (s->low[node] != s->number[node])
        return;
    s->parts++;
    do
        s->part[s->open[--s->opens]] = s->parts;
    while (s->open[s->opens] != node);
}

static void step(struct search *s)
{
    struct visit *v = &s->stack[s->depth - 1];
    const struct tac_graph_node *n = &s->g->node[v->node];
    if (v->next == n->cable_count) {
        leave(s);
        return;
    }
    const struct tac_graph_cable *c = &s->g->cable[s->g->by_target[n->cable_first + v->next++]];
    uint32_t from = c->from.node;
    if (c->feedback == TAC_GRAPH_FEEDBACK_FRAMES)
        return;
    if (!s->number[from])
        enter(s, from);
    else if (!s->part[from] && s->number[from] < s->low[v->node])
        s->low[v->node] = s->number[from];
}

static void search_all(struct search *s)
{
    for (uint32_t i = 0; i < s->g->node_count; i++) {
        if (!s->number[i])
            enter(s, i);
        while (s->depth)
            step(s);
    }
}

/* loop: [parts + 1]: 1 + index. */
static int number_loops(const struct tac_graph_reader *r, const struct search *s, uint32_t *loop)
{
    struct tac_graph *g = s->g;
    for (uint32_t i = 0; i < g->cable_count; i++) {
        const struct tac_graph_cable *c = &g->cable[i];
        uint32_t part = s->part[c->from.node];
        if (!tac_graph_is_short(c))
            continue;
        if (part != s->part[c->to.node])
            return tac_graph_fail(r, -TAC_E_LOOP, c->line, c->column,
                                  "~%u> closes no loop here; a block delay delays", c->feedback);
        if (!loop[part]) {
            loop[part] = ++g->loop_count;
            g->loop_frames[loop[part] - 1] = c->feedback;
        }
        uint32_t *frames = &g->loop_frames[loop[part] - 1];
        *frames = c->feedback < *frames ? c->feedback : *frames;
    }
    for (uint32_t i = 0; i < g->node_count; i++)
        g->node[i].loop = loop[s->part[i]];
    return 0;
}

/* Nodes by loop, each loop's in the order. */
static int list_members(struct tac_graph *g)
{
    uint32_t members = 0;
    for (uint32_t i = 0; i < g->node_count; i++)
        members += g->node[i].loop != 0;
    g->loop_first = tac_stash_take(&g->stash, (g->loop_count + 1) * sizeof *g->loop_first);
    g->loop_node = tac_stash_take(&g->stash, members * sizeof *g->loop_node);
    if (!g->loop_first || !g->loop_node)
        return -ENOMEM;
    memset(g->loop_first, 0, (g->loop_count + 1) * sizeof *g->loop_first);
    for (uint32_t i = 0; i < g->node_count; i++)
        if (g->node[i].loop)
            g->loop_first[g->node[i].loop]++;
    for (uint32_t l = 0; l < g->loop_count; l++)
        g->loop_first[l + 1] += g->loop_first[l];
    /* filled from behind, which leaves each begin where it belongs */
    for (uint32_t i = g->node_count; i-- > 0;) {
        uint32_t node = g->order[i], loop = g->node[node].loop;
        if (loop)
            g->loop_node[--g->loop_first[loop]] = node;
    }
    memmove(g->loop_first, g->loop_first + 1, g->loop_count * sizeof *g->loop_first);
    g->loop_first[g->loop_count] = members;
    return 0;
}

static bool has_notes(const struct tac_block *block)
{
    bool notes = false;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && block->in[i].name; i++)
        notes = notes || block->in[i].kind == TAC_PORT_NOTES;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && block->out[i].name; i++)
        notes = notes || block->out[i].kind == TAC_PORT_NOTES;
    return notes;
}

static int check_cable(const struct tac_graph_reader *r, const struct tac_graph_cable *c)
{
    const struct tac_graph_node *a = &r->graph->node[c->from.node];
    const struct tac_graph_node *b = &r->graph->node[c->to.node];
    if (!a->loop || a->loop != b->loop || c->feedback == TAC_GRAPH_FEEDBACK_FRAMES)
        return 0;
    if (has_notes(a->block) || has_notes(b->block))
        return tac_graph_fail(r, -TAC_E_LOOP, c->line, c->column,
                              "'%s' deals in notes: only ~> can close a loop through it",
                              has_notes(a->block) ? a->name : b->name);
    if (c->summed || c->from.count > c->to.count)
        return tac_graph_fail(r, -TAC_E_LOOP, c->line, c->column,
                              "'%s' to '%s' is a sum of %s: only ~> can close a loop through it",
                              a->name, b->name, c->summed ? "voices" : "channels");
    return 0;
}

static int find(const struct tac_graph_reader *r, struct search *s)
{
    uint32_t *loop = calloc(s->g->node_count + 1, sizeof *loop);
    int code = loop ? 0 : -ENOMEM;
    if (code >= 0) {
        search_all(s);
        code = number_loops(r, s, loop);
    }
    for (uint32_t i = 0; i < s->g->cable_count && code >= 0; i++)
        code = check_cable(r, &s->g->cable[i]);
    if (code >= 0)
        code = list_members(s->g);
    free(loop);
    return code;
}

int tac_graph_find_loops(const struct tac_graph_reader *r)
{
    struct tac_graph *g = r->graph;
    uint32_t shorts = 0, nodes = g->node_count;
    g->loop_count = 0;
    for (uint32_t i = 0; i < nodes; i++)
        g->node[i].loop = 0;
    for (uint32_t i = 0; i < g->cable_count; i++)
        shorts += tac_graph_is_short(&g->cable[i]);
    if (!shorts)
        return 0;
    g->loop_frames = tac_stash_take(&g->stash, shorts * sizeof *g->loop_frames);
    struct search s = {.g = g};
    s.number = calloc(nodes, sizeof *s.number);
    s.low = calloc(nodes, sizeof *s.low);
    s.part = calloc(nodes, sizeof *s.part);
    s.open = calloc(nodes, sizeof *s.open);
    s.stack = calloc(nodes, sizeof *s.stack);
    bool room = g->loop_frames && s.number && s.low && s.part && s.open && s.stack;
    int code = room ? find(r, &s) : -ENOMEM;
    free(s.number);
    free(s.low);
    free(s.part);
    free(s.open);
    free(s.stack);
    return code;
}
