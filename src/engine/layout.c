/* SPDX-License-Identifier: MIT
 * layout.c - from units and tasks to buffers and operations.
 *
 * Task by task, unit by unit (layout_units.c); feedback before the first and after the last. A task
 * of a helper is laid twice, each time with the buffers of who is to run it; what other tasks read
 * of it is connected as an import (plan.h). Threads: control. Cost: units + cables. */
#include "engine/chain.h"
#include "engine/doze.h"
#include "engine/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- who reads what -------------------------------------------------------------------------- */

/* Which units are read in other tasks, and how often in their own. */
static void count_readers(struct tac_layout *l)
{
    for (uint32_t i = 0; i < l->units.units; i++) {
        const struct tac_piece *u = &l->units.unit[i];
        for (uint32_t k = 0; k < u->pred.count; k++) {
            uint32_t p = l->units.pred[u->pred.first + k];
            if (l->units.unit[p].task == u->task) {
                l->waiting[0][p]++;
                l->waiting[1][p]++;
            } else if (u->kind != TAC_UNIT_OF_FOLD) { /* which reads the lane of a group */
                l->exported[p] = true;
            }
        }
    }
}

static void mark_heard(struct tac_layout *l, const struct tac_graph_cable *c)
{
    struct tac_layout_port *p = tac_layout_port_of(l, c->from.node, c->from.port);
    const struct tac_node *n = l->plan->node[c->from.node].node;
    p->heard = true;
    p->apart = p->apart || !tac_cable_folds(l->g, c);
    if (c->feedback != TAC_ENGINE_SLICE_FRAMES)
        return;
    if (tac_cable_folds(l->g, c))
        l->exported[l->units.fold_unit[l->units.port_first[c->from.node] + c->from.port]] = true;
    else
        for (uint32_t b = 0; b < n->banks; b++)
            l->exported[tac_unit_of(&l->units, c->from.node, b)] = true;
}

static_assert(TAC_GRAPH_FEEDBACK_FRAMES == TAC_ENGINE_SLICE_FRAMES, "feedback is a slice late");

/* ---- feedback ------------------------------------------------------------------------------ */

static int lay_late(struct tac_layout *l, uint32_t node, uint32_t bank, struct tac_echo *ring,
                    struct tac_signal *late)
{
    struct tac_vault *vault = &l->plan->vault;
    struct tac_feedback *f = TAC_VAULT_NEW(vault, struct tac_feedback, 1);
    float *out = ring ? TAC_VAULT_NEW(vault, float, TAC_ENGINE_SLICE_FRAMES * ring->lanes) : NULL;
    if (!f || !out)
        return -ENOMEM;
    *f = (struct tac_feedback){ring, out, {0}, &l->plan->now, &l->plan->guard};
    *late = (struct tac_signal){out, ring->lanes, 1, 0};
    l->bank = bank;
    return tac_layout_op(l, node, tac_feedback_read, f, l->plan->frame_io[0]);
}

/* The delayed signals are there from the start; readers do not care where the source runs. */
static int lay_late_read(struct tac_layout *l, const struct tac_graph_cable *c)
{
    struct tac_layout_port *p = tac_layout_port_of(l, c->from.node, c->from.port);
    struct tac_node *n = l->plan->node[c->from.node].node;
    bool folds = tac_cable_folds(l->g, c);
    if (folds ? p->late_fold.data != NULL : p->late != NULL)
        return 0;
    struct tac_echo *ring = tac_echo_of(n, folds ? TAC_ECHO_FOLD : TAC_ECHO_RING, c->from.port);
    if (folds)
        return lay_late(l, c->from.node, 0, ring, &p->late_fold);
    p->late = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, n->banks);
    int code = p->late && ring ? 0 : -ENOMEM;
    for (uint32_t bank = 0; bank < n->banks && code >= 0; bank++)
        code = lay_late(l, c->from.node, bank, &ring[bank], &p->late[bank]);
    return code;
}

/* What a cable carries back. Rows of a short one are there before anything is laid out, so that the
 * node writes to them. */
static int lay_back(struct tac_layout *l, const struct tac_graph_cable *c)
{
    if (tac_graph_is_short(c))
        return tac_layout_echo(l, c->from.node, c->from.port, 0) ? 0 : -ENOMEM;
    return lay_late_read(l, c);
}

/* Find the signal that this delay delays. */
static int connect_late(struct tac_layout *l, uint32_t node, struct tac_feedback *f)
{
    for (uint32_t o = 0; o < tac_ports_count(l->g->node[node].block->out); o++) {
        struct tac_layout_port *p = tac_layout_port_of(l, node, o);
        if (p->late_fold.data == f->out)
            return tac_layout_connect(l, &f->source,
                                      l->units.fold_unit[l->units.port_first[node] + o],
                                      &p->fold[0], &p->fold[1]);
        for (uint32_t b = 0; p->late && b < l->plan->node[node].node->banks; b++)
            if (p->late[b].data == f->out) {
                struct tac_layout_reader item = {l->g->node[node].section, &f->source};
                if (l->plan->node[node].node->voices &&
                    !tac_layout_append(&l->reader, &item, sizeof item))
                    return -ENOMEM;
                return tac_layout_connect(l, &f->source, tac_unit_of(&l->units, node, b),
                                          &p->bank[0][b], &p->bank[1][b]);
            }
    }
    return 0;
}

static int lay_late_writes(struct tac_layout *l, uint32_t reads)
{
    int code = 0;
    for (uint32_t i = 0; i < reads && code >= 0; i++) {
        struct tac_op op = ((struct tac_op *)l->op[0].items)[i];
        l->bank = op.bank;
        code = connect_late(l, op.node, op.self);
        if (code >= 0)
            code = tac_layout_op(l, op.node, tac_feedback_write, op.self, l->plan->frame_io[0]);
    }
    return code;
}

/* ---- copies of tasks ----------------------------------------------------------------------- */

static void begin_copy(struct tac_layout *l, uint32_t task, enum tac_runner runner, uint32_t worker,
                       struct tac_task_copy *copy)
{
    l->task = task;
    l->runner = runner;
    l->worker = worker;
    l->stretch.pair = NULL;
    l->export_bytes = 0;
    *copy = (struct tac_task_copy){.op = {l->op[runner].count, 0},
                                   .io = {l->ios[runner], 0},
                                   .import = {l->import.count, 0},
                                   .export = {l->export.count, 0}};
}

static void end_copy(struct tac_layout *l, struct tac_task_copy *copy)
{
    copy->op.count = l->op[l->runner].count - copy->op.first;
    copy->io.count = l->ios[l->runner] - copy->io.first;
    copy->import.count = l->import.count - copy->import.first;
    copy->export.count = l->export.count - copy->export.first;
}

static int lay_copy(struct tac_layout *l, uint32_t task, enum tac_runner runner,
                    const uint32_t *unit, uint32_t units)
{
    struct tac_task *t = &l->plan->task[task];
    int code = 0;
    begin_copy(l, task, runner, runner == TAC_BY_HELPER ? t->worker : 0, &t->copy[runner]);
    for (uint32_t i = 0; i < units && code >= 0; i++) {
        code = tac_layout_unit(l, unit[i]);
        if (code >= 0)
            code = tac_layout_finish(l, unit[i]);
    }
    if (code >= 0)
        code = tac_chain_find(l, t->copy[runner].op.first);
    end_copy(l, &t->copy[runner]);
    return code;
}

static int add_slot(struct tac_layout *l, struct tac_task *t, struct tac_slot slot, size_t *bytes)
{
    slot.at = *bytes;
    slot.bytes = slot.node->live_bytes;
    *bytes += (slot.bytes + 63u) & ~(size_t)63;
    t->slot.count++;
    return tac_layout_append(&l->slot, &slot, sizeof slot) ? 0 : -ENOMEM;
}

/* The states that an operation changes, if helpers may ever come to change them. by: the operation
 * as each runner has it, or NULL. */
static int add_states(struct tac_layout *l, struct tac_task *t, const struct tac_op *const *by,
                      struct tac_slot slot, size_t *bytes)
{
    const struct tac_op *op = by[TAC_BY_AUDIO];
    slot.node = l->plan->node[op->node].node;
    slot.bank = op->bank;
    slot.doze = tac_doze_pair_of(l, op->node, op->bank);
    const struct tac_block *block = slot.node->block;
    bool pair = block->process2 && op->run == block->process2;
    if (!slot.node->movable || !block->state_bytes || (op->run != block->process && !pair))
        return 0;
    int code = 0;
    for (int k = 0; k < (pair ? 2 : 1) && code >= 0; k++, slot.bank++) {
        for (int r = 0; pair && r < TAC_RUNNERS; r++)
            slot.pair[r] = by[r] ? (void **)by[r]->self + k : NULL;
        code = add_slot(l, t, slot, bytes);
    }
    return code;
}

/* The operations of a loop stand in a list of its own. */
static int add_loop_states(struct tac_layout *l, struct tac_task *t, const struct tac_loop *loop,
                           size_t *bytes)
{
    int code = 0;
    for (uint32_t i = 0; i < loop->ops && code >= 0; i++) {
        const struct tac_op *by[TAC_RUNNERS] = {&loop->op[i], NULL};
        code = add_states(l, t, by, (struct tac_slot){.pair = {&loop->op[i].self, NULL}}, bytes);
    }
    return code;
}

/* The same for the i-th operation of the task. */
static int add_slots(struct tac_layout *l, struct tac_task *t, uint32_t i, size_t *bytes)
{
    struct tac_slot slot = {.op = {t->copy[0].op.first + i, t->copy[1].op.first + i}};
    const struct tac_op *by[TAC_RUNNERS] = {NULL, NULL};
    for (int r = 0; r < (t->worker ? TAC_RUNNERS : 1); r++)
        by[r] = (const struct tac_op *)l->op[r].items + slot.op[r];
    if (by[TAC_BY_AUDIO]->run == tac_loop_run)
        return add_loop_states(l, t, by[TAC_BY_AUDIO]->self, bytes);
    return add_states(l, t, by, slot, bytes);
}

/* States that may be moved while the plan lives are listed; for those that a helper changes there
 * must be room to keep what they were. */
static int list_slots(struct tac_layout *l, struct tac_task *t)
{
    size_t bytes = 0;
    int code = 0;
    t->slot.first = l->slot.count;
    for (uint32_t i = 0; i < t->copy[0].op.count && code >= 0; i++)
        code = add_slots(l, t, i, &bytes);
    size_t *most = &l->snapshot_bytes[t->worker];
    *most = bytes > *most ? bytes : *most;
    return code;
}

/* A helper keeps the states of one task at a time, always in the same place: that stays in the
 * nearest cache. */
static int take_snapshots(struct tac_layout *l)
{
    unsigned char *room[TAC_WORKERS_MAX] = {NULL};
    for (uint32_t w = 1; w < l->plan->threads; w++)
        if (!(room[w] = tac_vault_take(&l->plan->vault, l->snapshot_bytes[w])))
            return -ENOMEM;
    for (uint32_t t = 0; t < l->plan->tasks; t++)
        l->plan->task[t].snapshot = room[l->plan->task[t].worker];
    return 0;
}

static int lay_task(struct tac_layout *l, uint32_t task, const uint32_t *unit, uint32_t units)
{
    int code = lay_copy(l, task, TAC_BY_AUDIO, unit, units);
    if (code >= 0 && l->plan->task[task].worker)
        code = lay_copy(l, task, TAC_BY_HELPER, unit, units);
    return code < 0 || l->plan->threads < 2 ? code : list_slots(l, &l->plan->task[task]);
}

/* Units in their order, task by task. first: [tasks + 1]. */
static int lay_tasks(struct tac_layout *l, uint32_t *first, uint32_t *next, uint32_t *sorted)
{
    uint32_t tasks = l->plan->tasks;
    int code = 0;
    for (uint32_t i = 0; i < l->units.ordered; i++)
        if (l->units.unit[l->units.order[i]].task != TAC_GRAPH_NONE)
            first[l->units.unit[l->units.order[i]].task + 1]++;
    for (uint32_t t = 0; t < tasks; t++) {
        first[t + 1] += first[t];
        next[t] = first[t];
    }
    for (uint32_t i = 0; i < l->units.ordered; i++) {
        uint32_t task = l->units.unit[l->units.order[i]].task;
        if (task != TAC_GRAPH_NONE)
            sorted[next[task]++] = l->units.order[i];
    }
    for (uint32_t t = 0; t < tasks && code >= 0; t++)
        code = lay_task(l, t, sorted + first[t], first[t + 1] - first[t]);
    return code < 0 ? code : take_snapshots(l);
}

static int lay_closing(struct tac_layout *l, uint32_t reads)
{
    uint32_t output = l->g->output;
    int code = 0;
    begin_copy(l, TAC_GRAPH_NONE, TAC_BY_AUDIO, 0, &l->plan->closing);
    for (uint32_t b = 0; b < l->plan->node[output].node->banks && code >= 0; b++)
        code = tac_layout_bank(l, l->units.bank_unit[output] + b);
    if (code >= 0)
        code = lay_late_writes(l, reads);
    if (code >= 0)
        code = tac_layout_levels(l);
    end_copy(l, &l->plan->closing);
    return code;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int prepare_ports(struct tac_layout *l, struct tac_stash *stash)
{
    uint32_t ports = l->units.port_first[l->g->node_count];
    l->port = tac_stash_take(stash, (ports + 1) * sizeof *l->port);
    for (uint32_t i = 0; l->port && i < l->g->node_count; i++)
        for (uint32_t o = 0; o < tac_ports_count(l->g->node[i].block->out); o++) {
            struct tac_layout_port *p = tac_layout_port_of(l, i, o);
            uint32_t banks = l->plan->node[i].node->banks;
            bool fold = l->units.fold_unit[l->units.port_first[i] + o] != TAC_GRAPH_NONE;
            for (int r = 0; r < TAC_RUNNERS; r++) {
                p->bank[r] = tac_stash_take(stash, banks * sizeof *p->bank[r]);
                if (fold) {
                    p->sum[r] = tac_stash_take(stash, banks * sizeof *p->sum[r]);
                    p->lane[r] = tac_stash_take(stash, banks * sizeof *p->lane[r]);
                }
                if (!p->bank[r] || (fold && (!p->sum[r] || !p->lane[r])))
                    return -ENOMEM;
            }
        }
    return l->port ? 0 : -ENOMEM;
}

static int prepare_readers(struct tac_layout *l, struct tac_stash *stash)
{
    l->exported = tac_stash_take(stash, l->units.units + 1);
    for (int r = 0; r < TAC_RUNNERS; r++) {
        l->inlet[r] = tac_stash_take(stash, (l->units.inlets + 1) * sizeof *l->inlet[r]);
        l->part[r] = tac_stash_take(stash, (l->units.units + 1) * sizeof *l->part[r]);
        l->waiting[r] = tac_stash_take(stash, (l->units.units + 1) * sizeof *l->waiting[r]);
        if (!l->exported || !l->inlet[r] || !l->part[r] || !l->waiting[r])
            return -ENOMEM;
    }
    count_readers(l);
    for (uint32_t i = 0; i < l->g->cable_count; i++)
        mark_heard(l, &l->g->cable[i]);
    return 0;
}

static uint32_t count_ios(const struct tac_layout *l, enum tac_runner runner)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->units.units; i++) {
        const struct tac_piece *u = &l->units.unit[i];
        bool helped = u->task != TAC_GRAPH_NONE && l->plan->task[u->task].worker;
        if (u->kind == TAC_UNIT_OF_BANK && (runner == TAC_BY_AUDIO || helped))
            count += u->banks;
    }
    return count;
}

static int prepare_nodes(struct tac_layout *l)
{
    struct tac_plan *plan = l->plan;
    size_t banks = 0, sets = 0;
    for (uint32_t i = 0; i < l->g->node_count; i++) {
        const struct tac_node *n = plan->node[i].node;
        banks += n->banks;
        sets += (size_t)n->banks * n->params;
    }
    plan->banks = (uint32_t)banks;
    for (int r = 0; r < (plan->threads > 1 ? TAC_RUNNERS : 1); r++) {
        struct tac_io **io = TAC_VAULT_NEW(&plan->vault, struct tac_io *, banks);
        struct tac_signal **set = TAC_VAULT_NEW(&plan->vault, struct tac_signal *, sets);
        plan->io[r] = TAC_VAULT_NEW(&plan->vault, struct tac_io, count_ios(l, (enum tac_runner)r));
        if (!io || !set || !plan->io[r])
            return -ENOMEM;
        for (uint32_t i = 0; i < l->g->node_count; i++) {
            plan->node[i].io[r] = io;
            plan->node[i].set[r] = set;
            io += plan->node[i].node->banks;
            set += (size_t)plan->node[i].node->banks * plan->node[i].node->params;
        }
    }
    return 0;
}

/* Who is the only one to hear a node. */
static void find_readers(struct tac_plan *plan)
{
    const struct tac_graph *g = plan->graph;
    const uint32_t several = TAC_GRAPH_NONE - 1;
    for (uint32_t i = 0; i < g->node_count; i++)
        plan->node[i].reader = TAC_GRAPH_NONE;
    for (uint32_t i = 0; i < g->cable_count; i++) {
        uint32_t *reader = &plan->node[g->cable[i].from.node].reader, to = g->cable[i].to.node;
        *reader = *reader == TAC_GRAPH_NONE || *reader == to ? to : several;
    }
    for (uint32_t i = 0; i < g->node_count; i++)
        if (plan->node[i].reader == several)
            plan->node[i].reader = TAC_GRAPH_NONE;
}

static int prepare(struct tac_layout *l, struct tac_stash *stash)
{
    find_readers(l->plan);
    struct tac_plan *plan = l->plan;
    plan->section = TAC_VAULT_NEW(&plan->vault, struct tac_plan_section, l->g->section_count);
    plan->notes = TAC_VAULT_NEW(&plan->vault, struct tac_notes *, l->g->node_count);
    l->no_notes = TAC_VAULT_NEW(&plan->vault, struct tac_notes, 1);
    l->any_notes = TAC_VAULT_NEW(&plan->vault, struct tac_notes, 1);
    l->rest = TAC_VAULT_NEW(&plan->vault, float, TAC_BLOCK_LANES_MAX);
    if (!plan->section || !plan->notes || !l->no_notes || !l->any_notes || !l->rest)
        return -ENOMEM;
    for (uint32_t w = 0; w < plan->threads; w++)
        if (!(plan->frame_io[w] = TAC_VAULT_NEW(&plan->vault, struct tac_io, 1)))
            return -ENOMEM;
    int code = prepare_ports(l, stash);
    if (code >= 0)
        code = prepare_readers(l, stash);
    if (code >= 0)
        code = tac_doze_prepare(l, stash);
    return code < 0 ? code : prepare_nodes(l);
}

static int lay_all(struct tac_layout *l, struct tac_stash *stash)
{
    int code = prepare(l, stash);
    uint32_t *first = calloc(l->plan->tasks + 2, sizeof *first);
    uint32_t *next = calloc(l->plan->tasks + 1, sizeof *next);
    uint32_t *sorted = calloc(l->units.units + 1, sizeof *sorted);
    if (code >= 0 && (!first || !next || !sorted))
        code = -ENOMEM;
    begin_copy(l, TAC_GRAPH_NONE, TAC_BY_AUDIO, 0, &l->plan->opening);
    for (uint32_t i = 0; i < l->g->cable_count && code >= 0; i++)
        if (l->g->cable[i].feedback)
            code = lay_back(l, &l->g->cable[i]);
    end_copy(l, &l->plan->opening);
    if (code >= 0)
        code = lay_tasks(l, first, next, sorted);
    if (code >= 0)
        code = lay_closing(l, l->plan->opening.op.count);
    free(first);
    free(next);
    free(sorted);
    return code;
}

/* Who follows which section, sorted into the sections. */
static int settle_readers(struct tac_layout *l)
{
    const struct tac_layout_reader *item = l->reader.items;
    for (uint32_t i = 0; i < l->reader.count; i++)
        l->plan->section[item[i].section].readers++;
    for (uint32_t s = 0; s < l->g->section_count; s++) {
        struct tac_plan_section *p = &l->plan->section[s];
        p->reader = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal *, p->readers);
        if (!p->reader)
            return -ENOMEM;
        p->readers = 0;
    }
    for (uint32_t i = 0; i < l->reader.count; i++) {
        struct tac_plan_section *p = &l->plan->section[item[i].section];
        p->reader[p->readers++] = item[i].reader;
    }
    return 0;
}

static void point_shortcuts(struct tac_op *op, uint32_t ops)
{
    for (uint32_t i = 0; i < ops; i++)
        if (op[i].skip)
            ((struct tac_shortcut *)op[i].self)->op = &op[i + 1];
}

/* The lists grew on the heap; the audio thread reads them from memory that does not fault. */
static int settle(struct tac_layout *l)
{
    struct tac_plan *plan = l->plan;
    for (int r = 0; r < TAC_RUNNERS; r++)
        plan->op[r] = tac_layout_freeze(l, &l->op[r], sizeof(struct tac_op));
    plan->import = tac_layout_freeze(l, &l->import, sizeof(struct tac_import));
    plan->export = tac_layout_freeze(l, &l->export, sizeof(struct tac_export));
    plan->slot = tac_layout_freeze(l, &l->slot, sizeof(struct tac_slot));
    if (!plan->op[0] || !plan->op[1] || !plan->import || !plan->export || !plan->slot)
        return -ENOMEM;
    for (int r = 0; r < TAC_RUNNERS; r++)
        point_shortcuts(plan->op[r], l->op[r].count);
    return settle_readers(l);
}

static void drop(struct tac_layout *l)
{
    for (int w = 0; w < TAC_WORKERS_MAX; w++)
        for (int i = 0; i < TAC_LAYOUT_WIDTHS; i++)
            free(l->pool[w][i].buffer);
    for (int r = 0; r < TAC_RUNNERS; r++)
        free(l->op[r].items);
    free(l->import.items);
    free(l->export.items);
    free(l->slot.items);
    free(l->reader.items);
    free(l->scratch);
    free(l->scratch_lanes);
    tac_units_fini(&l->units);
}

int tac_plan_lay_out(struct tac_plan *plan)
{
    struct tac_stash stash = {0}; /* what only the laying needs */
    struct tac_layout *l = tac_stash_take(&stash, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->plan = plan;
    l->g = plan->graph;
    int code = tac_units_init(&l->units, plan);
    if (code >= 0)
        code = tac_tasks_form(&l->units, plan);
    if (code >= 0)
        code = lay_all(l, &stash);
    if (code >= 0)
        code = settle(l);
    drop(l);
    tac_stash_fini(&stash);
    return code;
}
