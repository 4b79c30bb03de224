/* SPDX-License-Identifier: MIT
 * layout.h - what the files that lay out a plan share; see layout.c.
 *
 * layout_pool.c    buffers, growing lists, and their move to memory that does not fault
 * layout_cables.c  inlets: from cables to signals and mixes
 * layout_units.c   units: notes, nodes; and when a buffer is free again
 * layout_sums.c    sums over banks and lanes
 * layout_loops.c   loops of short feedback: their operations in one
 * layout_voices.c  voices sections, and what becomes of the signals that leave them
 * layout_doze.c    which banks of voices may sleep
 * layout.c         tasks, feedback, and the whole
 * Threads: control. Results: 0 or -ENOMEM. */
#ifndef TAC_ENGINE_LAYOUT_H
#define TAC_ENGINE_LAYOUT_H

#include "engine/plan.h"
#include "engine/work.h"
#include "tactus/engine.h"

enum { TAC_LAYOUT_WIDTHS = 5, TAC_LAYOUT_NOTES_MAX = 32 };

/* One output of a node while the plan is laid out. */
struct tac_layout_port {
    struct tac_signal *bank[TAC_RUNNERS]; /* [banks] */
    float **sum[TAC_RUNNERS];             /* [banks]: running sums; NULL: nobody wants the sum */
    float **lane[TAC_RUNNERS];            /* [groups]: their sums over the lanes */
    float **peak[TAC_RUNNERS];            /* [banks]: of voices; NULL: nobody asks */
    struct tac_signal fold[TAC_RUNNERS];  /* sum over the lanes */
    struct tac_signal *late;              /* [banks] one slice later; NULL: nobody wants it */
    struct tac_signal late_fold;          /* the sum one slice later; data NULL */
    struct tac_notes *notes;
    bool heard; /* some cable leads away from it */
    bool apart; /* some cable carries the banks themselves, not their sum */
};

struct tac_layout_pool {
    float **buffer;
    uint32_t count, room;
};

/* A list that grows on the heap and ends in the plan's memory. */
struct tac_layout_list {
    void *items;
    uint32_t count, room;
};

/* Who has to be told that the signals of a voices section move or stand still. */
struct tac_layout_reader {
    uint32_t section;
    struct tac_signal *reader;
};

struct tac_layout {
    struct tac_plan *plan;
    struct tac_graph *g;
    struct tac_units units;
    struct tac_layout_port *port;          /* [all outputs], as units.port_first */
    struct tac_signal *inlet[TAC_RUNNERS]; /* [inlets]: of mixes that serve all banks */
    struct tac_signal *part[TAC_RUNNERS];  /* [units] */
    uint32_t *waiting[TAC_RUNNERS];        /* [units]: units of its task that will read it */
    bool *exported;                        /* [units]: a unit of another task reads it */
    struct tac_layout_pool pool[TAC_WORKERS_MAX][TAC_LAYOUT_WIDTHS]; /* by log2 of lanes */
    struct tac_layout_list op[TAC_RUNNERS], import, export, slot, reader;
    uint32_t ios[TAC_RUNNERS], export_bytes; /* export_bytes: of this copy */
    size_t snapshot_bytes[TAC_WORKERS_MAX];  /* of the worker's task that has most to keep */
    struct tac_notes *no_notes, *any_notes;
    float *rest;     /* zeros, for inputs at rest */
    float **scratch; /* mixes of the unit that is being laid out */
    uint32_t *scratch_lanes;
    uint32_t scratches, scratch_room;
    /* what is being laid */
    uint32_t task; /* TAC_GRAPH_NONE: opening or closing */
    enum tac_runner runner;
    uint32_t worker; /* whose pool */
    uint32_t bank;   /* that operations belong to */
    struct {
        const struct tac_doze_pair *pair; /* of the latest in this copy, or NULL */
        uint32_t at, end;                 /* where it stands; behind its last operation */
        bool open;
    } stretch; /* doze.h */
};

static inline struct tac_layout_port *tac_layout_port_of(const struct tac_layout *l, uint32_t node,
                                                         uint32_t port)
{
    return &l->port[l->units.port_first[node] + port];
}

static inline const struct tac_graph_cable *
tac_layout_cable(const struct tac_layout *l, const struct tac_inlet *inlet, uint32_t i)
{
    return &l->g->cable[l->units.cable[inlet->cable.first + i]];
}

static inline struct tac_io *tac_layout_io(const struct tac_layout *l, uint32_t node, uint32_t bank)
{
    return l->plan->node[node].io[l->runner][bank];
}

/* Floats of a buffer of one slice. With many lanes there is room for a line behind it (tac_signal);
 * so buffers do not lie 4096 bytes apart either, where loads would wait for stores to others. */
static inline uint32_t tac_layout_floats(uint32_t lanes)
{
    return TAC_ENGINE_SLICE_FRAMES * (lanes > 1 ? lanes + 1 : 1);
}

/* A buffer of one slice, so many lanes wide: for good when kept, as others read it, else from the
 * pool. */
float *tac_layout_take(struct tac_layout *l, uint32_t lanes, bool kept);
int tac_layout_give(struct tac_layout *l, const float *buffer, uint32_t lanes);
/* A buffer that goes back when the unit has been laid out. */
float *tac_layout_scratch(struct tac_layout *l, uint32_t lanes);
int tac_layout_give_scratches(struct tac_layout *l);
int tac_layout_op(struct tac_layout *l, uint32_t node, void (*run)(void *, const struct tac_io *),
                  void *self, const struct tac_io *io);
/* Append a copy of item; NULL when out of memory. */
void *tac_layout_append(struct tac_layout_list *list, const void *item, size_t bytes);
/* Into memory of the plan; the list is empty then. */
void *tac_layout_freeze(struct tac_layout *l, struct tac_layout_list *list, size_t bytes);

/* Let *reader read what `node` computed, as the runner that is being laid will find it. from: the
 * same signal as each runner makes it; unit: who makes it. */
int tac_layout_connect(struct tac_layout *l, struct tac_signal *reader, uint32_t unit,
                       const struct tac_signal *audio, const struct tac_signal *helper);

/* All operations of a unit; then let go of what it was the last to read. */
int tac_layout_unit(struct tac_layout *l, uint32_t unit);
int tac_layout_finish(struct tac_layout *l, uint32_t unit);
/* The same for a unit of banks. */
int tac_layout_bank(struct tac_layout *l, uint32_t unit);
/* A unit that is a loop. */
int tac_layout_loop(struct tac_layout *l, uint32_t unit);
/* The rows before those that a bank writes, for cables that carry it back; NULL: out of memory. */
float *tac_layout_echo(struct tac_layout *l, uint32_t node, uint32_t port, uint32_t bank);
/* Add the bank to the running sums of its groups; fold these, when it is the last; fold it all. */
int tac_layout_gathers(struct tac_layout *l, uint32_t node, uint32_t bank);
int tac_layout_lanes(struct tac_layout *l, uint32_t node, uint32_t bank);
int tac_layout_fold(struct tac_layout *l, uint32_t unit);
/* True when the bank adds to the buffer of the bank before it. */
bool tac_layout_sums_on(const struct tac_layout *l, uint32_t node, uint32_t bank);

/* A voices section: its operation, and the levels of its voices when all has run. */
int tac_layout_section(struct tac_layout *l, uint32_t node);
int tac_layout_levels(struct tac_layout *l);
/* The fade of a bank's voices, where the node's signals leave its section; or NULL. */
const struct tac_signal *tac_layout_fade(const struct tac_layout *l, uint32_t node, uint32_t bank);
/* Take the peaks of a bank where the section asks for levels. */
int tac_layout_peaks(struct tac_layout *l, uint32_t node, uint32_t bank, uint32_t port);
uint32_t tac_layout_notes(struct tac_layout *l, uint32_t node, const struct tac_notes **lists);

/* True when the bank is a group of its own: it is summed without a running sum. */
bool tac_layout_is_alone(const struct tac_node *node, uint32_t bank);

/* What a bank reads at rest; then what its inlets bring, and the mixes that serve all banks. */
int tac_layout_rest(struct tac_layout *l, uint32_t node, uint32_t bank);
int tac_layout_inlets(struct tac_layout *l, uint32_t node, uint32_t bank);
int tac_layout_shared(struct tac_layout *l, uint32_t node);
int tac_layout_part(struct tac_layout *l, uint32_t unit);

#endif
