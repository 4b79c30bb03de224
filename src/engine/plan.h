/* SPDX-License-Identifier: MIT
 * plan.h - a compiled graph: a flat list of operations over buffers that are all there already.
 *
 * A plan is built by a control thread and then belongs to the audio thread until that hands it back
 * (engine.c). Running it is: for each operation call run(self, io). Nothing is looked up, built or
 * decided there. Buffers hold one slice (TAC_ENGINE_SLICE_FRAMES) and are reused as soon as their
 * last reader has run, so the working set stays small.
 *
 * Invariants
 *   I1  every pointer of an operation is valid for the life of the plan, states and rows included
 *       (the plan holds a reference on each batch of its nodes).
 *   I2  the io of a node: data never NULL, notes never NULL. */
#ifndef TAC_ENGINE_PLAN_H
#define TAC_ENGINE_PLAN_H

#include "engine/cable_ops.h"
#include "engine/node.h"
#include "engine/voices.h"

struct tac_op {
    void (*run)(void *self, const struct tac_io *io);
    void *self;
    const struct tac_io *io;
    uint32_t node; /* index in the graph: whose cost it is */
};

struct tac_plan_node {
    struct tac_node *node;
    struct tac_io *io;       /* [banks] */
    struct tac_signal **set; /* [banks * params]: where the set value of a parameter is read */
};

/* A voices section at work: its notes, where its signals go, and who reads them. */
struct tac_plan_section {
    struct tac_node *node;
    struct tac_voices_input in;
    struct tac_voices_output out;
    struct tac_notes *own; /* in.lists[0]: notes from the program */
    struct tac_signal **reader;
    uint32_t readers;
};

struct tac_notes_merge {
    struct tac_notes *out;
    const struct tac_notes **list;
    uint32_t count;
};

/* A value that an edit of the patch changes on a node that stays. */
struct tac_plan_change {
    struct tac_node *node;
    uint32_t param;
    float value, before; /* before: what the text said until then */
};

struct tac_plan {
    struct tac_graph *graph;
    struct tac_vault vault;
    struct tac_batch **batch;
    uint32_t batches;
    struct tac_plan_node *node; /* as in the graph */
    struct tac_op *op;
    uint32_t ops, op_room;
    struct tac_io *io;
    uint32_t ios, frames; /* frames: what all io.frames are set to */
    struct tac_plan_section *section;
    struct tac_notes **notes; /* written by nodes, cleared before each slice */
    uint32_t notes_count;
    uint32_t *index_by_id; /* node of an id, or TAC_GRAPH_NONE */
    uint32_t ids;
    struct tac_plan_change *change;
    uint32_t changes;
    uint32_t position; /* of the slice, 0 .. TAC_ENGINE_SLICE_FRAMES - 1 */
    uint32_t banks;
    size_t node_bytes; /* memory of its batches, by the time it was built */
    bool locked;
};

struct tac_plan_build {
    double rate_hz;
    bool lock;
    struct tac_disk *disk;
    struct tac_plan *before; /* whose nodes may live on; or NULL */
    /* id of a node name; creates one. Returns < 0 when out of memory. */
    int64_t (*id_of)(void *user, const char *name);
    void *user;
};

/* Takes the graph over, also on failure. */
int tac_plan_new(struct tac_graph *graph, const struct tac_plan_build *how,
                 struct tac_plan **ret_plan, struct tac_error *err);
void tac_plan_free(struct tac_plan *plan);

/* For a plan that was not played: let its nodes remember the text before it (undo), or its own. */
void tac_plan_remember(const struct tac_plan *plan, bool undo);

/* Set the length of the slice in all io. */
static inline void tac_plan_set_frames(struct tac_plan *plan, uint32_t frames)
{
    if (plan->frames == frames)
        return;
    plan->frames = frames;
    for (uint32_t i = 0; i < plan->ios; i++)
        plan->io[i].frames = frames;
}

/* layout.c: buffers, cables and operations; the second half of tac_plan_new. 0 or -ENOMEM. */
int tac_plan_lay_out(struct tac_plan *plan);

/* Operations that the plan itself provides. */
void tac_plan_section_run(void *section, const struct tac_io *io);
void tac_plan_merge_run(void *merge, const struct tac_io *io);

#endif
