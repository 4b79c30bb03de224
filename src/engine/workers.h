/* SPDX-License-Identifier: MIT
 * workers.h - helper threads that take part in a slice, and the audio thread that needs none.
 *
 * Slice     The audio thread publishes the number of the slice; helpers that are awake see it and
 *           go through their tasks of the plan. A task begins when the tasks that it reads from are
 *           done. The audio thread goes through its own, then takes what helpers have not begun,
 *           from the end of their lists, where that pays: states that it takes have to come from
 *           another core and go back in the next slice. To a helper that is between two tasks it
 *           may leave what remains for 64 looks, and then takes it. Nothing in a slice waits for a
 *           helper to show up that has done nothing in it yet: what its own tasks need then, the
 *           audio thread takes first.
 * Claim     A task's word holds the number of the slice and a status. Whoever changes it from an
 *           older slice to "mine" by compare-and-swap runs it, and writes "done".
 * Loss      A helper may be stopped at any instruction: by the scheduler, a signal, the hypervisor.
 *           Before a task is its own it keeps a copy of the task's states, but for those that sleep
 *           in this slice (doze.h), and points its operations to them; from then on it does not
 *           look where they are. When a task is needed and has been with a helper for much longer
 *           than it takes, the audio thread takes the word over, puts the copy, or what sleeps as
 *           it is, into the spare places of the states, and runs the task there with its own
 *           buffers. The helper, when it goes on, writes only to what nobody reads any more; it
 *           then fails to write "done", gives the spare places back, and leaves the slice, as
 *           there is one place for copies to each helper. Only tasks without such places held are
 *           given to helpers.
 * Alone     Where helpers would not pay, the audio thread runs all: with little to do, or when they
 *           brought too little (worth.h). Tried again now and then.
 * Sleep     Between cycles helpers sleep; they wake by timer before the next cycle is due, by as
 *           much as they have been woken late before, and spin until it begins. So the audio thread
 *           never calls the kernel for them. With no cycle in sight they look now and then, at last
 *           every 10 ms.
 * Memory    A plan may be freed when no helper is inside: tac_workers_are_inside().
 * Crew      Engines that one thread calls may share a crew of helpers (`beside`): there is one plan
 *           at a time that helpers are called to, and its slices have numbers of their own. What a
 *           cycle is, is told by the engine that began the one before; whoever calls several
 *           engines in a row says so (stay), so that helpers do not go to sleep between them.
 *
 * Threads   run, begin, end, stay: the audio thread. new, free, leave, are_inside, get, labour:
 *           control.
 * Real time run: yes; bounded by the operations of the plan and one patience for each helper. */
#ifndef TAC_ENGINE_WORKERS_H
#define TAC_ENGINE_WORKERS_H

#include "engine/plan.h"
#include "tactus/engine.h"

struct tac_workers;

struct tac_workers_config {
    uint32_t threads;  /* with the audio thread: 1 .. TAC_WORKERS_MAX */
    int priority;      /* SCHED_FIFO of the helpers; 0: none */
    bool lock, always; /* always: never alone by choice, for tests and benchmarks */
};

/* beside: whose helpers take part, by its config; NULL: some of its own. */
int tac_workers_new(const struct tac_workers_config *config, struct tac_workers *beside,
                    struct tac_workers **ret_workers);
void tac_workers_free(struct tac_workers *workers);
uint32_t tac_workers_threads(const struct tac_workers *workers);

/* The plan is about to be freed, and no one plays it: waits until no helper is inside. */
void tac_workers_leave(struct tac_workers *workers, const struct tac_plan *plan);

/* Around the slices of a process call. traced: tac_traced_now(). */
void tac_workers_begin(struct tac_workers *workers, uint64_t now_ns, uint32_t traced);
void tac_workers_end(struct tac_workers *workers);

/* The cycle goes on behind end, until stay is false as often as it was true. */
void tac_workers_stay(struct tac_workers *workers, bool stay);

/* One slice of the plan. */
void tac_workers_run(struct tac_workers *workers, struct tac_plan *plan, uint32_t frames);

/* Time the next slices node by node; how many of them are still to come. */
void tac_workers_time_next(struct tac_workers *workers, uint32_t slices);
uint32_t tac_workers_time_left(const struct tac_workers *workers);

/* The plan was taken over: no helper may take the number of an earlier slice for one of its. */
void tac_workers_enter(struct tac_workers *workers, struct tac_plan *plan);

/* True while a helper may still look into the plan. The plan must not be playing any more. */
bool tac_workers_are_inside(const struct tac_workers *workers, const struct tac_plan *plan);

/* Tasks that were lost to stopped helpers so far. */
uint64_t tac_workers_lost(const struct tac_workers *workers);

struct tac_workers_count {
    uint32_t threads; /* as configured */
    uint32_t helping; /* helpers that did something in the latest slices */
    uint32_t away;    /* helpers that are stopped in the middle of a task */
    bool alone;       /* helpers are not asked at present */
    uint64_t lost;    /* tasks computed again because a helper did not finish */
    uint64_t taken;   /* tasks of helpers that the audio thread ran because they had not begun */
    uint64_t given;   /* tasks that helpers ran */
    double answer_ns; /* from the latest call for helpers until one saw it */
};
void tac_workers_get(const struct tac_workers *workers, struct tac_workers_count *ret_count);

/* What a thread has done, 0 being the audio thread; see tactus/engine.h. -ENOENT past the last. */
int tac_workers_labour(const struct tac_workers *workers, uint32_t thread,
                       struct tac_engine_thread *ret_thread);

#endif
