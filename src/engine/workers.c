/* SPDX-License-Identifier: MIT
 * workers.c - life of the helper threads, their sleep, and what they do in a slice; see workers.h.
 *
 * The audio thread's half of a slice is in conduct.c. */
#include "engine/crew.h"

#include "base/region.h"
#include "base/sanitized.h"
#include "engine/costs.h"
#include "engine/denormals.h"
#include "engine/doze.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Sanitizers keep megabytes of their own on each stack. */
enum {
    STACK_BYTES = TAC_SANITIZED ? 4 << 20 : 256 << 10,
    STACK_TOUCHED = 128 << 10,
    SPINS = 64,
    IDLE_LEAST_NS = 400000,
    IDLE_MOST_NS = 10000000,
    MARGIN_LEAST_NS = 30000,
    MARGIN_MOST_NS = 1000000,
    GRACE_NS = 2000000,
    NAP_NS = 100000,
};

/* ---- a slice ------------------------------------------------------------------------------- */

/* The copy may be read while the audio thread has taken the task back: it is thrown away then. */
__attribute__((no_sanitize("thread"))) static void keep(unsigned char *to, const void *from,
                                                        size_t bytes)
{
#if TAC_SANITIZED_THREAD
    const volatile unsigned char *in = from;
    for (size_t i = 0; i < bytes; i++)
        to[i] = in[i];
#else
    memcpy(to, from, bytes);
#endif
}

static void keep_states(const struct tac_plan *plan, const struct tac_task *task)
{
    const struct tac_slot *slot = plan->slot + task->slot.first;
    for (uint32_t i = 0; i < task->slot.count; i++)
        if (!tac_doze_sleeps(slot[i].doze))
            keep(task->snapshot + slot[i].at, slot[i].node->state[slot[i].bank], slot[i].bytes);
}

static bool is_held(const struct tac_plan *plan, const struct tac_task *task)
{
    const struct tac_slot *slot = plan->slot + task->slot.first;
    for (uint32_t i = 0; i < task->slot.count; i++)
        if (atomic_load_explicit(&slot[i].node->held, memory_order_acquire))
            return true;
    return false;
}

/* Back from a loss: the spare states are free again. */
static void come_back(struct tac_crew *crew, const struct tac_plan *plan,
                      const struct tac_task *task)
{
    const struct tac_slot *slot = plan->slot + task->slot.first;
    for (uint32_t i = 0; i < task->slot.count; i++)
        atomic_fetch_sub_explicit(&slot[i].node->held, 1, memory_order_release);
    atomic_fetch_sub_explicit(&crew->away, 1, memory_order_release);
}

/* What a helper has done of a slice. */
struct share {
    uint64_t tasks, ticks;
};

/* False: the task was lost. */
static bool run_task(struct tac_crew *crew, uint32_t worker, struct tac_plan *plan,
                     struct tac_task *task, uint64_t slice, struct share *share)
{
    struct tac_task_copy *copy = &task->copy[TAC_BY_HELPER];
    uint64_t copying = tac_task_word(slice, TAC_TASK_COPYING);
    tac_run_fetch(plan, copy);
    keep_states(plan, task);
    /* before the task is ours: later the places may already be those that the audio thread uses */
    if (copy->flip != task->flip)
        tac_task_point(plan, task, TAC_BY_HELPER);
    /* release: who takes the task over finds the copy of the states complete */
    if (!atomic_compare_exchange_strong_explicit(&task->word, &copying,
                                                 tac_task_word(slice, TAC_TASK_HELPER),
                                                 memory_order_acq_rel, memory_order_relaxed))
        return true;
    struct tac_run run = {plan,          TAC_BY_HELPER,
                          crew->frames,  false,
                          slice,         crew->timed,
                          crew->counted, atomic_load_explicit(&crew->traced, memory_order_relaxed)};
    plan->frame_io[worker]->frames = run.frames;
    uint64_t took = tac_run_task(&run, task);
    uint64_t mine = tac_task_word(slice, TAC_TASK_HELPER);
    /* release: who reads the task's signals finds them complete; acquire: a loss was counted before
     * it is taken back */
    if (atomic_compare_exchange_strong_explicit(&task->word, &mine,
                                                tac_task_word(slice, TAC_TASK_HELPER_DONE),
                                                memory_order_acq_rel, memory_order_acquire)) {
        tac_run_count(task, took);
        share->tasks++;
        share->ticks += took;
        return true;
    }
    come_back(crew, plan, task);
    return false;
}

/* False: the slice is over, or the task was begun by the audio thread. */
static bool wait_for_sources(const struct tac_crew *crew, const struct tac_plan *plan,
                             const struct tac_task *task, uint64_t slice)
{
    while (!tac_task_is_ready(plan, task, slice)) {
        if (atomic_load_explicit(&crew->go, memory_order_relaxed) != slice ||
            atomic_load_explicit(&task->word, memory_order_relaxed) >> 4 >= slice)
            return false;
        tac_crew_pause();
    }
    return true;
}

/* After a loss it is over: until the audio thread has read the copy of the states, no other must be
 * made, and before it calls for another slice it has. */
static void run_slice(struct tac_crew *crew, uint32_t worker, struct tac_plan *plan, uint64_t slice)
{
    struct share share = {0};
    const uint32_t *list = plan->worker_task + plan->worker[worker].first;
    for (uint32_t i = 0; i < plan->worker[worker].count; i++) {
        struct tac_task *task = &plan->task[list[i]];
        if (!wait_for_sources(crew, plan, task, slice))
            continue;
        if (atomic_load_explicit(&crew->away, memory_order_acquire) && is_held(plan, task))
            continue;
        uint64_t word = atomic_load_explicit(&task->word, memory_order_relaxed);
        if (word >> 4 >= slice)
            continue;
        /* acquire: the states as the last runner left them */
        if (atomic_compare_exchange_strong_explicit(&task->word, &word,
                                                    tac_task_word(slice, TAC_TASK_COPYING),
                                                    memory_order_acquire, memory_order_relaxed) &&
            !run_task(crew, worker, plan, task, slice, &share))
            break;
    }
    if (share.tasks)
        tac_labour_count(&crew->helper[worker].labour, share.tasks, share.ticks);
}

/* A plan that is published is not freed while `inside` says so: first say it, then look again. */
static void take_part(struct tac_crew *crew, uint32_t worker, uint64_t slice)
{
    struct tac_helper *h = &crew->helper[worker];
    struct tac_plan *plan = atomic_load(&crew->plan);
    atomic_store(&h->inside, plan);
    /* the plan may be another engine's by now, which is in a slice that we have not heard of */
    if (plan && plan == atomic_load(&crew->plan) && worker < plan->threads &&
        atomic_load_explicit(&plan->slice, memory_order_relaxed) == slice) {
        uint32_t traced = atomic_load_explicit(&crew->traced, memory_order_relaxed);
        struct tac_zone zone = tac_zone_begin(h->site, tac_traced_has(traced, TAC_CAT_TASK));
        run_slice(crew, worker, plan, slice);
        tac_zone_end(&zone);
    }
    atomic_store_explicit(&h->seen, slice, memory_order_relaxed);
    atomic_store(&h->inside, NULL);
}

/* ---- between slices ------------------------------------------------------------------------ */

static void sleep_until(struct tac_helper *h, uint64_t ns)
{
    struct timespec at = {(time_t)(ns / TAC_NS_PER_S), (long)(ns % TAC_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    uint64_t late = tac_clock_ns() - ns;
    uint64_t margin = late + late / 4 + MARGIN_LEAST_NS;
    margin = margin < MARGIN_MOST_NS ? margin : MARGIN_MOST_NS;
    h->margin_ns = margin > h->margin_ns ? margin : h->margin_ns - (h->margin_ns - margin) / 64;
}

/* Until the number of the slice changes or the crew is dismissed. */
static uint64_t wait_for_slice(struct tac_crew *crew, struct tac_helper *h, uint64_t last)
{
    h->idle_ns = IDLE_LEAST_NS;
    for (uint32_t spins = 0;; spins++) {
        uint64_t go = atomic_load_explicit(&crew->go, memory_order_acquire);
        if (go != last || atomic_load_explicit(&crew->dismissed, memory_order_relaxed))
            return go;
        tac_crew_pause();
        if (spins % SPINS)
            continue;
        bool alone = atomic_load_explicit(&crew->alone, memory_order_relaxed);
        if (!alone && atomic_load_explicit(&crew->in_cycle, memory_order_relaxed))
            continue;
        uint64_t now = tac_clock_ns();
        uint64_t due = atomic_load_explicit(&crew->due_ns, memory_order_relaxed);
        if (alone || now > due + GRACE_NS) {
            sleep_until(h, now + h->idle_ns);
            h->idle_ns += h->idle_ns < IDLE_MOST_NS ? h->idle_ns / 8 : 0;
        } else if (now + h->margin_ns < due)
            sleep_until(h, due - h->margin_ns);
    }
}

static const char *thread_name(const struct tac_helper *h, char buffer[16])
{
    snprintf(buffer, 16, "tactus-help-%u", h->worker % 100);
    return buffer;
}

static void *help(void *user)
{
    struct tac_helper *h = user;
    struct tac_crew *crew = h->crew;
    uint64_t last = 0;
    unsigned char stack[STACK_TOUCHED];
    tac_region_touch(stack, sizeof stack);
    tac_denormals_flush();
    char name[16];
    pthread_setname_np(pthread_self(), thread_name(h, name));
    (void)tac_thread_register(name, 0); /* without it: no zones of this thread */
    while (!atomic_load_explicit(&crew->dismissed, memory_order_acquire)) {
        uint64_t slice = wait_for_slice(crew, h, last);
        if (slice != last) {
            uint64_t called = atomic_load_explicit(&crew->go_at, memory_order_relaxed);
            uint64_t now = tac_counter(); /* which another core's may be ahead of */
            atomic_store_explicit(&h->answer, now > called ? now - called : 0,
                                  memory_order_relaxed);
            take_part(crew, h->worker, slice);
        }
        last = slice;
    }
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int start_thread(struct tac_helper *h, const struct tac_workers_config *config)
{
    unsigned flags = TAC_REGION_POPULATE | (config->lock ? TAC_REGION_TRY_LOCK : 0u);
    int code = tac_region_open(STACK_BYTES, flags, &h->stack);
    if (code < 0)
        return code;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, h->stack.base, h->stack.bytes);
    struct sched_param param = {.sched_priority = config->priority};
    if (config->priority > 0) {
        pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
        pthread_attr_setschedparam(&attr, &param);
    }
    code = pthread_create(&h->thread, &attr, help, h);
    if (code == EPERM && config->priority > 0) {
        pthread_attr_setinheritsched(&attr, PTHREAD_INHERIT_SCHED);
        code = pthread_create(&h->thread, &attr, help, h);
    }
    pthread_attr_destroy(&attr);
    if (code)
        tac_region_close(&h->stack);
    h->runs = code == 0;
    return -code;
}

static void dismiss(struct tac_crew *crew)
{
    atomic_store(&crew->dismissed, 1);
    for (uint32_t w = 1; w < crew->config.threads; w++)
        if (crew->helper[w].runs) {
            pthread_join(crew->helper[w].thread, NULL);
            tac_region_close(&crew->helper[w].stack);
        }
    struct tac_vault vault = crew->vault;
    tac_vault_fini(&vault);
}

static int gather_crew(const struct tac_workers_config *config, struct tac_crew **ret_crew)
{
    struct tac_vault vault = {.lock = config->lock};
    struct tac_crew *crew = tac_vault_take(&vault, sizeof *crew);
    if (!crew)
        return -ENOMEM;
    crew->vault = vault;
    crew->config = *config;
    crew->ticks_per_us = (uint64_t)(1000 / tac_costs_ns(1)) + 1;
    int code = 0;
    crew->helper[0].site = tac_traced_numbered("worker", 0);
    for (uint32_t w = 1; w < config->threads && code >= 0; w++) {
        crew->helper[w].site = tac_traced_numbered("worker", w);
        crew->helper[w].crew = crew;
        crew->helper[w].worker = w;
        crew->helper[w].margin_ns = MARGIN_LEAST_NS * 4;
        code = start_thread(&crew->helper[w], config);
    }
    if (code < 0)
        dismiss(crew);
    else
        *ret_crew = crew;
    return code;
}

int tac_workers_new(const struct tac_workers_config *config, struct tac_workers *beside,
                    struct tac_workers **ret_workers)
{
    struct tac_vault vault = {.lock = config->lock};
    struct tac_workers *w = tac_vault_take(&vault, sizeof *w);
    int code = w ? 0 : -ENOMEM;
    if (code >= 0 && beside)
        w->crew = beside->crew;
    else if (code >= 0)
        code = gather_crew(config, &w->crew);
    if (code < 0) {
        tac_vault_fini(&vault);
        return code;
    }
    w->vault = vault;
    w->cycle = UINT64_MAX;
    w->worth.ticks_per_us = w->crew->ticks_per_us;
    atomic_fetch_add(&w->crew->members, 1);
    *ret_workers = w;
    return 0;
}

void tac_workers_free(struct tac_workers *w)
{
    if (!w)
        return;
    if (atomic_fetch_sub(&w->crew->members, 1) == 1)
        dismiss(w->crew);
    struct tac_vault vault = w->vault;
    tac_vault_fini(&vault);
}

void tac_workers_leave(struct tac_workers *w, const struct tac_plan *plan)
{
    struct tac_plan *now = atomic_load(&w->crew->plan);
    if (now && now == plan)
        atomic_compare_exchange_strong(&w->crew->plan, &now, NULL);
    while (plan && tac_workers_are_inside(w, plan))
        tac_clock_sleep_until(tac_clock_ns() + NAP_NS);
}

bool tac_workers_are_inside(const struct tac_workers *w, const struct tac_plan *plan)
{
    const struct tac_crew *crew = w->crew;
    for (uint32_t i = 1; i < crew->config.threads; i++)
        if (atomic_load(&crew->helper[i].inside) == plan)
            return true;
    return false;
}

uint64_t tac_workers_lost(const struct tac_workers *w)
{
    return atomic_load_explicit(&w->crew->lost, memory_order_acquire);
}

uint32_t tac_workers_threads(const struct tac_workers *w)
{
    return w->crew->config.threads;
}

void tac_workers_get(const struct tac_workers *w, struct tac_workers_count *ret_count)
{
    const struct tac_crew *crew = w->crew;
    uint64_t go = atomic_load_explicit(&crew->go, memory_order_relaxed);
    *ret_count =
        (struct tac_workers_count){.threads = crew->config.threads,
                                   .away = atomic_load_explicit(&crew->away, memory_order_relaxed),
                                   .alone = atomic_load_explicit(&w->alone, memory_order_relaxed),
                                   .lost = atomic_load_explicit(&crew->lost, memory_order_relaxed),
                                   .taken = atomic_load_explicit(&w->taken, memory_order_relaxed)};
    for (uint32_t i = 1; i < crew->config.threads; i++) {
        const struct tac_helper *h = &crew->helper[i];
        ret_count->helping +=
            go && atomic_load_explicit(&h->seen, memory_order_relaxed) + TAC_WORTH_TRY_SLICES >= go;
        ret_count->answer_ns =
            tac_costs_ns((double)atomic_load_explicit(&h->answer, memory_order_relaxed));
        ret_count->given += atomic_load_explicit(&h->labour.tasks, memory_order_relaxed);
    }
}

int tac_workers_labour(const struct tac_workers *w, uint32_t thread,
                       struct tac_engine_thread *ret_thread)
{
    if (thread >= w->crew->config.threads)
        return -ENOENT;
    const struct tac_labour *l = thread ? &w->crew->helper[thread].labour : &w->labour;
    uint64_t counted = atomic_load_explicit(&l->counted, memory_order_relaxed);
    uint64_t slices = atomic_load_explicit(&l->slices, memory_order_relaxed);
    double ns = tac_costs_ns((double)atomic_load_explicit(&l->ticks, memory_order_relaxed));
    double mean_ns = counted ? ns / (double)counted : 0;
    *ret_thread = (struct tac_engine_thread){
        .tasks = atomic_load_explicit(&l->tasks, memory_order_relaxed),
        .slices = slices,
        .mean_ns = mean_ns,
        .busy_ns = mean_ns * (double)slices,
        .worst_ns = tac_costs_ns((double)atomic_load_explicit(&l->worst, memory_order_relaxed))};
    return 0;
}
