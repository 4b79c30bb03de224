/* SPDX-License-Identifier: MIT
 * slabs.c - the owner's slow path: where a class gets its next blocks from, and what becomes of a
 * slab that fills or empties.
 *
 * A refill asks in this order: blocks of the current slab that other threads freed; blocks of it
 * that were never made (up to TAC_HEAP_BATCH); a partial slab; blocks of the class
 * that other threads freed; a spare slab; the span layer. So a class grows only when no block of it
 * that was freed is known. So that no call has to do everything, only one that can do without the
 * span layer tidies up before, and only one thing: it gives an empty slab back that is owed, or
 * takes in blocks of some class that other threads freed. Threads: the owner of the heap only. */
#include "mem/unit_count.h"

static void *pop(struct tac_heap *heap, unsigned c, void *list)
{
    heap->of[c].list = *(void **)list;
    return list;
}

/* All free blocks of the slab become the thread's list, at once. */
static void *take_free(struct tac_heap *heap, struct tac_slab *slab)
{
    void *list = slab->free;
    slab->free = NULL;
    return pop(heap, slab->class_index, list);
}

/* So many blocks from that one on begin in its page. */
static uint32_t blocks_to_page_end(const struct tac_slab *slab, uint32_t first)
{
    enum { PAGE_BYTES = 4096 };
    uint32_t bytes = slab->block_bytes;
    uint32_t left = PAGE_BYTES - (first * bytes & (PAGE_BYTES - 1));
    return (uint32_t)((uint64_t)(left + bytes - 1) * slab->reciprocal >> 32);
}

/* Blocks never used before: at most so many at a time, and of one page, so that nobody builds a
 * long list or touches more than a page. */
static void *take_fresh(struct tac_heap *heap, struct tac_slab *slab, uint32_t most)
{
    uint32_t bytes = slab->block_bytes, made = slab->made, left = slab->capacity - made;
    uint32_t n = blocks_to_page_end(slab, made);
    n = n > most ? most : n;
    n = n > left ? left : n;
    char *block = tac_unit_address(tac_slab_unit(slab)) + (size_t)made * bytes;
    /* read by other threads that free (starts_block); it only grows */
    __atomic_store_n(&slab->made, made + n, __ATOMIC_RELAXED);
    void **list = &heap->of[slab->class_index].list;
    for (char *next = block; --n; list = (void **)(void *)next)
        *list = next += bytes;
    *list = NULL;
    return block;
}

static void partial_add(struct tac_heap *heap, struct tac_slab *slab)
{
    struct tac_slab **head = &heap->of[slab->class_index].partial;
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
        heap->of[slab->class_index].partial = slab->next;
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

/* An empty slab becomes a spare. False: it has to go home to the span layer. */
static bool becomes_spare(struct tac_heap *heap, struct tac_slab *slab)
{
    owner_set(slab, NULL, 0);
    TAC_KIND_SET(slab, TAC_KIND_NONE); /* its parts lead here */
    if (slab->class_index >= TAC_CLASS_MEDIUM_FIRST ||
        heap->spares + heap->fresh_spares == TAC_HEAP_SPARES)
        return false;
    heap->spare[heap->spares++] = slab;
    return true;
}

static void send_home(struct tac_slab *slab)
{
    tac_units_give(tac_slab_unit(slab), tac_class_table[slab->class_index].units);
}

static void mark_part(struct tac_slab *slab, unsigned i)
{
    __atomic_store_n(&slab[i].class_index, (uint8_t)i, __ATOMIC_RELAXED); /* see leave, remote.c */
    TAC_KIND_SET(&slab[i], TAC_KIND_PART);
}

/* Written out, since a loop would be a tenth of what a call may cost. */
static void mark_parts(struct tac_slab *slab, unsigned units)
{
    TAC_ASSERT(units <= 7);
    switch (units) {
    case 7:
        mark_part(slab, 6);
        __attribute__((fallthrough));
    case 6:
        mark_part(slab, 5);
        __attribute__((fallthrough));
    case 5:
        mark_part(slab, 4);
        __attribute__((fallthrough));
    default:
        mark_part(slab, 3);
        mark_part(slab, 2);
        mark_part(slab, 1);
    }
}

/* The current slab of the class has nothing left: another takes its place. */
static void change_current(struct tac_heap *heap, unsigned c, struct tac_slab *slab)
{
    struct tac_slab *before = heap->of[c].current;
    if (before) {
        owner_set(before, heap, TAC_SLAB_FULL);
        before->home = &before->free;
        before->used = before->made;
        TAC_ASSERT_SLOW(!before->free && !heap->of[c].list);
    }
    heap->of[c].current = slab;
    slab->home = &heap->of[c].list;
}

/* The first block of a new slab. */
static inline void *begin_slab(struct tac_heap *heap, unsigned c, struct tac_slab *slab)
{
    const struct tac_class *class = &tac_class_table[c];
    slab->free = NULL;
    __atomic_store_n(&slab->made, 1, __ATOMIC_RELAXED); /* see take_fresh */
    slab->block_bytes = class->block_bytes;
    slab->reciprocal = class->reciprocal;
    slab->capacity = class->capacity;
    __atomic_store_n(&slab->class_index, (uint8_t)c, __ATOMIC_RELAXED); /* see leave, remote.c */
    TAC_KIND_SET(slab, TAC_KIND_SLAB);
    owner_set(slab, heap, 0);
    change_current(heap, c, slab);
    return tac_unit_address(tac_slab_unit(slab));
}

/* A slab of several units. */
static __attribute__((noinline)) void *new_medium(struct tac_heap *heap, unsigned c)
{
    uint64_t start = tac_counter();
    unsigned n = tac_class_table[c].units;
    if (TAC_UNLIKELY(!tac_units_account(n, heap->open_units)))
        return tac_heap_failed();
    long unit = tac_spans_take_high(&tac_mem.spans, n);
    if (TAC_UNLIKELY(unit < 0)) {
        tac_units_return(n);
        return tac_heap_failed();
    }
    tac_units_fresh((size_t)unit, n);
    struct tac_slab *slab = tac_slab_line((size_t)unit);
    mark_parts(slab, tac_class_table[c].units);
    tac_heap_note_worst(heap, start);
    return begin_slab(heap, c, slab);
}

/* Where the reserve or the arena ends: one unit. */
static __attribute__((noinline)) void *new_last(struct tac_heap *heap, unsigned c)
{
    if (!tac_units_account(1, heap->open_units))
        return tac_heap_failed();
    long unit = tac_spans_take_high(&tac_mem.spans, 1);
    if (TAC_UNLIKELY(unit < 0)) {
        tac_units_return(1);
        return tac_heap_failed();
    }
    tac_units_fresh((size_t)unit, 1);
    return begin_slab(heap, c, tac_slab_line((size_t)unit));
}

/* A slab of one unit; if there are more together, they become spares. */
static __attribute__((noinline)) void *new_small(struct tac_heap *heap, unsigned c)
{
    uint64_t start = tac_counter();
    if (TAC_UNLIKELY(!tac_units_account(TAC_SPANS_SOME, heap->open_units)))
        return new_last(heap, c);
    struct tac_span span = tac_spans_take_some(&tac_mem.spans);
    if (TAC_UNLIKELY(span.unit < 0)) {
        tac_units_return(TAC_SPANS_SOME);
        return tac_heap_failed();
    }
    if (span.n < TAC_SPANS_SOME)
        tac_units_return(TAC_SPANS_SOME - span.n);
    tac_units_fresh((size_t)span.unit, span.n);
    struct tac_slab *slab = tac_slab_line((size_t)span.unit);
    unsigned n = span.n;
    if (TAC_UNLIKELY(!(atomic_load_explicit(&tac_mem.prepared, memory_order_relaxed) >> 32)) &&
        n > 1)
        n -= tac_unit_prepare((size_t)span.unit + n - 1);
    heap->fresh_spare = slab + 1;
    heap->fresh_spares = n - 1;
    tac_heap_note_worst(heap, start);
    return begin_slab(heap, c, slab);
}

static void *take_partial(struct tac_heap *heap, struct tac_slab *slab, uint32_t most)
{
    partial_remove(heap, slab);
    change_current(heap, slab->class_index, slab);
    return slab->free ? take_free(heap, slab) : take_fresh(heap, slab, most);
}

/* Has the thread blocks of the class? */
static inline bool has_blocks(const struct tac_heap *heap, unsigned c)
{
    const struct tac_slab *slab = heap->of[c].current;
    return (slab && (slab->free || slab->made < slab->capacity)) || heap->of[c].partial;
}

/* Is the next slab that has to go home one that the class can have? */
static inline bool has_owed(const struct tac_heap *heap, unsigned c)
{
    const struct tac_slab *owed = heap->owed;
    return owed && (owed->class_index == c ||
                    (c < TAC_CLASS_MEDIUM_FIRST && owed->class_index < TAC_CLASS_MEDIUM_FIRST));
}

static inline bool has_spare(const struct tac_heap *heap, unsigned c)
{
    return (c < TAC_CLASS_MEDIUM_FIRST && heap->spares + heap->fresh_spares) || has_owed(heap, c);
}

/* Returns how many new blocks the call may make: while there are blocks that other threads freed,
 * no more than were taken in, lest the heap grows beside them. */
static uint32_t tidy(struct tac_heap *heap)
{
    struct tac_slab *owed = heap->owed;
    if (!owed)
        return tac_heap_drain_one(heap) ? TAC_HEAP_DRAIN : TAC_HEAP_BATCH;
    heap->owed = owed->next;
    send_home(owed);
    return TAC_HEAP_DRAIN;
}

void tac_heap_rest(struct tac_heap *heap)
{
    tidy(heap);
}

/* Of what has_blocks found; NULL when it found nothing. */
static void *take_own(struct tac_heap *heap, unsigned c, uint32_t most)
{
    struct tac_slab *slab = heap->of[c].current;
    if (slab && slab->free)
        return take_free(heap, slab);
    if (slab && slab->made < slab->capacity)
        return take_fresh(heap, slab, most);
    return heap->of[c].partial ? take_partial(heap, heap->of[c].partial, most) : NULL;
}

/* An empty slab that the thread has: one that is owed, or a spare; or NULL. */
static struct tac_slab *unused_slab(struct tac_heap *heap, unsigned c)
{
    struct tac_slab *owed = heap->owed;
    if (has_owed(heap, c)) {
        heap->owed = owed->next;
        return owed;
    }
    if (c >= TAC_CLASS_MEDIUM_FIRST)
        return NULL;
    if (heap->spares)
        return heap->spare[--heap->spares];
    return heap->fresh_spares ? (heap->fresh_spares--, heap->fresh_spare++) : NULL;
}

static void *take_new(struct tac_heap *heap, unsigned c)
{
    return c < TAC_CLASS_MEDIUM_FIRST ? new_small(heap, c) : new_medium(heap, c);
}

static void *begin_unused(struct tac_heap *heap, unsigned c)
{
    struct tac_slab *slab = unused_slab(heap, c);
    return slab ? begin_slab(heap, c, slab) : take_new(heap, c);
}

/* Is there something of the current slab that other threads freed just now? */
static inline bool came_home(const struct tac_heap *heap, unsigned c)
{
    const struct tac_slab *slab = heap->of[c].current;
    return slab && slab->free;
}

/* From other threads, or a spare. */
static __attribute__((noinline)) void *refill_from_others(struct tac_heap *heap, unsigned c)
{
    uint64_t start = tac_counter();
    void *block = NULL;
    if (tac_heap_has_sent(heap, c)) {
        tac_heap_drain_class(heap, c);
        block = take_own(heap, c, TAC_HEAP_DRAIN);
    } else if (!has_owed(heap, c)) {
        tidy(heap);
        if (TAC_UNLIKELY(came_home(heap, c)))
            block = take_free(heap, heap->of[c].current);
    }
    if (!block)
        block = begin_unused(heap, c);
    tac_heap_note_worst(heap, start);
    return block;
}

/* Blocks of the class that the thread has; tidies up before, which may find that a partial slab is
 * empty. */
static __attribute__((noinline)) void *refill_own(struct tac_heap *heap, unsigned c)
{
    uint32_t most = tidy(heap);
    void *block = take_own(heap, c, most);
    return TAC_LIKELY(block) ? block : begin_unused(heap, c);
}

void *tac_heap_refill(struct tac_heap *heap, unsigned c)
{
    heap->counters.slow_mallocs++;
    TAC_ASSERT_SLOW(!heap->of[c].current || !tac_slab_fault(heap->of[c].current));
    if (has_blocks(heap, c))
        return refill_own(heap, c);
    return tac_heap_has_sent(heap, c) || has_spare(heap, c) ? refill_from_others(heap, c)
                                                            : take_new(heap, c);
}

/* A unit that is in use by nobody: kept, if there is a place. */
static void keep_unit(struct tac_heap *heap, size_t unit)
{
    if (tac_unit_prepare(unit))
        return;
    if (heap->spares + heap->fresh_spares < TAC_HEAP_SPARES)
        heap->spare[heap->spares++] = tac_slab_line(unit);
    else
        tac_units_give(unit, 1);
}

/* What other threads freed is looked after when the thread ends, if not before. */
void *tac_heap_begin(struct tac_heap *heap, unsigned c, size_t unit)
{
    void *block = heap->of[c].list;
    if (block) {
        keep_unit(heap, unit);
        return pop(heap, c, block);
    }
    heap->counters.slow_mallocs++;
    block = take_own(heap, c, TAC_HEAP_DRAIN);
    if (block) {
        keep_unit(heap, unit);
        return block;
    }
    return c < TAC_CLASS_MEDIUM_FIRST ? begin_slab(heap, c, tac_slab_line(unit))
                                      : tac_large_begin(heap, unit, 1);
}

/* Out of the list of partial slabs, if it is there. False: the class has it in hand. */
static bool let_go(struct tac_heap *heap, struct tac_slab *slab)
{
    if (heap->of[slab->class_index].current == slab)
        return false;
    if (!is_full(slab))
        partial_remove(heap, slab);
    return true;
}

void tac_slab_emptied(struct tac_heap *heap, struct tac_slab *slab)
{
    if (let_go(heap, slab) && !becomes_spare(heap, slab))
        send_home(slab);
}

static void now_partial(struct tac_heap *heap, struct tac_slab *slab)
{
    if (is_full(slab) && slab->free) {
        owner_set(slab, heap, 0);
        partial_add(heap, slab);
    }
}

void tac_slab_free_local(struct tac_heap *heap, struct tac_slab *slab, void *block)
{
    if (tac_slab_push(slab, block))
        tac_slab_emptied(heap, slab);
    else
        now_partial(heap, slab);
}

/* Whoever drained has done enough for one call: an empty slab is owed. */
void tac_slab_settle(struct tac_heap *heap, struct tac_slab *slab)
{
    if (slab->used) {
        now_partial(heap, slab);
    } else if (let_go(heap, slab) && !becomes_spare(heap, slab)) {
        slab->next = heap->owed;
        heap->owed = slab;
    }
}
