/* SPDX-License-Identifier: MIT
 * realloc.c - other lengths for blocks, where they are if that can be done.
 *
 * A block of a slab stays in its class; a large block takes or gives units at its end, which the
 * span layer does in a constant number of steps or refuses (spans.h); all others move, which is a
 * malloc, a copy and a free. Threads: any; the block belongs to the caller. Real-time: yes, but for
 * the copy. */
#include "mem/api.h"
#include "mem/fast.h"
#include "mem/memcheck.h"
#include "mem/outside.h"
#include "mem/unit_count.h"

#include <errno.h>
#include <string.h>

/* Less than was accounted for: it ends there, or did not grow. */
static __attribute__((noinline)) size_t grown_less(size_t unit, size_t n, size_t end, size_t most)
{
    tac_units_return(most - (end ? end : unit + n));
    return end;
}

/* From n units to up to `end`, at least, of the arena's. Where it ends then; 0: it cannot. */
static inline size_t grow(const size_t *open, size_t unit, size_t n, size_t end)
{
    size_t from = unit + n, most = tac_spans_grown(from, end);
    if (TAC_UNLIKELY(most > tac_mem.units) || !tac_units_account(most - from, open))
        return 0;
    end = tac_spans_grow(&tac_mem.spans, from, end, unit);
    if (TAC_UNLIKELY(end != most) && !grown_less(unit, n, end, most))
        return 0;
    tac_units_fresh(unit, end - unit);
    return end;
}

/* The same for a length in bytes. */
static inline bool resize(struct tac_heap *heap, struct tac_large *large, size_t unit, size_t bytes)
{
    size_t n = tac_spans_round((bytes + TAC_UNIT_BYTES - 1) >> TAC_UNIT_SHIFT), old = large->units;
    if (n > old) {
        size_t end = grow(&(size_t){tac_large_open(heap)}, unit, old, unit + n);
        if (TAC_UNLIKELY(!end))
            return false;
        n = end - unit;
    } else if (n < old) {
        n = tac_spans_shrink(&tac_mem.spans, unit, old, n);
        tac_units_return(old - n);
    }
    large->units = n;
    tac_large_count(heap, 0, (long)n - (long)old);
    return true;
}

bool tac_large_resize(struct tac_heap *heap, struct tac_large *large, size_t unit, size_t bytes)
{
    return resize(heap, large, unit, bytes);
}

/* A slab block stays in its class, and when it shrinks to no less than half. */
static inline bool stays_in_slab(const struct tac_slab *slab, size_t bytes)
{
    return bytes <= slab->block_bytes && bytes >= slab->block_bytes / 2;
}

/* Can the block stay where it is? A large one gives or takes units at its end. */
static inline bool resize_in_place(struct tac_heap *heap, const struct tac_place *place,
                                   size_t bytes)
{
    if (place->slab)
        return stays_in_slab(place->slab, bytes);
    return bytes > TAC_CLASS_LIST_BYTES && tac_large_resize(heap, place->large, place->unit, bytes);
}

static void note_realloc(void *old_block, void *block, size_t bytes, const void *site)
{
    struct tac_thread *thread = &tac_thread;
    if (thread->is_sampled && !thread->busy)
        tac_outside_note(bytes, site);
    if (!thread->hooks || thread->busy || !thread->hooks->realloc)
        return;
    thread->busy = 1;
    thread->hooks->realloc(old_block, block, bytes, site);
    thread->busy = 0;
}

static __attribute__((noinline)) void *move_block(void *block, size_t old_bytes, size_t bytes)
{
    void *moved = tac_heap_malloc_fast(bytes);
    if (moved) {
        tac_memcheck_enter(); /* the length of a block includes what nobody may touch */
        memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
        tac_memcheck_leave();
        tac_heap_free_fast(block);
    }
    return moved;
}

/* The move itself is one event for hooks, not an allocation and a free. */
static __attribute__((noinline)) void *realloc_watched(void *block, const struct tac_place *place,
                                                       size_t bytes, const void *site)
{
    struct tac_thread *thread = &tac_thread;
    int busy = thread->busy;
    if (!tac_heap_may_alloc(bytes, site))
        return tac_heap_failed();
    void *result = block;
    /* memcheck wants to know each length */
    if (tac_memcheck_on() || !resize_in_place(tac_thread_heap_now(), place, bytes)) {
        thread->busy = 1;
        result = move_block(block, tac_place_bytes(place), bytes);
        thread->busy = busy;
    }
    if (result)
        note_realloc(block, result, bytes, site);
    return result;
}

static __attribute__((noinline)) void *realloc_refused(void *block)
{
    if (tac_heap_owns(block) && !tac_api_usable(block))
        tac_mem_fatal("block to resize is not one of this heap", block);
    errno = ENOMEM; /* too much; or of some other heap, and its length is not known */
    return NULL;
}

/* Of a block of slabs, or what cannot stay. */
static __attribute__((noinline)) void *realloc_other(void *block, size_t bytes, const void *site)
{
    struct tac_heap *heap = tac_heap_fast;
    struct tac_place place = tac_place_of(block);
    if (TAC_UNLIKELY(!tac_place_bytes(&place) || bytes > PTRDIFF_MAX))
        return realloc_refused(block);
    if (TAC_UNLIKELY(!tac_outside_is_plain(heap)))
        return realloc_watched(block, &place, bytes, site);
    if (place.slab && stays_in_slab(place.slab, bytes))
        return block;
    return move_block(block, tac_place_bytes(&place), bytes);
}

/* Apart and from the address, lest what it needs is kept while the span layer is asked. */
static __attribute__((noinline)) void *move_large(void *block, size_t bytes)
{
    struct tac_place place = tac_place_of(block);
    return move_block(block, tac_place_bytes(&place), bytes);
}

/* A large block, of a thread that has a heap and is not watched. */
static __attribute__((noinline)) void *realloc_large(size_t unit, size_t bytes,
                                                     struct tac_heap *heap)
{
    if (!heap)
        __builtin_unreachable();
    if (TAC_LIKELY(resize(heap, tac_large_at(unit), unit, bytes)))
        return tac_unit_address(unit);
    return move_large(tac_unit_address(unit), bytes);
}

/* realloc(block, 0). */
static __attribute__((noinline)) void *realloc_nothing(void *block, const void *site)
{
    tac_heap_free_at(block, site);
    return NULL;
}

void *tac_api_realloc(void *block, size_t bytes)
{
    struct tac_heap *heap = tac_heap_fast;
    uintptr_t offset = (uintptr_t)block - tac_mem.base;
    if (offset < tac_mem.bytes && !(offset & (TAC_UNIT_BYTES - 1)) &&
        bytes - TAC_CLASS_LIST_BYTES - 1 < tac_mem.bytes &&
        TAC_KIND_GET(tac_slab_at(offset)) == TAC_KIND_LARGE && tac_outside_is_plain(heap))
        return realloc_large(offset >> TAC_UNIT_SHIFT, bytes, heap);
    if (!block)
        return tac_heap_malloc_fast_at(bytes, __builtin_return_address(0));
    if (!bytes)
        return realloc_nothing(block, __builtin_return_address(0));
    return realloc_other(block, bytes, __builtin_return_address(0));
}
