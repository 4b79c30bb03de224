/* SPDX-License-Identifier: MIT
 * params.c - ramps; see params.h. */
#include "engine/params.h"

#include "tactus/engine.h"

#include <errno.h>
#include <math.h>

enum { SLOT_FLOATS = TAC_ENGINE_SLICE_FRAMES * TAC_BLOCK_LANES_MAX };

int tac_ramps_init(struct tac_ramps *ramps, struct tac_vault *vault, double rate_hz)
{
    ramps->buffer = TAC_VAULT_NEW(vault, float, TAC_RAMPS_MAX *SLOT_FLOATS);
    ramps->frames = (uint32_t)(rate_hz * TAC_RAMP_MS / 1000);
    for (uint32_t i = 0; i < TAC_RAMPS_MAX; i++)
        ramps->free_slot[i] = i;
    return ramps->buffer ? 0 : -ENOMEM;
}

static struct tac_plan_node *find(struct tac_plan *plan, uint32_t id)
{
    uint32_t index = id < plan->ids ? plan->index_by_id[id] : TAC_GRAPH_NONE;
    return index == TAC_GRAPH_NONE ? NULL : &plan->node[index];
}

/* release: a helper that was stopped and goes on now may take the values any time; those that it
 * takes with the new count are the new ones. */
static void count_change(struct tac_plan *plan)
{
    atomic_fetch_add_explicit(&plan->values, 1, memory_order_release);
    atomic_fetch_add_explicit(&plan->rows, 1, memory_order_release);
}

static void point(struct tac_plan_node *n, uint32_t param, const float *data, uint32_t stride)
{
    for (int r = 0; r < TAC_RUNNERS && n->set[r]; r++)
        for (uint32_t bank = 0; bank < n->node->banks; bank++) {
            struct tac_signal *set = n->set[r][bank * n->node->params + param];
            if (!set)
                continue;
            set->data = data;
            set->stride = stride;
        }
}

static void rest(struct tac_plan_node *n, uint32_t param, float value)
{
    float *row = tac_node_row(n->node, param);
    for (int i = 0; i < TAC_BLOCK_LANES_MAX; i++)
        row[i] = value;
    point(n, param, row, 0);
}

static void start(const struct tac_ramps *ramps, struct tac_ramp *r, enum tac_curve curve,
                  float target)
{
    r->target = target;
    r->left = ramps->frames;
    r->step = curve == TAC_CURVE_LOG && r->value > 0 && target > 0
                  ? powf(target / r->value, 1 / (float)r->left)
                  : (target - r->value) / (float)r->left;
}

bool tac_ramps_set(struct tac_ramps *ramps, struct tac_plan *plan, uint32_t id, uint32_t param,
                   float value)
{
    struct tac_plan_node *n = find(plan, id);
    if (!n || param >= n->node->params)
        return true;
    const struct tac_param *p = &n->node->block->param[param];
    struct tac_ramp *r = &n->node->ramp[param];
    value = value > p->min ? value : p->min;
    value = value < p->max ? value : p->max;
    bool at_rest = !r->left && p->curve != TAC_CURVE_STEP;
    if (at_rest && value == r->value)
        return true;
    if (at_rest && ramps->count == TAC_RAMPS_MAX)
        return false;
    atomic_store_explicit(&n->node->target[param], value, memory_order_relaxed);
    if (p->curve == TAC_CURVE_STEP) {
        *r = (struct tac_ramp){.value = value, .target = value};
        rest(n, param, value);
        count_change(plan);
        return true;
    }
    if (!r->left) {
        ramps->active[ramps->count].id = id;
        ramps->active[ramps->count].param = param;
        ramps->active[ramps->count].slot = ramps->free_slot[TAC_RAMPS_MAX - 1 - ramps->count];
        ramps->count++;
    }
    start(ramps, r, p->curve, value);
    return true;
}

static float next_value(struct tac_ramp *r, bool geometric)
{
    if (!r->left)
        return r->target;
    r->left--;
    if (!r->left)
        r->value = r->target;
    else
        r->value = geometric ? r->value * r->step : r->target - r->step * (float)r->left;
    return r->value;
}

static void fill(struct tac_plan_node *n, uint32_t param, float *buffer, uint32_t frames)
{
    struct tac_ramp *r = &n->node->ramp[param];
    const struct tac_param *p = &n->node->block->param[param];
    uint32_t lanes = n->node->bank_lanes;
    bool geometric = p->curve == TAC_CURVE_LOG && r->value > 0 && r->target > 0;
    for (uint32_t f = 0; f < frames; f++) {
        float value = next_value(r, geometric);
        for (uint32_t l = 0; l < lanes; l++)
            buffer[f * lanes + l] = value;
    }
    point(n, param, buffer, lanes);
}

static void drop(struct tac_ramps *ramps, uint32_t i)
{
    ramps->count--;
    ramps->free_slot[TAC_RAMPS_MAX - 1 - ramps->count] = ramps->active[i].slot;
    ramps->active[i] = ramps->active[ramps->count];
}

void tac_ramps_run(struct tac_ramps *ramps, struct tac_plan *plan, uint32_t frames)
{
    bool any = ramps->count;
    for (uint32_t i = 0; i < ramps->count;) {
        struct tac_plan_node *n = find(plan, ramps->active[i].id);
        uint32_t param = ramps->active[i].param;
        if (!n || param >= n->node->params || !n->node->ramp[param].left) {
            if (n && param < n->node->params)
                rest(n, param, n->node->ramp[param].target);
            drop(ramps, i);
            continue;
        }
        fill(n, param, ramps->buffer + (size_t)ramps->active[i].slot * SLOT_FLOATS, frames);
        i++;
    }
    if (any)
        count_change(plan);
}
