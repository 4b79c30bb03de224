/* SPDX-License-Identifier: MIT
 * lanes.c - what lanes look like between two times: see view.h. */
#include "view/view_parts.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Letters of the kinds of capture/lod.h, in their order. */
static const char letters[] = "zycsgml";

struct look {
    const struct tac_view *v;
    uint64_t from_ns, to_ns; /* of the capture */
    uint32_t pixels;
    struct tac_text *t;
    const char *comma;
};

static uint32_t label_of(const struct tac_view *v, enum tac_lod_kind kind, uint32_t index)
{
    switch (kind) {
    case TAC_LOD_ZONES:
        return v->c->zones[index].site;
    case TAC_LOD_CYCLES:
        return v->d->cycle_verdict[index];
    case TAC_LOD_MEMORY:
        return v->c->memory[index].op;
    case TAC_LOD_LOCKS:
        return v->c->locks[index].holder_tid;
    case TAC_LOD_GAPS:
        return (uint32_t)v->c->gaps[index].dropped;
    default:
        return index; /* the tid, the state */
    }
}

static void begin_row(struct look *k, char letter, uint32_t lane, uint32_t row)
{
    tac_text_addf(k->t, "%s[\"%c%u\",%u,[", k->comma, letter, lane, row);
    k->comma = ",";
}

static void add_spans(struct look *k, enum tac_lod_kind kind, uint32_t lane, uint32_t row)
{
    static struct tac_lod_span span[2 * TAC_VIEW_PIXELS_MAX + 2];
    size_t n = tac_lod_spans(k->v->lod, kind, lane, row, k->from_ns, k->to_ns, k->pixels, span,
                             sizeof span / sizeof *span);
    begin_row(k, letters[kind], lane, row);
    for (size_t i = 0; i < n; i++)
        tac_text_addf(k->t, "%s%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64 ",%u,%u", i ? "," : "",
                      tac_view_time(k->v, span[i].begin_ns), span[i].end_ns - span[i].begin_ns,
                      span[i].count, span[i].busy_ns, span[i].index,
                      label_of(k->v, kind, span[i].index));
    tac_text_add(k->t, "]]");
}

static void add_point(struct look *k, bool first, uint64_t ns, double least, double most,
                      double last)
{
    tac_text_addf(k->t, "%s%" PRIu64 ",%.9g,%.9g,%.9g", first ? "" : ",", tac_view_time(k->v, ns),
                  least, most, last);
}

static void add_points(struct look *k, uint32_t site)
{
    static struct tac_lod_point point[TAC_VIEW_PIXELS_MAX + 2];
    size_t n = tac_lod_points(k->v->lod, site, k->from_ns, k->to_ns, k->pixels, point,
                              sizeof point / sizeof *point);
    bool first = true;
    begin_row(k, 'p', site, 0);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(point[i].min) || !isfinite(point[i].max) || !isfinite(point[i].last))
            continue; /* a program may plot what is no number, which JSON cannot say */
        add_point(k, first, point[i].ns, point[i].min, point[i].max, point[i].last);
        first = false;
    }
    tac_text_add(k->t, "]]");
}

static void add_memory(struct look *k)
{
    const struct tac_curve *curve = k->v->curve;
    if (!curve)
        return;
    begin_row(k, 'u', 0, 0);
    for (size_t i = 0; i < TAC_CURVE_POINTS; i++) {
        double bytes = (double)curve->high_bytes[i];
        add_point(k, i == 0, curve->begin_ns + i * curve->step_ns, bytes, bytes, bytes);
    }
    tac_text_add(k->t, "]]");
}

static void add_lane(struct look *k, char letter, uint32_t lane)
{
    const char *kind = letter ? strchr(letters, letter) : NULL;
    if (letter == 'p' && lane < k->v->c->sites_count)
        add_points(k, lane);
    if (letter == 'u')
        add_memory(k);
    uint32_t rows = kind ? tac_lod_rows(k->v->lod, (enum tac_lod_kind)(kind - letters), lane) : 0;
    for (uint32_t row = 0; row < rows; row++)
        add_spans(k, (enum tac_lod_kind)(kind - letters), lane, row);
}

void tac_view_lanes(const struct tac_view *v, const char *lanes, uint64_t from_ns, uint64_t to_ns,
                    uint32_t pixels, struct tac_text *t)
{
    uint64_t length = v->c->end_ns - v->c->begin_ns + 1;
    from_ns = from_ns < length ? from_ns : length;
    to_ns = to_ns < length ? to_ns : length;
    pixels = pixels < TAC_VIEW_PIXELS_MAX ? pixels : TAC_VIEW_PIXELS_MAX;
    struct look k = {v, v->c->begin_ns + from_ns, v->c->begin_ns + to_ns, pixels ? pixels : 1, t,
                     ""};
    tac_text_add(t, "[");
    for (int n = 0; *lanes && n < TAC_VIEW_LANES_MAX; n++) {
        char letter = *lanes;
        lanes += letter != 0;
        add_lane(&k, letter,
                 (uint32_t)strtoul(isdigit((unsigned char)*lanes) ? lanes : "0", NULL, 10));
        lanes += strcspn(lanes, ",");
        lanes += *lanes == ',';
    }
    tac_text_add(t, "]");
}
