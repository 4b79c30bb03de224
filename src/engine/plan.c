/* SPDX-License-Identifier: MIT
 * plan.c - life of a plan: nodes taken over or built, references on batches; and its own
 * operations.
 *
 * Threads: control; the two _run functions: the audio thread. */
#include "engine/budget.h"
#include "engine/doze.h"

#include "tactus/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_BITS = 32 };

/* What a node takes at least, of the memory of nodes and of plans. */
enum { NODE_BYTES = 384, PLANNED_BYTES = 1024 };

static int add_batch(struct tac_plan *plan, struct tac_batch *batch)
{
    for (uint32_t i = 0; i < plan->batches; i++)
        if (plan->batch[i] == batch)
            return 0;
    struct tac_batch **bigger = realloc(plan->batch, (plan->batches + 1) * sizeof *bigger);
    if (!bigger)
        return -ENOMEM;
    plan->batch = bigger;
    plan->batch[plan->batches++] = batch;
    batch->refs++;
    return 0;
}

static struct tac_node *find_before(const struct tac_plan *before, const struct tac_graph *graph,
                                    const struct tac_graph_node *n)
{
    int64_t i = before ? tac_graph_find(before->graph, n->name) : -1;
    if (i < 0 || !tac_node_fits(before->node[i].node, graph, n, graph->tempo_bpm))
        return NULL;
    return before->node[i].node;
}

/* What the text changed since the last patch; what was set by hand since then stays. */
static void note_changes(struct tac_plan *plan, struct tac_node *node,
                         const struct tac_graph_node *n)
{
    for (uint32_t p = 0; p < node->params; p++)
        if (node->patch_value[p] != n->param[p]) {
            plan->change[plan->changes++] =
                (struct tac_plan_change){node, p, n->param[p], node->patch_value[p]};
            node->patch_value[p] = n->param[p];
        }
}

static int take_node(struct tac_plan *plan, struct tac_batch *fresh, uint32_t i,
                     const struct tac_plan_build *how, struct tac_error *err)
{
    const struct tac_graph_node *n = &plan->graph->node[i];
    struct tac_node *node =
        n->ghost ? how->before->node[n->ghost - 1].node : find_before(how->before, plan->graph, n);
    if (node) {
        plan->node[i].node = node;
        return add_batch(plan, node->batch);
    }
    int64_t id = how->id_of(how->user, n->name);
    if (id < 0)
        return -ENOMEM;
    struct tac_node_build build = {how->rate_hz, plan->graph->tempo_bpm, (uint32_t)id,
                                   how->threads > 1};
    return tac_node_build(fresh, plan->graph, n, &build, &plan->node[i].node, err);
}

struct standing {
    const struct tac_plan *before;
    const struct tac_graph *graph;
};

static bool is_there(const void *user, const struct tac_graph_node *n)
{
    const struct standing *s = user;
    return find_before(s->before, s->graph, n);
}

static int take_nodes(struct tac_plan *plan, const struct tac_plan_build *how,
                      struct tac_error *err)
{
    struct tac_batch *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return -ENOMEM;
    fresh->vault.lock = how->lock;
    fresh->vault.expected = how->before ? 0 : (size_t)plan->graph->node_count * NODE_BYTES;
    fresh->disk = how->disk;
    fresh->refs = 1; /* ours, for the time of building */
    int code = add_batch(plan, fresh);
    for (uint32_t i = 0; i < plan->graph->node_count && code >= 0; i++)
        code = take_node(plan, fresh, i, how, err);
    tac_batch_unref(fresh);
    return code;
}

static int collect_changes(struct tac_plan *plan)
{
    const struct tac_graph *g = plan->graph;
    size_t room = 1;
    for (uint32_t i = 0; i < g->node_count; i++)
        for (uint32_t p = 0; p < plan->node[i].node->params; p++)
            room += plan->node[i].node->patch_value[p] != g->node[i].param[p];
    plan->change = TAC_VAULT_NEW(&plan->vault, struct tac_plan_change, room);
    if (!plan->change)
        return -ENOMEM;
    for (uint32_t i = 0; i < g->node_count; i++)
        if (!g->node[i].ghost)
            note_changes(plan, plan->node[i].node, &g->node[i]);
    return 0;
}

static int index_nodes(struct tac_plan *plan)
{
    for (uint32_t i = 0; i < plan->graph->node_count; i++)
        if (plan->node[i].node->id >= plan->ids)
            plan->ids = plan->node[i].node->id + 1;
    plan->index_by_id = TAC_VAULT_NEW(&plan->vault, uint32_t, plan->ids);
    if (!plan->index_by_id)
        return -ENOMEM;
    memset(plan->index_by_id, 0xff, plan->ids * sizeof *plan->index_by_id);
    for (uint32_t i = 0; i < plan->graph->node_count; i++)
        if (!plan->graph->node[i].ghost)
            plan->index_by_id[plan->node[i].node->id] = i;
    return 0;
}

static void name_tasks(struct tac_plan *plan)
{
    for (uint32_t t = 0; t < plan->tasks; t++)
        plan->task[t].site = tac_traced_numbered("task", t);
}

static void add_up_memory(struct tac_plan *plan)
{
    plan->locked = !plan->vault.unlocked;
    for (uint32_t i = 0; i < plan->batches; i++) {
        plan->node_bytes += plan->batch[i]->vault.bytes;
        plan->locked = plan->locked && !plan->batch[i]->vault.unlocked;
    }
}

/* From 1 on: states that go from plan to plan keep counts of tac_plan.rows, so each has others. */
static uint64_t number_plan(void)
{
    static _Atomic uint32_t plans;
    return (uint64_t)atomic_fetch_add_explicit(&plans, 1, memory_order_relaxed) + 1;
}

int tac_plan_new(struct tac_graph *graph, const struct tac_plan_build *how,
                 struct tac_plan **ret_plan, struct tac_error *err)
{
    struct tac_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        tac_graph_free(graph);
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    }
    plan->graph = graph;
    plan->vault.lock = how->lock;
    plan->vault.shelf = how->shelf;
    plan->vault.expected = (size_t)graph->node_count * PLANNED_BYTES;
    plan->threads = how->threads ? how->threads : 1;
    plan->always = how->always;
    plan->lost_before = how->lost;
    plan->fade.used = how->fades;
    plan->sleepless = how->sleepless;
    atomic_init(&plan->rows, number_plan() << ROWS_BITS);
    plan->fade.frames = plan->fade.left = (uint32_t)(how->rate_hz * TAC_FADE_MS / 1000);
    plan->node = TAC_VAULT_NEW(&plan->vault, struct tac_plan_node, graph->node_count);
    struct tac_error why = {0};
    int code = plan->node ? tac_budget_check(graph, how->rate_hz, is_there,
                                             &(struct standing){how->before, graph}, &why)
                          : -ENOMEM;
    if (code >= 0)
        code = take_nodes(plan, how, &why);
    if (code >= 0)
        code = index_nodes(plan);
    if (code >= 0)
        code = tac_plan_lay_out(plan);
    if (code >= 0)
        code = collect_changes(plan);
    if (code < 0) {
        if (why.text[0] && err)
            *err = why;
        else
            tac_error_set(err, code, graph->file, 0, 0, "the patch is too large for the memory: %s",
                          tac_error_sentence(code));
        tac_plan_free(plan);
        return code;
    }
    name_tasks(plan);
    add_up_memory(plan);
    *ret_plan = plan;
    return 0;
}

void tac_plan_free(struct tac_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->batches; i++)
        tac_batch_unref(plan->batch[i]);
    free(plan->batch);
    tac_vault_fini(&plan->vault);
    tac_graph_free(plan->graph);
    free(plan);
}

void tac_plan_remember(const struct tac_plan *plan, bool undo)
{
    for (uint32_t i = 0; i < plan->changes; i++) {
        const struct tac_plan_change *c = &plan->change[i];
        c->node->patch_value[c->param] = undo ? c->before : c->value;
    }
}

/* They lie all over the plan, so they are gone through only when something has changed. */
static void tell_readers(struct tac_plan_section *s, bool moving, bool fades)
{
    s->moving = moving;
    s->fades = fades;
    for (uint32_t i = 0; i < s->readers; i++)
        tac_signal_move(s->reader[i], moving ? s->out.bank_lanes : 0);
    for (uint32_t i = 0; s->fade && i < s->out.banks; i++)
        tac_signal_move(&s->fade[i], fades ? s->out.bank_lanes : 0);
}

void tac_plan_section_run(void *section, const struct tac_io *io)
{
    struct tac_plan_section *s = section;
    s->in.frames = io->frames;
    s->in.glide_s = tac_node_row(s->node, TAC_VOICES_PARAM_GLIDE)[0];
    s->in.detune_semitones = tac_node_row(s->node, TAC_VOICES_PARAM_DETUNE)[0];
    if (!s->begun)
        tac_voices_renew(s->node->voices);
    bool stale = tac_voices_are_stale(s->node->voices);
    bool fades, moving = tac_voices_run(s->node->voices, &s->in, &s->out, &fades);
    bool changes = !s->begun || moving != s->moving || fades != s->fades;
    if (changes)
        tell_readers(s, moving, fades);
    if (changes || (stale && !moving))
        /* release: a helper that was stopped and goes on now, too, sees what has changed */
        atomic_fetch_add_explicit(s->rows, 1, memory_order_release);
    s->begun = true;
    if (s->doze)
        tac_doze_follow(s);
}

void tac_plan_levels_run(void *levels, const struct tac_io *io)
{
    const struct tac_plan_levels *l = levels;
    for (uint32_t i = 0; i < l->count; i++)
        tac_voices_hear(l->voices, l->level[i].first, l->level[i].lanes, l->level[i].peak.data);
    tac_voices_heard(l->voices, *l->position + io->frames == TAC_ENGINE_SLICE_FRAMES);
}

/* From the frame number, so the bits do not depend on where slices begin. */
void tac_plan_fade_run(struct tac_plan *plan, uint32_t frames)
{
    struct tac_plan_fade *f = &plan->fade;
    if (!f->used || f->settled)
        return;
    for (uint32_t i = 0; i < frames; i++) {
        f->left -= f->left > 0;
        f->out[i] = (float)f->left / (float)f->frames;
        f->in[i] = 1 - f->out[i];
    }
    if (f->left)
        return;
    for (uint32_t i = 0; i < sizeof f->in / sizeof *f->in; i++) {
        f->out[i] = i < frames ? f->out[i] : 0;
        f->in[i] = i < frames ? f->in[i] : 1;
    }
    f->settled = f->out[0] == 0;
    /* release: control may replace the plan by one without ghosts */
    atomic_store_explicit(&f->done, f->settled, memory_order_release);
}

/* By frame; at the same frame in the order of the lists. */
void tac_plan_merge_run(void *merge, const struct tac_io *io)
{
    struct tac_notes_merge *m = merge;
    uint32_t at[TAC_BLOCK_PORTS_MAX * 4] = {0};
    m->out->count = 0;
    for (uint32_t frame = 0; frame < io->frames; frame++)
        for (uint32_t i = 0; i < m->count; i++)
            while (at[i] < m->list[i]->count && m->list[i]->note[at[i]].frame <= frame)
                tac_notes_push(m->out, m->list[i]->note[at[i]++]);
}

void tac_task_point(struct tac_plan *plan, struct tac_task *task, enum tac_runner runner)
{
    const struct tac_slot *slot = plan->slot + task->slot.first;
    for (uint32_t i = 0; i < task->slot.count; i++) {
        void **self = slot[i].pair[runner] ? slot[i].pair[runner]
                                           : &plan->op[runner][slot[i].op[runner]].self;
        *self = slot[i].node->state[slot[i].bank];
    }
    task->copy[runner].flip = task->flip;
}
