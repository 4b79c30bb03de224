/* SPDX-License-Identifier: MIT
 * large.c - blocks of whole units.
 *
 * A large block's first line keeps its length; the rest of the table is untouched. Threads: any;
 * the block belongs to whoever holds it, so there are no remote frees here. */
#include "mem/unit_count.h"

#include "base/bits.h"

static inline void *begin(struct tac_heap *heap, size_t unit, size_t n)
{
    struct tac_large *large = tac_large_at(unit);
    large->units = n;
    TAC_KIND_SET(large, TAC_KIND_LARGE);
    tac_large_count(heap, 1, (long)n);
    return tac_unit_address(unit);
}

void *tac_large_begin(struct tac_heap *heap, size_t unit, size_t n)
{
    return begin(heap, unit, n);
}

/* A block of n units that are accounted for, if they were found. */
static void *begin_large(struct tac_heap *heap, long unit, size_t n)
{
    if (TAC_UNLIKELY(unit < 0)) {
        tac_units_return(n);
        return NULL;
    }
    return begin(heap, (size_t)unit, n);
}

/* A block that nobody counts yet; *ret_n: its units. */
static inline long alloc(size_t bytes, const size_t *open, size_t *ret_n, bool *ret_fresh)
{
    if (TAC_UNLIKELY(bytes > tac_mem.bytes))
        return -1;
    size_t n = *ret_n = tac_large_units(bytes);
    if (TAC_UNLIKELY(!tac_units_account(n, open)))
        return -1;
    long unit = tac_spans_take(&tac_mem.spans, n);
    if (TAC_UNLIKELY(unit < 0))
        tac_units_return(n);
    else
        *ret_fresh = tac_units_fresh((size_t)unit, n);
    return unit;
}

void *tac_large_alloc(struct tac_heap *heap, size_t bytes, bool *ret_fresh)
{
    size_t n;
    long unit = alloc(bytes, &(size_t){tac_large_open(heap)}, &n, ret_fresh);
    return unit < 0 ? NULL : begin(heap, (size_t)unit, n);
}

void *tac_large_malloc(struct tac_heap *heap, size_t bytes)
{
    uint64_t start = tac_counter();
    size_t n;
    bool fresh;
    long unit = alloc(bytes, &heap->open_units, &n, &fresh);
    if (TAC_UNLIKELY(unit < 0))
        return tac_heap_failed();
    tac_heap_note_worst(heap, start);
    return begin(heap, (size_t)unit, n);
}

void *tac_large_alloc_aligned(struct tac_heap *heap, size_t bytes, size_t alignment)
{
    if (bytes > tac_mem.bytes || alignment > tac_mem.bytes)
        return NULL;
    size_t n = tac_large_units(bytes);
    if (!tac_units_account(n, &(size_t){tac_large_open(heap)}))
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
    tac_large_count(heap, -1, -(long)n);
    tac_units_give(unit, n);
}
