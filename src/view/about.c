/* SPDX-License-Identifier: MIT
 * about.c - what there is in a recording, for the page: see view.h. */
#include "doctor/evidence.h"
#include "doctor/places.h"
#include "doctor/rule.h"
#include "view/view_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add_number(struct tac_text *t, const char *key, uint64_t value)
{
    tac_text_addf(t, ",\"%s\":%" PRIu64, key, value);
}

static void add_string(struct tac_text *t, const char *key, const char *value)
{
    tac_text_addf(t, ",\"%s\":", key);
    tac_text_add_json(t, value);
}

static void add_head(const struct tac_view *v, struct tac_text *t)
{
    struct tac_text problems = {0};
    tac_evidence_problems(v->c, &problems);
    const char *program = tac_capture_meta(v->c, "program");
    tac_text_add(t, "{\"name\":");
    tac_text_add_json(t, v->d->name);
    add_string(t, "program", program ? program : "");
    add_string(t, "problems", tac_text_string(&problems));
    add_number(t, "length", v->c->end_ns - v->c->begin_ns);
    add_number(t, "cores", tac_lod_lanes(v->lod, TAC_LOD_CPU));
    tac_text_fini(&problems);
}

static uint32_t rows(const struct tac_view *v, enum tac_lod_kind kind, size_t lane)
{
    return tac_lod_rows(v->lod, kind, (uint32_t)lane);
}

static void add_threads(const struct tac_view *v, struct tac_text *t)
{
    tac_text_add(t, ",\"threads\":[");
    for (size_t i = 0; i < v->c->threads_count; i++) {
        const struct tac_capture_thread *th = &v->c->threads[i];
        tac_text_addf(t, "%s{\"tid\":%u", i ? "," : "", th->tid);
        add_string(t, "name", th->name);
        add_number(t, "z", rows(v, TAC_LOD_ZONES, i));
        add_number(t, "s", rows(v, TAC_LOD_STATE, i));
        add_number(t, "m", rows(v, TAC_LOD_MEMORY, i));
        add_number(t, "l", rows(v, TAC_LOD_LOCKS, i));
        add_number(t, "g", rows(v, TAC_LOD_GAPS, i));
        add_number(t, "stored", th->stored);
        add_number(t, "lost", th->dropped + th->suppressed);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

static void add_sources(const struct tac_view *v, struct tac_text *t)
{
    tac_text_add(t, ",\"sources\":[");
    for (size_t i = 0; i < v->c->sources_count; i++) {
        const struct tac_capture_source *s = &v->c->sources[i];
        tac_text_addf(t, "%s{\"period\":%" PRIu64, i ? "," : "", s->period_ns);
        add_string(t, "name", s->name);
        add_number(t, "y", rows(v, TAC_LOD_CYCLES, i));
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

/* Names by site, and which of them are plots. */
static void add_sites(const struct tac_view *v, struct tac_text *t)
{
    tac_text_add(t, ",\"sites\":[");
    for (size_t i = 0; i < v->c->sites_count; i++) {
        tac_text_add(t, i ? "," : "");
        tac_text_add_json(t, v->c->sites[i].name);
    }
    tac_text_add(t, "],\"plots\":[");
    const char *comma = "";
    for (size_t i = 0; i < v->c->sites_count; i++) {
        struct tac_lod_point one[2];
        if (!tac_lod_points(v->lod, (uint32_t)i, 0, UINT64_MAX, 1, one, 2))
            continue;
        tac_text_addf(t, "%s{\"site\":%zu,\"unit\":", comma, i);
        tac_text_add_json(t, v->c->sites[i].unit);
        tac_text_add(t, "}");
        comma = ",";
    }
    tac_text_add(t, "]");
}

static int compare_tids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Names of all that ran on some core. */
static void add_names(const struct tac_view *v, struct tac_text *t)
{
    uint32_t *tid = malloc((v->c->kernel_count + 1) * sizeof *tid);
    size_t n = 0;
    for (size_t i = 0; tid && i < v->c->kernel_count; i++)
        if (v->c->kernel[i].type == TAC_KERNEL_SWITCH)
            tid[n++] = (uint32_t)(v->c->kernel[i].a >> 32);
    if (n)
        qsort(tid, n, sizeof *tid, compare_tids);
    tac_text_add(t, ",\"names\":{");
    const char *comma = "";
    for (size_t i = 0; i < n; i++) {
        const char *name = tac_capture_comm(v->c, tid[i]);
        if ((i && tid[i] == tid[i - 1]) || !name)
            continue;
        tac_text_addf(t, "%s\"%u\":", comma, tid[i]);
        tac_text_add_json(t, name);
        comma = ",";
    }
    tac_text_add(t, "}");
    free(tid);
}

static void add_rules(struct tac_text *t)
{
    tac_text_add(t, ",\"rules\":[");
    for (size_t i = 0; i < tac_rules_count; i++) {
        tac_text_addf(t, "%s{\"name\":\"%s\",\"title\":", i ? "," : "", tac_rules[i]->name);
        tac_text_add_json(t, tac_rules[i]->title);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

static void add_operations(struct tac_text *t)
{
    tac_text_add(t, ",\"operations\":[");
    for (uint32_t op = 0; op < TAC_PLACES_OPERATIONS; op++)
        tac_text_addf(t, "%s\"%s\"", op ? "," : "", tac_places_operation(op));
    tac_text_add(t, "]");
}

/* [index, begin, end, late, verdict, ...] of the late cycles, in the order of time. */
static void add_misses(const struct tac_view *v, struct tac_text *t)
{
    size_t told = 0, late = 0;
    tac_text_add(t, ",\"misses\":[");
    for (size_t i = 0; i < v->c->cycles_count; i++) {
        const struct tac_capture_cycle *c = &v->c->cycles[i];
        uint64_t by = tac_capture_late_ns(c);
        late += by > 0;
        if (!by || told == TAC_VIEW_MISSES_MAX)
            continue;
        tac_text_addf(t, "%s%zu,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u", told++ ? "," : "", i,
                      tac_view_time(v, c->begin_ns), tac_view_time(v, c->end_ns), by,
                      v->d->cycle_verdict[i]);
    }
    tac_text_add(t, "]");
    add_number(t, "cycles", v->c->cycles_count);
    add_number(t, "late", late);
}

void tac_view_about(const struct tac_view *v, struct tac_text *t)
{
    add_head(v, t);
    add_threads(v, t);
    add_sources(v, t);
    add_sites(v, t);
    add_names(v, t);
    add_rules(t);
    add_operations(t);
    add_misses(v, t);
    tac_text_addf(t, ",\"memory\":%s}", v->curve && !v->curve->plotted ? "true" : "false");
}
