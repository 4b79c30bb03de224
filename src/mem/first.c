/* SPDX-License-Identifier: MIT
 * first.c - what a thread gets that has no thread heap yet.
 *
 * To take a thread heap and to search the span layer are each a good part of what a call may cost;
 * no call does both. Up to two units lie prepared in tac_mem.prepared, in use by nobody. A thread
 * that finds one takes a thread heap and begins with what that has left, or with the unit. A thread
 * that finds none is served whole units, as threads are for which the table has no place, and
 * prepares the next ones in the same search; so its next call finds them. Only where the arena has
 * no four units in a row both are done, lest threads live from whole units when memory is short.
 * Requests that no unit could serve get whole units in any case and leave the thread as it is. Who
 * begins a slab of units that were taken together prepares one as well (slabs.c), so that most
 * first calls find one.
 *
 * A word holds both: the number + 1 of each unit in a half, the lower first. It never tells that a
 * unit is there which is not: it is changed by compare-and-swap, once, and who loses goes without.
 * Threads: any. A thread stopped in here has one unit in its hands. Real-time: yes. */
#include "mem/unit_count.h"

bool tac_unit_prepare(size_t unit)
{
    uint64_t before = atomic_load(&tac_mem.prepared);
    if (before >> 32)
        return false;
    return atomic_compare_exchange_strong(&tac_mem.prepared, &before, before << 32 | (unit + 1));
}

static bool take_prepared(size_t *ret_unit)
{
    uint64_t before = atomic_load(&tac_mem.prepared);
    if (!before || !atomic_compare_exchange_strong(&tac_mem.prepared, &before, before >> 32))
        return false;
    *ret_unit = (size_t)(uint32_t)before - 1;
    return true;
}

unsigned tac_units_prepared(void)
{
    uint64_t prepared = atomic_load(&tac_mem.prepared);
    return !!prepared + !!(prepared >> 32);
}

static void *done(void *block)
{
    return TAC_LIKELY(block) ? block : tac_heap_failed();
}

/* The arena has no four units in a row: the thread takes its heap at once, and what that has. */
static __attribute__((noinline)) void *scarce(size_t bytes)
{
    struct tac_heap *heap = tac_thread_heap();
    return heap ? tac_heap_malloc_at(bytes, NULL)
                : done(tac_large_alloc(NULL, bytes, &(bool){false}));
}

/* Two units, in one search with two to prepare: there were none. */
static void *whole_units(size_t bytes)
{
    if (TAC_UNLIKELY(!tac_units_account(TAC_SPANS_SOME, &(size_t){tac_large_open(NULL)})))
        return scarce(bytes);
    long unit = tac_spans_take_high(&tac_mem.spans, TAC_SPANS_SOME);
    if (TAC_UNLIKELY(unit < 0)) {
        tac_units_return(TAC_SPANS_SOME);
        return scarce(bytes);
    }
    size_t n = TAC_SPANS_SOME, end = (size_t)unit + n;
    tac_units_fresh((size_t)unit, n);
    uint64_t none = 0, last_two = (uint64_t)(end - 1) << 32 | end;
    if (atomic_compare_exchange_strong(&tac_mem.prepared, &none, last_two))
        n -= 2;
    return tac_large_begin(NULL, (size_t)unit, n);
}

void *tac_first_alloc(size_t bytes)
{
    size_t unit;
    if (bytes > TAC_CLASS_LIST_BYTES)
        return done(tac_large_alloc(NULL, bytes, &(bool){false}));
    if (!take_prepared(&unit))
        return whole_units(bytes);
    struct tac_heap *heap = tac_thread_heap();
    return TAC_LIKELY(heap) ? tac_heap_begin(heap, bytes ? tac_class_of(bytes) : 1, unit)
                            : tac_large_begin(NULL, unit, 1); /* the table is full */
}
