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

/* Both are read by other threads: see give_back in slow.c, and leave in remote.c. */
static void kind_set(struct tac_slab *slab, enum tac_kind kind, unsigned class_index)
{
    __atomic_store_n(&slab->kind_and_class, (uint16_t)(class_index << 8 | kind), __ATOMIC_RELAXED);
}

/* An empty slab is nobody's; its parts lead here. */
static void retire(struct tac_slab *slab)
{
    owner_set(slab, NULL, 0);
    TAC_KIND_SET(slab, TAC_KIND_NONE);
}

/* Is there a place for one more spare? */
static bool has_place(const struct tac_heap *heap)
{
    return heap->spares + heap->fresh_spares < TAC_HEAP_SPARES;
}

/* May an empty slab of the class be one? */
static bool has_room(const struct tac_heap *heap, unsigned c)
{
    return c < TAC_CLASS_MEDIUM_FIRST && has_place(heap);
}

static void add_spare(struct tac_heap *heap, struct tac_slab *slab)
{
    heap->spare[heap->spares++] = slab;
}

static void send_home(struct tac_slab *slab)
{
    tac_units_give(tac_slab_unit(slab), tac_class_table[slab->class_index].units);
}

/* There are as many spares as may be: the first goes home, and with it at once those others that
 * are of the same word of the span layer. Who frees a whole data structure gives back four slabs at
 * a time. */
static void send_spares_home(struct tac_heap *heap)
{
    unsigned n = heap->spares, kept = 0;
    size_t w = tac_slab_unit(heap->spare[0]) >> 6;
    uint64_t bits = 0;
#pragma GCC unroll 4
    for (unsigned i = 0; i < TAC_HEAP_SPARES; i++) {
        if (i == n)
            break;
        size_t unit = tac_slab_unit(heap->spare[i]);
        if (TAC_LIKELY(unit >> 6 == w))
            bits |= 1ull << (unit & 63);
        else
            heap->spare[kept++] = heap->spare[i];
    }
    heap->spares = kept;
    tac_units_return(n - kept);
    tac_spans_give_bits(&tac_mem.spans, w, bits);
}

static inline void mark_three(struct tac_slab *slab)
{
    kind_set(slab + 3, TAC_KIND_PART, 3);
    kind_set(slab + 2, TAC_KIND_PART, 2);
    kind_set(slab + 1, TAC_KIND_PART, 1);
}

/* Written out, since a loop would be a tenth of what a call may cost; the longest first. */
static inline void mark_parts(struct tac_slab *slab, unsigned units)
{
    if (units == 7) {
        kind_set(slab + 6, TAC_KIND_PART, 6);
        kind_set(slab + 5, TAC_KIND_PART, 5);
        kind_set(slab + 4, TAC_KIND_PART, 4);
        mark_three(slab);
        return;
    }
    if (units >= 5)
        kind_set(slab + 4, TAC_KIND_PART, 4);
    if (units == 6)
        kind_set(slab + 5, TAC_KIND_PART, 5);
    mark_three(slab);
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

/* The slab is new, and its first block is in use: that begins with its first unit. */
static inline void begin_slab(struct tac_heap *heap, unsigned c, struct tac_slab *slab)
{
    const struct tac_class *class = &tac_class_table[c];
    slab->free = NULL;
    __atomic_store_n(&slab->made, 1, __ATOMIC_RELAXED); /* see take_fresh */
    slab->block_bytes = class->block_bytes;
    slab->reciprocal = class->reciprocal;
    slab->capacity = class->capacity;
    kind_set(slab, TAC_KIND_SLAB, c);
    owner_set(slab, heap, 0);
    change_current(heap, c, slab);
}

/* A slab of several units. */
static __attribute__((noinline)) void *new_medium(struct tac_heap *heap, unsigned c)
{
    uint64_t start = tac_counter();
    size_t n = tac_class_table[c].units;
    __asm__("" : "+r"(n)); /* or compilers keep it in several registers, each of another width */
    if (TAC_UNLIKELY(!tac_units_account(n, &heap->open_units)))
        return tac_heap_failed();
    long unit = tac_spans_take_high(&tac_mem.spans, (unsigned)n);
    if (TAC_UNLIKELY(unit < 0)) {
        tac_units_return(n);
        return tac_heap_failed();
    }
    tac_units_fresh((size_t)unit, n);
    struct tac_slab *slab = tac_slab_line((size_t)unit);
    mark_parts(slab, (unsigned)n);
    tac_heap_note_worst(heap, start);
    begin_slab(heap, c, slab);
    return tac_unit_address((size_t)unit);
}

/* Where the reserve or the arena ends: one unit. */
static __attribute__((noinline)) void *new_last(struct tac_heap *heap, unsigned c)
{
    if (!tac_units_account(1, &heap->open_units))
        return tac_heap_failed();
    long unit = tac_spans_take_high(&tac_mem.spans, 1);
    if (TAC_UNLIKELY(unit < 0)) {
        tac_units_return(1);
        return tac_heap_failed();
    }
    tac_units_fresh((size_t)unit, 1);
    begin_slab(heap, c, tac_slab_line((size_t)unit));
    return tac_unit_address((size_t)unit);
}

/* A slab of one unit; if there are more together, they become spares. */
static __attribute__((noinline)) void *new_small(struct tac_heap *heap, unsigned c)
{
    uint64_t start = tac_counter();
    if (TAC_UNLIKELY(!tac_units_account(TAC_SPANS_SOME, &heap->open_units)))
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
    heap->fresh_spare = slab + 1;
    heap->fresh_spares = span.n - 1;
    tac_heap_note_worst(heap, start);
    begin_slab(heap, c, slab);
    return tac_unit_address((size_t)span.unit);
}

static void *take_partial(struct tac_heap *heap, struct tac_slab *slab, uint32_t most)
{
    partial_remove(heap, slab);
    change_current(heap, slab->class_index, slab);
    return slab->free ? take_free(heap, slab) : take_fresh(heap, slab, most);
}

/* Has the thread blocks of the class? */
static inline bool has_blocks(const struct tac_heap_class *of)
{
    const struct tac_slab *slab = of->current;
    return (slab && (slab->free || slab->made < slab->capacity)) || of->partial;
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

/* One of those that came together from the span layer, or NULL. The last of them is kept for a
 * thread to come, if none is (first.c). */
static struct tac_slab *fresh_slab(struct tac_heap *heap)
{
    struct tac_slab *slab = heap->fresh_spare;
    if (!heap->fresh_spares)
        return NULL;
    unsigned left = heap->fresh_spares - 1;
    if (TAC_UNLIKELY(!(atomic_load_explicit(&tac_mem.prepared, memory_order_relaxed) >> 32)) &&
        left)
        left -= tac_unit_prepare(tac_slab_unit(slab) + left);
    heap->fresh_spare = slab + 1;
    heap->fresh_spares = left;
    return slab;
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
    return heap->spares ? heap->spare[--heap->spares] : fresh_slab(heap);
}

static void *take_new(struct tac_heap *heap, unsigned c)
{
    return c < TAC_CLASS_MEDIUM_FIRST ? new_small(heap, c) : new_medium(heap, c);
}

static void *begin_unused(struct tac_heap *heap, unsigned c)
{
    struct tac_slab *slab = unused_slab(heap, c);
    if (!slab)
        return take_new(heap, c);
    begin_slab(heap, c, slab);
    return tac_unit_address(tac_slab_unit(slab));
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

void *tac_heap_refill(struct tac_heap *heap, size_t class_index)
{
    unsigned c = (unsigned)class_index; /* without a look at its upper half */
    heap->counters.slow_mallocs++;
    TAC_ASSERT_SLOW(!heap->of[c].current || !tac_slab_fault(heap->of[c].current));
    const struct tac_heap_class *of = &heap->of[class_index];
    __asm__("" : "+r"(of)); /* or compilers find it twice */
    if (has_blocks(of))
        return refill_own(heap, c);
    return tac_heap_class_has_sent(heap, of, class_index) || has_spare(heap, c)
               ? refill_from_others(heap, c)
               : take_new(heap, c);
}

/* A unit that is in use by nobody: kept, if there is a place. */
static void keep_unit(struct tac_heap *heap, size_t unit)
{
    if (tac_unit_prepare(unit))
        return;
    if (has_place(heap))
        add_spare(heap, tac_slab_line(unit));
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
    if (c >= TAC_CLASS_MEDIUM_FIRST)
        return tac_large_begin(heap, unit, 1);
    begin_slab(heap, c, tac_slab_line(unit));
    return tac_unit_address(unit);
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
    if (!let_go(heap, slab))
        return;
    retire(slab);
    if (slab->class_index >= TAC_CLASS_MEDIUM_FIRST) {
        send_home(slab);
        return;
    }
    if (!has_room(heap, slab->class_index))
        send_spares_home(heap);
    add_spare(heap, slab);
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
    } else if (let_go(heap, slab)) {
        retire(slab);
        if (has_room(heap, slab->class_index)) {
            add_spare(heap, slab);
        } else {
            slab->next = heap->owed;
            heap->owed = slab;
        }
    }
}
