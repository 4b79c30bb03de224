/* SPDX-License-Identifier: MIT
 * conduct.c - the audio thread's half of a slice: alone or with helpers, and what is done about
 * helpers that do not finish; see workers.h for how it works together.
 *
 * Threads: the audio thread. Real-time: all of it. */
#include "engine/crew.h"
#include "engine/doze.h"

#include <string.h>

enum {
    PATIENCE_US = 10, /* beyond twice what a task takes */
    LOOKS = 64,       /* at a helper that is between two tasks, until it counts as stopped */
    REFRESH_TASKS = 16,
};

/* The audio thread's way through the tasks of helpers. */
struct hand {
    struct tac_workers *workers;
    struct tac_crew *crew;
    struct tac_plan *plan;
    struct tac_run run;
    uint64_t slice;
    uint32_t front[TAC_WORKERS_MAX], back[TAC_WORKERS_MAX]; /* done before, begun from */
    uint32_t looks[TAC_WORKERS_MAX]; /* in a row, at which the helper was between two tasks */
    uint32_t left;                   /* workers with tasks that are not done */
    uint64_t own;                    /* counter ticks of its own tasks that are to come */
    uint32_t wait;                   /* task that is waited for */
    uint64_t since, now;             /* counter: since when, and when it was looked at last */
    uint64_t tasks, waited, helped;  /* done; counter ticks; what helpers' tasks take */
};

static void run_mine(struct hand *h, struct tac_task *task)
{
    tac_run_fetch(h->plan, &task->copy[TAC_BY_AUDIO]);
    tac_run_count(task, tac_run_task(&h->run, task));
    h->tasks++;
    /* release: who reads the task's signals finds them complete */
    atomic_store_explicit(&task->word, tac_task_word(h->slice, TAC_TASK_AUDIO_DONE),
                          memory_order_release);
}

static bool is_done(const struct hand *h, const struct tac_task *task)
{
    return atomic_load_explicit(&task->word, memory_order_acquire) >=
           tac_task_word(h->slice, TAC_TASK_AUDIO_DONE);
}

/* To be counted before the task is taken over: from then on the helper may give them back. */
static void count_held(struct hand *h, const struct tac_task *task, uint32_t by)
{
    const struct tac_slot *slot = h->plan->slot + task->slot.first;
    for (uint32_t i = 0; i < task->slot.count; i++)
        atomic_fetch_add_explicit(&slot[i].node->held, by, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->crew->away, by, memory_order_relaxed);
}

/* A helper that has begun the task and goes on later must find nothing that it can spoil. It leaves
 * the slice then: what remains of its tasks is not left to it. */
static void move_states(struct hand *h, struct tac_task *task)
{
    struct tac_slot *slot = h->plan->slot + task->slot.first;
    for (uint32_t i = 0; i < task->slot.count; i++) {
        struct tac_node *n = slot[i].node;
        void *left = n->state[slot[i].bank];
        const void *before = tac_doze_sleeps(slot[i].doze) ? left : task->snapshot + slot[i].at;
        memcpy(n->spare[slot[i].bank], before, slot[i].bytes);
        if (n->block->forget)
            n->block->forget(n->spare[slot[i].bank]);
        n->state[slot[i].bank] = n->spare[slot[i].bank];
        n->spare[slot[i].bank] = left;
    }
    task->flip++;
    tac_task_point(h->plan, task, TAC_BY_AUDIO);
    h->looks[task->worker] = LOOKS;
    atomic_fetch_add_explicit(&h->crew->lost, 1, memory_order_release);
}

/* Take a task for the audio thread, whatever a helper has done of it short of finishing it. */
static bool take(struct hand *h, struct tac_task *task, bool by_force)
{
    uint64_t word = atomic_load_explicit(&task->word, memory_order_relaxed);
    bool begun = word >> 4 >= h->slice;
    if (begun && (!by_force || (word & 15) >= TAC_TASK_AUDIO_DONE))
        return false;
    bool lost = begun && (word & 15) == TAC_TASK_HELPER;
    if (lost)
        count_held(h, task, 1);
    /* acquire: the states as the last runner left them, or the copy that a helper made of them */
    if (!atomic_compare_exchange_strong_explicit(&task->word, &word,
                                                 tac_task_word(h->slice, TAC_TASK_AUDIO),
                                                 memory_order_acq_rel, memory_order_relaxed)) {
        if (lost)
            count_held(h, task, -1u);
        return false;
    }
    if (lost)
        move_states(h, task);
    return true;
}

static bool is_begun(const struct hand *h, const struct tac_task *task)
{
    return atomic_load_explicit(&task->word, memory_order_relaxed) >> 4 >= h->slice;
}

/* At the first of its tasks that is not done. */
static void look_at(struct hand *h, uint32_t worker, const uint32_t *list)
{
    bool running = is_begun(h, &h->plan->task[list[h->front[worker]]]);
    h->looks[worker] = running ? 0 : h->looks[worker] + 1;
}

/* By the latest look at it. */
static bool is_at_work(const struct hand *h, uint32_t worker)
{
    uint32_t looks = h->looks[worker];
    return !looks || (h->front[worker] && looks < LOOKS);
}

/* The helper would have done the i-th task of its list no sooner, if it was left to it, than we
 * with all that we have to do. What is taken brings its states along, and they go back in the next
 * slice: as much again. */
static bool is_worth_it(const struct hand *h, uint32_t worker, const uint32_t *list, uint32_t i)
{
    uint64_t cost = atomic_load_explicit(&h->plan->task[list[i]].cost, memory_order_relaxed);
    uint64_t rest = 0, ours = 2 * cost + h->own;
    if (!is_at_work(h, worker))
        return true;
    for (uint32_t k = i + 1; k-- > h->front[worker] && rest <= ours;) {
        const struct tac_task *task = &h->plan->task[list[k]];
        uint64_t whole = atomic_load_explicit(&task->cost, memory_order_relaxed);
        rest += is_begun(h, task) ? whole / 2 : whole;
    }
    return rest > ours;
}

/* From the end of a helper's list: what it would come to last. */
static bool steal_from(struct hand *h, uint32_t worker)
{
    const uint32_t *list = h->plan->worker_task + h->plan->worker[worker].first;
    for (uint32_t i = h->back[worker]; i-- > h->front[worker];) {
        struct tac_task *task = &h->plan->task[list[i]];
        uint64_t word = atomic_load_explicit(&task->word, memory_order_relaxed);
        bool begun = word >> 4 >= h->slice;
        if (begun && i + 1 == h->back[worker])
            h->back[worker] = i;
        if (begun || !tac_task_is_ready(h->plan, task, h->slice))
            continue;
        look_at(h, worker, list);
        if (!is_worth_it(h, worker, list, i))
            return false;
        if (!take(h, task, false))
            continue;
        run_mine(h, task);
        atomic_fetch_add_explicit(&h->workers->taken, 1, memory_order_relaxed);
        return true;
    }
    return false;
}

/* A task that is done, and counts once. */
static void pass_by(struct hand *h, const struct tac_task *task)
{
    uint64_t word = atomic_load_explicit(&task->word, memory_order_relaxed);
    if ((word & 15) == TAC_TASK_HELPER_DONE)
        h->helped += atomic_load_explicit(&task->cost, memory_order_relaxed);
}

static void skip_done(struct hand *h)
{
    h->left = 0;
    for (uint32_t w = 1; w < h->plan->threads; w++) {
        const uint32_t *list = h->plan->worker_task + h->plan->worker[w].first;
        for (; h->front[w] < h->plan->worker[w].count; h->front[w]++) {
            const struct tac_task *task = &h->plan->task[list[h->front[w]]];
            if (!is_done(h, task))
                break;
            pass_by(h, task);
        }
        h->left += h->front[w] < h->plan->worker[w].count;
    }
}

/* The first task that a helper has begun and not finished, or TAC_GRAPH_NONE. */
static uint32_t find_running(const struct hand *h)
{
    for (uint32_t w = 1; w < h->plan->threads; w++) {
        const uint32_t *list = h->plan->worker_task + h->plan->worker[w].first;
        for (uint32_t i = h->front[w]; i < h->plan->worker[w].count; i++) {
            uint64_t word =
                atomic_load_explicit(&h->plan->task[list[i]].word, memory_order_relaxed);
            if (word >> 4 == h->slice && (word & 15) < TAC_TASK_AUDIO_DONE)
                return list[i];
        }
    }
    return TAC_GRAPH_NONE;
}

static void wait_or_take_back(struct hand *h)
{
    uint32_t running = find_running(h);
    if (running == TAC_GRAPH_NONE)
        return;
    struct tac_task *task = &h->plan->task[running];
    if (running != h->wait) {
        h->waited += h->now - h->since;
        h->wait = running;
        h->since = tac_counter();
    }
    h->now = tac_counter();
    uint64_t patience = 2 * atomic_load_explicit(&task->cost, memory_order_relaxed) +
                        PATIENCE_US * h->crew->ticks_per_us;
    if (h->now - h->since < patience || TAC_CREW_FOREVER) {
        tac_crew_pause();
        return;
    }
    if (take(h, task, true))
        run_mine(h, task);
}

/* Something useful while a task is not ready: another one, or a look at who is late. */
static void lend_hand(struct hand *h)
{
    skip_done(h);
    uint32_t best = 0, most = 0;
    for (uint32_t w = 1; w < h->plan->threads; w++) {
        uint32_t left = h->back[w] > h->front[w] ? h->back[w] - h->front[w] : 0;
        best = left > most ? w : best;
        most = left > most ? left : most;
    }
    if (best && steal_from(h, best))
        return;
    for (uint32_t w = 1; w < h->plan->threads; w++)
        if (w != best && steal_from(h, w))
            return;
    wait_or_take_back(h);
}

/* What the task waits for in the end: one that is running, or that may begin. Sources have lower
 * numbers (plan.h), so there is one. */
static uint32_t find_cause(const struct hand *h, uint32_t t)
{
    const struct tac_plan *plan = h->plan;
    for (uint32_t i = 0; i < plan->task[t].pred.count;) {
        uint32_t source = plan->pred[plan->task[t].pred.first + i];
        if (is_done(h, &plan->task[source])) {
            i++;
            continue;
        }
        t = source;
        i = is_begun(h, &plan->task[t]) ? plan->task[t].pred.count : 0;
    }
    return t;
}

/* Before the helper has come: what the i-th of our own tasks waits for is not left to it. */
static bool take_cause(struct hand *h, const uint32_t *list, uint32_t i)
{
    uint32_t cause = find_cause(h, list[i]);
    struct tac_task *task = &h->plan->task[cause];
    if (cause == list[i])
        return false;
    skip_done(h); /* no task that is not begun stands before a front from now on */
    if (is_begun(h, task))
        return false;
    look_at(h, task->worker, h->plan->worker_task + h->plan->worker[task->worker].first);
    if (is_at_work(h, task->worker) || !take(h, task, false))
        return false;
    h->looks[task->worker] = LOOKS; /* what is done of its list is not its own work */
    run_mine(h, task);
    atomic_fetch_add_explicit(&h->workers->taken, 1, memory_order_relaxed);
    return true;
}

/* Until the i-th of our own tasks is ready. */
static void wait_for_task(struct hand *h, const uint32_t *list, uint32_t i)
{
    for (uint32_t k = i; k < h->plan->worker[0].count; k++)
        h->own += atomic_load_explicit(&h->plan->task[list[k]].cost, memory_order_relaxed);
    while (!tac_task_is_ready(h->plan, &h->plan->task[list[i]], h->slice))
        if (!take_cause(h, list, i))
            lend_hand(h);
    h->own = 0;
}

static struct tac_worth_slice run_together(struct tac_workers *w, struct tac_plan *plan,
                                           const struct tac_run *run)
{
    struct tac_crew *crew = w->crew;
    struct hand h = {.workers = w,
                     .crew = crew,
                     .plan = plan,
                     .run = *run,
                     .slice = crew->slice,
                     .wait = TAC_GRAPH_NONE};
    uint64_t began = tac_counter();
    const uint32_t *list = plan->worker_task + plan->worker[0].first;
    crew->frames = run->frames;
    crew->timed = run->timed;
    crew->counted = run->counted;
    for (uint32_t i = 1; i < plan->threads; i++)
        h.back[i] = plan->worker[i].count;
    atomic_store_explicit(&plan->slice, h.slice, memory_order_relaxed);
    if (atomic_load_explicit(&crew->plan, memory_order_relaxed) != plan)
        atomic_store(&crew->plan, plan);
    atomic_store_explicit(&crew->go_at, began, memory_order_relaxed);
    /* release: parameters, notes and what the opening operations wrote */
    atomic_store_explicit(&crew->go, h.slice, memory_order_release);
    for (uint32_t i = 0; i < plan->worker[0].count; i++) {
        struct tac_task *task = &plan->task[list[i]];
        if (!tac_task_is_ready(plan, task, h.slice))
            wait_for_task(&h, list, i);
        run_mine(&h, task);
    }
    for (skip_done(&h); h.left; skip_done(&h))
        lend_hand(&h);
    tac_labour_add(&w->labour.tasks, h.tasks);
    return (struct tac_worth_slice){.began = began,
                                    .took = tac_counter() - began,
                                    .helped = h.helped,
                                    .waited = h.waited + (h.now - h.since)};
}

static void run_alone(struct tac_workers *w, const struct tac_run *run)
{
    struct tac_task *task = run->plan->task;
    for (uint32_t t = 0; t < run->plan->tasks; t++)
        tac_run_count(&task[t], tac_run_task(run, &task[t]));
    tac_labour_add(&w->labour.tasks, run->plan->tasks);
}

/* ---- alone or together --------------------------------------------------------------------- */

/* What the tasks take in all: a few are looked at in each slice. */
static uint64_t refresh_sum(struct tac_plan *plan)
{
    for (int i = 0; i < REFRESH_TASKS && plan->tasks; i++) {
        if (plan->summed == plan->tasks) {
            plan->cost_sum = plan->cost_part;
            plan->cost_part = 0;
            plan->summed = 0;
        }
        plan->cost_part +=
            atomic_load_explicit(&plan->task[plan->summed++].cost, memory_order_relaxed);
    }
    return plan->cost_sum;
}

static bool pays(const struct tac_crew *crew, const struct tac_plan *plan, uint64_t sum)
{
    uint64_t least = (uint64_t)TAC_SHARED_LEAST_NS * crew->ticks_per_us / 1000;
    return sum ? sum > least : plan->est_ns > TAC_SHARED_LEAST_NS;
}

static enum tac_worth_way choose_way(const struct tac_workers *w, const struct tac_plan *plan,
                                     uint64_t sum)
{
    if (plan->threads < 2 || plan->tasks == plan->worker[0].count)
        return TAC_WORTH_ALONE;
    if (w->crew->config.always)
        return TAC_WORTH_TOGETHER;
    return pays(w->crew, plan, sum) ? tac_worth_choose(&w->worth, sum) : TAC_WORTH_ALONE;
}

/* Helpers sleep when nobody in the crew calls them. */
static void tell_helpers(struct tac_workers *w, bool alone)
{
    struct tac_crew *crew = w->crew;
    bool others = atomic_load_explicit(&crew->members, memory_order_relaxed) > 1;
    crew->wanted = (others && crew->wanted) || !alone;
    atomic_store_explicit(&w->alone, alone, memory_order_relaxed);
    atomic_store_explicit(&crew->alone, !crew->wanted, memory_order_relaxed);
}

/* Returns counter ticks that went by waiting for helpers. */
static uint64_t run_slice(struct tac_workers *w, struct tac_run *run, uint64_t sum)
{
    enum tac_worth_way way = choose_way(w, run->plan, sum);
    run->alone = way != TAC_WORTH_TOGETHER;
    tell_helpers(w, run->alone);
    if (way == TAC_WORTH_TOGETHER) {
        struct tac_worth_slice slice = run_together(w, run->plan, run);
        if (!w->crew->config.always)
            tac_worth_went_together(&w->worth, &slice);
        return slice.waited;
    }
    uint64_t begin = way == TAC_WORTH_PROBE ? tac_counter() : 0;
    run_alone(w, run);
    if (way == TAC_WORTH_PROBE)
        tac_worth_probed(&w->worth, tac_counter() - begin);
    else
        tac_worth_went_alone(&w->worth);
    return 0;
}

void tac_workers_run(struct tac_workers *w, struct tac_plan *plan, uint32_t frames)
{
    struct tac_crew *crew = w->crew;
    crew->slice++;
    w->turn++;
    struct tac_run run = {.plan = plan,
                          .runner = TAC_BY_AUDIO,
                          .frames = frames,
                          .slice = crew->slice,
                          .timed = w->time_next || w->turn % TAC_TIMED_EVERY == 0,
                          .counted = tac_run_is_counted(w->turn),
                          .traced = atomic_load_explicit(&crew->traced, memory_order_relaxed)};
    struct tac_zone zone =
        tac_zone_begin(crew->helper[0].site, tac_traced_has(run.traced, TAC_CAT_TASK));
    uint64_t begin = run.counted ? tac_counter() : 0;
    w->time_next -= w->time_next != 0;
    plan->frame_io[0]->frames = frames;
    tac_run_copy(&run, &plan->opening);
    uint64_t waited = run_slice(w, &run, run.counted ? refresh_sum(plan) : plan->cost_sum);
    tac_run_copy(&run, &plan->closing);
    tac_labour_count(&w->labour, 0, run.counted ? tac_counter() - begin - waited : 0);
    tac_zone_end(&zone);
}

/* ---- cycles and plans ---------------------------------------------------------------------- */

/* The engine that began the cycle before begins the next. Where it does not come any more, another
 * does that begins twice. */
static bool begins_cycle(struct tac_workers *w)
{
    struct tac_crew *crew = w->crew;
    bool begins = crew->leader == w || w->cycle == crew->cycle;
    if (begins) {
        crew->leader = w;
        crew->cycle++;
    }
    w->cycle = crew->cycle;
    return begins;
}

void tac_workers_begin(struct tac_workers *w, uint64_t now_ns, uint32_t traced)
{
    struct tac_crew *crew = w->crew;
    atomic_store_explicit(&crew->traced, traced, memory_order_relaxed);
    atomic_store_explicit(&crew->in_cycle, 1, memory_order_relaxed);
    if (!begins_cycle(w))
        return;
    uint64_t period = now_ns - crew->last_begin_ns;
    /* the shorter of two: a pause is not the rhythm */
    uint64_t shorter = period < crew->period_ns ? period : crew->period_ns;
    crew->period_ns = period;
    crew->last_begin_ns = now_ns;
    crew->wanted = false;
    atomic_store_explicit(&crew->due_ns, now_ns + shorter, memory_order_relaxed);
}

void tac_workers_end(struct tac_workers *w)
{
    if (!w->crew->stays)
        atomic_store_explicit(&w->crew->in_cycle, 0, memory_order_relaxed);
}

void tac_workers_stay(struct tac_workers *w, bool stay)
{
    w->crew->stays += stay ? 1 : -1u;
    if (!w->crew->stays)
        atomic_store_explicit(&w->crew->in_cycle, 0, memory_order_relaxed);
}

/* Tasks may have been lost since the plan was built: its operations point to where their states
 * were, whoever runs them in this plan. Rare, so all are looked at then. */
static void point_again(struct tac_plan *plan)
{
    for (uint32_t t = 0; t < plan->tasks; t++) {
        plan->task[t].flip++;
        tac_task_point(plan, &plan->task[t], TAC_BY_AUDIO);
    }
}

void tac_workers_time_next(struct tac_workers *w, uint32_t slices)
{
    w->time_next = slices;
}

uint32_t tac_workers_time_left(const struct tac_workers *w)
{
    return w->time_next;
}

void tac_workers_enter(struct tac_workers *w, struct tac_plan *plan)
{
    struct tac_crew *crew = w->crew;
    if (plan->lost_before != atomic_load_explicit(&crew->lost, memory_order_relaxed))
        point_again(plan);
    tac_worth_begin(&w->worth, tac_counter());
    atomic_store(&crew->plan, plan);
}
