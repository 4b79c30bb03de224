/* SPDX-License-Identifier: MIT
 * doze.h - banks of voices that nobody hears are not run.
 *
 * What     A bank of a section sleeps when none of its voices has a note, waits or fades, and
 *          everything that leaves the section from it is 0 and will stay so until a note strikes: a
 *          released envelope that has reached 0 silences what it controls, and so on
 *          (tac_block.silent_by). Its operations are left out, and it adds nothing to sums. All
 *          states stand still: an oscillator goes on from the phase where it was. Two neighbouring
 *          banks sleep and wake together, as some blocks take them together.
 * Waking   In the frame in which a voice of theirs is struck: in that slice they run from that
 *          frame on. Nothing else wakes them, as 0 times anything is 0.
 * Sameness Who sleeps is decided at frames that are multiples of TAC_ENGINE_SLICE_FRAMES, a pair of
 *          banks of each section at a time, from states alone. So the bits depend neither on how
 *          time is cut nor on threads.
 * Not      Sections with feedback, or with blocks that measure, keep more than a state or talk to
 *          others, stay awake, and so do nodes that hear nothing of the notes.
 *
 * Threads  consider, follow: the audio thread. run: who runs the task; it reads what `follow` wrote
 *          in a task that all of its section wait for. prepare, begin, end: control.
 * Real-time: the first three. */
#ifndef TAC_ENGINE_DOZE_H
#define TAC_ENGINE_DOZE_H

#include "engine/plan.h"

enum { TAC_DOZE_BANKS = 2 };

struct tac_doze_pair {
    bool asleep;   /* since the end of a slice */
    uint32_t from; /* frame of this slice from which on it runs; UINT32_MAX: not at all */
};

/* A node is silent when all these are, and its state is at rest. */
struct tac_doze_way {
    uint32_t node;
    struct tac_range source; /* in tac_doze.source */
};

struct tac_doze {
    struct tac_doze_pair *pair;
    uint32_t pairs, waking;     /* waking: that wake up in this slice */
    _Atomic uint32_t asleep;    /* banks; read by control, too */
    struct tac_doze_way *way;   /* of nodes in an order in which signals go */
    uint32_t *source, *leaving; /* nodes; that are heard outside */
    uint32_t ways, leavings;
    unsigned char *silent; /* [nodes of the plan]: while a pair is looked at */
};

/* Stands for the operations of a pair that follow it. */
struct tac_stretch {
    struct tac_shortcut shortcut;
    const struct tac_plan *plan;
    const struct tac_doze_pair *pair;
    uint32_t before; /* pairs of the same group of banks (work.h) before it */
};

/* After the section has run: who wakes up in this slice. */
void tac_doze_follow(const struct tac_plan_section *section);

/* The state of the bank stands still in this slice; by those who run its task. */
static inline bool tac_doze_sleeps(const struct tac_doze_pair *pair)
{
    return pair && pair->from == UINT32_MAX;
}

/* At the end of a slice that ends a whole one: put to sleep who may. */
void tac_doze_consider(struct tac_plan *plan, uint64_t now);

/* The operation. */
void tac_doze_run(void *stretch, const struct tac_io *io);

/* True when it is to be run in place of the operations that it stands for, whoever looks at
 * these one by one. */
static inline bool tac_doze_is_off(const struct tac_op *op)
{
    return op->run == tac_doze_run && ((const struct tac_stretch *)op->self)->pair->from;
}

struct tac_layout;
struct tac_stash;

/* Which sections have banks that may sleep. 0, -ENOMEM. */
int tac_doze_prepare(struct tac_layout *l, struct tac_stash *stash);

/* What tells whether a bank sleeps, or NULL when it never does. */
const struct tac_doze_pair *tac_doze_pair_of(const struct tac_layout *l, uint32_t node,
                                             uint32_t bank);

/* Around the operations of a unit of banks; goes on with the stretch before it where it can. */
int tac_doze_begin(struct tac_layout *l, uint32_t node, uint32_t bank);
void tac_doze_end(struct tac_layout *l);

#endif
