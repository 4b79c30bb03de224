/* SPDX-License-Identifier: MIT
 * heap_view_print.c - the view of a heap as a page for the terminal, as JSON, and as metrics in the
 * text format of Prometheus (its exposition format 0.0.4). */
#include "cli/heap_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_CLASSES = 8, TOP_THREADS = 8, TOP_POOLS = 12, TOP_SITES = 10, MAP_COLUMNS = 64 };

static const char *bytes(double n, char buffer[16])
{
    return tac_text_bytes(n, buffer, 16);
}

static double per_second(const struct tac_heap_view *view, uint64_t now, uint64_t before)
{
    double seconds = (double)(view->taken_ns - view->before_ns) * 1e-9;
    return view->before_ns && seconds > 0 && now >= before ? (double)(now - before) / seconds : 0;
}

static double worst_us(const struct tac_heap_view *view, uint64_t ticks)
{
    return view->ticks_per_us > 0 ? (double)ticks / view->ticks_per_us : 0;
}

/* ---- text ---- */

static void text_head(const struct tac_heap_view *view, struct tac_text *t)
{
    const struct tac_heap_stats *s = &view->stats;
    char a[16], b[16], c[16];
    tac_text_addf(t, "%s (%d)", view->program, (int)view->pid);
    if (view->heap)
        tac_text_addf(t, ", heap %d", view->heap + 1);
    tac_text_addf(t, ": arena %s, %s populated, %s locked\n", bytes((double)s->arena_bytes, a),
                  bytes((double)(s->populated_bytes + s->ahead_bytes), b),
                  bytes((double)s->locked_bytes, c));
    tac_text_addf(t, "  in use      %s in blocks, %s of pages; at most %s\n",
                  bytes((double)s->live_bytes, a), bytes((double)s->taken_bytes, b),
                  bytes((double)s->taken_peak_bytes, c));
    tac_text_addf(
        t, "  free        %s, largest piece %s, fragmentation %.0f %%; at least %s so far\n",
        bytes((double)(s->arena_bytes - s->taken_bytes), a), bytes((double)s->free_span_bytes, b),
        100 * s->fragmentation, bytes((double)(s->arena_bytes - s->taken_peak_bytes), c));
    if (s->low_bytes || s->reserve_bytes)
        tac_text_addf(t, "  low water   mark %s, crossed %llu times; reserve %s\n",
                      bytes((double)s->low_bytes, a), (unsigned long long)s->low_crossings,
                      bytes((double)s->reserve_bytes, b));
    tac_text_addf(
        t,
        "  calls       beyond the fast path: %.0f mallocs/s, %.0f frees/s; slowest %.1f us\n"
        "              %.0f blocks/s freed by another thread; %llu refused, %llu in "
        "forbidden scopes\n",
        per_second(view, s->slow_mallocs, view->before.slow_mallocs),
        per_second(view, s->slow_frees, view->before.slow_frees), worst_us(view, s->worst_ticks),
        per_second(view, s->remote_frees, view->before.remote_frees),
        (unsigned long long)s->failures, (unsigned long long)s->violations);
}

/* Fill from . to #; letters where large blocks are the most of it. */
static char cell_sign(const struct tac_heap_map_cell *cell, size_t cell_bytes)
{
    size_t taken = cell->slab_bytes + cell->large_bytes;
    if (!taken)
        return '.';
    if (cell->large_bytes > cell->slab_bytes)
        return taken * 2 > cell_bytes ? 'L' : 'l';
    return cell->live_bytes * 4 > cell_bytes * 3 ? '#'
           : cell->live_bytes * 4 > cell_bytes   ? '+'
                                                 : '-';
}

static void text_map(const struct tac_heap_view *view, struct tac_text *t)
{
    char a[16];
    if (!view->cell_bytes)
        return;
    tac_text_addf(t, "\nmap (a sign is %s; # + - small blocks, full to empty; L l large; . free)\n",
                  bytes((double)view->cell_bytes, a));
    for (unsigned i = 0; i < TAC_HEAP_VIEW_CELLS; i++) {
        char sign = cell_sign(&view->cell[i], view->cell_bytes);
        if (i % MAP_COLUMNS == 0)
            tac_text_add(t, "  ");
        tac_text_add_n(t, &sign, 1);
        if (i % MAP_COLUMNS == MAP_COLUMNS - 1)
            tac_text_add(t, "\n");
    }
}

static int class_by_bytes(const void *a, const void *b)
{
    const struct tac_heap_class_stats *x = a, *y = b;
    return (x->slab_bytes < y->slab_bytes) - (x->slab_bytes > y->slab_bytes);
}

static void text_classes(const struct tac_heap_view *view, struct tac_text *t)
{
    struct tac_heap_class_stats list[TAC_HEAP_CLASSES];
    char a[16], b[16];
    memcpy(list, view->stats.of_class, sizeof list);
    qsort(list, view->stats.class_count, sizeof *list, class_by_bytes);
    tac_text_addf(t, "\n  %10s %10s %12s %12s %6s\n", "block", "blocks", "in blocks", "held",
                  "used");
    for (unsigned i = 0; i < TOP_CLASSES && i < view->stats.class_count && list[i].slab_bytes;
         i++) {
        double live = (double)list[i].live_blocks * (double)list[i].block_bytes;
        tac_text_addf(t, "  %10zu %10zu %12s %12s %5.0f%%\n", list[i].block_bytes,
                      list[i].live_blocks, bytes(live, a), bytes((double)list[i].slab_bytes, b),
                      100 * live / (double)list[i].slab_bytes);
    }
    if (view->stats.large_blocks)
        tac_text_addf(t, "  %10s %10zu %12s\n", "pages", view->stats.large_blocks,
                      bytes((double)view->stats.large_bytes, a));
}

static void thread_name(const struct tac_heap_view *view, int tid, char *name, size_t size)
{
    char path[80];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)view->pid, tid);
    FILE *file = fopen(path, "re");
    snprintf(name, size, "?");
    if (file && fgets(name, (int)size, file))
        name[strcspn(name, "\n")] = 0;
    if (file)
        fclose(file);
}

static void text_threads(const struct tac_heap_view *view, struct tac_text *t)
{
    char a[16], b[16], name[20];
    tac_text_addf(t, "\n  %-16s %8s %12s %12s %10s %10s %9s\n", "thread", "tid", "in blocks",
                  "held", "slow calls", "remote", "slowest");
    unsigned shown = 0, ended = 0;
    size_t ended_bytes = 0;
    for (unsigned i = 0; i < view->threads; i++) {
        const struct tac_heap_thread_stats *s = &view->thread[i];
        ended += !s->is_running;
        ended_bytes += s->is_running ? 0 : s->live_bytes;
        if (!s->is_running || shown++ >= TOP_THREADS)
            continue;
        thread_name(view, s->tid, name, sizeof name);
        tac_text_addf(t, "  %-16s %8d %12s %12s %10llu %10llu %6.1f us%s\n", name, s->tid,
                      bytes((double)s->live_bytes, a), bytes((double)s->slab_bytes, b),
                      (unsigned long long)(s->slow_mallocs + s->slow_frees),
                      (unsigned long long)s->remote_frees, worst_us(view, s->worst_ticks),
                      s->is_real_time ? " rt" : "");
    }
    if (shown > TOP_THREADS)
        tac_text_addf(t, "  and %u more\n", shown - TOP_THREADS);
    if (ended)
        tac_text_addf(t, "  %u ended; %s of their blocks live on\n", ended,
                      bytes((double)ended_bytes, a));
}

static void text_pools(const struct tac_heap_view *view, struct tac_text *t)
{
    char a[16];
    if (!view->pools)
        return;
    tac_text_addf(t, "\n  %-24s %10s %8s %8s %8s %10s %8s %8s\n", "pool", "object", "count", "used",
                  "most", "gets", "refused", "stolen");
    for (unsigned i = 0; i < view->pools && i < TOP_POOLS; i++) {
        const struct tac_pool_stats *s = &view->pool[i].stats;
        tac_text_addf(t, "  %-24.24s %10s %8u %8u %8u %10llu %8llu %8llu\n",
                      *view->pool[i].name ? view->pool[i].name : "(no name)",
                      bytes((double)s->object_bytes, a), s->count, s->used, s->used_peak,
                      (unsigned long long)s->gets, (unsigned long long)s->failures,
                      (unsigned long long)s->steals);
    }
    if (view->pools > TOP_POOLS)
        tac_text_addf(t, "  and %u more\n", view->pools - TOP_POOLS);
}

static void text_sites(const struct tac_heap_view *view, struct tac_text *t)
{
    char a[16], place[200];
    uint64_t total = 0;
    if (!view->sampling)
        return;
    for (unsigned i = 0; i < view->sites; i++)
        total += view->site[i].weight_bytes;
    tac_text_addf(t, "\n  %12s %6s   where it was allocated (sampled)\n", "bytes", "share");
    for (unsigned i = 0; i < view->sites && i < TOP_SITES; i++) {
        const struct tac_heap_view_site *s = &view->site[i];
        tac_text_addf(t, "  %12s %5.0f%%   %s\n", bytes((double)s->weight_bytes, a),
                      total ? 100 * (double)s->weight_bytes / (double)total : 0,
                      tac_heap_view_site_text(view, s->site, place, sizeof place));
    }
}

void tac_heap_view_text(const struct tac_heap_view *view, struct tac_text *ret_text)
{
    text_head(view, ret_text);
    text_map(view, ret_text);
    text_classes(view, ret_text);
    text_threads(view, ret_text);
    text_pools(view, ret_text);
    text_sites(view, ret_text);
}

/* ---- JSON ---- */

static void json_number(struct tac_text *t, const char *key, double value, const char *after)
{
    tac_text_addf(t, "\"%s\": %.17g%s", key, value, after);
}

static void json_totals(const struct tac_heap_view *view, struct tac_text *t)
{
    const struct tac_heap_stats *s = &view->stats;
    const struct {
        const char *key;
        double value;
    } number[] = {
        {"arena_bytes", (double)s->arena_bytes},
        {"populated_bytes", (double)(s->populated_bytes + s->ahead_bytes)},
        {"locked_bytes", (double)s->locked_bytes},
        {"live_bytes", (double)s->live_bytes},
        {"taken_bytes", (double)s->taken_bytes},
        {"taken_peak_bytes", (double)s->taken_peak_bytes},
        {"large_blocks", (double)s->large_blocks},
        {"large_bytes", (double)s->large_bytes},
        {"free_span_bytes", (double)s->free_span_bytes},
        {"fragmentation", s->fragmentation},
        {"reserve_bytes", (double)s->reserve_bytes},
        {"low_bytes", (double)s->low_bytes},
        {"low_crossings", (double)s->low_crossings},
        {"slow_mallocs", (double)s->slow_mallocs},
        {"slow_frees", (double)s->slow_frees},
        {"remote_frees", (double)s->remote_frees},
        {"failures", (double)s->failures},
        {"foreign_frees", (double)s->foreign_frees},
        {"violations", (double)s->violations},
        {"worst_us", worst_us(view, s->worst_ticks)},
    };
    for (unsigned i = 0; i < sizeof number / sizeof *number; i++)
        json_number(t, number[i].key, number[i].value, ",\n  ");
}

static void json_classes(const struct tac_heap_view *view, struct tac_text *t)
{
    const char *comma = "";
    tac_text_add(t, "\"classes\": [");
    for (unsigned i = 0; i < view->stats.class_count; i++) {
        const struct tac_heap_class_stats *c = &view->stats.of_class[i];
        if (!c->slab_bytes)
            continue;
        tac_text_addf(t,
                      "%s\n    {\"block_bytes\": %zu, \"live_blocks\": %zu, \"held_bytes\": %zu}",
                      comma, c->block_bytes, c->live_blocks, c->slab_bytes);
        comma = ",";
    }
    tac_text_add(t, "],\n  ");
}

static void json_threads(const struct tac_heap_view *view, struct tac_text *t)
{
    char name[20];
    tac_text_add(t, "\"threads\": [");
    for (unsigned i = 0; i < view->threads; i++) {
        const struct tac_heap_thread_stats *s = &view->thread[i];
        thread_name(view, s->tid, name, sizeof name);
        tac_text_addf(t, "%s\n    {\"name\": ", i ? "," : "");
        tac_text_add_json(t, s->is_running ? name : "");
        tac_text_addf(t,
                      ", \"tid\": %d, \"running\": %s, \"real_time\": %s, \"live_bytes\": %zu, "
                      "\"held_bytes\": %zu, \"slow_mallocs\": %llu, \"slow_frees\": %llu, "
                      "\"remote_frees\": %llu, \"failures\": %llu, \"worst_us\": %.3f}",
                      s->tid, s->is_running ? "true" : "false", s->is_real_time ? "true" : "false",
                      s->live_bytes, s->slab_bytes, (unsigned long long)s->slow_mallocs,
                      (unsigned long long)s->slow_frees, (unsigned long long)s->remote_frees,
                      (unsigned long long)s->failures, worst_us(view, s->worst_ticks));
    }
    tac_text_add(t, "],\n  ");
}

static void json_pools(const struct tac_heap_view *view, struct tac_text *t)
{
    tac_text_add(t, "\"pools\": [");
    for (unsigned i = 0; i < view->pools; i++) {
        const struct tac_pool_stats *s = &view->pool[i].stats;
        tac_text_addf(t, "%s\n    {\"name\": ", i ? "," : "");
        tac_text_add_json(t, view->pool[i].name);
        tac_text_addf(t,
                      ", \"object_bytes\": %zu, \"count\": %u, \"used\": %u, \"used_peak\": %u, "
                      "\"gets\": %llu, \"failures\": %llu, \"steals\": %llu}",
                      s->object_bytes, s->count, s->used, s->used_peak, (unsigned long long)s->gets,
                      (unsigned long long)s->failures, (unsigned long long)s->steals);
    }
    tac_text_add(t, "],\n  ");
}

static void json_map(const struct tac_heap_view *view, struct tac_text *t)
{
    tac_text_addf(t, "\"map\": {\"cell_bytes\": %zu, \"cells\": [", view->cell_bytes);
    for (unsigned i = 0; i < TAC_HEAP_VIEW_CELLS && view->cell_bytes; i++)
        tac_text_addf(t, "%s[%zu,%zu,%zu]", i ? "," : "", view->cell[i].slab_bytes,
                      view->cell[i].large_bytes, view->cell[i].live_bytes);
    tac_text_add(t, "]},\n  ");
}

static void json_sites(const struct tac_heap_view *view, struct tac_text *t)
{
    char place[200];
    tac_text_addf(t, "\"samples_lost\": %llu,\n  \"sites\": [",
                  (unsigned long long)view->samples_lost);
    for (unsigned i = 0; i < view->sites; i++) {
        const struct tac_heap_view_site *s = &view->site[i];
        tac_text_addf(t, "%s\n    {\"address\": \"0x%llx\", \"place\": ", i ? "," : "",
                      (unsigned long long)s->site);
        tac_text_add_json(t, tac_heap_view_site_text(view, s->site, place, sizeof place));
        tac_text_addf(t, ", \"bytes\": %llu, \"samples\": %llu}",
                      (unsigned long long)s->weight_bytes, (unsigned long long)s->samples);
    }
    tac_text_add(t, "]}\n");
}

void tac_heap_view_json(const struct tac_heap_view *view, struct tac_text *ret_text)
{
    struct tac_text *t = ret_text;
    tac_text_addf(
        t, "{\"format\": \"tactus-heap-1\",\n  \"pid\": %d,\n  \"program\": ", (int)view->pid);
    tac_text_add_json(t, view->program);
    tac_text_addf(t, ",\n  \"heap\": %d,\n  ", view->heap);
    json_totals(view, t);
    json_classes(view, t);
    json_threads(view, t);
    json_pools(view, t);
    json_map(view, t);
    json_sites(view, t);
}

/* ---- Prometheus ---- */

struct metric {
    const char *name, *type, *help;
    double (*value)(const struct tac_heap_view *view);
};

#define VALUE(field)                                                                               \
    static double field(const struct tac_heap_view *view)                                          \
    {                                                                                              \
        return (double)view->stats.field;                                                          \
    }
VALUE(arena_bytes)
VALUE(locked_bytes)
VALUE(live_bytes)
VALUE(taken_bytes)
VALUE(taken_peak_bytes)
VALUE(large_bytes)
VALUE(free_span_bytes)
VALUE(fragmentation)
VALUE(low_crossings)
VALUE(slow_mallocs)
VALUE(slow_frees)
VALUE(remote_frees)
VALUE(failures)
VALUE(violations)

static double worst_seconds(const struct tac_heap_view *view)
{
    return worst_us(view, view->stats.worst_ticks) * 1e-6;
}

static double running_threads(const struct tac_heap_view *view)
{
    return view->stats.threads;
}

static const struct metric metrics[] = {
    {"arena_bytes", "gauge", "Address space of the heap", arena_bytes},
    {"locked_bytes", "gauge", "Memory that is locked", locked_bytes},
    {"live_bytes", "gauge", "Memory in blocks", live_bytes},
    {"taken_bytes", "gauge", "Pages handed out", taken_bytes},
    {"taken_peak_bytes", "gauge", "The most pages ever handed out", taken_peak_bytes},
    {"large_bytes", "gauge", "Memory in blocks of whole pages", large_bytes},
    {"free_span_bytes", "gauge", "The largest block that would succeed", free_span_bytes},
    {"fragmentation_ratio", "gauge", "1 - largest free piece / free memory", fragmentation},
    {"threads", "gauge", "Threads that have a thread heap", running_threads},
    {"low_water_crossings_total", "counter", "Times that free memory fell below the mark",
     low_crossings},
    {"slow_mallocs_total", "counter", "Allocations beyond the fast path", slow_mallocs},
    {"slow_frees_total", "counter", "Frees beyond the fast path", slow_frees},
    {"remote_frees_total", "counter", "Blocks freed by another thread", remote_frees},
    {"failures_total", "counter", "Calls that returned NULL", failures},
    {"violations_total", "counter", "Calls in scopes that forbid them", violations},
    {"worst_call_seconds", "gauge", "The slowest call beyond the fast path", worst_seconds},
};

/* A label's value: backslash, quote and line feed are escaped, other control signs dropped. */
static void label(struct tac_text *t, const char *name, const char *value)
{
    tac_text_addf(t, "%s=\"", name);
    for (; *value; value++)
        if (*value == '"' || *value == '\\')
            tac_text_addf(t, "\\%c", *value);
        else if ((unsigned char)*value >= ' ')
            tac_text_add_n(t, value, 1);
    tac_text_add(t, "\"");
}

static void labels(const struct tac_heap_view *view, struct tac_text *t)
{
    tac_text_addf(t, "{pid=\"%d\",heap=\"%d\",", (int)view->pid, view->heap);
    label(t, "program", view->program);
}

static void pool_metric(const struct tac_heap_view *const *views, int count, struct tac_text *t,
                        const char *name, const char *type, int which)
{
    tac_text_addf(t, "# TYPE tactus_pool_%s %s\n", name, type);
    for (int v = 0; v < count; v++)
        for (unsigned i = 0; i < views[v]->pools; i++) {
            const struct tac_pool_stats *s = &views[v]->pool[i].stats;
            const uint64_t value[] = {s->count, s->used, s->used_peak, s->failures};
            tac_text_addf(t, "tactus_pool_%s", name);
            labels(views[v], t);
            tac_text_addf(t, ",index=\"%u\",", i);
            label(t, "pool", views[v]->pool[i].name);
            tac_text_addf(t, "} %llu\n", (unsigned long long)value[which]);
        }
}

void tac_heap_view_prometheus(const struct tac_heap_view *const *views, int count,
                              struct tac_text *ret_text)
{
    struct tac_text *t = ret_text;
    for (unsigned m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        tac_text_addf(t, "# HELP tactus_heap_%s %s\n# TYPE tactus_heap_%s %s\n", metrics[m].name,
                      metrics[m].help, metrics[m].name, metrics[m].type);
        for (int v = 0; v < count; v++) {
            tac_text_addf(t, "tactus_heap_%s", metrics[m].name);
            labels(views[v], t);
            tac_text_addf(t, "} %.17g\n", metrics[m].value(views[v]));
        }
    }
    pool_metric(views, count, t, "objects", "gauge", 0);
    pool_metric(views, count, t, "used", "gauge", 1);
    pool_metric(views, count, t, "used_peak", "gauge", 2);
    pool_metric(views, count, t, "failures_total", "counter", 3);
}
