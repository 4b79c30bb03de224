/* SPDX-License-Identifier: MIT
 * layout.h - what the files that lay out a plan share; see layout.c.
 *
 * layout_pool.c    buffers and the list of operations
 * layout_cables.c  inputs and parameters: from cables to signals and mixes
 * layout.c         nodes, notes, outputs, feedback, and the whole
 * Threads: control. Results: 0 or -ENOMEM. */
#ifndef TAC_ENGINE_LAYOUT_H
#define TAC_ENGINE_LAYOUT_H

#include "engine/plan.h"
#include "tactus/engine.h"

enum { TAC_LAYOUT_WIDTHS = 5 };

/* One output of a node while the plan is laid out. */
struct tac_layout_port {
    struct tac_signal *bank; /* [banks] */
    struct tac_signal fold;  /* sum over the voices; data NULL: nobody wants it */
    struct tac_signal *late; /* [banks] one slice later; NULL: nobody wants it */
    struct tac_notes *notes;
    uint32_t readers, fold_readers; /* cables that are not laid yet */
};

struct tac_layout_pool {
    float **buffer;
    uint32_t count, room;
};

struct tac_layout {
    struct tac_plan *plan;
    struct tac_graph *g;
    struct tac_layout_port *port;                   /* [all outputs] */
    uint32_t *port_first;                           /* [nodes] */
    struct tac_layout_pool pool[TAC_LAYOUT_WIDTHS]; /* by log2 of lanes */
    struct tac_io *frames; /* an io for operations that need nothing but frames */
    struct tac_notes *no_notes, *any_notes;
    float *rest;     /* rows for inputs at rest */
    float **scratch; /* mixes of the node that is being laid out */
    uint32_t *scratch_lanes;
    uint32_t scratches, scratch_room;
};

static inline uint32_t tac_layout_ports(const struct tac_port *ports)
{
    uint32_t n = 0;
    while (n < TAC_BLOCK_PORTS_MAX && ports[n].name)
        n++;
    return n;
}

static inline struct tac_layout_port *tac_layout_port_of(const struct tac_layout *l, uint32_t node,
                                                         uint32_t port)
{
    return &l->port[l->port_first[node] + port];
}

static inline const struct tac_graph_cable *
tac_layout_cable(const struct tac_layout *l, const struct tac_graph_node *n, uint32_t i)
{
    return &l->g->cable[l->g->by_target[n->cable_first + i]];
}

/* A buffer of one slice, so many lanes wide; and back to the pool. */
float *tac_layout_take(struct tac_layout *l, uint32_t lanes);
int tac_layout_give(struct tac_layout *l, const float *buffer, uint32_t lanes);
/* A buffer that goes back when the node has been laid out. */
float *tac_layout_scratch(struct tac_layout *l, uint32_t lanes);
int tac_layout_give_scratches(struct tac_layout *l);
int tac_layout_op(struct tac_layout *l, uint32_t node, void (*run)(void *, const struct tac_io *),
                  void *self, const struct tac_io *io);

/* Everything a node reads at rest; then what its cables bring. */
int tac_layout_rest(struct tac_layout *l, uint32_t node);
int tac_layout_targets(struct tac_layout *l, uint32_t node);

#endif
