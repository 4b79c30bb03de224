/* SPDX-License-Identifier: MIT
 * lod.c - builds the rows and pyramids of lod.h: one walk to count, one to fill, for each array. */
#include "capture/idmap.h"
#include "capture/lod_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS_MAX = 1024 };

static void *take(struct tac_lod *l, size_t n, size_t bytes)
{
    void *block = n < SIZE_MAX / bytes ? calloc(n ? n : 1, bytes) : NULL;
    void **slot = block ? tac_list_add(&l->blocks, sizeof *slot) : NULL;
    if (!slot) {
        free(block);
        return NULL;
    }
    *slot = block;
    l->bytes += n * bytes;
    return block;
}

void tac_lod_close(struct tac_lod *l)
{
    if (!l)
        return;
    void **blocks = l->blocks.data;
    for (size_t i = 0; i < l->blocks.count; i++)
        free(blocks[i]);
    tac_list_fini(&l->blocks);
    free(l);
}

static bool take_lanes(struct tac_lod *l, enum tac_lod_kind kind, size_t lanes)
{
    l->lanes[kind] = (uint32_t)lanes;
    l->lane[kind] = take(l, lanes, sizeof *l->lane[kind]);
    return l->lane[kind] != NULL;
}

static bool take_rows(struct tac_lod *l, enum tac_lod_kind kind, uint32_t lane, uint32_t rows)
{
    struct tac_lod_lane *at = &l->lane[kind][lane];
    at->row = rows ? take(l, rows, sizeof *at->row) : NULL;
    at->rows = rows;
    return !rows || at->row;
}

/* ---- pyramids ---- */

static bool add_level(struct tac_lod *l, enum tac_lod_kind kind, struct tac_lod_row *row, int level)
{
    uint32_t below = row->n;
    for (int k = 0; k < level; k++)
        below = (below + TAC_LOD_FAN - 1) / TAC_LOD_FAN;
    if (below <= 1)
        return true;
    struct tac_lod_sum *sum = take(l, (below + TAC_LOD_FAN - 1) / TAC_LOD_FAN, sizeof *sum);
    if (!sum)
        return false;
    for (uint32_t i = 0; i < below; i++) {
        struct tac_lod_sum one = {0, i};
        if (level) {
            one = row->level[level - 1][i];
        } else {
            struct tac_lod_own s = tac_lod_span_at(l, kind, row, i);
            one.busy_ns = s.end_ns - s.begin_ns;
        }
        struct tac_lod_sum *to = &sum[i / TAC_LOD_FAN];
        struct tac_lod_own a = tac_lod_span_at(l, kind, row, one.longest);
        struct tac_lod_own b = tac_lod_span_at(l, kind, row, to->longest);
        if (i % TAC_LOD_FAN == 0 || a.end_ns - a.begin_ns > b.end_ns - b.begin_ns)
            to->longest = one.longest;
        to->busy_ns += one.busy_ns;
    }
    row->level[level] = sum;
    return true;
}

static bool add_levels(struct tac_lod *l, enum tac_lod_kind kind)
{
    bool good = true;
    for (uint32_t i = 0; i < l->lanes[kind]; i++)
        for (uint32_t r = 0; r < l->lane[kind][i].rows; r++)
            for (int level = 0; good && level < TAC_LOD_LEVELS; level++)
                good = add_level(l, kind, &l->lane[kind][i].row[r], level);
    return good;
}

/* ---- rows that point into arrays of the capture ---- */

/* The lane and row of item i; a lane that is not there leaves the item out. */
typedef void where_fn(const struct tac_capture *c, size_t i, uint32_t *ret_lane, uint32_t *ret_row);

static void zone_at(const struct tac_capture *c, size_t i, uint32_t *lane, uint32_t *row)
{
    *lane = c->zones[i].thread;
    *row = c->zones[i].depth;
}

static void cycle_at(const struct tac_capture *c, size_t i, uint32_t *lane, uint32_t *row)
{
    *lane = c->cycles[i].source;
    *row = 0;
}

static void gap_at(const struct tac_capture *c, size_t i, uint32_t *lane, uint32_t *row)
{
    *lane = c->gaps[i].thread;
    *row = 0;
}

static void memory_at(const struct tac_capture *c, size_t i, uint32_t *lane, uint32_t *row)
{
    *lane = c->memory[i].thread;
    *row = 0;
}

static void lock_at(const struct tac_capture *c, size_t i, uint32_t *lane, uint32_t *row)
{
    *lane = c->locks[i].thread;
    *row = 0;
}

static bool count_rows(struct tac_lod *l, enum tac_lod_kind kind, size_t n, where_fn *where)
{
    uint32_t lane, row;
    for (size_t i = 0; i < n; i++) {
        where(l->c, i, &lane, &row);
        if (lane < l->lanes[kind] && row >= l->lane[kind][lane].rows)
            l->lane[kind][lane].rows = row + 1;
    }
    for (uint32_t i = 0; i < l->lanes[kind]; i++)
        if (!take_rows(l, kind, i, l->lane[kind][i].rows))
            return false;
    for (size_t i = 0; i < n; i++) {
        where(l->c, i, &lane, &row);
        if (lane < l->lanes[kind])
            l->lane[kind][lane].row[row].n++;
    }
    return true;
}

static bool add_places(struct tac_lod *l, enum tac_lod_kind kind, size_t lanes, size_t n,
                       where_fn *where)
{
    uint32_t lane, row;
    if (!take_lanes(l, kind, lanes) || !count_rows(l, kind, n, where))
        return false;
    uint32_t *place = take(l, n, sizeof *place), *at = place;
    for (uint32_t i = 0; place && i < l->lanes[kind]; i++)
        for (uint32_t r = 0; r < l->lane[kind][i].rows; r++) {
            struct tac_lod_row *to = &l->lane[kind][i].row[r];
            to->place = at;
            at += to->n;
            to->n = 0;
        }
    for (size_t i = 0; place && i < n; i++) {
        where(l->c, i, &lane, &row);
        if (lane >= l->lanes[kind])
            continue;
        struct tac_lod_row *to = &l->lane[kind][lane].row[row];
        place[(to->place - place) + to->n++] = (uint32_t)i;
    }
    return place && add_levels(l, kind);
}

/* ---- rows of their own, from the kernel's events ---- */

/* What each lane is doing, and where its spans go: first counted, then written. */
struct doing {
    uint64_t since_ns;
    uint32_t index;
    struct tac_lod_own *to;
    uint32_t n;
};

static void change(struct doing *d, uint64_t ns, uint32_t index)
{
    if (d->index == index)
        return;
    if (d->index && ns > d->since_ns) {
        if (d->to)
            d->to[d->n] = (struct tac_lod_own){d->since_ns, ns, d->index};
        d->n++;
    }
    d->since_ns = ns;
    d->index = index;
}

/* Some kernels do not tell of switches out of the idle task. Who came then is known by its own
 * account, or when it is charged for its time. */
static void end_idle(struct doing *d, const struct tac_capture_kernel *k)
{
    uint64_t from = k->type == TAC_KERNEL_RUNTIME && k->a < k->ns ? k->ns - k->a : k->ns;
    if (d->index == 0 && k->tid)
        change(d, from > d->since_ns ? from : d->since_ns, k->tid);
}

static void walk_cpu(const struct tac_lod *l, struct doing *doing)
{
    for (size_t i = 0; i < l->c->kernel_count; i++) {
        const struct tac_capture_kernel *k = &l->c->kernel[i];
        if (k->cpu >= l->lanes[TAC_LOD_CPU])
            continue;
        if (k->type == TAC_KERNEL_SWITCH)
            change(&doing[k->cpu], k->ns, (uint32_t)(k->a >> 32));
        else if (k->type == TAC_KERNEL_LOST)
            change(&doing[k->cpu], k->ns, 0); /* nobody knows */
        else if (k->type == TAC_KERNEL_IN || k->type == TAC_KERNEL_RUNTIME)
            end_idle(&doing[k->cpu], k);
    }
}

static uint32_t state_left(uint64_t state)
{
    return !(state & 0xff) ? TAC_LOD_READY : state & 2 ? TAC_LOD_STUCK : TAC_LOD_ASLEEP;
}

static void walk_states(const struct tac_lod *l, const struct tac_idmap *thread_of,
                        struct doing *doing)
{
    for (size_t i = 0; i < l->c->kernel_count; i++) {
        const struct tac_capture_kernel *k = &l->c->kernel[i];
        uint32_t self = tac_idmap_get(thread_of, k->tid);
        uint32_t other = tac_idmap_get(thread_of, k->a >> 32);
        if (k->type == TAC_KERNEL_SWITCH) {
            if (self)
                change(&doing[self - 1], k->ns, state_left(k->b >> 32));
            if (other)
                change(&doing[other - 1], k->ns, TAC_LOD_RUNNING);
        } else if (k->type == TAC_KERNEL_WAKING && other) {
            if (doing[other - 1].index != TAC_LOD_RUNNING)
                change(&doing[other - 1], k->ns, TAC_LOD_READY);
        } else if (k->type == TAC_KERNEL_OUT && self) {
            if (doing[self - 1].index == TAC_LOD_RUNNING || !doing[self - 1].index)
                change(&doing[self - 1], k->ns, k->a ? TAC_LOD_READY : TAC_LOD_ASLEEP);
        } else if (k->type == TAC_KERNEL_IN && self) {
            change(&doing[self - 1], k->ns, TAC_LOD_RUNNING);
        }
    }
}

static void walk_once(const struct tac_lod *l, enum tac_lod_kind kind,
                      const struct tac_idmap *thread_of, struct doing *doing)
{
    if (kind == TAC_LOD_CPU)
        walk_cpu(l, doing);
    else
        walk_states(l, thread_of, doing);
    for (uint32_t i = 0; i < l->lanes[kind]; i++)
        change(&doing[i], l->c->end_ns, 0);
}

static bool add_own(struct tac_lod *l, enum tac_lod_kind kind, size_t lanes,
                    const struct tac_idmap *thread_of)
{
    struct doing *doing = calloc(lanes + 1, sizeof *doing);
    bool good = doing && take_lanes(l, kind, lanes);
    if (good)
        walk_once(l, kind, thread_of, doing);
    for (uint32_t i = 0; good && i < lanes; i++) {
        uint32_t n = doing[i].n;
        doing[i] = (struct doing){.to = n ? take(l, n, sizeof *doing->to) : NULL};
        good = (!n || doing[i].to) && take_rows(l, kind, i, n ? 1 : 0);
        if (good && n)
            *l->lane[kind][i].row = (struct tac_lod_row){.own = doing[i].to, .n = n};
    }
    if (good)
        walk_once(l, kind, thread_of, doing);
    free(doing);
    return good && add_levels(l, kind);
}

static bool add_kernel(struct tac_lod *l)
{
    struct tac_idmap thread_of = {0};
    size_t cpus = 0;
    bool good = true;
    for (size_t i = 0; i < l->c->threads_count; i++)
        if (l->c->threads[i].tid)
            good = (tac_idmap_get(&thread_of, l->c->threads[i].tid) ||
                    tac_idmap_put(&thread_of, l->c->threads[i].tid, (uint32_t)i + 1)) &&
                   good;
    for (size_t i = 0; i < l->c->kernel_count; i++)
        if (l->c->kernel[i].type == TAC_KERNEL_SWITCH && l->c->kernel[i].cpu < CPUS_MAX &&
            l->c->kernel[i].cpu >= cpus)
            cpus = (size_t)l->c->kernel[i].cpu + 1;
    good = good && add_own(l, TAC_LOD_CPU, cpus, &thread_of) &&
           add_own(l, TAC_LOD_STATE, l->c->threads_count, &thread_of);
    tac_idmap_fini(&thread_of);
    return good;
}

/* ---- plots ---- */

static bool add_extents(struct tac_lod *l, struct tac_lod_plot *p, int level)
{
    uint32_t below = p->n;
    for (int k = 0; k < level; k++)
        below = (below + TAC_LOD_FAN - 1) / TAC_LOD_FAN;
    if (below <= 1)
        return true;
    struct tac_lod_extent *up = take(l, (below + TAC_LOD_FAN - 1) / TAC_LOD_FAN, sizeof *up);
    for (uint32_t i = 0; up && i < below; i++) {
        double value = l->c->plots[p->place[level ? 0 : i]].value;
        struct tac_lod_extent one =
            level ? p->level[level - 1][i] : (struct tac_lod_extent){value, value};
        struct tac_lod_extent *to = &up[i / TAC_LOD_FAN];
        to->min = i % TAC_LOD_FAN == 0 || one.min < to->min ? one.min : to->min;
        to->max = i % TAC_LOD_FAN == 0 || one.max > to->max ? one.max : to->max;
    }
    p->level[level] = up;
    return up != NULL;
}

static bool add_plots(struct tac_lod *l)
{
    const struct tac_capture *c = l->c;
    l->plot = take(l, c->sites_count, sizeof *l->plot);
    uint32_t *place = take(l, c->plots_count, sizeof *place), *at = place;
    if (!l->plot || !place)
        return false;
    for (size_t i = 0; i < c->plots_count; i++)
        l->plot[c->plots[i].site].n++;
    for (size_t s = 0; s < c->sites_count; s++) {
        l->plot[s].place = at;
        at += l->plot[s].n;
        l->plot[s].n = 0;
    }
    for (size_t i = 0; i < c->plots_count; i++) {
        struct tac_lod_plot *p = &l->plot[c->plots[i].site];
        place[(p->place - place) + p->n++] = (uint32_t)i;
    }
    bool good = true;
    for (size_t s = 0; s < c->sites_count; s++)
        for (int level = 0; good && level < TAC_LOD_LEVELS; level++)
            good = add_extents(l, &l->plot[s], level);
    return good;
}

int tac_lod_open(const struct tac_capture *c, struct tac_lod **ret_lod)
{
    struct tac_lod *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->c = c;
    if (!add_places(l, TAC_LOD_ZONES, c->threads_count, c->zones_count, zone_at) ||
        !add_places(l, TAC_LOD_CYCLES, c->sources_count, c->cycles_count, cycle_at) ||
        !add_places(l, TAC_LOD_GAPS, c->threads_count, c->gaps_count, gap_at) ||
        !add_places(l, TAC_LOD_MEMORY, c->threads_count, c->memory_count, memory_at) ||
        !add_places(l, TAC_LOD_LOCKS, c->threads_count, c->locks_count, lock_at) ||
        !add_kernel(l) || !add_plots(l)) {
        tac_lod_close(l);
        return -ENOMEM;
    }
    *ret_lod = l;
    return 0;
}

size_t tac_lod_bytes(const struct tac_lod *l)
{
    return l->bytes;
}
