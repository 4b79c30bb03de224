/* SPDX-License-Identifier: MIT
 * report.c - the walker, low water, trim: what looks at the whole heap from outside the allocation
 * path. Threads: any; the walker while nobody else allocates. Real-time: only tac_low_water_check.
 */
#include "mem/heap.h"
#include "mem/outside.h"

#include "base/bits.h"

#include <stdio.h>
#include <sys/mman.h>

static struct {
    void (*callback)(void *user);
    void *user;
} low_water;

void tac_heap_low_water_set(size_t low_bytes, void (*callback)(void *user), void *user)
{
    if (!tac_mem.lines && !tac_thread_heap())
        return;
    struct tac_outside *o = tac_outside();
    atomic_store(&o->low_units, 0);
    low_water.callback = callback;
    low_water.user = user;
    atomic_store(&o->low_is_crossed, 0);
    atomic_store(&o->low_units, low_bytes >> TAC_UNIT_SHIFT);
    atomic_store(&tac_mem.quiet_units, 0);
}

/* While the mark is crossed every call comes here, to see when it is not any more. */
static void be_quiet(size_t units, const struct tac_outside *o, uint64_t mark)
{
    atomic_store(&tac_mem.quiet_units, units);
    if (atomic_load(&o->low_units) != mark) /* somebody sets it right now */
        atomic_store(&tac_mem.quiet_units, 0);
}

void tac_low_water_check(size_t taken_units)
{
    struct tac_outside *o = tac_outside();
    uint64_t mark = atomic_load_explicit(&o->low_units, memory_order_relaxed);
    size_t left = tac_mem.units - taken_units;
    if (!mark) {
        be_quiet(SIZE_MAX, o, mark);
    } else if (left >= 2 * mark) {
        atomic_store_explicit(&o->low_is_crossed, 0, memory_order_relaxed);
        be_quiet(tac_mem.units - (size_t)mark, o, mark);
    } else if (left < mark && !atomic_exchange(&o->low_is_crossed, 1)) {
        be_quiet(0, o, mark);
        atomic_fetch_add(&o->low_crossings, 1);
        if (low_water.callback)
            low_water.callback(low_water.user);
    }
}

/* ---- the walker ---- */

unsigned tac_slab_list_length(const struct tac_slab *slab, void *const *block)
{
    uintptr_t base = (uintptr_t)tac_unit_address(tac_slab_unit(slab));
    unsigned n = 0;
    for (; block && n <= slab->capacity; block = *(void *const *)block, n++) {
        uintptr_t offset = (uintptr_t)block - base;
        if (offset >= (uintptr_t)slab->capacity * slab->block_bytes || offset % slab->block_bytes)
            return slab->capacity + 1u;
    }
    return n;
}

const char *tac_slab_fault(const struct tac_slab *slab)
{
    const struct tac_heap *heap = tac_slab_heap(slab);
    const struct tac_class *class = &tac_class_table[slab->class_index];
    if (heap < tac_mem.heaps || heap >= tac_mem.heaps + tac_mem.threads)
        return "a slab has no owner";
    if (slab->class_index >= TAC_CLASSES || slab->block_bytes != class->block_bytes)
        return "a slab is not of its class";
    bool current = heap->of[slab->class_index].current == slab;
    if (current != tac_slab_is_current(slab))
        return "a slab's blocks do not come home to where they belong";
    const struct tac_heap_class *of = &heap->of[slab->class_index];
    unsigned free = tac_slab_list_length(slab, slab->free);
    unsigned ready = current ? tac_slab_list_length(slab, of->list) : 0;
    if (slab->made > slab->capacity || (!current && slab->used > slab->made))
        return "a slab counts more blocks than it has";
    if (!current && free != slab->made - slab->used)
        return "a slab's free list does not have the length that its count says";
    if (free + ready + tac_slab_marked(slab) > slab->made)
        return "a block is free in two places";
    return NULL;
}

/* Of slabs that the heap has in reserve, or has to give back. */
static size_t idle_units(const struct tac_heap *heap)
{
    size_t units = heap->spares + heap->fresh_spares;
    for (const struct tac_slab *slab = heap->owed; slab; slab = slab->next)
        units += tac_class_table[slab->class_index].units;
    return units;
}

static const char *units_fault(void)
{
    size_t taken = tac_units_prepared();
    for (size_t unit = 0; unit < tac_mem.units;) {
        const struct tac_slab *slab = tac_slab_at((uintptr_t)unit << TAC_UNIT_SHIFT);
        const struct tac_large *large = tac_large_at(unit);
        size_t n = 1;
        if (TAC_KIND_GET(slab) == TAC_KIND_SLAB) {
            n = tac_class_table[slab->class_index].units;
            const char *fault = tac_slab_fault(slab);
            if (fault)
                return fault;
        } else if (TAC_KIND_GET(large) == TAC_KIND_LARGE) {
            n = large->units;
        } else {
            unit++;
            continue;
        }
        for (size_t i = 0; i < n; i++)
            if (tac_spans_is_free(&tac_mem.spans, unit + i))
                return "a unit in use is free in the span layer";
        taken += n;
        unit += n;
    }
    for (unsigned i = 0; i < tac_mem.threads; i++)
        taken += idle_units(&tac_mem.heaps[i]);
    if (taken != atomic_load(&tac_mem.taken_units))
        return "the account of units does not add up";
    return taken + tac_spans_free_units(&tac_mem.spans) == tac_mem.units ? NULL : "units are lost";
}

int tac_heap_is_valid(char *text, size_t text_bytes)
{
    const char *fault = tac_mem.bytes ? tac_spans_fault(&tac_mem.spans) : NULL;
    if (!fault && tac_mem.bytes)
        fault = units_fault();
    if (text && text_bytes)
        snprintf(text, text_bytes, "%s", fault ? fault : "");
    return fault ? -TAC_E_CORRUPT : 0;
}

/* ---- trim ---- */

/* Free memory is taken, dropped and given back piece by piece, so that others are never kept
 * waiting.
 */
size_t tac_heap_trim(void)
{
    if (!tac_mem.bytes || tac_mem.locked_bytes)
        return 0;
    size_t given = 0, end = atomic_load(&tac_mem.fresh_unit) / TAC_CHUNK_UNITS * TAC_CHUNK_UNITS;
    for (size_t unit = 0, n; unit < end; unit += n ? n : TAC_CHUNK_UNITS) {
        n = tac_spans_claim_whole(&tac_mem.spans, unit);
        if (!n)
            continue;
        size_t bytes = n * TAC_UNIT_BYTES;
        given += madvise(tac_unit_address(unit), bytes, MADV_DONTNEED) == 0 ? bytes : 0;
        tac_spans_give(&tac_mem.spans, unit, n);
    }
    return given;
}
