/* SPDX-License-Identifier: MIT
 * run.h - runs the operations of a task, whoever the runner is, and takes their time.
 *
 * Threads: the audio thread or a helper. Real-time: yes. Cost: that of the operations, two readings
 * of the counter, and one more for each operation in timed slices; zones when a session records. */
#ifndef TAC_ENGINE_RUN_H
#define TAC_ENGINE_RUN_H

#include "engine/plan.h"

enum { TAC_TIMED_EVERY = 64 };

struct tac_run {
    struct tac_plan *plan;
    enum tac_runner runner;
    uint32_t frames;
    bool alone;      /* no helper takes part: all imports are the audio thread's */
    bool timed;      /* node by node */
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

/* All operations of a copy (of a task, or the opening or closing ones). */
void tac_run_copy(const struct tac_run *run, struct tac_task_copy *copy);

/* All operations of a task. Returns counter ticks. */
uint64_t tac_run_task(const struct tac_run *run, struct tac_task *task);

/* Keep in the task what it took, when nobody else has done it meanwhile. */
void tac_run_count(struct tac_task *task, uint64_t took);

#endif
