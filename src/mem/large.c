/* SPDX-License-Identifier: MIT
 * large.c - blocks of whole units, and the account of units that all layers share.
 *
 * A large block's first line keeps its length; the rest of the table is untouched. Threads: any;
 * the block belongs to whoever holds it, so there are no remote frees here. */
#include "mem/heap.h"

#include "base/bits.h"

#define LARGE_ALIGN_MAX ((size_t)TAC_UNIT_BYTES * TAC_CHUNK_UNITS) /* as the arena is aligned */

static void note_peak(size_t taken)
{
    size_t peak = atomic_load_explicit(&tac_mem.peak_units, memory_order_relaxed);
    if (taken > peak)
        atomic_store_explicit(&tac_mem.peak_units, taken, memory_order_relaxed);
}

/* Account for n units more, unless that would take from the reserve. */
static bool account(const struct tac_heap *heap, size_t n)
{
    size_t taken = atomic_fetch_add(&tac_mem.taken_units, n) + n;
    size_t open = heap && heap->real_time ? tac_mem.units : tac_mem.units - tac_mem.reserve_units;
    if (taken > open) {
        atomic_fetch_sub(&tac_mem.taken_units, n);
        return false;
    }
    note_peak(taken);
    tac_low_water_check(taken);
    return true;
}

/* Units are fresh while nobody was handed anything at or above them. The mark must get past them in
 * any case, or a calloc would later take them for zeros; who lost TRIES races to others that raised
 * it adds what was missing then, which is too much by what they add meanwhile. */
static bool note_fresh(size_t unit, size_t n)
{
    size_t mark = atomic_load(&tac_mem.fresh_unit), end = unit + n;
    bool fresh = unit >= mark;
    for (int tries = 0; end > mark; tries++) {
        if (tries == TAC_SPANS_TRIES) {
            atomic_fetch_add(&tac_mem.fresh_unit, end - mark);
            break;
        }
        if (atomic_compare_exchange_strong(&tac_mem.fresh_unit, &mark, end))
            break;
    }
    return fresh;
}

/* After the search: nothing was found, or n units from `unit` on. Wanted were more, perhaps. */
static long found(long unit, size_t n, size_t wanted)
{
    if (n < wanted)
        atomic_fetch_sub(&tac_mem.taken_units, wanted - n);
    if (unit >= 0)
        note_fresh((size_t)unit, n);
    return unit;
}

long tac_mem_take(const struct tac_heap *heap, size_t n)
{
    if (!account(heap, n))
        return -1;
    long unit = tac_spans_take(&tac_mem.spans, n, true);
    return found(unit, unit < 0 ? 0 : n, n);
}

long tac_mem_take_small(const struct tac_heap *heap, unsigned *ret_n)
{
    if (!account(heap, TAC_HEAP_SPARES)) {
        *ret_n = 1;
        return tac_mem_take(heap, 1);
    }
    long unit = tac_spans_take_some(&tac_mem.spans, TAC_HEAP_SPARES, ret_n);
    return found(unit, unit < 0 ? 0 : *ret_n, TAC_HEAP_SPARES);
}

void tac_mem_give(size_t unit, size_t n)
{
    tac_spans_give(&tac_mem.spans, unit, n);
    atomic_fetch_sub(&tac_mem.taken_units, n);
}

static void count(struct tac_heap *heap, long blocks, long units)
{
    if (heap) {
        heap->counters.large_blocks += (size_t)blocks;
        heap->counters.large_units += (size_t)units;
        return;
    }
    atomic_fetch_add(&tac_mem.detached_large_blocks, (size_t)blocks);
    atomic_fetch_add(&tac_mem.detached_large_units, (size_t)units);
}

static size_t units_for(size_t bytes)
{
    return tac_spans_round(bytes ? (bytes + TAC_UNIT_BYTES - 1) >> TAC_UNIT_SHIFT : 1);
}

static void give_counted(size_t unit, size_t n)
{
    if (n)
        tac_mem_give(unit, n);
}

/* Alignments that the span layer does not know: take more, give the ends back. */
static long take_padded(size_t n, size_t alignment)
{
    size_t pad = alignment >> TAC_UNIT_SHIFT;
    long unit = tac_spans_take(&tac_mem.spans, n + pad, false);
    if (unit < 0)
        return -1;
    atomic_fetch_add(&tac_mem.taken_units, pad);
    uintptr_t address = (uintptr_t)tac_unit_address((size_t)unit);
    size_t head = ((-address) & (alignment - 1)) >> TAC_UNIT_SHIFT;
    give_counted((size_t)unit, head);
    give_counted((size_t)unit + head + n, pad - head);
    return unit + (long)head;
}

/* A block of n units that are accounted for, if they were found. */
static void *begin_large(struct tac_heap *heap, long unit, size_t n)
{
    if (TAC_UNLIKELY(unit < 0)) {
        atomic_fetch_sub(&tac_mem.taken_units, n);
        return NULL;
    }
    struct tac_large *large = tac_large_at((size_t)unit);
    large->units = n;
    TAC_KIND_SET(large, TAC_KIND_LARGE);
    count(heap, 1, (long)n);
    return tac_unit_address((size_t)unit);
}

void *tac_large_alloc(struct tac_heap *heap, size_t bytes, bool *ret_fresh)
{
    if (TAC_UNLIKELY(bytes > tac_mem.bytes))
        return NULL;
    size_t n = units_for(bytes);
    if (!account(heap, n))
        return NULL;
    long unit = tac_spans_take(&tac_mem.spans, n, false);
    if (unit >= 0)
        *ret_fresh = note_fresh((size_t)unit, n);
    return begin_large(heap, unit, n);
}

void *tac_large_alloc_aligned(struct tac_heap *heap, size_t bytes, size_t alignment)
{
    if (bytes > tac_mem.bytes || alignment > tac_mem.bytes)
        return NULL;
    size_t n = units_for(bytes);
    if (!account(heap, n))
        return NULL;
    unsigned align = alignment > TAC_UNIT_BYTES ? (unsigned)(alignment >> TAC_UNIT_SHIFT) : 1;
    long unit = alignment > LARGE_ALIGN_MAX ? take_padded(n, alignment)
                                            : tac_spans_take_aligned(&tac_mem.spans, n, align);
    if (unit >= 0)
        note_fresh((size_t)unit, n);
    return begin_large(heap, unit, n);
}

void tac_large_free(struct tac_heap *heap, struct tac_large *large, size_t unit)
{
    size_t n = large->units;
    TAC_KIND_SET(large, TAC_KIND_NONE);
    large->units = 0;
    count(heap, -1, -(long)n);
    tac_mem_give(unit, n);
}

bool tac_large_resize(struct tac_heap *heap, struct tac_large *large, size_t unit, size_t bytes)
{
    size_t n = units_for(bytes), old = large->units;
    if (n > tac_mem.units)
        return false;
    if (n > old) {
        if (!account(heap, n - old))
            return false;
        if (!tac_spans_grow(&tac_mem.spans, unit, old, n)) {
            atomic_fetch_sub(&tac_mem.taken_units, n - old);
            return false;
        }
        note_fresh(unit, n);
    }
    large->units = n;
    if (n < old)
        tac_mem_give(unit + n, old - n);
    count(heap, 0, (long)n - (long)old);
    return true;
}
