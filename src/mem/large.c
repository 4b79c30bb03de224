/* SPDX-License-Identifier: MIT
 * large.c - blocks of whole units.
 *
 * A large block's first line keeps its length; the rest of the table is untouched. Threads: any;
 * the block belongs to whoever holds it, so there are no remote frees here. */
#include "mem/unit_count.h"

#include "base/bits.h"

static size_t open_to(const struct tac_heap *heap)
{
    return heap ? heap->open_units : tac_mem.units - tac_mem.reserve_units;
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

/* A block of n units that are accounted for, if they were found. */
static void *begin_large(struct tac_heap *heap, long unit, size_t n)
{
    if (TAC_UNLIKELY(unit < 0)) {
        tac_units_return(n);
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
    if (!tac_units_account(n, open_to(heap)))
        return NULL;
    long unit = tac_spans_take(&tac_mem.spans, n);
    if (unit >= 0)
        *ret_fresh = tac_units_fresh((size_t)unit, n);
    return begin_large(heap, unit, n);
}

void *tac_large_alloc_aligned(struct tac_heap *heap, size_t bytes, size_t alignment)
{
    if (bytes > tac_mem.bytes || alignment > tac_mem.bytes)
        return NULL;
    size_t n = units_for(bytes);
    if (!tac_units_account(n, open_to(heap)))
        return NULL;
    size_t align = alignment > TAC_UNIT_BYTES ? alignment >> TAC_UNIT_SHIFT : 1;
    long unit = tac_spans_take_aligned(&tac_mem.spans, n, align, tac_mem.base >> TAC_UNIT_SHIFT);
    if (unit >= 0)
        tac_units_fresh((size_t)unit, n);
    return begin_large(heap, unit, n);
}

void tac_large_free(struct tac_heap *heap, struct tac_large *large, size_t unit)
{
    size_t n = large->units;
    TAC_KIND_SET(large, TAC_KIND_NONE);
    large->units = 0;
    count(heap, -1, -(long)n);
    tac_units_give(unit, n);
}

bool tac_large_resize(struct tac_heap *heap, struct tac_large *large, size_t unit, size_t bytes)
{
    size_t n = units_for(bytes), old = large->units;
    if (n > tac_mem.units)
        return false;
    if (n > old) {
        if (!tac_units_account(n - old, open_to(heap)))
            return false;
        if (!tac_spans_grow(&tac_mem.spans, unit, old, n)) {
            tac_units_return(n - old);
            return false;
        }
        tac_units_fresh(unit, n);
    }
    large->units = n;
    if (n < old) {
        tac_units_return(old - n);
        tac_spans_shrink(&tac_mem.spans, unit, old, n);
    }
    count(heap, 0, (long)n - (long)old);
    return true;
}
