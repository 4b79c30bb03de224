/* SPDX-License-Identifier: MIT
 * order.c - a sequence in which every node comes after what it hears.
 *
 * How     Depth-first search from each node along its cables to the sources, in file order; a node
 *         is written down when all its sources are. So neighbours in the sequence are neighbours in
 *         the patch, and a buffer is read soon after it was written. The search keeps its own stack
 *         (a chain of 100 000 nodes must not exhaust the thread's). Feedback cables are not
 *         followed.
 * Cost    nodes + cables. */
#include "graph/graph.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state { NEW, OPEN, DONE };

struct frame {
    uint32_t node, next; /* next: position among the node's cables */
};

struct search {
    const struct tac_graph_reader *r;
    struct tac_graph *g;
    unsigned char *state;
    struct frame *stack;
    uint32_t depth, done;
};

/* Counting sort of the cables by target; stable, so file order stays within a node. */
static int group_cables(struct tac_graph *g)
{
    g->by_target = tac_stash_take(&g->stash, (g->cable_count + 1) * sizeof *g->by_target);
    if (!g->by_target)
        return -ENOMEM;
    for (uint32_t i = 0; i < g->cable_count; i++)
        g->node[g->cable[i].to.node].cable_count++;
    uint32_t first = 0;
    for (uint32_t i = 0; i < g->node_count; i++) {
        g->node[i].cable_first = first;
        first += g->node[i].cable_count;
        g->node[i].cable_count = 0;
    }
    for (uint32_t i = 0; i < g->cable_count; i++) {
        struct tac_graph_node *n = &g->node[g->cable[i].to.node];
        g->by_target[n->cable_first + n->cable_count++] = i;
    }
    return 0;
}

/* The loop runs from the open node `node` up the stack to its top, which hears `node`. Sound flows
 * the other way: from the source, i.e. from `node`, to the top of the stack and downwards. */
static int fail_loop(const struct search *s, uint32_t node, const struct tac_graph_cable *cable)
{
    char path[200] = "";
    size_t n = (size_t)snprintf(path, sizeof path, "%s", s->g->node[node].name);
    for (uint32_t i = s->depth; i-- > 0 && n < sizeof path;) {
        if (n > 150) {
            n += (size_t)snprintf(path + n, sizeof path - n, " -> ... -> %.24s",
                                  s->g->node[node].name);
            break;
        }
        uint32_t at = s->stack[i].node;
        n += (size_t)snprintf(path + n, sizeof path - n, " -> %.40s", s->g->node[at].name);
        if (at == node)
            break;
    }
    return tac_graph_fail(s->r, -TAC_E_LOOP, cable->line, cable->column,
                          "the cables form a loop: %s; write one of them with ~> to feed back",
                          path);
}

static int push(struct search *s, uint32_t node)
{
    s->state[node] = OPEN;
    s->stack[s->depth++] = (struct frame){node, 0};
    return 0;
}

static int step(struct search *s)
{
    struct frame *f = &s->stack[s->depth - 1];
    const struct tac_graph_node *n = &s->g->node[f->node];
    if (f->next == n->cable_count) {
        s->state[f->node] = DONE;
        s->g->order[s->done++] = f->node;
        s->depth--;
        return 0;
    }
    const struct tac_graph_cable *c = &s->g->cable[s->g->by_target[n->cable_first + f->next++]];
    if (c->feedback || s->state[c->from.node] == DONE)
        return 0;
    return s->state[c->from.node] == OPEN ? fail_loop(s, c->from.node, c) : push(s, c->from.node);
}

static int search_all(struct search *s)
{
    int code = 0;
    for (uint32_t i = 0; i < s->g->node_count && code >= 0; i++) {
        if (s->state[i] == NEW)
            code = push(s, i);
        while (s->depth && code >= 0)
            code = step(s);
    }
    return code;
}

static bool is_recorder(const struct tac_graph_node *n)
{
    for (int i = 0; n->file && i < TAC_BLOCK_OPTIONS_MAX && n->block->option[i].name; i++)
        if (n->block->option[i].kind == TAC_OPTION_RECORDING && n->file[i])
            return true;
    return false;
}

/* Backwards from the output and from what writes files, feedback cables included. */
static void mark_heard(struct tac_graph *g, uint32_t *stack)
{
    uint32_t depth = 0;
    for (uint32_t i = 0; i < g->node_count; i++)
        if (i == g->output || is_recorder(&g->node[i])) {
            stack[depth++] = i;
            g->node[i].reaches_output = 1;
        }
    while (depth) {
        const struct tac_graph_node *n = &g->node[stack[--depth]];
        for (uint32_t i = 0; i < n->cable_count; i++) {
            uint32_t from = g->cable[g->by_target[n->cable_first + i]].from.node;
            if (!g->node[from].reaches_output) {
                g->node[from].reaches_output = 1;
                stack[depth++] = from;
            }
        }
    }
}

/* late[node]: how late it gives what came in by the longest way, or NONE when nothing does. */
static void add_latencies(struct tac_graph *g, uint32_t *late)
{
    for (uint32_t i = 0; i < g->node_count; i++) {
        uint32_t at = g->order[i], most = at == g->input ? 0 : TAC_GRAPH_NONE;
        const struct tac_graph_node *n = &g->node[at];
        for (uint32_t k = 0; k < n->cable_count; k++) {
            const struct tac_graph_cable *c = &g->cable[g->by_target[n->cable_first + k]];
            uint32_t from = late[c->from.node];
            if (!c->feedback && c->target == TAC_CABLE_INPUT && from != TAC_GRAPH_NONE &&
                (most == TAC_GRAPH_NONE || from > most))
                most = from;
        }
        late[at] = most == TAC_GRAPH_NONE ? most : most + n->block->latency_frames;
    }
    g->latency_frames = late[g->output] == TAC_GRAPH_NONE ? 0 : late[g->output];
}

/* In the order, so whatever a node hears has been looked at. */
static void mark_followers(struct tac_graph *g)
{
    for (uint32_t i = 0; i < g->node_count; i++) {
        struct tac_graph_node *n = &g->node[g->order[i]];
        n->follows_notes = 0;
        for (uint32_t k = 0; k < n->cable_count && n->section != TAC_GRAPH_NONE; k++) {
            const struct tac_graph_cable *c = &g->cable[g->by_target[n->cable_first + k]];
            const struct tac_graph_node *from = &g->node[c->from.node];
            if (!c->feedback && from->section == n->section &&
                (from->follows_notes || from->block == &tac_graph_block_voices))
                n->follows_notes = 1;
        }
    }
}

static int warn_unheard(const struct tac_graph_reader *r)
{
    struct tac_graph *g = r->graph;
    enum { WARNINGS_MAX = 32 };
    g->warning = tac_stash_take(&g->stash, WARNINGS_MAX * sizeof *g->warning);
    if (!g->warning)
        return -ENOMEM;
    uint32_t heard = 0;
    for (uint32_t i = 0; i < g->node_count && g->warning_count < WARNINGS_MAX; i++) {
        const struct tac_graph_node *n = &g->node[i];
        heard += n->reaches_output;
        if (!n->reaches_output && i != g->input)
            tac_error_set(&g->warning[g->warning_count++], 0, g->file, n->line, n->column,
                          "'%s' is not heard: no cable leads from it to the output", n->name);
    }
    if (heard == 1 && !g->warning_count) /* the output itself */
        tac_error_set(&g->warning[g->warning_count++], 0, g->file, 0, 0,
                      "the patch is silent: no cable leads to its output");
    return 0;
}

int tac_graph_sort(const struct tac_graph_reader *r)
{
    struct tac_graph *g = r->graph;
    struct search s = {.r = r, .g = g};
    s.state = calloc(g->node_count, 1);
    s.stack = calloc(g->node_count, sizeof *s.stack);
    g->order = tac_stash_take(&g->stash, g->node_count * sizeof *g->order);
    int code = s.state && s.stack && g->order ? group_cables(g) : -ENOMEM;
    if (code >= 0)
        code = search_all(&s);
    if (code >= 0)
        code = tac_graph_find_loops(r);
    if (code >= 0) {
        mark_heard(g, (uint32_t *)s.stack);
        add_latencies(g, (uint32_t *)s.stack);
        mark_followers(g);
        code = warn_unheard(r);
    }
    free(s.state);
    free(s.stack);
    return code == -ENOMEM ? tac_graph_fail(r, -ENOMEM, 0, 0, "out of memory") : code;
}
