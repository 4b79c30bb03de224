/* SPDX-License-Identifier: MIT
 * tasks.c - clusters units into tasks; which thread runs which is in shares.c.
 *
 * Clusters  Units are taken in their order. A unit joins the task of its latest source, or the
 *           newest task, as long as that is not full and the unit waits for nothing that would hold
 *           the task up; else it begins a task. Joining only tasks that no source comes after keeps
 *           the tasks in an order without loops. Banks of one group stay together where that does
 *           not make a loop.
 *           What many wait for, with more to do than fits into a task, is not held up by what one
 *           of them does with it; and what of that waits for nothing itself is in small tasks of
 *           its own, not behind others.
 *           What is surely too little to share is one task, as with one thread.
 * Costs     what nodes took when they ran (node.h), else what their block took once on its own.
 *           They decide who runs what, never what is computed.
 * Threads: control. Cost: units + edges. */
#include "engine/costs.h"
#include "engine/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_NS 2000.0f
#define LARGEST_NS 8000.0f
#define READERS_EACH 2  /* more readers than so many for each thread are many */
#define TASKS_EACH 12.0 /* about as many for each thread: what is left over at its end is small */
#define MIX_SOURCE_NS 8.0f
#define MIX_LANE_NS 0.7f /* of each source, beside that */
#define STEP_NS 10.0f
#define CHAINED_NS 3.0f
#define ESTIMATE_AT_LEAST 0.5f /* of what the work may turn out to be */

struct cluster {
    float cost, ready;
    bool anchored;
    bool spring; /* part of it is read by many */
};

/* What is behind a unit. */
struct behind {
    uint32_t readers, latest; /* that read it; the last of them that was counted */
    float readers_ns;         /* what they take, with what waits for one of them alone */
    float alone_ns;           /* what the unit takes, with what waits for it alone */
};

struct forming {
    struct tac_units *u;
    struct tac_plan *plan;
    struct cluster *cluster;
    uint32_t clusters;
    float full_ns;
    uint32_t newest[2][2]; /* by anchored and by spring */
    struct behind *behind; /* of units */
    uint32_t *home;        /* by section and group of banks: the task of its voices */
    uint32_t *home_first;  /* [sections] */
};

static void estimate(struct tac_units *u, struct tac_piece *unit);

/* What it stands for, and a call for every step. */
static float estimate_loop(struct tac_units *u, const struct tac_piece *loop)
{
    float sum = 0, calls = 64.0f / (float)u->g->loop_frames[loop->index];
    for (uint32_t k = u->g->loop_first[loop->index]; k < u->g->loop_first[loop->index + 1]; k++) {
        struct tac_range units = u->node_units[u->g->loop_node[k]];
        for (uint32_t i = units.first; i < units.first + units.count; i++) {
            estimate(u, &u->unit[i]);
            sum += u->unit[i].cost_ns + calls * STEP_NS;
        }
    }
    return sum;
}

/* Most probably done in one pass with others of its kind (chain.h). */
static bool is_chained(const struct tac_units *u, uint32_t node)
{
    struct tac_range inlets = u->node_inlets[node];
    const struct tac_node *n = u->plan->node[node].node;
    return n->block->scale && n->bank_lanes == 1 && inlets.count == 1 &&
           u->inlet[inlets.first].direct;
}

/* What its node has not been timed with: mixes that serve this bank alone, and sums. */
static float mixing_ns(const struct tac_units *u, const struct tac_piece *unit)
{
    const struct tac_node *n = u->plan->node[unit->node].node;
    struct tac_range inlets = u->node_inlets[unit->node];
    float sources = 0;
    for (uint32_t i = inlets.first; i < inlets.first + inlets.count; i++)
        if (!u->inlet[i].direct && !u->inlet[i].uniform)
            sources += (float)(u->inlet[i].parts ? u->inlet[i].parts : u->inlet[i].cable.count) + 1;
    for (uint32_t p = u->port_first[unit->node]; p < u->port_first[unit->node + 1]; p++)
        sources += u->fold_unit[p] != TAC_GRAPH_NONE;
    return sources * (MIX_SOURCE_NS + MIX_LANE_NS * (float)n->bank_lanes) * (float)unit->banks;
}

static void estimate(struct tac_units *u, struct tac_piece *unit)
{
    const struct tac_node *n = u->plan->node[unit->node].node;
    switch (unit->kind) {
    case TAC_UNIT_OF_BANK:
        unit->cost_ns =
            is_chained(u, unit->node) ? CHAINED_NS : tac_node_bank_ns(n) * (float)unit->banks;
        if (!tac_node_is_timed(n) && n->block->process)
            unit->cost_ns += mixing_ns(u, unit);
        break;
    case TAC_UNIT_OF_FOLD:
        unit->cost_ns = MIX_SOURCE_NS * (float)(4 + n->banks / TAC_GROUP_BANKS);
        break;
    case TAC_UNIT_OF_LOOP:
        unit->cost_ns = estimate_loop(u, unit);
        break;
    default:
        unit->cost_ns = MIX_SOURCE_NS * (float)(1 + unit->pred.count);
    }
}

static float finish(const struct forming *f, uint32_t task)
{
    return f->cluster[task].ready + f->cluster[task].cost;
}

/* Would the unit hold the task up by what else it waits for? */
static bool waits_longer(const struct forming *f, const struct tac_piece *unit, uint32_t task)
{
    float patience = f->cluster[task].ready + f->full_ns / 4;
    for (uint32_t i = 0; i < unit->pred.count; i++) {
        uint32_t t = f->u->unit[f->u->pred[unit->pred.first + i]].task;
        if (t != TAC_GRAPH_NONE && t != task && finish(f, t) > patience)
            return true;
    }
    return false;
}

/* Would the task hold the unit up by what the task waits for? */
static bool begins_later(const struct forming *f, const struct tac_piece *unit, uint32_t task)
{
    float ready = 0;
    for (uint32_t i = 0; i < unit->pred.count; i++) {
        uint32_t t = f->u->unit[f->u->pred[unit->pred.first + i]].task;
        if (t != TAC_GRAPH_NONE && finish(f, t) > ready)
            ready = finish(f, t);
    }
    return f->cluster[task].ready > ready + f->full_ns / 4;
}

/* What it holds up would fill more than a task. */
static bool is_spring(const struct forming *f, const struct tac_piece *unit)
{
    const struct behind *b = &f->behind[unit - f->u->unit];
    return b->readers > READERS_EACH * f->plan->threads && b->readers_ns > f->full_ns;
}

/* What many wait for is not held up by what one of them does with it. */
static bool fits(const struct forming *f, const struct tac_piece *unit, uint32_t task)
{
    const struct cluster *c = &f->cluster[task];
    return c->anchored == unit->anchored && c->cost + unit->cost_ns <= f->full_ns &&
           (!c->spring || is_spring(f, unit)) && !waits_longer(f, unit, task);
}

static uint32_t latest_source(const struct forming *f, const struct tac_piece *unit)
{
    uint32_t latest = TAC_GRAPH_NONE;
    for (uint32_t i = 0; i < unit->pred.count; i++) {
        uint32_t t = f->u->unit[f->u->pred[unit->pred.first + i]].task;
        if (t != TAC_GRAPH_NONE && (latest == TAC_GRAPH_NONE || t > latest))
            latest = t;
    }
    return latest;
}

/* The place of a group of voices among all such, or NULL. */
static uint32_t *home_of(const struct forming *f, const struct tac_piece *unit)
{
    uint32_t section = f->u->g->node[unit->node].section;
    if (unit->kind != TAC_UNIT_OF_BANK || section == TAC_GRAPH_NONE || unit->anchored)
        return NULL;
    return &f->home[f->home_first[section] + unit->bank / TAC_GROUP_BANKS];
}

/* The task in which the unit belongs whatever it costs: that of the same voices, or of the bank
 * before it in its group. */
static uint32_t beside(const struct forming *f, const struct tac_piece *unit)
{
    const uint32_t *home = home_of(f, unit);
    if (home)
        return *home;
    if (unit->kind != TAC_UNIT_OF_BANK || !(unit->bank % TAC_GROUP_BANKS))
        return TAC_GRAPH_NONE;
    return f->u->unit[tac_unit_of(f->u, unit->node, unit->bank - 1)].task;
}

/* Springs are together while that is small. */
static bool fits_newest(const struct forming *f, const struct tac_piece *unit, uint32_t newest)
{
    return (!is_spring(f, unit) || f->cluster[newest].cost + unit->cost_ns <= SMALLEST_NS) &&
           fits(f, unit, newest) && !begins_later(f, unit, newest);
}

static uint32_t choose(struct forming *f, const struct tac_piece *unit)
{
    uint32_t *latest = &f->newest[unit->anchored][is_spring(f, unit)];
    uint32_t source = latest_source(f, unit), newest = *latest;
    uint32_t same = beside(f, unit);
    if (same != TAC_GRAPH_NONE && (source == TAC_GRAPH_NONE || same >= source) &&
        f->cluster[same].anchored == unit->anchored)
        return same;
    if (source != TAC_GRAPH_NONE && fits(f, unit, source))
        return source;
    if (newest != TAC_GRAPH_NONE && (source == TAC_GRAPH_NONE || newest >= source) &&
        fits_newest(f, unit, newest))
        return newest;
    f->cluster[f->clusters] = (struct cluster){.anchored = unit->anchored};
    *latest = f->clusters;
    return f->clusters++;
}

static void join(struct forming *f, struct tac_piece *unit)
{
    unit->task = choose(f, unit);
    uint32_t *home = home_of(f, unit);
    if (home)
        *home = unit->task;
    struct cluster *c = &f->cluster[unit->task];
    c->cost += unit->cost_ns;
    c->spring = c->spring || is_spring(f, unit);
    for (uint32_t i = 0; i < unit->pred.count; i++) {
        uint32_t t = f->u->unit[f->u->pred[unit->pred.first + i]].task;
        if (t != TAC_GRAPH_NONE && t != unit->task && finish(f, t) > c->ready)
            c->ready = finish(f, t);
    }
}

/* From the end on, so that all that reads the unit has been here. Several cables may come from one
 * source. */
static void look_behind(struct forming *f, uint32_t at)
{
    const struct tac_piece *unit = &f->u->unit[at];
    float alone_ns = f->behind[at].alone_ns += unit->cost_ns;
    if (!unit->pred.count)
        return;
    const uint32_t *pred = f->u->pred + unit->pred.first;
    bool one = true;
    for (uint32_t k = 0; k < unit->pred.count; k++) {
        struct behind *b = &f->behind[pred[k]];
        one = one && pred[k] == pred[0];
        if (b->readers && b->latest == at)
            continue;
        b->readers++;
        b->latest = at;
        b->readers_ns += alone_ns;
    }
    if (one)
        f->behind[pred[0]].alone_ns += alone_ns;
}

/* The output is no task: its operations close the slice. */
static void form(struct forming *f)
{
    double all = 0;
    for (uint32_t i = 0; i < f->u->ordered; i++) {
        struct tac_piece *unit = &f->u->unit[f->u->order[i]];
        estimate(f->u, unit);
        all += (double)unit->cost_ns;
    }
    for (uint32_t i = f->u->ordered; i-- > 0;)
        look_behind(f, f->u->order[i]);
    f->plan->est_ns = all;
    double least = f->plan->always ? 2 * (double)SMALLEST_NS
                                   : (double)TAC_SHARED_LEAST_NS * (double)ESTIMATE_AT_LEAST;
    bool one = f->plan->threads < 2 || all < least;
    f->full_ns = (float)(all / (f->plan->threads * TASKS_EACH));
    f->full_ns = f->full_ns < SMALLEST_NS ? SMALLEST_NS : f->full_ns;
    f->full_ns = f->full_ns > LARGEST_NS ? LARGEST_NS : f->full_ns;
    memset(f->newest, 0xff, sizeof f->newest); /* TAC_GRAPH_NONE */
    if (one)
        f->cluster[f->clusters++] = (struct cluster){.cost = (float)all, .anchored = true};
    for (uint32_t i = 0; i < f->u->units; i++)
        f->u->unit[i].task = TAC_GRAPH_NONE;
    for (uint32_t i = 0; i < f->u->ordered; i++) {
        struct tac_piece *unit = &f->u->unit[f->u->order[i]];
        if (unit->kind == TAC_UNIT_OF_BANK && unit->node == f->plan->graph->output)
            continue;
        if (one)
            unit->task = 0;
        else
            join(f, unit);
    }
    for (uint32_t i = 0; i < f->u->units; i++)
        f->u->unit[i].task = f->u->unit[tac_unit_standing_for(f->u, i)].task;
}

/* ---- sources of tasks ---------------------------------------------------------------------- */

/* Distinct pairs of tasks, by the task that waits. seen[t] is the last task that listed t. */
static uint32_t list_sources(struct forming *f, uint32_t *seen, uint32_t *out,
                             const uint32_t *by_task, const uint32_t *first, uint32_t task)
{
    uint32_t count = 0;
    for (uint32_t k = first[task]; k < first[task + 1]; k++) {
        const struct tac_piece *unit = &f->u->unit[by_task[k]];
        for (uint32_t i = 0; i < unit->pred.count; i++) {
            uint32_t t = f->u->unit[f->u->pred[unit->pred.first + i]].task;
            if (t == TAC_GRAPH_NONE || t == task || seen[t] == task + 1)
                continue;
            seen[t] = task + 1;
            out[count++] = t;
        }
    }
    return count;
}

/* Counting sort of the units by task. */
static void sort_by_task(const struct forming *f, uint32_t *first, uint32_t *by_task,
                         uint32_t *cursor)
{
    for (uint32_t i = 0; i < f->u->units; i++)
        if (f->u->unit[i].task != TAC_GRAPH_NONE)
            first[f->u->unit[i].task + 1]++;
    for (uint32_t t = 0; t < f->clusters; t++) {
        first[t + 1] += first[t];
        cursor[t] = first[t];
    }
    for (uint32_t i = 0; i < f->u->units; i++)
        if (f->u->unit[i].task != TAC_GRAPH_NONE)
            by_task[cursor[f->u->unit[i].task]++] = i;
}

static int add_sources(struct forming *f, uint32_t *first, uint32_t *by_task, uint32_t *seen,
                       uint32_t *pred)
{
    struct tac_plan *plan = f->plan;
    uint32_t count = 0;
    sort_by_task(f, first, by_task, seen);
    memset(seen, 0, (f->clusters + 1) * sizeof *seen);
    for (uint32_t t = 0; t < f->clusters; t++) {
        plan->task[t].pred.first = count;
        plan->task[t].pred.count = list_sources(f, seen, pred + count, by_task, first, t);
        count += plan->task[t].pred.count;
    }
    plan->pred = TAC_VAULT_NEW(&plan->vault, uint32_t, count);
    if (plan->pred && count)
        memcpy(plan->pred, pred, count * sizeof *pred);
    return plan->pred ? 0 : -ENOMEM;
}

static int link_tasks(struct forming *f)
{
    uint32_t *first = calloc(f->clusters + 2, sizeof *first);
    uint32_t *by_task = calloc(f->u->units + 1, sizeof *by_task);
    uint32_t *seen = calloc(f->clusters + 1, sizeof *seen);
    uint32_t *pred = calloc(f->u->preds + 1, sizeof *pred);
    int code =
        first && by_task && seen && pred ? add_sources(f, first, by_task, seen, pred) : -ENOMEM;
    free(first);
    free(by_task);
    free(seen);
    free(pred);
    return code;
}

static int take_homes(struct forming *f)
{
    const struct tac_graph *g = f->u->g;
    uint32_t homes = 0;
    f->home_first = calloc(g->section_count + 1, sizeof *f->home_first);
    for (uint32_t i = 0; f->home_first && i < g->section_count; i++) {
        f->home_first[i] = homes;
        homes += f->plan->node[g->section[i].node].node->banks / TAC_GROUP_BANKS + 1;
    }
    f->home = malloc((homes + 1) * sizeof *f->home);
    if (!f->home || !f->home_first)
        return -ENOMEM;
    memset(f->home, 0xff, (homes + 1) * sizeof *f->home);
    return 0;
}

static int form_all(struct forming *f, struct tac_units *u, struct tac_plan *plan)
{
    int code = take_homes(f);
    f->cluster = calloc(u->units + 1, sizeof *f->cluster);
    f->behind = calloc(u->units + 1, sizeof *f->behind);
    if (code < 0 || !f->cluster || !f->behind)
        return -ENOMEM;
    form(f);
    plan->tasks = f->clusters;
    plan->task = TAC_VAULT_NEW(&plan->vault, struct tac_task, f->clusters);
    code = plan->task ? 0 : -ENOMEM;
    for (uint32_t t = 0; t < f->clusters && code >= 0; t++) {
        plan->task[t].estimate_ns = f->cluster[t].cost;
        atomic_init(&plan->task[t].cost,
                    (uint64_t)((double)f->cluster[t].cost / tac_costs_ns(1)) + 64);
    }
    for (uint32_t t = 0; t < f->clusters && code >= 0; t++)
        plan->task[t].anchored = f->cluster[t].anchored;
    if (code >= 0)
        code = link_tasks(f);
    return code < 0 ? code : tac_tasks_share(plan);
}

int tac_tasks_form(struct tac_units *u, struct tac_plan *plan)
{
    struct forming f = {.u = u, .plan = plan};
    int code = form_all(&f, u, plan);
    free(f.cluster);
    free(f.behind);
    free(f.home);
    free(f.home_first);
    return code;
}
