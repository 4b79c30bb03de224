/* SPDX-License-Identifier: MIT
 * run.h - runs the operations of a task, whoever the runner is, and takes their time.
 *
 * Threads: the audio thread or a helper. Real-time: yes. Cost: that of the operations, two readings
 * of the counter for each task in counted slices, one more for each operation in timed ones; zones
 * when a session records. */
#ifndef TAC_ENGINE_RUN_H
#define TAC_ENGINE_RUN_H

#include "engine/plan.h"

enum { TAC_TIMED_EVERY = 64, TAC_COUNTED_EVERY = 2 };

struct tac_run {
    struct tac_plan *plan;
    enum tac_runner runner;
    uint32_t frames;
    bool alone;      /* no helper takes part: all imports are the audio thread's */
    uint64_t slice;  /* its number */
    bool timed;      /* node by node */
    bool counted;    /* task by task */
    uint32_t traced; /* tac_traced_now() of the cycle */
};

/* Statuses of a task in a slice; see workers.h. */
enum tac_task_status {
    TAC_TASK_FREE,
    TAC_TASK_AUDIO,   /* the audio thread runs it */
    TAC_TASK_COPYING, /* a helper keeps what the states are */
    TAC_TASK_HELPER,  /* a helper runs it */
    TAC_TASK_AUDIO_DONE,
    TAC_TASK_HELPER_DONE,
};

static inline uint64_t tac_task_word(uint64_t slice, enum tac_task_status status)
{
    return slice << 4 | (uint64_t)status;
}

/* To be called a little before the task is run, where others take part in the slice. */
static inline void tac_run_fetch(const struct tac_plan *plan, const struct tac_task_copy *copy)
{
    const struct tac_export *e = plan->export + copy->export.first;
    for (const struct tac_export *end = e + copy->export.count; e < end; e++)
        for (uint32_t at = 0; at < e->bytes; at += 64)
            __builtin_prefetch((const char *)e->data + at, 1);
}

/* All operations of a copy (of a task, or the opening or closing ones). */
void tac_run_copy(const struct tac_run *run, struct tac_task_copy *copy);

/* All operations of a task. Returns counter ticks, or 0 in a slice that is not counted. */
uint64_t tac_run_task(const struct tac_run *run, struct tac_task *task);

static inline bool tac_run_is_counted(uint64_t slice)
{
    return slice % TAC_COUNTED_EVERY == 1; /* so none of those that are timed in turn */
}

/* Counter ticks of the node in a slice: of the latest four that were timed, the mean of three; the
 * largest may be an interruption's. 0 before there were two. */
uint64_t tac_run_recent(const struct tac_node *node);

/* Keep in the task what it took, when that is known and nobody else has done it meanwhile. */
void tac_run_count(struct tac_task *task, uint64_t took);

#endif
