/* SPDX-License-Identifier: MIT
 * curve.c - see curve.h. */
#include "doctor/curve.h"

#include "base/bits.h"
#include "tactus/trace.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { GONE = 1 }; /* no block has this address */

struct block {
    uint64_t ptr, bytes;
};

struct blocks {
    struct block *slot;
    size_t mask;
};

/* The slot of ptr, or the one to put it in. */
static struct block *find(struct blocks *b, uint64_t ptr, bool insert)
{
    size_t i = (size_t)((ptr >> 4) * 0x9e3779b97f4a7c15ull >> 20) & b->mask;
    struct block *reuse = NULL;
    while (b->slot[i].ptr && b->slot[i].ptr != ptr) {
        if (b->slot[i].ptr == GONE && !reuse)
            reuse = &b->slot[i];
        i = (i + 1) & b->mask;
    }
    return b->slot[i].ptr || !insert || !reuse ? &b->slot[i] : reuse;
}

struct meter {
    struct blocks blocks;
    uint64_t live, count;
};

static void add(struct meter *m, uint64_t ptr, uint64_t bytes)
{
    if (ptr <= GONE)
        return;
    struct block *b = find(&m->blocks, ptr, true);
    if (b->ptr == ptr)
        m->live -= b->bytes; /* its free was not seen */
    else
        m->count++;
    *b = (struct block){ptr, bytes};
    m->live += bytes;
}

static void drop(struct meter *m, uint64_t ptr)
{
    if (ptr <= GONE)
        return;
    struct block *b = find(&m->blocks, ptr, false);
    if (b->ptr != ptr)
        return;
    m->live -= b->bytes;
    m->count--;
    b->ptr = GONE;
}

static void apply(struct meter *m, const struct tac_capture_memory *e)
{
    switch (e->op) {
    case TAC_MEMORY_ALLOC:
        add(m, e->ptr, e->bytes);
        break;
    case TAC_MEMORY_FREE:
        drop(m, e->ptr);
        break;
    case TAC_MEMORY_REALLOC:
        drop(m, e->old);
        add(m, e->ptr, e->bytes);
        break;
    default: /* pools move nothing in the heap */
        break;
    }
}

static void walk(const struct tac_capture *c, struct meter *m, struct tac_curve *curve)
{
    size_t point = 0;
    for (size_t i = 0; i < c->memory_count; i++) {
        size_t at = (size_t)((c->memory[i].begin_ns - curve->begin_ns) / curve->step_ns);
        at = at < TAC_CURVE_POINTS ? at : TAC_CURVE_POINTS - 1;
        while (point < at) {
            point++;
            curve->high_bytes[point] = m->live;
            curve->blocks[point] = m->count;
        }
        apply(m, &c->memory[i]);
        if (m->live > curve->high_bytes[point])
            curve->high_bytes[point] = m->live;
        curve->blocks[point] = m->count;
        curve->peak_bytes = m->live > curve->peak_bytes ? m->live : curve->peak_bytes;
    }
    while (++point < TAC_CURVE_POINTS) {
        curve->high_bytes[point] = m->live;
        curve->blocks[point] = m->count;
    }
}

static bool is_memory_plot(const struct tac_capture_site *site)
{
    return !strcmp(site->unit, "B") && !strcmp(site->name, "memory in use");
}

/* The highest value of each step; a step without one goes on as before. False: no such plot. */
static bool take_plot(const struct tac_capture *c, struct tac_curve *curve)
{
    size_t point = 0;
    double value = 0;
    for (size_t i = 0; i < c->plots_count; i++) {
        const struct tac_capture_plot *p = &c->plots[i];
        if (!is_memory_plot(&c->sites[p->site]) || p->value < 0)
            continue;
        size_t at = (size_t)((p->ns - curve->begin_ns) / curve->step_ns);
        at = at < TAC_CURVE_POINTS ? at : TAC_CURVE_POINTS - 1;
        while (point < at)
            curve->high_bytes[++point] = (uint64_t)value;
        value = p->value;
        if ((uint64_t)value > curve->high_bytes[point])
            curve->high_bytes[point] = (uint64_t)value;
        if ((uint64_t)value > curve->peak_bytes)
            curve->peak_bytes = (uint64_t)value;
        curve->plotted = 1;
    }
    while (++point < TAC_CURVE_POINTS)
        curve->high_bytes[point] = (uint64_t)value;
    return curve->plotted;
}

static bool has_losses(const struct tac_capture *c)
{
    for (size_t i = 0; i < c->threads_count; i++)
        if (c->threads[i].dropped || c->threads[i].damaged)
            return true;
    return false;
}

int tac_curve_make(const struct tac_capture *capture, struct tac_curve *ret_curve)
{
    struct tac_curve curve = {.begin_ns = capture->begin_ns};
    curve.step_ns = (capture->end_ns - capture->begin_ns) / TAC_CURVE_POINTS + 1;
    if (take_plot(capture, &curve)) {
        *ret_curve = curve;
        return 0;
    }
    curve.lossy = has_losses(capture);
    size_t slots = (size_t)tac_power_of_two_ceil((uint64_t)capture->memory_count * 2 + 16);
    struct meter m = {.blocks = {calloc(slots, sizeof(struct block)), slots - 1}};
    if (!m.blocks.slot)
        return -ENOMEM;
    walk(capture, &m, &curve);
    free(m.blocks.slot);
    *ret_curve = curve;
    return 0;
}
