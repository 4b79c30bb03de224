/* SPDX-License-Identifier: MIT
 * lod_query.c - the questions of lod.h.
 *
 * A span that is at least a pixel wide is given as it is. Otherwise all that begin in its pixel and
 * are narrower are one: the next place is found by galloping from here, their sums come from the
 * pyramid. So a pixel costs O(log n), whatever lies under it. */
#include "capture/lod_rows.h"

#include <string.h>

struct tac_lod_own tac_lod_span_at(const struct tac_lod *l, enum tac_lod_kind kind,
                                   const struct tac_lod_row *row, uint32_t i)
{
    if (!row->place)
        return row->own[i];
    const struct tac_capture *c = l->c;
    uint32_t at = row->place[i];
    struct tac_lod_own s = {0, 0, at};
#define TAC_SPAN_OF(array)                                                                         \
    do {                                                                                           \
        s.begin_ns = c->array[at].begin_ns;                                                        \
        s.end_ns = c->array[at].end_ns;                                                            \
    } while (0)
    if (kind == TAC_LOD_ZONES)
        TAC_SPAN_OF(zones);
    else if (kind == TAC_LOD_CYCLES)
        TAC_SPAN_OF(cycles);
    else if (kind == TAC_LOD_MEMORY)
        TAC_SPAN_OF(memory);
    else if (kind == TAC_LOD_LOCKS)
        TAC_SPAN_OF(locks);
    else
        TAC_SPAN_OF(gaps);
#undef TAC_SPAN_OF
    if (s.end_ns == TAC_CAPTURE_OPEN)
        s.end_ns = i + 1 < row->n ? tac_lod_span_at(l, kind, row, i + 1).begin_ns : c->end_ns;
    s.end_ns = s.end_ns > s.begin_ns ? s.end_ns : s.begin_ns;
    return s;
}

uint32_t tac_lod_lanes(const struct tac_lod *l, enum tac_lod_kind kind)
{
    return kind < TAC_LOD_KINDS ? l->lanes[kind] : 0;
}

uint32_t tac_lod_rows(const struct tac_lod *l, enum tac_lod_kind kind, uint32_t lane)
{
    return lane < tac_lod_lanes(l, kind) ? l->lane[kind][lane].rows : 0;
}

struct view {
    const struct tac_lod *l;
    enum tac_lod_kind kind;
    const struct tac_lod_row *row;
};

static struct tac_lod_own at(const struct view *v, uint32_t i)
{
    return tac_lod_span_at(v->l, v->kind, v->row, i);
}

/* The first from i on that begins at or after ns: in steps that double, then halve. */
static uint32_t first_from(const struct view *v, uint32_t i, uint64_t ns)
{
    uint32_t step = 1, low = i, high = v->row->n;
    while (low + step < high && at(v, low + step).begin_ns < ns) {
        low += step;
        step *= 2;
    }
    high = low + step < high ? low + step : high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (at(v, middle).begin_ns < ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add(const struct view *v, struct tac_lod_span *sum, uint64_t *longest_ns, uint64_t busy,
                uint32_t longest)
{
    struct tac_lod_own s = at(v, longest);
    sum->busy_ns += busy;
    if (s.end_ns - s.begin_ns >= *longest_ns) {
        *longest_ns = s.end_ns - s.begin_ns;
        sum->index = s.index;
    }
}

/* Sum of the spans i .. j - 1, j > i. */
static struct tac_lod_span sum_of(const struct view *v, uint32_t i, uint32_t j)
{
    struct tac_lod_own first = at(v, i), last = at(v, j - 1);
    struct tac_lod_span sum = {first.begin_ns, last.end_ns, 0, j - i, first.index};
    uint64_t longest_ns = 0, group = TAC_LOD_FAN;
    while (i < j) {
        int level = -1;
        uint64_t span = 1;
        while (level + 1 < TAC_LOD_LEVELS && v->row->level[level + 1] && i % (span * group) == 0 &&
               i + span * group <= j) {
            level++;
            span *= group;
        }
        if (level < 0) {
            struct tac_lod_own s = at(v, i);
            add(v, &sum, &longest_ns, s.end_ns - s.begin_ns, i);
        } else {
            const struct tac_lod_sum *s = &v->row->level[level][i / span];
            add(v, &sum, &longest_ns, s->busy_ns, s->longest);
        }
        i += (uint32_t)span;
    }
    return sum;
}

/* Where narrow spans from i on stop being in the same pixel: at its end, or at a wide one. The wide
 * one can only be the last that begins in the pixel. */
static uint32_t end_of_pixel(const struct view *v, uint32_t i, uint64_t pixel_end, uint64_t width)
{
    uint32_t j = first_from(v, i, pixel_end);
    j = j > i ? j : i + 1;
    struct tac_lod_own last = at(v, j - 1);
    return j - 1 > i && last.end_ns - last.begin_ns >= width ? j - 1 : j;
}

/* Rounded up, and without a sum that might not fit. */
static uint64_t pixel_width(uint64_t from_ns, uint64_t to_ns, uint32_t pixels)
{
    return (to_ns - from_ns - 1) / pixels + 1;
}

size_t tac_lod_spans(const struct tac_lod *l, enum tac_lod_kind kind, uint32_t lane, uint32_t row,
                     uint64_t from_ns, uint64_t to_ns, uint32_t pixels,
                     struct tac_lod_span *ret_spans, size_t max)
{
    if (row >= tac_lod_rows(l, kind, lane) || from_ns >= to_ns || !pixels)
        return 0;
    struct view v = {l, kind, &l->lane[kind][lane].row[row]};
    uint64_t width = pixel_width(from_ns, to_ns, pixels);
    uint32_t i = v.row->n ? first_from(&v, 0, from_ns) : 0;
    i -= i && at(&v, i - 1).end_ns > from_ns; /* one that had begun before */
    size_t n = 0;
    while (n < max && i < v.row->n) {
        struct tac_lod_own s = at(&v, i);
        if (s.begin_ns >= to_ns)
            break;
        if (s.end_ns - s.begin_ns >= width || s.begin_ns < from_ns) {
            ret_spans[n++] =
                (struct tac_lod_span){s.begin_ns, s.end_ns, s.end_ns - s.begin_ns, 1, s.index};
            i++;
            continue;
        }
        uint64_t pixel_end = from_ns + ((s.begin_ns - from_ns) / width + 1) * width;
        uint32_t j = end_of_pixel(&v, i, pixel_end < to_ns ? pixel_end : to_ns, width);
        ret_spans[n++] = sum_of(&v, i, j);
        i = j;
    }
    return n;
}

/* ---- plots ---- */

static uint32_t first_point(const struct tac_lod *l, const struct tac_lod_plot *p, uint32_t i,
                            uint64_t ns)
{
    uint32_t low = i, high = p->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l->c->plots[p->place[middle]].ns < ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct tac_lod_point point_of(const struct tac_lod *l, const struct tac_lod_plot *p,
                                     uint32_t i, uint32_t j)
{
    const struct tac_capture_plot *last = &l->c->plots[p->place[j - 1]];
    struct tac_lod_point sum = {last->ns, last->value, last->value, last->value, j - i};
    while (i < j) {
        int level = -1;
        uint64_t span = 1;
        while (level + 1 < TAC_LOD_LEVELS && p->level[level + 1] && i % (span * TAC_LOD_FAN) == 0 &&
               i + span * TAC_LOD_FAN <= j) {
            level++;
            span *= TAC_LOD_FAN;
        }
        double value = level < 0 ? l->c->plots[p->place[i]].value : 0;
        struct tac_lod_extent one =
            level < 0 ? (struct tac_lod_extent){value, value} : p->level[level][i / span];
        sum.min = one.min < sum.min ? one.min : sum.min;
        sum.max = one.max > sum.max ? one.max : sum.max;
        i += (uint32_t)span;
    }
    return sum;
}

size_t tac_lod_points(const struct tac_lod *l, uint32_t site, uint64_t from_ns, uint64_t to_ns,
                      uint32_t pixels, struct tac_lod_point *ret_points, size_t max)
{
    if (site >= l->c->sites_count || from_ns >= to_ns || !pixels)
        return 0;
    const struct tac_lod_plot *p = &l->plot[site];
    uint64_t width = pixel_width(from_ns, to_ns, pixels);
    uint32_t i = first_point(l, p, 0, from_ns);
    size_t n = 0;
    if (i && n < max)
        ret_points[n++] = point_of(l, p, i - 1, i);
    while (n < max && i < p->n) {
        uint64_t ns = l->c->plots[p->place[i]].ns;
        if (ns >= to_ns)
            break;
        uint64_t pixel_end = from_ns + ((ns - from_ns) / width + 1) * width;
        uint32_t j = first_point(l, p, i, pixel_end < to_ns ? pixel_end : to_ns);
        j = j > i ? j : i + 1;
        ret_points[n++] = point_of(l, p, i, j);
        i = j;
    }
    return n;
}
