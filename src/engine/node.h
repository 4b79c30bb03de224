/* SPDX-License-Identifier: MIT
 * node.h - a running node: what of it outlives an exchange of plans.
 *
 * A node keeps its state, its parameters and their ramps, its sound file and its voices from plan
 * to plan as long as name, block, width and options stay the same. Nodes that are built together
 * lie in one batch; the batch is dropped with the last plan that refers to it.
 *
 * Threads   built and dropped by control threads. The audio thread alone reads and writes ramps,
 *           rows and states while a plan with the node is playing. */
#ifndef TAC_ENGINE_NODE_H
#define TAC_ENGINE_NODE_H

#include "dsp/block.h"
#include "engine/echo.h"
#include "engine/traced.h"
#include "engine/vault.h"
#include "graph/graph.h"

#include <stdatomic.h>

struct tac_disk;
struct tac_file_stream;
struct tac_service;
struct tac_voices;

enum { TAC_BATCH_STREAMS_MAX = 4096, TAC_COST_RECENT = 3 };

/* Nodes that were built by one load. */
struct tac_batch {
    struct tac_vault vault;
    uint32_t refs; /* plans */
    struct tac_disk *disk;
    struct tac_file_stream *streams; /* list */
    struct tac_service *services;    /* list; see services.h */
    const struct tac_variant
        *variant[TAC_BLOCK_LANES_MAX + 1]; /* by lanes, the last: so many or more */
};

/* Smoothing of one parameter; see params.c. */
struct tac_ramp {
    float value, target;
    float step;    /* per frame: added (linear) or multiplied (log) */
    uint32_t left; /* frames; 0: at rest */
};

/* Counter ticks of the slices that were timed node by node. */
struct tac_cost {
    _Atomic uint64_t now;               /* the latest slice: its number and what it took: run.c */
    _Atomic uint64_t sum, worst, count; /* those before */
    _Atomic uint32_t recent[TAC_COST_RECENT]; /* the last of them */
};

struct tac_node {
    const char *name;
    const struct tac_block *block; /* of the variant */
    const struct tac_variant *variant;
    struct tac_batch *batch;
    uint32_t id; /* of the name, in the engine; constant */
    uint32_t lanes, bank_lanes, banks, params;
    uint64_t options_hash;
    float *rows;               /* [params][TAC_BLOCK_LANES_MAX]: the value at rest, in every lane */
    float *patch_value;        /* [params]: what the patch text says */
    struct tac_ramp *ramp;     /* [params] */
    _Atomic float *target;     /* [params]: the same as the ramp's, for control */
    void **state;              /* [banks] */
    void **spare;              /* [banks]: where a state goes when a helper was lost with it */
    struct tac_voices *voices; /* of a voices section, else NULL */
    float learned_ns;          /* of a bank, before it was played: costs.h */
    uint32_t live_bytes;       /* of a state, that are kept of it: tac_block.live */
    bool movable;              /* a helper may run it: its state alone is all that it changes */
    _Atomic uint32_t held;     /* lost helpers that may still write to a spare state */
    struct tac_cost cost;
    const struct tac_trace_site *site; /* of its zones */
    struct tac_echoes *echoes;         /* NULL: nothing of it is fed back */
    _Atomic bool ill; /* it gave what is no number, and may do so for ever: a new one replaces it */
};

struct tac_node_build {
    double rate_hz, tempo_bpm;
    uint32_t id;
    bool spare; /* helpers may come to run it */
};

/* Build node n of the graph in the batch. */
int tac_node_build(struct tac_batch *batch, const struct tac_graph *graph,
                   const struct tac_graph_node *n, const struct tac_node_build *how,
                   struct tac_node **ret_node, struct tac_error *err);

/* True when the running node can serve as node n of the new graph. */
bool tac_node_fits(const struct tac_node *node, const struct tac_graph *graph,
                   const struct tac_graph_node *n, double tempo_bpm);

/* True when what it takes was measured while it played. */
bool tac_node_is_timed(const struct tac_node *node);

/* What a bank takes, by what was measured, or by what its block took once on its own. */
float tac_node_bank_ns(const struct tac_node *node);

void tac_batch_unref(struct tac_batch *batch);

/* Lanes of a bank that carry voices or channels. */
static inline uint32_t tac_node_lanes_used(const struct tac_node *node, uint32_t bank)
{
    uint32_t left = node->lanes - bank * node->bank_lanes;
    return left < node->bank_lanes ? left : node->bank_lanes;
}

static inline float *tac_node_row(const struct tac_node *node, uint32_t param)
{
    return node->rows + (size_t)param * TAC_BLOCK_LANES_MAX;
}

#endif
