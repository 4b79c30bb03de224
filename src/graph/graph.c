/* SPDX-License-Identifier: MIT
 * graph.c - a graph as a structure that grows and ends, and the blocks that only a graph has. */
#include "graph/graph.h"

#include "dsp/block.h"

#include <errno.h>
#include <stdlib.h>

const struct tac_block tac_graph_block_input = {
    .name = "input",
    .group = "io",
    .doc = "The channels that come in from the device.",
    .out = {{"out", "what comes in", TAC_PORT_SIGNAL, 0}},
};

const struct tac_block tac_graph_block_output = {
    .name = "output",
    .group = "io",
    .doc = "The channels that go out to the device.",
    .in = {{"in", "what goes out", TAC_PORT_SIGNAL, 0}},
};

const struct tac_block tac_graph_block_voices = {
    .name = "voices",
    .group = "control",
    .doc = "Gives each note to a voice.",
    .in = {{"notes", "notes to play", TAC_PORT_NOTES, 0}},
    .out = {{"pitch", "of the voice, in semitones", TAC_PORT_SIGNAL, 0},
            {"gate", "1 while the key is held", TAC_PORT_SIGNAL, 0},
            {"velocity", "of the last note, 0 to 1", TAC_PORT_SIGNAL, 0}},
    .param = {{"glide", "time to slide to a new pitch", TAC_UNIT_S, 0, 10, 0, TAC_CURVE_STEP, NULL},
              {"detune", "spread of unison voices, from the lowest to the highest",
               TAC_UNIT_SEMITONES, 0, 12, 0.2f, TAC_CURVE_STEP, NULL}},
};

void tac_graph_free(struct tac_graph *graph)
{
    if (!graph)
        return;
    tac_names_fini(&graph->names);
    free(graph->node);
    free(graph->cable);
    struct tac_stash stash = graph->stash;
    free(graph);
    tac_stash_fini(&stash);
}

int64_t tac_graph_find(const struct tac_graph *graph, const char *node)
{
    return tac_names_find(&graph->names, node);
}

/* At least so many items, and twice as many as there were. */
static int grow(void **items, uint32_t *room, uint64_t least, size_t bytes)
{
    uint64_t more = *room ? *room * 2ull : 64;
    more = more > least ? more : least;
    if (least <= *room)
        return 0;
    void *bigger = more <= UINT32_MAX ? realloc(*items, (size_t)more * bytes) : NULL;
    if (!bigger)
        return -ENOMEM;
    *items = bigger;
    *room = (uint32_t)more;
    return 0;
}

static int grow_nodes(struct tac_graph *g, uint32_t more)
{
    return grow((void **)&g->node, &g->node_room, (uint64_t)g->node_count + more, sizeof *g->node);
}

static int grow_cables(struct tac_graph *g, uint32_t more)
{
    return grow((void **)&g->cable, &g->cable_room, (uint64_t)g->cable_count + more,
                sizeof *g->cable);
}

int tac_graph_reserve(struct tac_graph *graph, uint32_t nodes, uint32_t cables)
{
    bool there = tac_names_reserve(&graph->names, nodes) && grow_nodes(graph, nodes) >= 0 &&
                 grow_cables(graph, cables) >= 0;
    return there ? 0 : -ENOMEM;
}

int tac_graph_append_node(struct tac_graph *graph, const struct tac_graph_node *node)
{
    if (grow_nodes(graph, 1) < 0)
        return -ENOMEM;
    graph->node[graph->node_count++] = *node;
    return 0;
}

int tac_graph_append_cable(struct tac_graph *graph, const struct tac_graph_cable *cable)
{
    if (grow_cables(graph, 1) < 0)
        return -ENOMEM;
    graph->cable[graph->cable_count++] = *cable;
    return 0;
}
