/* SPDX-License-Identifier: MIT
 * slabs.c - the owner's slow path: where a class gets its next blocks from, and what becomes of a
 * slab that fills or empties.
 *
 * A refill asks in this order, and each step is bounded: blocks of the current slab that came home;
 * blocks of it that other threads freed (up to TAC_HEAP_DRAIN); one slab from the queue of remote
 * frees; blocks of the current slab that were never made (up to TAC_HEAP_BATCH, or a page); a
 * partial slab; a new slab. Threads: the owner of the heap only. */
#include "mem/heap.h"

static void *pop(struct tac_heap *heap, unsigned c, void *list)
{
    heap->list[c] = *(void **)list;
    return list;
}

/* All free blocks of the slab become the thread's list, at once. */
static void *take_free(struct tac_heap *heap, struct tac_slab *slab)
{
    void *list = slab->free;
    slab->free = NULL;
    slab->used = slab->made;
    return pop(heap, slab->class_index, list);
}

/* Blocks never used before: a few at a time, so that nobody builds a long list. */
static void *take_fresh(struct tac_heap *heap, struct tac_slab *slab)
{
    uint32_t n = TAC_UNIT_BYTES / slab->block_bytes, left = slab->capacity - slab->made;
    uint32_t most = slab->made ? TAC_HEAP_BATCH : TAC_HEAP_BATCH / 4; /* a new slab cost enough */
    n = n > most ? most : n ? n : 1;
    n = n > left ? left : n;
    char *block = tac_unit_address(tac_slab_unit(slab)) + (size_t)slab->made * slab->block_bytes;
    char *first = block;
    /* read by other threads that free (starts_block); it only grows */
    __atomic_store_n(&slab->made, slab->made + n, __ATOMIC_RELAXED);
    slab->used += n;
    for (; --n; block += slab->block_bytes)
        *(void **)(void *)block = block + slab->block_bytes;
    *(void **)(void *)block = NULL;
    return pop(heap, slab->class_index, first);
}

static void partial_add(struct tac_heap *heap, struct tac_slab *slab)
{
    struct tac_slab **head = &heap->partial[slab->class_index];
    slab->prev = NULL;
    slab->next = *head;
    if (*head)
        (*head)->prev = slab;
    *head = slab;
}

static void partial_remove(struct tac_heap *heap, struct tac_slab *slab)
{
    if (slab->prev)
        slab->prev->next = slab->next;
    else
        heap->partial[slab->class_index] = slab->next;
    if (slab->next)
        slab->next->prev = slab->prev;
}

static void owner_set(struct tac_slab *slab, struct tac_heap *heap, uintptr_t full)
{
    atomic_store_explicit(&slab->owner, (uintptr_t)heap | full, memory_order_relaxed);
}

static bool is_full(const struct tac_slab *slab)
{
    return atomic_load_explicit(&slab->owner, memory_order_relaxed) & TAC_SLAB_FULL;
}

/* An empty slab goes to the spares, or home to the span layer. */
static void retire(struct tac_heap *heap, struct tac_slab *slab)
{
    size_t unit = tac_slab_unit(slab);
    unsigned units = tac_class_table[slab->class_index].units;
    owner_set(slab, NULL, 0);
    TAC_KIND_SET(slab, TAC_KIND_NONE);
    if (units == TAC_GRANULE_UNITS && heap->spares < TAC_HEAP_SPARES) {
        heap->spare[heap->spares++] = slab;
        return;
    }
    for (unsigned i = 1; i < units / TAC_GRANULE_UNITS; i++)
        TAC_KIND_SET(&slab[i], TAC_KIND_NONE);
    tac_mem_give(unit, units);
}

static struct tac_slab *slab_new(struct tac_heap *heap, unsigned c)
{
    const struct tac_class *class = &tac_class_table[c];
    struct tac_slab *slab;
    if (class->units == TAC_GRANULE_UNITS && heap->spares) {
        slab = heap->spare[--heap->spares];
    } else {
        long unit = tac_mem_take(heap, class->units, class->units, NULL);
        if (unit < 0)
            return NULL;
        slab = tac_slab_at((uintptr_t)unit << TAC_UNIT_SHIFT);
        for (unsigned i = 1; i < class->units / TAC_GRANULE_UNITS; i++)
            TAC_KIND_SET(&slab[i], TAC_KIND_PART);
    }
    slab->free = NULL;
    slab->used = slab->made = 0;
    slab->block_bytes = class->block_bytes;
    slab->reciprocal = class->reciprocal;
    slab->capacity = class->capacity;
    slab->class_index = (uint8_t)c;
    TAC_KIND_SET(slab, TAC_KIND_SLAB);
    owner_set(slab, heap, 0);
    return slab;
}

/* The current slab of the class has nothing left: a partial one or a new one takes its place. */
static struct tac_slab *next_current(struct tac_heap *heap, unsigned c)
{
    struct tac_slab *slab = heap->partial[c];
    if (slab)
        partial_remove(heap, slab);
    else if (!(slab = slab_new(heap, c)))
        return NULL;
    if (heap->current[c])
        owner_set(heap->current[c], heap, TAC_SLAB_FULL);
    heap->current[c] = slab;
    return slab;
}

void *tac_heap_refill(struct tac_heap *heap, unsigned c)
{
    struct tac_slab *slab = heap->current[c];
    heap->counters.slow_mallocs++;
    tac_heap_drain_one(heap);
    if (slab) {
        if (slab->free)
            return take_free(heap, slab);
        if (atomic_load_explicit(&slab->summary, memory_order_relaxed) && tac_slab_drain(slab))
            return take_free(heap, slab);
        if (slab->made < slab->capacity)
            return take_fresh(heap, slab);
    }
    slab = next_current(heap, c);
    if (!slab)
        return NULL;
    return slab->free ? take_free(heap, slab) : take_fresh(heap, slab);
}

void tac_slab_emptied(struct tac_heap *heap, struct tac_slab *slab)
{
    if (heap->current[slab->class_index] == slab)
        return;
    if (!is_full(slab))
        partial_remove(heap, slab);
    retire(heap, slab);
}

void tac_slab_free_local(struct tac_heap *heap, struct tac_slab *slab, void *block)
{
    *(void **)block = slab->free;
    slab->free = block;
    slab->used--;
    tac_slab_settle(heap, slab);
}

void tac_slab_settle(struct tac_heap *heap, struct tac_slab *slab)
{
    if (slab->used == 0) {
        tac_slab_emptied(heap, slab);
    } else if (is_full(slab) && slab->free) {
        owner_set(slab, heap, 0);
        partial_add(heap, slab);
    }
}
