/* SPDX-License-Identifier: MIT
 * shed.c - gives up and takes back; see shed.h. The audio thread; real-time. */
#include "engine/shed.h"

#include "engine/run.h"

#include <string.h>

#define LEAST_PATIENCE_NS 2000000000ull
#define MOST_PATIENCE_NS 120000000000ull
#define REGRET_NS 3000000000ull

enum { SETTLE_CALLS = 6, MEAN_SHARE = 4 };

void tac_shed_init(struct tac_shed *s, bool off)
{
    s->off = off;
    s->patience_ns = LEAST_PATIENCE_NS;
    atomic_store(&s->guilty, TAC_GRAPH_NONE);
    atomic_store(&s->target, TAC_GRAPH_NONE);
}

/* ---- who is guilty ------------------------------------------------------------------------- */

static void start_timing(struct tac_shed *s, const struct tac_shed_scene *scene)
{
    tac_workers_time_next(scene->workers, TAC_COST_RECENT + 1);
    s->timing = true;
}

static uint32_t find_costliest(const struct tac_plan *plan, uint64_t *ret_ticks)
{
    uint32_t worst = TAC_GRAPH_NONE;
    *ret_ticks = 0;
    for (uint32_t i = 0; i < plan->graph->node_count; i++) {
        const struct tac_plan_node *n = &plan->node[i];
        uint64_t ticks = tac_run_recent(n->node);
        if (plan->graph->node[i].block_index >= 0 && !n->hush && ticks > *ret_ticks) {
            *ret_ticks = ticks;
            worst = i;
        }
    }
    return worst;
}

/* ---- steps --------------------------------------------------------------------------------- */

static void count_hushed(struct tac_plan *plan)
{
    plan->checked = false;
    for (uint32_t i = 0; i < plan->graph->node_count; i++)
        plan->checked = plan->checked || plan->node[i].hush != TAC_HUSH_NONE;
    for (uint32_t i = 0; i < plan->graph->section_count; i++)
        plan->checked =
            plan->checked || plan->section[i].asleep_from < plan->section[i].node->banks;
}

/* Who hears of a node through one reader only: ordered, so that readers come first. */
static void spread_sleep(struct tac_plan *plan)
{
    for (uint32_t k = plan->graph->node_count; k-- > 0;) {
        uint32_t i = plan->graph->order[k], reader = plan->node[i].reader;
        struct tac_plan_node *n = &plan->node[i];
        if (reader == TAC_GRAPH_NONE || plan->graph->node[i].block_index < 0 ||
            (n->hush != TAC_HUSH_NONE && n->hush != TAC_HUSH_ASLEEP))
            continue;
        uint8_t above = plan->node[reader].hush;
        n->hush =
            above == TAC_HUSH_SILENT || above == TAC_HUSH_ASLEEP ? TAC_HUSH_ASLEEP : TAC_HUSH_NONE;
    }
}

/* The node goes silent by a ramp, and what only it hears falls asleep after that. */
static void mute(struct tac_plan *plan, uint32_t node, bool on)
{
    plan->node[node].hush = on ? TAC_HUSH_FADING : TAC_HUSH_RETURNING;
    plan->checked = true;
    spread_sleep(plan); /* what comes back hears its sources from the first frame on */
}

static void limit_voices(struct tac_plan *plan, uint32_t node, uint32_t count)
{
    struct tac_plan_section *s = &plan->section[plan->graph->node[node].section];
    uint32_t lanes = count * plan->graph->section[plan->graph->node[node].section].unison;
    uint32_t banks = (lanes + s->node->bank_lanes - 1) / s->node->bank_lanes;
    tac_voices_limit(s->node->voices, count);
    s->ramp = banks < s->asleep_from ? TAC_HUSH_FADING : TAC_HUSH_RETURNING;
    s->ramp_from = banks < s->asleep_from ? banks : s->asleep_from;
    s->asleep_from = banks;
    plan->checked = true;
}

/* False: not possible now. */
static bool apply(const struct tac_shed_scene *scene, const struct tac_graph_step *step,
                  float *ret_before)
{
    struct tac_plan *plan = scene->plan;
    struct tac_node *n = plan->node[step->node].node;
    switch (step->kind) {
    case TAC_STEP_SET:
        *ret_before = n->ramp[step->param].target;
        return tac_ramps_set(scene->ramps, plan, n->id, step->param, step->value);
    case TAC_STEP_VOICES:
        *ret_before = (float)tac_voices_limit_now(n->voices);
        if ((float)step->count < *ret_before)
            limit_voices(plan, step->node, step->count);
        return true;
    case TAC_STEP_MUTE:
        *ret_before = plan->node[step->node].hush;
        if (plan->node[step->node].hush == TAC_HUSH_NONE)
            mute(plan, step->node, true);
        return true;
    }
    return true;
}

static void undo(struct tac_shed *s, const struct tac_shed_scene *scene)
{
    const struct tac_graph_step *step = &s->done[s->depth - 1].step;
    float before = s->done[s->depth - 1].before;
    struct tac_plan *plan = scene->plan;
    if (step->kind == TAC_STEP_SET &&
        !tac_ramps_set(scene->ramps, plan, plan->node[step->node].node->id, step->param, before))
        return;
    if (step->kind == TAC_STEP_VOICES)
        limit_voices(plan, step->node, (uint32_t)before);
    if (step->kind == TAC_STEP_MUTE && before == TAC_HUSH_NONE)
        mute(plan, step->node, false);
    s->listed -= s->done[--s->depth].listed;
    atomic_store_explicit(&s->level, s->depth, memory_order_relaxed);
}

/* What comes next when the list is used up. */
static struct tac_graph_step choose(const struct tac_plan *plan, uint32_t guilty)
{
    uint32_t section = plan->graph->node[guilty].section;
    if (section != TAC_GRAPH_NONE) {
        const struct tac_graph_section *g = &plan->graph->section[section];
        const struct tac_plan_section *s = &plan->section[section];
        uint32_t half = tac_voices_limit_now(s->node->voices) / 2;
        if (half &&
            (half * g->unison + s->node->bank_lanes - 1) / s->node->bank_lanes < s->asleep_from)
            return (struct tac_graph_step){.kind = TAC_STEP_VOICES, .node = g->node, .count = half};
    }
    return (struct tac_graph_step){.kind = TAC_STEP_MUTE, .node = guilty};
}

static void give_up(struct tac_shed *s, const struct tac_shed_scene *scene)
{
    uint64_t ticks;
    const struct tac_plan *plan = scene->plan;
    uint32_t guilty = find_costliest(plan, &ticks);
    bool listed = s->listed < plan->graph->step_count;
    s->timing = false;
    if (s->depth == TAC_SHED_STEPS_MAX || (!listed && guilty == TAC_GRAPH_NONE))
        return;
    struct tac_graph_step step = listed ? plan->graph->step[s->listed] : choose(plan, guilty);
    if (!apply(scene, &step, &s->done[s->depth].before))
        return;
    s->done[s->depth].step = step;
    s->done[s->depth++].listed = listed;
    s->listed += listed;
    if (guilty != TAC_GRAPH_NONE)
        atomic_store_explicit(&s->guilty, plan->node[guilty].node->id, memory_order_relaxed);
    atomic_store_explicit(&s->guilty_ns, ticks, memory_order_relaxed);
    atomic_store_explicit(&s->kind, (uint32_t)step.kind, memory_order_relaxed);
    atomic_store_explicit(&s->target, plan->node[step.node].node->id, memory_order_relaxed);
    atomic_store_explicit(&s->level, s->depth, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->steps, 1, memory_order_relaxed);
    if (s->since_undo_ns < REGRET_NS && s->patience_ns < MOST_PATIENCE_NS)
        s->patience_ns *= 2;
    s->calls = 0;
    s->mean_ns = 0;
    s->calm_ns = 0;
}

/* Ramps of the last call are over. */
static void settle(struct tac_plan *plan)
{
    if (!plan->checked)
        return;
    for (uint32_t i = 0; i < plan->graph->node_count; i++) {
        uint8_t *hush = &plan->node[i].hush;
        *hush = *hush == TAC_HUSH_FADING      ? TAC_HUSH_SILENT
                : *hush == TAC_HUSH_RETURNING ? TAC_HUSH_NONE
                                              : *hush;
    }
    for (uint32_t i = 0; i < plan->graph->section_count; i++)
        plan->section[i].ramp = TAC_HUSH_NONE;
    spread_sleep(plan);
    count_hushed(plan);
}

static void consider_undo(struct tac_shed *s, const struct tac_shed_scene *scene, uint64_t load,
                          uint64_t period_ns)
{
    s->since_undo_ns += period_ns;
    s->calm_ns = load < TAC_SHED_CALM_PERCENT ? s->calm_ns + period_ns : 0;
    if (!s->depth || s->calm_ns < s->patience_ns)
        return;
    undo(s, scene);
    s->calm_ns = 0;
    s->since_undo_ns = 0;
}

void tac_shed_judge(struct tac_shed *s, const struct tac_shed_scene *scene, uint64_t busy_ns,
                    uint64_t period_ns)
{
    if (s->off || !period_ns)
        return;
    settle(scene->plan);
    uint64_t mean = s->mean_ns;
    busy_ns = mean && busy_ns > 2 * mean ? 2 * mean : busy_ns;
    s->mean_ns = mean ? mean - mean / MEAN_SHARE + busy_ns / MEAN_SHARE : busy_ns;
    uint64_t load = s->mean_ns * 100 / period_ns;
    atomic_store_explicit(&s->load_percent, (uint32_t)load, memory_order_relaxed);
    s->calls++;
    if (load <= TAC_SHED_PERCENT) {
        s->timing = false;
        consider_undo(s, scene, load, period_ns);
    } else if (s->timing) {
        if (!tac_workers_time_left(scene->workers))
            give_up(s, scene);
    } else if (s->calls >= SETTLE_CALLS) {
        start_timing(s, scene);
    }
}

void tac_shed_forget(struct tac_shed *s, const struct tac_shed_scene *scene)
{
    while (s->depth) {
        uint32_t depth = s->depth;
        undo(s, scene);
        if (s->depth == depth)
            s->depth--; /* no ramp is free: the value stays, which is the lesser evil */
    }
    s->listed = 0;
    s->timing = false;
    s->calls = 0;
    s->mean_ns = 0;
    atomic_store_explicit(&s->level, 0, memory_order_relaxed);
}
