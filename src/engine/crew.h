/* SPDX-License-Identifier: MIT
 * crew.h - what the audio thread (conduct.c) and its helpers (workers.c) share; see workers.h. */
#ifndef TAC_ENGINE_CREW_H
#define TAC_ENGINE_CREW_H

#include "base/clock.h"
#include "base/region.h"
#include "base/sanitized.h"
#include "engine/run.h"
#include "engine/workers.h"
#include "engine/worth.h"

#include <pthread.h>

/* A lost helper reads what others write, to no effect; ThreadSanitizer cannot know that. */
enum { TAC_CREW_FOREVER = TAC_SANITIZED_THREAD };

/* What a thread has done: written by itself, read by control. */
struct tac_labour {
    _Atomic uint64_t tasks, slices;         /* done; that it had a part in */
    _Atomic uint64_t counted, ticks, worst; /* slices whose time was taken; sum, largest */
};

struct tac_helper {
    _Alignas(64) _Atomic(struct tac_plan *) inside;
    _Atomic uint64_t seen;   /* latest slice */
    _Atomic uint64_t answer; /* counter ticks from the call for the slice to its notice */
    struct tac_labour labour;
    struct tac_crew *crew;
    uint32_t worker;
    const struct tac_trace_site *site; /* of its zones */
    uint64_t margin_ns;                /* how early to wake */
    uint64_t idle_ns;                  /* how long to sleep with no cycle in sight */
    pthread_t thread;
    struct tac_region stack;
    bool runs;
};

struct tac_crew {
    /* written by the audio thread once a slice, read by helpers while they spin */
    _Alignas(64) _Atomic uint64_t go; /* number of the slice; release: all of it is ready */
    _Atomic(struct tac_plan *) plan;
    _Atomic uint64_t go_at; /* counter when it was written */
    uint32_t frames;
    bool timed, counted;                  /* the slice: node by node, task by task */
    _Atomic uint32_t traced;              /* tac_traced_now() of the cycle */
    _Alignas(64) _Atomic uint64_t due_ns; /* when the next cycle is expected */
    _Atomic uint32_t in_cycle, alone, dismissed;
    _Alignas(64) _Atomic uint32_t away; /* helpers that lost a task and have not noticed */
    _Atomic uint64_t lost;
    /* the audio thread's own */
    _Alignas(64) uint64_t slice; /* of this or the latest, of whatever engine */
    struct tac_workers *leader;  /* whose begin is that of a cycle */
    uint64_t cycle;              /* counts them */
    bool wanted;                 /* some engine has called for helpers in this cycle */
    uint32_t stays;              /* who keeps the cycle going, see tac_workers_stay() */
    uint64_t last_begin_ns, period_ns;
    uint64_t ticks_per_us;
    struct tac_workers_config config;
    struct tac_vault vault;
    _Atomic uint32_t members; /* engines */
    struct tac_helper helper[TAC_WORKERS_MAX];
};

/* An engine's part in a crew: whether helpers pay for it, and what it has done. The audio thread's
 * but for what is atomic. */
struct tac_workers {
    struct tac_crew *crew;
    struct tac_worth worth; /* whether helpers pay */
    uint32_t time_next;     /* slices that are timed node by node, out of turn */
    uint64_t turn;          /* its own slices */
    uint64_t cycle;         /* of the crew, in which it began last */
    _Atomic uint32_t alone;
    _Atomic uint64_t taken;
    struct tac_labour labour; /* of the audio thread, for this engine */
    struct tac_vault vault;
};

static inline void tac_labour_add(_Atomic uint64_t *sum, uint64_t more)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/* A slice in which the thread did so many tasks; ticks: of its own work, or 0 when not counted. */
static inline void tac_labour_count(struct tac_labour *l, uint64_t tasks, uint64_t ticks)
{
    tac_labour_add(&l->tasks, tasks);
    tac_labour_add(&l->slices, 1);
    if (!ticks)
        return;
    tac_labour_add(&l->counted, 1);
    tac_labour_add(&l->ticks, ticks);
    if (ticks > atomic_load_explicit(&l->worst, memory_order_relaxed))
        atomic_store_explicit(&l->worst, ticks, memory_order_relaxed);
}

/* All tasks that it reads from are done in that slice. */
static inline bool tac_task_is_ready(const struct tac_plan *plan, const struct tac_task *task,
                                     uint64_t slice)
{
    const uint32_t *pred = plan->pred + task->pred.first;
    for (uint32_t i = 0; i < task->pred.count; i++) {
        /* acquire: pairs with the release of who has done it */
        uint64_t word = atomic_load_explicit(&plan->task[pred[i]].word, memory_order_acquire);
        if (word < tac_task_word(slice, TAC_TASK_AUDIO_DONE))
            return false;
    }
    return true;
}

static inline void tac_crew_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

#endif
