/* SPDX-License-Identifier: MIT
 * run.c - operations in a row; see run.h. */
#include "engine/run.h"

#include "base/clock.h"

static void run_ops(const struct tac_op *op, uint32_t ops)
{
    for (const struct tac_op *end = op + ops; op < end; op++)
        op->run(op->self, op->io);
}

static void add_cost(struct tac_node *n, uint64_t ticks, bool first_bank)
{
    atomic_fetch_add_explicit(&n->cost_sum, ticks, memory_order_relaxed);
    if (first_bank)
        atomic_fetch_add_explicit(&n->cost_count, 1, memory_order_relaxed);
    if (ticks > atomic_load_explicit(&n->cost_worst, memory_order_relaxed))
        atomic_store_explicit(&n->cost_worst, ticks, memory_order_relaxed);
}

static bool counts(const struct tac_node *n, const struct tac_op *op)
{
    if (n->voices || op->run == n->block->process)
        return n->voices || op->self == n->state[0];
    return n->block->process2 && op->run == n->block->process2 &&
           ((void *const *)op->self)[0] == n->state[0];
}

static void run_ops_timed(const struct tac_plan *plan, const struct tac_op *op, uint32_t ops)
{
    uint64_t begin = tac_counter();
    for (const struct tac_op *end = op + ops; op < end; op++) {
        op->run(op->self, op->io);
        uint64_t now = tac_counter();
        struct tac_node *n = plan->node[op->node].node;
        add_cost(n, now - begin, counts(n, op));
        begin = now;
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
        *import[i].where = import[i].by[helper];
    }
}

void tac_run_copy(const struct tac_run *run, struct tac_task_copy *copy)
{
    const struct tac_op *op = run->plan->op[run->runner] + copy->op.first;
    set_frames(run, copy);
    take_imports(run, copy);
    if (run->timed)
        run_ops_timed(run->plan, op, copy->op.count);
    else
        run_ops(op, copy->op.count);
}

uint64_t tac_run_task(const struct tac_run *run, struct tac_task *task)
{
    uint64_t begin = tac_counter();
    tac_run_copy(run, &task->copy[run->runner]);
    uint64_t took = tac_counter() - begin;
    uint64_t mean = atomic_load_explicit(&task->cost, memory_order_relaxed);
    mean = mean ? mean + (took >> 4) - (mean >> 4) : took;
    atomic_store_explicit(&task->cost, mean, memory_order_relaxed);
    if (took > atomic_load_explicit(&task->worst, memory_order_relaxed))
        atomic_store_explicit(&task->worst, took, memory_order_relaxed);
    return took;
}
