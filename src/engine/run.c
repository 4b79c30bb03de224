/* SPDX-License-Identifier: MIT
 * run.c - operations in a row; see run.h. */
#include "engine/run.h"

#include "base/clock.h"
#include "engine/direct.h"
#include "engine/doze.h"
#include "engine/loop.h"

#include <math.h>
#include <string.h>

enum { COST_BITS = 40, COST_TRIES = 16 };
#define COST_MOST ((1ull << COST_BITS) - 1)

enum { HICCUP = 4 }; /* times the mean: a runner that was interrupted says nothing about the task */

static void run_ops(const struct tac_op *op, uint32_t ops)
{
    for (const struct tac_op *end = op + ops; op < end; op += 1 + op->skip)
        op->run(op->self, op->io);
}

/* ---- what a node takes ----------------------------------------------------------------------- */

/* Slice and ticks in one word, so that threads which run banks of the node agree on where a slice
 * ends. */
static uint64_t cost_word(uint64_t slice, uint64_t ticks)
{
    return slice << COST_BITS | (ticks < COST_MOST ? ticks : COST_MOST);
}

/* A slice is over. */
static void close_cost(struct tac_cost *c, uint64_t ticks)
{
    uint64_t count = atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->sum, ticks, memory_order_relaxed);
    atomic_store_explicit(&c->recent[count % TAC_COST_RECENT],
                          ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX, memory_order_relaxed);
    if (ticks > atomic_load_explicit(&c->worst, memory_order_relaxed))
        atomic_store_explicit(&c->worst, ticks, memory_order_relaxed);
}

/* Others add at the same time, each once for an operation: who fails that often leaves it out. */
static void add_cost(struct tac_cost *c, uint64_t slice, uint64_t ticks)
{
    uint64_t before = atomic_load_explicit(&c->now, memory_order_relaxed);
    for (int tries = COST_TRIES; tries; tries--) {
        bool same = before >> COST_BITS == cost_word(slice, 0) >> COST_BITS;
        uint64_t sum = cost_word(slice, ticks + (same ? before & COST_MOST : 0));
        if (!atomic_compare_exchange_weak_explicit(&c->now, &before, sum, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        if (!same && before)
            close_cost(c, before & COST_MOST);
        return;
    }
}

uint64_t tac_run_recent(const struct tac_node *node)
{
    uint64_t sum = atomic_load_explicit(&node->cost.now, memory_order_relaxed) & COST_MOST;
    uint64_t most = sum;
    for (int i = 0; i < TAC_COST_RECENT; i++) {
        uint64_t ticks = atomic_load_explicit(&node->cost.recent[i], memory_order_relaxed);
        sum += ticks;
        most = ticks > most ? ticks : most;
    }
    return (sum - most) / TAC_COST_RECENT;
}

/* ---- operations that may not run: shed.h --------------------------------------------------- */

/* Where in its slice an operation runs, and how long that is: one of a loop runs step by step. */
struct span {
    uint32_t at, whole;
};

static void ramp(float *data, uint32_t lanes, uint32_t frames, struct span span, bool down)
{
    for (uint32_t f = 0; f < frames; f++) {
        float g = (float)(span.at + f + 1) / (float)span.whole;
        g = down ? 1 - g : g;
        for (uint32_t l = 0; l < lanes; l++)
            data[f * lanes + l] *= g;
    }
}

/* The outputs of one or two banks. */
static void shape_outputs(const struct tac_node *n, const struct tac_op *op, struct span span,
                          uint8_t hush)
{
    uint32_t pair = n->block->process2 && op->run == n->block->process2 ? 2 : 1;
    for (const struct tac_io *io = op->io; io < op->io + pair; io++)
        for (int o = 0; o < TAC_BLOCK_PORTS_MAX && n->block->out[o].name; o++) {
            if (!io->out[o] || n->block->out[o].kind == TAC_PORT_NOTES)
                continue;
            if (hush == TAC_HUSH_SILENT)
                memset(io->out[o], 0, (size_t)io->frames * n->bank_lanes * sizeof(float));
            else
                ramp(io->out[o], n->bank_lanes, io->frames, span, hush == TAC_HUSH_FADING);
        }
}

static bool is_finite(const float *x, uint32_t count)
{
    bool finite = true;
    for (uint32_t i = 0; i < count; i++)
        finite = finite && isfinite(x[i]);
    return finite;
}

/* What gave something that is no number. */
static void examine(struct tac_plan *plan, const struct tac_op *op)
{
    struct tac_node *n = plan->node[op->node].node;
    uint32_t pair = n->block->process2 && op->run == n->block->process2 ? 2 : 1;
    for (const struct tac_io *io = op->io; io < op->io + pair; io++)
        for (int o = 0; o < TAC_BLOCK_PORTS_MAX && n->block->out[o].name; o++)
            if (io->out[o] && n->block->out[o].kind == TAC_PORT_SIGNAL &&
                !is_finite(io->out[o], io->frames * n->bank_lanes)) {
                atomic_store_explicit(&n->ill, true, memory_order_relaxed);
                /* release: who sees it finds the node */
                atomic_store_explicit(&plan->ill, true, memory_order_release);
            }
}

/* The signal that a bank adds to a sum by this operation; or NULL, when it adds none. */
static const struct tac_signal *added(const struct tac_op *op)
{
    if (op->run == tac_gather_run)
        return &((const struct tac_gather *)op->self)->in;
    if (op->run == tac_fold_run && ((const struct tac_fold *)op->self)->alone)
        return ((const struct tac_fold *)op->self)->group;
    return NULL;
}

/* A bank that does not run. */
static void add_nothing(const struct tac_op *op)
{
    if (op->run == tac_gather_run)
        tac_gather_nothing(op->self, op->io->frames);
    else
        memset(((const struct tac_fold *)op->self)->out, 0, op->io->frames * sizeof(float));
}

/* A bank that goes or comes: nobody but this reads the buffer later in the slice. */
static void add_ramped(const struct tac_op *op, const struct tac_signal *in, uint32_t lanes,
                       uint8_t how)
{
    if (in->stride)
        ramp((float *)(uintptr_t)in->data, lanes, op->io->frames, (struct span){0, op->io->frames},
             how == TAC_HUSH_FADING);
    op->run(op->self, op->io);
}

/* It goes on while the node is silent, so that its readers hear the silence. */
static bool passes_on(const struct tac_op *op)
{
    return op->run == tac_fold_run || op->run == tac_feedback_read || op->run == tac_feedback_write;
}

static void run_checked(struct tac_plan *plan, const struct tac_op *op, struct span span)
{
    const struct tac_plan_node *pn = &plan->node[op->node];
    const struct tac_graph_node *g = &plan->graph->node[op->node];
    const struct tac_block *block = pn->node->block;
    const struct tac_plan_section *s =
        g->section != TAC_GRAPH_NONE && g->block_index >= 0 ? &plan->section[g->section] : NULL;
    bool process = op->run == block->process || (block->process2 && op->run == block->process2);
    const struct tac_signal *sum = added(op);
    if (op->skip) {
        if (op->run == tac_direct_run)
            tac_direct_stand_back(op->self);
        return;
    }
    if (g->block_index < 0) {
        op->run(op->self, op->io);
    } else if (s && s->ramp && op->bank >= s->ramp_from && sum) {
        add_ramped(op, sum, pn->node->bank_lanes, s->ramp);
    } else if (s && !s->ramp && op->bank >= s->asleep_from && (sum || op->run != tac_fold_run)) {
        if (sum)
            add_nothing(op);
    } else if (pn->hush == TAC_HUSH_ASLEEP) {
        return;
    } else if (pn->hush == TAC_HUSH_SILENT && process) {
        shape_outputs(pn->node, op, span, TAC_HUSH_SILENT);
    } else if (pn->hush != TAC_HUSH_SILENT || sum || passes_on(op)) {
        op->run(op->self, op->io);
        if (process && pn->hush)
            shape_outputs(pn->node, op, span, pn->hush);
        if (process && plan->examined)
            examine(plan, op);
    }
}

static void run_loop_checked(struct tac_plan *plan, const struct tac_op *op)
{
    struct tac_loop *l = op->self;
    uint32_t frames = op->io->frames;
    tac_loop_begin(l);
    for (uint32_t at = 0, step; at < frames; at += step) {
        step = tac_loop_step(l, at, frames);
        for (uint32_t i = 0; i < l->ops; i++)
            run_checked(plan, &l->op[i], (struct span){at, frames});
        tac_loop_stepped(l, at, step);
    }
    tac_loop_end(l, frames);
}

/* Returns how many of those behind it are done, too. */
static uint32_t run_op_checked(struct tac_plan *plan, const struct tac_op *op)
{
    if (tac_doze_is_off(op)) {
        op->run(op->self, op->io);
        return op->skip;
    }
    if (op->run == tac_loop_run)
        run_loop_checked(plan, op);
    else
        run_checked(plan, op, (struct span){0, op->io->frames});
    return 0;
}

static void run_ops_checked(struct tac_plan *plan, const struct tac_op *op, uint32_t ops)
{
    for (const struct tac_op *end = op + ops; op < end; op++)
        op += run_op_checked(plan, op);
}

static void run_ops_timed(const struct tac_run *run, const struct tac_op *op, uint32_t ops)
{
    uint64_t begin = tac_counter();
    for (const struct tac_op *end = op + ops; op < end; op++) {
        struct tac_cost *cost = &run->plan->node[op->node].node->cost;
        op += run_op_checked(run->plan, op);
        uint64_t now = tac_counter();
        add_cost(cost, run->slice, now - begin);
        begin = now;
    }
}

/* A zone for each stretch of operations of one node. */
static void run_ops_traced(const struct tac_run *run, const struct tac_op *op, uint32_t ops)
{
    for (const struct tac_op *end = op + ops; op < end;) {
        uint32_t count = 1 + (tac_doze_is_off(op) ? op->skip : 0);
        while (op + count < end && op[count].node == op->node && !tac_doze_is_off(&op[count]))
            count++;
        struct tac_zone zone = tac_zone_begin(run->plan->node[op->node].node->site, 1);
        if (run->timed)
            run_ops_timed(run, op, count);
        else
            run_ops_checked(run->plan, op, count);
        tac_zone_end(&zone);
        op += count;
    }
}

static void set_frames(const struct tac_run *run, struct tac_task_copy *copy)
{
    if (copy->frames == run->frames)
        return;
    copy->frames = run->frames;
    for (uint32_t i = copy->io.first; i < copy->io.first + copy->io.count; i++)
        run->plan->io[run->runner][i].frames = run->frames;
}

/* What other tasks made lies where their runner put it. */
static void take_imports(const struct tac_run *run, const struct tac_task_copy *copy)
{
    const struct tac_import *import = run->plan->import + copy->import.first;
    for (uint32_t i = 0; i < copy->import.count; i++) {
        /* acquire: pairs with the release of the runner that has done the task */
        uint64_t word =
            atomic_load_explicit(&run->plan->task[import[i].task].word, memory_order_acquire);
        bool helper = !run->alone && (word & 15) == TAC_TASK_HELPER_DONE;
        if (*import[i].where != import[i].by[helper])
            *import[i].where = import[i].by[helper];
    }
}

void tac_run_copy(const struct tac_run *run, struct tac_task_copy *copy)
{
    const struct tac_op *op = run->plan->op[run->runner] + copy->op.first;
    set_frames(run, copy);
    take_imports(run, copy);
    if (tac_traced_has(run->traced, TAC_CAT_NODE))
        run_ops_traced(run, op, copy->op.count);
    else if (run->timed)
        run_ops_timed(run, op, copy->op.count);
    else if (run->plan->checked || run->plan->examined)
        run_ops_checked(run->plan, op, copy->op.count);
    else
        run_ops(op, copy->op.count);
}

uint64_t tac_run_task(const struct tac_run *run, struct tac_task *task)
{
    struct tac_zone zone = tac_zone_begin(task->site, tac_traced_has(run->traced, TAC_CAT_TASK));
    uint64_t begin = run->counted ? tac_counter() : 0;
    tac_run_copy(run, &task->copy[run->runner]);
    uint64_t took = run->counted ? tac_counter() - begin : 0;
    tac_zone_end(&zone);
    return took;
}

void tac_run_count(struct tac_task *task, uint64_t took)
{
    if (!took)
        return;
    uint64_t mean = atomic_load_explicit(&task->cost, memory_order_relaxed);
    uint64_t usual = took > HICCUP * mean ? HICCUP * mean : took;
    mean += (usual >> 4) - (mean >> 4);
    atomic_store_explicit(&task->cost, mean, memory_order_relaxed);
    if (took > atomic_load_explicit(&task->worst, memory_order_relaxed))
        atomic_store_explicit(&task->worst, took, memory_order_relaxed);
}
