/* SPDX-License-Identifier: MIT
 * fast.h - the two paths that nearly every call takes, inlined into the entry points.
 *
 * malloc: 13 instructions on x86-64; size to class by a shift, head of the thread's list, next. The
 * next block's line, whose link the next call of that class follows, is asked for in advance: in a
 * heap larger than the nearest cache that is a tenth of what a call costs.
 * free: 18; offset in the arena, line of the granule, owner is me, push where the slab says, count.
 * Whatever is unusual (first call, guard, empty list, other owner, full or emptied slab, larger
 * sizes, NULL) fails one of the tests and goes to slow.c. Neither needs an atomic operation: only
 * the owner gets past the test. */
#ifndef TAC_MEM_FAST_H
#define TAC_MEM_FAST_H

#include "mem/heap.h"

/* Neither in rax: then the block can be there from the start, where it is returned. After it the
 * compiler does not know what they are, and makes no third value of them. */
#if defined(__x86_64__)
#define TAC_FAST_REGISTERS(heap, rounded) __asm__("" : "+c"(heap), "+d"(rounded))
#else
#define TAC_FAST_REGISTERS(heap, rounded) (void)0
#endif

/* heap->of[rounded / 16].list, which would be shifted there and back. */
TAC_ALWAYS_INLINE void **list_of(struct tac_heap *heap, size_t rounded)
{
    return (void **)(void *)((char *)heap->of + rounded * (sizeof *heap->of / 16));
}

static inline void *tac_heap_malloc_fast(size_t bytes)
{
    if (TAC_UNLIKELY(bytes > TAC_CLASS_SMALL_BYTES))
        return tac_heap_malloc_slow(bytes);
    struct tac_heap *heap = tac_heap_fast;
    size_t rounded = (bytes + 15) & ~(size_t)15;
    TAC_FAST_REGISTERS(heap, rounded);
    void *block = *list_of(heap, rounded);
    if (TAC_UNLIKELY(!block))
        return tac_heap_malloc_slow(bytes);
    void *next = *(void **)block;
    __builtin_prefetch(next);
    TAC_FAST_REGISTERS(heap, rounded);
    *list_of(heap, rounded) = next;
    return block;
}

/* The same for a function that is not malloc itself: site is its caller. */
static inline void *tac_heap_malloc_fast_at(size_t bytes, const void *site)
{
    void **list = &tac_heap_fast->of[bytes <= TAC_CLASS_SMALL_BYTES ? (bytes + 15) / 16 : 0].list;
    void *block = *list;
    if (TAC_UNLIKELY(!block))
        return tac_heap_malloc_at(bytes, site);
    *list = *(void **)block;
    return block;
}

/* Written out, since compilers load what is atomic apart from comparing it. */
TAC_ALWAYS_INLINE bool is_owner(const struct tac_heap *heap, const struct tac_slab *slab)
{
#if defined(__x86_64__) && !TAC_SANITIZED
    bool same;
    __asm__("cmpq %1, %2" : "=@cce"(same) : "r"(heap), "m"(slab->owner));
    return same;
#else
    return atomic_load_explicit(&slab->owner, memory_order_relaxed) == (uintptr_t)heap;
#endif
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
    if (TAC_UNLIKELY(!is_owner(heap, slab))) {
        tac_heap_free_slow(block);
        return;
    }
    if (TAC_UNLIKELY(tac_slab_push(slab, block)))
        tac_slab_emptied(heap, slab);
}

#endif
