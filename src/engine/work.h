/* SPDX-License-Identifier: MIT
 * work.h - a graph taken apart into units of work and what each waits for.
 *
 * A unit is a bank of a node (or two, where its block takes them at once) with the mixes that it
 * needs, or something that several banks share:
 * a sum over voices, a mix that serves all banks, a part of a mix with many sources. Units are put
 * into an order that goes depth-first through a bank (oscillator, filter, envelope, amplifier of
 * the same voices) before the next bank begins, so that buffers are read while they are in the
 * nearest cache. Everything here depends on the graph and the widths of its banks alone.
 *
 * Inlets    the cables of a node, grouped by what they lead to. An inlet that hears exactly one
 *           signal of its own width reads it in place (direct); others are mixes. More than
 *           TAC_MIX_SOURCES cables are grouped by the lanes they lead to, and summed in parts of
 *           so many.
 * Groups    signals that are summed over their banks are first gathered bank by bank in groups of
 *           TAC_GROUP_BANKS, each folded to one lane; then the groups are added. They stay in
 *           one task, but for banks that wait for something late.
 * Loops     what belongs to a loop of short feedback (graph.h) stands for itself no more: the loop
 *           is one unit, and waits for what any of its own waits for.
 *
 * Threads: control. Cost: nodes + banks + cables. */
#ifndef TAC_ENGINE_WORK_H
#define TAC_ENGINE_WORK_H

#include "engine/plan.h"

enum { TAC_MIX_SOURCES = 16, TAC_GROUP_BANKS = 8 };

enum tac_unit_kind {
    TAC_UNIT_OF_BANK,  /* node, bank: its mixes and its process function */
    TAC_UNIT_OF_MIXES, /* node: mixes that serve all its banks */
    TAC_UNIT_OF_FOLD,  /* node, port: the sum over all its lanes */
    TAC_UNIT_OF_PART,  /* inlet, bank, part: some of the sources of a mix */
    TAC_UNIT_OF_LOOP,  /* index: all units of its nodes but the folds */
};

struct tac_piece {
    enum tac_unit_kind kind;
    uint32_t node, bank, banks; /* the first bank, how many: two where the block takes pairs */
    uint32_t index;             /* of the port, inlet or loop */
    uint32_t part;
    struct tac_range pred; /* in tac_units.pred */
    uint32_t task;
    bool anchored; /* only the audio thread may run it */
    float cost_ns;
};

struct tac_inlet {
    uint32_t node, port;
    enum tac_cable_target target;
    struct tac_range cable; /* in tac_units.cable: indices of cables, in file order */
    uint32_t parts;         /* 0: one mix takes all */
    uint32_t part_unit;     /* the first; [banks or 1][parts] */
    bool direct, uniform;
};

struct tac_units {
    const struct tac_plan *plan;
    const struct tac_graph *g;
    struct tac_piece *unit;
    uint32_t units, unit_room;
    uint32_t *pred;
    uint32_t preds, pred_room;
    uint32_t *order; /* [ordered]: units that are not part of a loop */
    uint32_t ordered;
    struct tac_range *node_units; /* [nodes]: parts, mixes, banks, in this order */
    uint32_t *loop_unit;          /* [loops] */
    struct tac_inlet *inlet;      /* grouped by node */
    uint32_t inlets, inlet_room;
    struct tac_range *node_inlets; /* [nodes] */
    uint32_t *cable;               /* [cables] */
    uint32_t *bank_unit;           /* [nodes]: first */
    uint32_t *mix_unit;            /* [nodes] or TAC_GRAPH_NONE */
    uint32_t *fold_unit;           /* [ports] or TAC_GRAPH_NONE */
    uint32_t *port_first;          /* [nodes + 1] */
};

/* The unit that stands for the unit: its loop, or itself. */
static inline uint32_t tac_unit_standing_for(const struct tac_units *u, uint32_t unit)
{
    const struct tac_piece *p = &u->unit[unit];
    uint32_t loop = p->kind == TAC_UNIT_OF_FOLD ? 0 : u->g->node[p->node].loop;
    return loop ? u->loop_unit[loop - 1] : unit;
}

int tac_units_init(struct tac_units *units, const struct tac_plan *plan);
void tac_units_fini(struct tac_units *units);

/* tasks.c: unit.task for every unit, plan.task[] with costs, and who runs what. */
int tac_tasks_form(struct tac_units *units, struct tac_plan *plan);

/* shares.c: gives each task of the plan to a thread. */
int tac_tasks_share(struct tac_plan *plan);

/* True when the cable carries the sum over all lanes of its source. */
static inline bool tac_cable_folds(const struct tac_graph *g, const struct tac_graph_cable *c)
{
    return c->summed || (c->to.count == 1 && c->from.count > 1 && c->from.first == 0 &&
                         c->from.count == g->node[c->from.node].lanes);
}

/* How many banks of the node one unit has: voices and inputs are one unit each. */
static inline uint32_t tac_unit_banks(const struct tac_units *u, uint32_t node)
{
    const struct tac_node *n = u->plan->node[node].node;
    if (u->g->node[node].block_index < 0)
        return node == u->g->output ? 1 : n->banks;
    return n->block->process2 ? 2 : 1;
}

/* True when all cables of the part carry one lane to the same lanes: they are summed as one lane.
 */
bool tac_part_is_narrow(const struct tac_units *u, const struct tac_inlet *inlet, uint32_t part);

/* The unit that computes bank `bank` of a node. */
static inline uint32_t tac_unit_of(const struct tac_units *u, uint32_t node, uint32_t bank)
{
    return u->bank_unit[node] + bank / tac_unit_banks(u, node);
}

static inline uint32_t tac_ports_count(const struct tac_port *ports)
{
    uint32_t n = 0;
    while (n < TAC_BLOCK_PORTS_MAX && ports[n].name)
        n++;
    return n;
}

#endif
