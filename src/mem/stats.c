/* SPDX-License-Identifier: MIT
 * stats.c - the statistics, by a walk over the tables: live bytes by class and by thread, the map
 * of the arena, what is free and in how large pieces.
 *
 * The same code serves a program that asks about itself and a reader outside that has copied the
 * tables (outside.h). So it follows no pointer that lies in a table, and takes no number from there
 * as an index without looking at it. Threads: any; numbers of other threads may be a moment old.
 * Real-time: no. Cost: one line for each 16 KiB up to the highest unit ever used. */
#include "mem/heap.h"
#include "mem/outside.h"

#include "base/bits.h"

#include <string.h>

unsigned tac_slab_marked(const struct tac_slab *slab)
{
    unsigned n = 0, capacity = tac_class_table[slab->class_index].capacity;
    const struct tac_remote *remote = tac_remote_of(slab);
    for (unsigned w = 0; w * 64 < capacity; w++)
        n += (unsigned)__builtin_popcountll(
            atomic_load_explicit(&remote->freed[w], memory_order_relaxed));
    return n;
}

static void add_heap(struct tac_heap_stats *stats, const struct tac_heap *heap)
{
    const struct tac_heap_counters *c = &heap->counters;
    stats->slow_mallocs += c->slow_mallocs;
    stats->slow_frees += c->slow_frees;
    stats->remote_frees += c->remote_frees;
    stats->failures += c->failures;
    stats->worst_ticks = c->worst_ticks > stats->worst_ticks ? c->worst_ticks : stats->worst_ticks;
    stats->large_blocks += c->large_blocks;
    stats->large_bytes += c->large_units * TAC_UNIT_BYTES;
}

/* Blocks of a current slab that are in use, or ready in their thread's list: which of them are,
 * only the thread itself can tell. */
static unsigned current_used(const struct tac_slab *slab)
{
    const struct tac_heap *heap = tac_thread.heap;
    if (!heap || tac_slab_heap(slab) != heap)
        return slab->made;
    return slab->made - tac_slab_list_length(slab, slab->free) -
           tac_slab_list_length(slab, heap->of[slab->class_index].list);
}

/* The same of any slab. */
static unsigned slab_used(const struct tac_slab *slab)
{
    unsigned pending = tac_slab_marked(slab);
    unsigned used = tac_slab_is_current(slab) ? current_used(slab) : slab->used;
    unsigned capacity = tac_class_table[slab->class_index].capacity;
    used = used > pending ? used - pending : 0;
    return used < capacity ? used : capacity;
}

/* Class 0 is none. */
static bool is_slab(const struct tac_slab *slab)
{
    return TAC_KIND_GET(slab) == TAC_KIND_SLAB && slab->class_index &&
           slab->class_index < TAC_CLASSES;
}

/* Visit the slabs, only up to the highest unit that was ever handed out: the table above it was
 * never touched. */
static void each_slab(void (*visit)(const struct tac_slab *slab, void *user), void *user)
{
    size_t units = atomic_load(&tac_mem.fresh_unit);
    uintptr_t end = (uintptr_t)(units < tac_mem.units ? units : tac_mem.units) << TAC_UNIT_SHIFT;
    for (uintptr_t offset = 0; offset < end; offset += TAC_UNIT_BYTES) {
        const struct tac_slab *slab = tac_slab_at(offset);
        if (is_slab(slab))
            visit(slab, user);
    }
}

static void add_slab(const struct tac_slab *slab, void *user)
{
    struct tac_heap_stats *stats = user;
    const struct tac_class *class = &tac_class_table[slab->class_index];
    struct tac_heap_class_stats *of = &stats->of_class[slab->class_index];
    unsigned used = slab_used(slab);
    of->live_blocks += used;
    of->slab_bytes += (size_t) class->units * TAC_UNIT_BYTES;
    stats->live_bytes += (size_t)used * class->block_bytes;
}

static void add_heaps(struct tac_heap_stats *stats)
{
    for (unsigned i = 0; i < tac_mem.threads; i++) {
        bool used = atomic_load(&tac_mem.thread_used[i / 64]) >> (i & 63) & 1;
        stats->threads += used;
        if (used || tac_mem.heaps[i].begun)
            add_heap(stats, &tac_mem.heaps[i]);
    }
    stats->failures += atomic_load(&tac_mem.detached_failures);
    stats->foreign_frees = atomic_load(&tac_mem.foreign_frees);
    stats->large_blocks += atomic_load(&tac_mem.detached_large_blocks);
    stats->large_bytes += atomic_load(&tac_mem.detached_large_units) * TAC_UNIT_BYTES;
}

void tac_heap_stats_get(struct tac_heap_stats *ret_stats)
{
    struct tac_heap_stats *stats = ret_stats;
    *stats = (struct tac_heap_stats){.class_count = TAC_CLASSES};
    for (unsigned c = 0; c < TAC_CLASSES; c++)
        stats->of_class[c].block_bytes = tac_class_table[c].block_bytes;
    if (!tac_mem.bytes)
        return;
    stats->arena_bytes = tac_mem.bytes;
    stats->locked_bytes = tac_mem.locked_bytes;
    stats->populated_bytes = tac_mem.populated_bytes;
    stats->taken_bytes = atomic_load(&tac_mem.taken_units) * TAC_UNIT_BYTES;
    stats->taken_peak_bytes = atomic_load(&tac_mem.peak_units) * TAC_UNIT_BYTES;
    stats->reserve_bytes = tac_mem.reserve_units * TAC_UNIT_BYTES;
    stats->threads_max = tac_mem.threads;
    const struct tac_outside *o = tac_outside();
    stats->low_bytes = (size_t)atomic_load(&o->low_units) * TAC_UNIT_BYTES;
    stats->low_crossings = atomic_load(&o->low_crossings);
    stats->violations = atomic_load(&o->violation_count);
    stats->ahead_bytes = (size_t)atomic_load(&o->helper_units) * TAC_UNIT_BYTES;
    add_heaps(stats);
    each_slab(add_slab, stats);
    stats->live_bytes += stats->large_bytes;
    size_t free_units = tac_spans_free_units(&tac_mem.spans);
    size_t longest = tac_spans_longest(&tac_mem.spans);
    stats->free_span_bytes = longest * TAC_UNIT_BYTES;
    stats->fragmentation = free_units ? 1 - (double)longest / (double)free_units : 0;
}

/* ---- by thread ---- */

struct by_thread {
    struct tac_heap_thread_stats *list;
    unsigned count;
};

static bool thread_used(unsigned i)
{
    return atomic_load(&tac_mem.thread_used[i / 64]) >> (i & 63) & 1;
}

/* The owner's index; owners are addresses in the process that the tables came from. */
static void add_slab_to_thread(const struct tac_slab *slab, void *user)
{
    struct by_thread *by = user;
    uint64_t heaps = tac_outside()->tables + (uint64_t)((char *)tac_mem.heaps - tac_mem.lines);
    uint64_t index = ((uintptr_t)tac_slab_heap(slab) - heaps) / sizeof(struct tac_heap);
    if (index >= by->count)
        return;
    const struct tac_class *class = &tac_class_table[slab->class_index];
    struct tac_heap_thread_stats *t = &by->list[index];
    t->slab_bytes += (size_t) class->units * TAC_UNIT_BYTES;
    t->live_bytes += (size_t)slab_used(slab) * class->block_bytes;
}

unsigned tac_heap_threads_get(struct tac_heap_thread_stats *ret_list, unsigned max)
{
    unsigned n = 0;
    for (; tac_mem.bytes && n < tac_mem.threads && n < max; n++) {
        const struct tac_heap *heap = &tac_mem.heaps[n];
        const struct tac_heap_counters *c = &heap->counters;
        if (!heap->begun)
            break;
        ret_list[n] = (struct tac_heap_thread_stats){
            .tid = heap->tid,
            .is_running = thread_used(n),
            .is_real_time = heap->real_time,
            .slow_mallocs = c->slow_mallocs,
            .slow_frees = c->slow_frees,
            .remote_frees = c->remote_frees,
            .failures = c->failures,
            .worst_ticks = c->worst_ticks,
        };
    }
    struct by_thread by = {ret_list, n};
    if (n)
        each_slab(add_slab_to_thread, &by);
    return n;
}

/* ---- the map ---- */

struct map {
    struct tac_heap_map_cell *cell;
    unsigned cells;
    size_t cell_units;
};

static void map_add(const struct map *map, size_t unit, size_t n, bool of_slab, unsigned used_255)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = (unit + i) / map->cell_units;
        if (at >= map->cells)
            return;
        struct tac_heap_map_cell *cell = &map->cell[at];
        cell->slab_bytes += of_slab ? TAC_UNIT_BYTES : 0;
        cell->large_bytes += of_slab ? 0 : TAC_UNIT_BYTES;
        cell->live_bytes += (size_t)TAC_UNIT_BYTES * used_255 / 255;
    }
}

/* Units from here to the next thing; at least one. */
static size_t map_unit(const struct map *map, size_t unit, size_t end)
{
    const struct tac_slab *slab = tac_slab_at((uintptr_t)unit << TAC_UNIT_SHIFT);
    const struct tac_large *large = tac_large_at(unit);
    if (is_slab(slab)) {
        const struct tac_class *class = &tac_class_table[slab->class_index];
        map_add(map, unit, class->units, true, slab_used(slab) * 255 / class->capacity);
        return class->units;
    }
    size_t n = large->units;
    if (TAC_KIND_GET(large) != TAC_KIND_LARGE || !n || n > end - unit)
        return 1;
    map_add(map, unit, n, false, 255);
    return n;
}

size_t tac_heap_map_get(struct tac_heap_map_cell *ret_cells, unsigned cells)
{
    memset(ret_cells, 0, cells * sizeof *ret_cells);
    size_t end = tac_mem.bytes ? atomic_load(&tac_mem.fresh_unit) : 0;
    end = end < tac_mem.units ? end : tac_mem.units;
    if (!end || !cells)
        return 0;
    struct map map = {ret_cells, cells, (end + cells - 1) / cells};
    for (size_t unit = 0; unit < end;)
        unit += map_unit(&map, unit, end);
    return map.cell_units * TAC_UNIT_BYTES;
}
