/* SPDX-License-Identifier: MIT
 * fast.h - the two paths that nearly every call takes, inlined into the entry points.
 *
 * malloc: 13 instructions on x86-64; size to class by a shift, head of the thread's list, next. The
 * next block's line, whose link the next call of that class follows, is asked for in advance: in a
 * heap larger than the nearest cache that is a tenth of what a call costs.
 * free: 17; offset in the arena, line of the granule, owner is me, push, count.
 * Whatever is unusual (first call, guard, empty list, other owner, full or emptied slab, larger
 * sizes, NULL) fails one of the tests and goes to slow.c. Neither needs an atomic operation: only
 * the owner gets past the test. */
#ifndef TAC_MEM_FAST_H
#define TAC_MEM_FAST_H

#include "mem/heap.h"

/* Not in rax: then the block can be there from the start, where it is returned. */
#if defined(__x86_64__)
#define TAC_FAST_REGISTERS(heap, c) __asm__("" : "+c"(heap), "+d"(c))
#else
#define TAC_FAST_REGISTERS(heap, c) (void)0
#endif

static inline void *tac_heap_malloc_fast(size_t bytes)
{
    if (TAC_UNLIKELY(bytes > TAC_CLASS_SMALL_BYTES))
        return tac_heap_malloc_slow(bytes);
    struct tac_heap *heap = tac_heap_fast;
    size_t c = (bytes + 15) / 16;
    TAC_FAST_REGISTERS(heap, c);
    void *block = heap->list[c];
    if (TAC_UNLIKELY(!block))
        return tac_heap_malloc_slow(bytes);
    void *next = *(void **)block;
    __builtin_prefetch(next);
    heap->list[c] = next;
    return block;
}

/* The same for a function that is not malloc itself: site is its caller. */
static inline void *tac_heap_malloc_fast_at(size_t bytes, const void *site)
{
    void **list = &tac_heap_fast->list[bytes <= TAC_CLASS_SMALL_BYTES ? (bytes + 15) / 16 : 0];
    void *block = *list;
    if (TAC_UNLIKELY(!block))
        return tac_heap_malloc_at(bytes, site);
    *list = *(void **)block;
    return block;
}

static inline void tac_heap_free_fast(void *block)
{
    uintptr_t offset = (uintptr_t)block - tac_mem.base;
    if (TAC_UNLIKELY(offset >= tac_mem.bytes)) {
        tac_heap_free_slow(block);
        return;
    }
    struct tac_slab *slab = tac_slab_at(offset);
    struct tac_heap *heap = tac_heap_fast;
    if (TAC_UNLIKELY(atomic_load_explicit(&slab->owner, memory_order_relaxed) != (uintptr_t)heap)) {
        tac_heap_free_slow(block);
        return;
    }
    *(void **)block = slab->free;
    slab->free = block;
    if (TAC_UNLIKELY(--slab->used == 0))
        tac_slab_emptied(heap, slab);
}

#endif
