/* SPDX-License-Identifier: MIT
 * heap_view.c - takes the view; see heap_view.h. What it prints like is in heap_view_print.c. */
#include "cli/heap_view.h"

#include "base/clock.h"
#include "cli/program_map.h"
#include "mem/outside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES_ASKED = 4 * TAC_OUTSIDE_SAMPLES };

int tac_heap_view_find(pid_t pid, uint64_t ret_address[TAC_HEAP_VIEW_HEAPS], struct tac_error *err)
{
    int n = tac_outside_find(pid, ret_address, TAC_HEAP_VIEW_HEAPS);
    if (n > 0)
        return n;
    const char *text =
        n == -ESRCH ? "there is no such process"
        : n == -EPERM || n == -EACCES
            ? "it may not be looked at: it is another user's, or this machine lets "
              "only root look (kernel.yama.ptrace_scope); use sudo, or start it with "
              "TACTUS_HEAP=outside=yes"
        : n < 0 ? strerror(-n)
                : "it does not run on the Tactus heap; start it with tactus run, or "
                  "link libtactus-mem";
    return tac_error_set(err, n ? n : -ENOENT, NULL, 0, 0, "process %d: %s", (int)pid, text);
}

static void read_program(pid_t pid, char *program, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(program, (int)size, file))
        snprintf(program, size, "?");
    if (file)
        fclose(file);
    program[strcspn(program, "\n")] = 0;
    for (char *c = program; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 127 ? '?' : *c;
}

/* ---- symbols ---- */

static void open_symbols(struct tac_heap_view *view)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)view->pid);
    FILE *maps = fopen(path, "re");
    view->map = maps ? tac_program_map_new(maps) : NULL;
    if (maps)
        fclose(maps);
    if (view->map && tac_symbols_open(&view->map->capture, NULL, &view->symbols))
        view->symbols = NULL;
}

const char *tac_heap_view_site_text(const struct tac_heap_view *view, uint64_t site, char *buffer,
                                    size_t size)
{
    if (view->symbols)
        return tac_symbol_text(tac_symbols_find(view->symbols, site, TAC_SYMBOL_RETURN), buffer,
                               size);
    snprintf(buffer, size, "0x%" PRIx64, site);
    return buffer;
}

/* ---- the view ---- */

struct tac_heap_view *tac_heap_view_new(pid_t pid, int heap, uint64_t address, uint32_t sample)
{
    struct tac_heap_view *view = calloc(1, sizeof *view);
    if (!view)
        return NULL;
    view->pid = pid;
    view->heap = heap;
    view->address = address;
    view->sampling = sample != 0;
    view->ticks_per_us = tac_counter_hz(10000000) / 1e6;
    read_program(pid, view->program, sizeof view->program);
    if (sample)
        open_symbols(view);
    return view;
}

void tac_heap_view_free(struct tac_heap_view *view)
{
    if (!view)
        return;
    if (view->sampling)
        tac_outside_sample(view->pid, view->address, 0, 0);
    tac_symbols_close(view->symbols);
    tac_program_map_free(view->map);
    free(view);
}

static void keep_pool(const struct tac_pool_stats *stats, void *user)
{
    struct tac_heap_view *view = user;
    if (view->pools == TAC_HEAP_VIEW_POOLS)
        return;
    struct tac_heap_view_pool *pool = &view->pool[view->pools++];
    snprintf(pool->name, sizeof pool->name, "%s", stats->name);
    pool->stats = *stats;
    pool->stats.name = NULL;
}

static void add_sample(struct tac_heap_view *view, const struct tac_heap_sample *s)
{
    unsigned i = 0;
    while (i < view->sites && view->site[i].site != s->site)
        i++;
    if (i == TAC_HEAP_VIEW_SITES)
        return;
    view->sites += i == view->sites;
    view->site[i].site = s->site;
    view->site[i].weight_bytes += s->weight_bytes;
    view->site[i].samples++;
}

static int by_weight(const void *a, const void *b)
{
    const struct tac_heap_view_site *x = a, *y = b;
    return (x->weight_bytes < y->weight_bytes) - (x->weight_bytes > y->weight_bytes);
}

static void take_samples(struct tac_heap_view *view)
{
    static struct tac_heap_sample sample[TAC_OUTSIDE_SAMPLES];
    uint64_t count = atomic_load(&tac_outside()->sample_count);
    unsigned n = tac_heap_samples_get(sample, TAC_OUTSIDE_SAMPLES), fresh = 0;
    for (unsigned i = 0; i < n; i++)
        if (sample[i].number >= view->samples_seen) {
            add_sample(view, &sample[i]);
            fresh++;
        }
    view->samples_lost +=
        count > view->samples_seen + fresh ? count - view->samples_seen - fresh : 0;
    view->samples_seen = count;
    qsort(view->site, view->sites, sizeof *view->site, by_weight);
}

int tac_heap_view_take(struct tac_heap_view *view, uint32_t sample, struct tac_error *err)
{
    int r = tac_outside_load(view->pid, view->address, err);
    if (r)
        return r;
    view->before = view->stats;
    view->before_ns = view->taken_ns;
    view->taken_ns = tac_clock_ns();
    tac_heap_stats_get(&view->stats);
    view->threads = tac_heap_threads_get(view->thread, TAC_HEAP_VIEW_THREADS);
    view->cell_bytes = tac_heap_map_get(view->cell, TAC_HEAP_VIEW_CELLS);
    view->pools = 0;
    tac_outside_each_pool(view->pid, keep_pool, view);
    if (!view->sampling)
        return 0;
    if (!view->before_ns) /* what others sampled before is not ours */
        view->samples_seen = atomic_load(&tac_outside()->sample_count);
    take_samples(view);
    return tac_outside_sample(view->pid, view->address, sample, SAMPLES_ASKED);
}
