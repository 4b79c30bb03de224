/* SPDX-License-Identifier: MIT
 * unit_count.h - the account of units that slabs and large blocks share: how many are in use, the
 * most that ever were, and up to where the arena was ever used.
 *
 * Inlined where units are taken and given; a search of the span layer stands between. Threads: any.
 */
#ifndef TAC_MEM_UNIT_COUNT_H
#define TAC_MEM_UNIT_COUNT_H

#include "mem/heap.h"

/* n units are not in use after all, or not any more. */
static inline void tac_units_return(size_t n)
{
    atomic_fetch_sub(&tac_mem.taken_units, n);
}

/* Account for n units more, unless more would be in use than are open to the caller, which is
 * looked at last. */
static inline bool tac_units_account(size_t n, const size_t *open)
{
    size_t taken = atomic_fetch_add(&tac_mem.taken_units, n) + n;
    if (TAC_UNLIKELY(taken > *open)) {
        tac_units_return(n);
        return false;
    }
    if (TAC_LIKELY(taken > atomic_load_explicit(&tac_mem.peak_units, memory_order_relaxed)))
        atomic_store_explicit(&tac_mem.peak_units, taken, memory_order_relaxed);
    if (TAC_UNLIKELY(taken > atomic_load_explicit(&tac_mem.quiet_units, memory_order_relaxed)))
        tac_low_water_check(taken);
    return true;
}

/* Units are fresh while nobody was handed anything at or above them. The mark must get past them in
 * any case, or a calloc would later take them for zeros; who lost TRIES races to others that raised
 * it adds what was missing then, which is too much by what they add meanwhile. */
static inline bool tac_units_fresh(size_t unit, size_t n)
{
    size_t mark = atomic_load(&tac_mem.fresh_unit), end = unit + n;
    bool fresh = unit >= mark;
    for (int tries = 0; TAC_UNLIKELY(end > mark); tries++) {
        if (tries == TAC_SPANS_TRIES) {
            atomic_fetch_add(&tac_mem.fresh_unit, end - mark);
            break;
        }
        if (atomic_compare_exchange_strong(&tac_mem.fresh_unit, &mark, end))
            break;
    }
    return fresh;
}

static inline void tac_units_give(size_t unit, size_t n)
{
    tac_units_return(n);
    tac_spans_give(&tac_mem.spans, unit, n);
}

/* ---- large blocks ---- */

/* How many units may be in use; heap may be NULL. */
static inline size_t tac_large_open(const struct tac_heap *heap)
{
    return heap ? heap->open_units : tac_mem.units - tac_mem.reserve_units;
}

/* So many large blocks and units of them more. */
static inline void tac_large_count(struct tac_heap *heap, long blocks, long units)
{
    if (heap) {
        heap->counters.large_blocks += (size_t)blocks;
        heap->counters.large_units += (size_t)units;
        return;
    }
    atomic_fetch_add(&tac_mem.detached_large_blocks, (size_t)blocks);
    atomic_fetch_add(&tac_mem.detached_large_units, (size_t)units);
}

/* The units of a block. */
static inline size_t tac_large_units(size_t bytes)
{
    return tac_spans_round((bytes - (bytes != 0) + TAC_UNIT_BYTES) >> TAC_UNIT_SHIFT);
}

#endif
