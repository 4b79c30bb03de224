/* SPDX-License-Identifier: MIT
 * shares.c - gives each task to a thread.
 *
 * Order    List scheduling: tasks by the length of the longest path to the end; one that is in no
 *          strand to the thread on which it ends first, with a charge for a hand-over. A helper
 *          comes a little later to a slice than the audio thread, which begins it.
 * Strands  Tasks that wait for the same, and are about as urgent, go together: each thread gets a
 *          stretch of neighbours, as long as its time allows. They could be dealt out one by one
 *          and would end no later by account. But a processor fetches ahead what lies beyond the
 *          states and buffers that it goes through; where that is the other's, the line has to come
 *          back, and each border between two threads costs both of them some microseconds.
 *          A strand begins with the thread that the one before it ended with. Strands leave the
 *          audio thread time for what only it may run. A task that is in none may be just what that
 *          waits for: where there are such, both ways are tried, and what ends first is taken.
 * Costs    decide who runs what, never what is computed.
 * Threads: control. Cost: tasks x (threads + log tasks) + edges x (threads + log tasks), as tasks
 * with as many sources are compared by these, + strands x threads^2; all but the sorting thrice at
 * most.
 * Source: H. Topcuoglu, S. Hariri, M.-Y. Wu 2002, "Performance-effective and low-complexity task
 * scheduling for heterogeneous computing". */
#include "engine/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HAND_OVER_NS 400.0f
#define COMING_NS 700.0f /* from the beginning of a slice until a helper begins */
#define URGENT 0.5f      /* of the longest path in a strand: tasks with less are not part of it */

struct shares {
    struct tac_plan *plan;
    float *rank, *end;     /* by task: longest path to the end; when it ends, or -1 */
    uint32_t *sorted;      /* by rank */
    uint32_t *kin, *place; /* tasks that wait for the same, side by side; where a task stands */
    uint32_t *strand;      /* that is being dealt */
    uint32_t latest;       /* worker of the task that was dealt last */
    uint32_t singles;      /* tasks in no strand that any thread may run */
    bool reserves;         /* these leave the audio thread time for what only it may run */
    float anchored; /* that is still to be given to the audio thread, as only it may run it */
    float free_at[TAC_WORKERS_MAX], start[TAC_WORKERS_MAX];
};

static _Thread_local const struct shares *comparing; /* qsort passes nothing on */

static int by_rank(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const float *rank = comparing->rank;
    if (rank[x] != rank[y])
        return rank[x] > rank[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

/* 0: both may run anywhere, and wait for the same. */
static int compare_kin(const struct tac_plan *plan, uint32_t x, uint32_t y)
{
    const struct tac_task *a = &plan->task[x], *b = &plan->task[y];
    if (a->anchored != b->anchored)
        return a->anchored ? -1 : 1;
    if (a->pred.count != b->pred.count)
        return a->pred.count < b->pred.count ? -1 : 1;
    return a->pred.count ? memcmp(plan->pred + a->pred.first, plan->pred + b->pred.first,
                                  a->pred.count * sizeof *plan->pred)
                         : 0;
}

static int by_kin(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = compare_kin(comparing->plan, x, y);
    return order ? order : x < y ? -1 : 1;
}

static void sort_tasks(struct shares *s)
{
    uint32_t tasks = s->plan->tasks;
    for (uint32_t t = tasks; t-- > 0;) {
        const struct tac_task *task = &s->plan->task[t];
        s->rank[t] += task->estimate_ns + 1; /* s->rank[t]: the longest among those that wait */
        for (uint32_t i = 0; i < task->pred.count; i++) {
            uint32_t p = s->plan->pred[task->pred.first + i];
            s->rank[p] = s->rank[t] > s->rank[p] ? s->rank[t] : s->rank[p];
        }
        s->sorted[t] = s->kin[t] = t;
    }
    comparing = s;
    qsort(s->sorted, tasks, sizeof *s->sorted, by_rank);
    qsort(s->kin, tasks, sizeof *s->kin, by_kin);
    for (uint32_t i = 0; i < tasks; i++)
        s->place[s->kin[i]] = i;
}

static float start_on(const struct shares *s, const struct tac_task *task, uint32_t worker)
{
    float start = s->free_at[worker];
    for (uint32_t i = 0; i < task->pred.count; i++) {
        uint32_t p = s->plan->pred[task->pred.first + i];
        float there = s->end[p] + (s->plan->task[p].worker == worker ? 0 : HAND_OVER_NS);
        start = there > start ? there : start;
    }
    return start;
}

static void give(struct shares *s, uint32_t t, uint32_t worker)
{
    struct tac_task *task = &s->plan->task[t];
    s->end[t] = start_on(s, task, worker) + task->estimate_ns;
    s->free_at[worker] = s->end[t];
    s->anchored -= task->anchored ? task->estimate_ns : 0;
    task->worker = worker;
}

static void give_best(struct shares *s, uint32_t t)
{
    const struct tac_task *task = &s->plan->task[t];
    uint32_t best = 0;
    float start = start_on(s, task, 0) + (s->reserves && !task->anchored ? s->anchored : 0);
    for (uint32_t w = 1; w < s->plan->threads && !task->anchored; w++) {
        float other = start_on(s, task, w);
        if (other + HAND_OVER_NS < start) {
            start = other;
            best = w;
        }
    }
    give(s, t, best);
}

/* Its tasks in the order of their numbers; returns how many. */
static uint32_t find_strand(struct shares *s, uint32_t t)
{
    const struct tac_plan *plan = s->plan;
    uint32_t first = s->place[t], count = 0;
    while (first > 0 && !compare_kin(plan, s->kin[first - 1], t))
        first--;
    for (uint32_t i = first; i < plan->tasks && !compare_kin(plan, s->kin[i], t); i++)
        if (s->end[s->kin[i]] < 0 && s->rank[s->kin[i]] >= URGENT * s->rank[t])
            s->strand[count++] = s->kin[i];
    return count;
}

/* When all threads that have a part in so much work end together; the others begin later. */
static float find_level(const struct shares *s, float work)
{
    float level = 0;
    for (bool all[TAC_WORKERS_MAX] = {0}, changed = true; changed;) {
        float sum = work;
        uint32_t parts = 0;
        for (uint32_t w = 0; w < s->plan->threads; w++) {
            sum += all[w] ? 0 : s->start[w];
            parts += !all[w];
        }
        if (!parts) /* the work is nothing beside the times */
            break;
        level = sum / (float)parts;
        changed = false;
        for (uint32_t w = 0; w < s->plan->threads; w++)
            if (!all[w] && s->start[w] >= level)
                all[w] = changed = true;
    }
    return level;
}

static void deal_strand(struct shares *s, uint32_t count)
{
    uint32_t threads = s->plan->threads, worker = s->latest;
    float work = 0;
    for (uint32_t i = 0; i < count; i++)
        work += s->plan->task[s->strand[i]].estimate_ns;
    for (uint32_t w = 0; w < threads; w++)
        s->start[w] = start_on(s, &s->plan->task[s->strand[0]], w) + (w ? 0 : s->anchored);
    float level = find_level(s, work);
    for (uint32_t i = 0, passed = 0; i < count; i++) {
        float half = s->plan->task[s->strand[i]].estimate_ns / 2;
        while (passed + 1 < threads && s->start[worker] + half > level) {
            worker = (worker + 1) % threads;
            passed++;
        }
        give(s, s->strand[i], worker);
        s->start[worker] = s->free_at[worker] + (worker ? 0 : s->anchored);
    }
    s->latest = worker;
}

static void start_over(struct shares *s)
{
    s->latest = s->singles = 0;
    s->anchored = 0;
    for (uint32_t w = 0; w < s->plan->threads; w++)
        s->free_at[w] = w ? COMING_NS : 0;
    for (uint32_t t = 0; t < s->plan->tasks; t++) {
        s->anchored += s->plan->task[t].anchored ? s->plan->task[t].estimate_ns : 0;
        s->end[t] = -1;
    }
}

/* Returns when the last task ends. */
static float deal(struct shares *s, bool reserves)
{
    float last = 0;
    start_over(s);
    s->reserves = reserves;
    for (uint32_t i = 0; i < s->plan->tasks; i++) {
        uint32_t t = s->sorted[i], count = 0;
        if (s->end[t] >= 0)
            continue;
        if (!s->plan->task[t].anchored)
            count = find_strand(s, t);
        s->singles += count == 1;
        if (count > 1)
            deal_strand(s, count);
        else
            give_best(s, t);
    }
    for (uint32_t w = 0; w < s->plan->threads; w++)
        last = s->free_at[w] > last ? s->free_at[w] : last;
    return last;
}

static void share(struct shares *s)
{
    sort_tasks(s);
    float first = deal(s, false);
    if (s->singles && s->plan->threads > 1 && deal(s, true) >= first)
        deal(s, false);
}

static int list_workers(const struct shares *s)
{
    struct tac_plan *plan = s->plan;
    plan->worker_task = TAC_VAULT_NEW(&plan->vault, uint32_t, plan->tasks);
    if (!plan->worker_task)
        return -ENOMEM;
    uint32_t at = 0;
    for (uint32_t w = 0; w < plan->threads; w++) {
        plan->worker[w].first = at;
        for (uint32_t i = 0; i < plan->tasks; i++)
            if (plan->task[s->sorted[i]].worker == w)
                plan->worker_task[at++] = s->sorted[i];
        plan->worker[w].count = at - plan->worker[w].first;
    }
    return 0;
}

int tac_tasks_share(struct tac_plan *plan)
{
    struct shares s = {.plan = plan};
    size_t room = plan->tasks + 1;
    s.rank = calloc(room, sizeof *s.rank);
    s.end = calloc(room, sizeof *s.end);
    s.sorted = calloc(room, sizeof *s.sorted);
    s.kin = calloc(room, sizeof *s.kin);
    s.place = calloc(room, sizeof *s.place);
    s.strand = calloc(room, sizeof *s.strand);
    int code = s.rank && s.end && s.sorted && s.kin && s.place && s.strand ? 0 : -ENOMEM;
    if (code >= 0) {
        share(&s);
        code = list_workers(&s);
    }
    free(s.rank);
    free(s.end);
    free(s.sorted);
    free(s.kin);
    free(s.place);
    free(s.strand);
    return code;
}
