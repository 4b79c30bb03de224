/* SPDX-License-Identifier: MIT
 * plan.h - a compiled graph: tasks, each a flat list of operations over buffers that are all there.
 *
 * A plan is built by a control thread and then belongs to the audio thread until that hands it back
 * (engine.c). Running a task is: for each operation call run(self, io). Nothing is looked up, built
 * or decided there. Buffers hold one slice (TAC_ENGINE_SLICE_FRAMES) and are reused as soon as
 * their last reader has run, so the working set stays small.
 *
 * Tasks     With one thread the plan is one task. With more, operations are clustered by cost into
 *           tasks of a few microseconds (tasks.c), and each is given to the audio thread or to a
 *           helper (shares.c). A helper's task is laid out twice: once for the helper, once for the
 *           audio thread, which can run every task itself. The two copies share parameters and the
 *           states of nodes, but no buffer; so whatever a helper that was stopped in mid-task
 *           writes when it goes on, nobody reads (workers.h).
 * Short cuts An operation with skip stands for those that follow it: the same bits for less. It is
 *           used when nothing but sound is asked for; where each operation counts (timed, traced
 *           and checked slices), it is passed over and they run.
 * Sameness  Which operations there are, and the order of every sum, depends on the graph alone and
 *           not on costs or threads. So the sound has the same bits for any number of threads.
 *
 * Invariants
 *   I1  every pointer of an operation is valid for the life of the plan, states and rows included
 *       (the plan holds a reference on each batch of its nodes).
 *   I2  the io of a node: data never NULL, notes never NULL.
 *   I3  a task reads only what tasks of lower index, or the opening operations, have written. */
#ifndef TAC_ENGINE_PLAN_H
#define TAC_ENGINE_PLAN_H

#include "engine/cable_ops.h"
#include "engine/node.h"
#include "engine/voices.h"

/* Who runs a task. */
enum tac_runner { TAC_BY_AUDIO, TAC_BY_HELPER, TAC_RUNNERS };

enum {
    TAC_WORKERS_MAX = 64,
    TAC_FADE_MS = 20,
    TAC_SHARED_LEAST_NS = 15000, /* of work in a slice: less is the audio thread's alone */
};

struct tac_op {
    void (*run)(void *self, const struct tac_io *io);
    void *self;
    const struct tac_io *io;
    uint32_t node; /* index in the graph: whose cost it is */
    uint16_t bank;
    uint16_t skip; /* so many operations after it are done by it, when it runs: direct.h, chain.h */
};

/* At the head of what an operation with skip has as self: those that it stands for. */
struct tac_shortcut {
    const struct tac_op *op;
};

/* A signal that comes from another task: which copy of it depends on who ran that one. */
struct tac_import {
    const float **where;
    const float *by[TAC_RUNNERS];
    uint32_t task;
};

/* A buffer of a task that others read. They have its lines when the task begins, so these are asked
 * for before they are written: a processor writes in order, and one line that has to come from
 * another core holds up what is written behind it. */
struct tac_export {
    float *data;
    uint32_t bytes;
};

/* A stretch of an array of the plan. */
struct tac_range {
    uint32_t first, count;
};

/* A task as one runner has it. */
struct tac_task_copy {
    struct tac_range op, io, import, export;
    uint32_t frames; /* what its io say */
    uint32_t flip;   /* which states its operations point to, see tac_task.flip */
};

struct tac_doze_pair;

/* A state that a task changes and that may be moved, in this plan or in the one before it, when a
 * helper is lost with it; see workers.h. Helpers' tasks keep copies of those that are awake. */
struct tac_slot {
    struct tac_node *node;
    uint32_t bank, bytes;     /* bytes: that are kept, see tac_block.live */
    uint32_t op[TAC_RUNNERS]; /* which operation has it as self */
    void **pair[TAC_RUNNERS]; /* or where it is listed otherwise: by a pair, by a loop; else NULL */
    size_t at;                /* in the task's snapshot */
    const struct tac_doze_pair *doze; /* whether its bank sleeps; NULL: it never does */
};

struct tac_task {
    /* slice and status: workers.h. On a line of its own: others look while the task runs */
    _Alignas(64) _Atomic uint64_t word;
    /* counter ticks: running mean (at first the estimate), largest; of every other slice */
    _Alignas(64) _Atomic uint64_t cost, worst;
    struct tac_task_copy copy[TAC_RUNNERS];
    struct tac_range pred, slot; /* tasks that it reads from; its states */
    unsigned char *snapshot;     /* of its worker: room for the states of any one of its tasks */
    const struct tac_trace_site *site; /* of its zones */
    uint32_t worker;                   /* 0: the audio thread; helpers from 1 */
    bool anchored;                     /* only the audio thread may run it */
    uint32_t flip;     /* 1: its states were moved to their spare places once more */
    float estimate_ns; /* when the plan was made */
};

/* What became of a node when there was not enough time; see shed.h. */
enum tac_hush {
    TAC_HUSH_NONE,
    TAC_HUSH_FADING,    /* runs for a last slice, and goes silent in it */
    TAC_HUSH_SILENT,    /* does not run; its outputs are 0 */
    TAC_HUSH_ASLEEP,    /* does not run; nobody who runs hears it */
    TAC_HUSH_RETURNING, /* runs again, and comes back in this slice */
};

struct tac_plan_node {
    struct tac_node *node;
    uint32_t reader;                 /* the only node that hears it, or TAC_GRAPH_NONE */
    uint8_t hush;                    /* enum tac_hush */
    struct tac_io **io[TAC_RUNNERS]; /* [banks]; NULL where there is no such copy */
    /* [banks * params]: where set values are read; NULL where they are not read */
    struct tac_signal **set[TAC_RUNNERS];
};

struct tac_doze;

/* A voices section at work: its notes, where its signals go, and who reads them. */
struct tac_plan_section {
    struct tac_node *node;
    struct tac_voices_input in;
    struct tac_voices_output out;
    struct tac_signal *fade; /* [banks]: for what leaves the section; NULL: nothing is stolen */
    struct tac_notes *own;   /* in.lists[0]: notes from the program */
    struct tac_signal **reader;
    uint32_t readers;
    uint32_t asleep_from,
        ramp_from;          /* banks that do not run; that fade in this slice, as ramp says */
    uint8_t ramp;           /* enum tac_hush */
    bool begun;             /* its signals stand in the buffers */
    bool moving, fades;     /* as its readers know */
    struct tac_doze *doze;  /* NULL: its voices never sleep */
    _Atomic uint64_t *rows; /* of the plan */
};

/* How loud the voices of a section are where they leave it. */
struct tac_plan_level {
    struct tac_signal peak;
    uint32_t first, lanes;
};

struct tac_plan_levels {
    struct tac_voices *voices;
    struct tac_plan_level *level;
    uint32_t count;
    const uint32_t *position;
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

/* Factors of this slice for what an edit brings in and takes out. */
struct tac_plan_fade {
    float in[64], out[64];
    uint32_t left, frames; /* of the fade */
    bool used;             /* some cable fades */
    bool settled;          /* the factors do not change any more */
    _Atomic bool done;     /* the same, for control */
};

struct tac_plan {
    struct tac_plan *after; /* in a list of plans */
    struct tac_plan
        *heir; /* which the audio thread took in its place; written before it is put back */
    struct tac_graph *graph;
    struct tac_vault vault;
    struct tac_batch **batch;
    uint32_t batches;
    struct tac_plan_node *node; /* as in the graph */
    struct tac_task *task;
    uint32_t tasks, threads; /* threads: that it was made for */
    uint32_t *worker_task;   /* tasks by worker, in the order in which they are to run */
    struct tac_range worker[TAC_WORKERS_MAX];
    uint32_t *pred;
    struct tac_slot *slot;
    uint32_t slots;
    struct tac_op *op[TAC_RUNNERS];
    uint32_t ops[TAC_RUNNERS];
    struct tac_import *import;
    struct tac_export *export;
    struct tac_task_copy opening, closing; /* before and after the tasks: audio thread */
    struct tac_io *io[TAC_RUNNERS];
    struct tac_io *frame_io[TAC_WORKERS_MAX]; /* for operations that need nothing but frames */
    struct tac_plan_section *section;
    struct tac_notes **notes; /* written by nodes, cleared before each slice */
    uint32_t notes_count;
    uint32_t *index_by_id; /* node of an id, or TAC_GRAPH_NONE */
    uint32_t ids;
    struct tac_plan_change *change;
    uint32_t changes;
    struct tac_plan_fade fade;
    uint64_t now;      /* frame of the slice */
    uint32_t position; /* of the slice, 0 .. TAC_ENGINE_SLICE_FRAMES - 1 */
    _Atomic uint64_t
        slice;            /* of the crew, that helpers were called to last: they claim no others */
    uint64_t lost_before; /* tasks that had been lost when it was built */
    uint64_t cost_sum, cost_part; /* counter ticks of all tasks; of those summed so far */
    uint32_t summed;
    bool checked;           /* some node or bank may not run: operations are looked at one by one */
    struct tac_guard guard; /* of what goes round */
    bool examined;          /* something was no number: outputs are looked at one by one */
    _Atomic bool ill;       /* some node gave what is no number: tac_node.ill */
    /* Read by all who run tasks, all the time, so apart from what is written in every slice. */
    char apart[64];
    _Atomic uint64_t values; /* counts changes of set values, each behind the change */
    /* the same, and changes of voices' signals that stand still, or begin or end to: what
     * tac_io.still points to */
    _Atomic uint64_t rows;
    char apart_behind[64];
    uint32_t banks;
    bool sleepless;      /* see tac_plan_build */
    size_t node_bytes;   /* memory of its batches, by the time it was built */
    bool locked, always; /* always: shared however little it is */
    double est_ns;       /* of all tasks */
};

struct tac_plan_build {
    double rate_hz;
    bool lock;
    uint32_t threads;
    bool always;   /* helpers are called however little there is to do */
    uint64_t lost; /* tasks lost to helpers so far */
    struct tac_disk *disk;
    struct tac_shelf *shelf; /* for its memory; or NULL. It must outlive the plan */
    struct tac_plan *before; /* whose nodes may live on: the one that is heard; or NULL */
    bool fades;              /* the graph has cables that fade */
    bool sleepless;          /* voices that nobody hears run all the same */
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

/* layout.c: buffers, cables, tasks and operations; the second half of tac_plan_new. 0, -ENOMEM. */
int tac_plan_lay_out(struct tac_plan *plan);

/* Point the operations of a task to the states that its nodes have now. */
void tac_task_point(struct tac_plan *plan, struct tac_task *task, enum tac_runner runner);

/* Before the operations of a slice: the factors of what fades. */
void tac_plan_fade_run(struct tac_plan *plan, uint32_t frames);

/* Operations that the plan itself provides. */
void tac_plan_section_run(void *section, const struct tac_io *io);
void tac_plan_merge_run(void *merge, const struct tac_io *io);
void tac_plan_levels_run(void *levels, const struct tac_io *io);

#endif
