/* SPDX-License-Identifier: MIT
 * slow.c - malloc and free beyond the fast path: larger sizes, first calls, other owners, guard and
 * hooks.
 *
 * Real-time: yes, but for the first call of the process, which opens the heap. errno is touched
 * only where malloc fails. The call site is the return address: these functions are jumped to. */
#include "mem/api.h"
#include "mem/heap.h"
#include "mem/memcheck.h"
#include "mem/outside.h"

#include "base/clock.h"

#include <errno.h>

static void *failed(struct tac_heap *heap)
{
    if (heap)
        heap->counters.failures++;
    else
        atomic_fetch_add(&tac_mem.detached_failures, 1);
    errno = ENOMEM;
    return NULL;
}

void *tac_heap_failed(void)
{
    return failed(tac_thread.heap);
}

/* From the thread's lists, or whole units; all of it, for a thread that nobody watches any more. */
static inline void *malloc_own(struct tac_heap *heap, unsigned c, size_t bytes)
{
    void *block = heap->of[c].list; /* class 0 has none */
    if (block) {
        heap->of[c].list = *(void **)block;
        return block;
    }
    return TAC_LIKELY(c) ? tac_heap_refill(heap, c) : tac_large_malloc(heap, bytes);
}

static void *malloc_real(struct tac_heap *heap, size_t bytes)
{
    unsigned c =
        bytes - 1 < TAC_CLASS_SMALL_BYTES ? tac_class_of(bytes) : tac_class_of_larger(bytes);
    void *block = TAC_LIKELY(heap) ? malloc_own(heap, c, bytes)
                                   : tac_large_alloc(NULL, bytes, &(bool){false});
    return TAC_LIKELY(block || heap) ? block : failed(NULL);
}

/* Guard, hooks, samples or memcheck: nothing of it in most programs. */
static bool is_watched(const struct tac_thread *thread)
{
    tac_outside_sampling();
    return thread->is_watched;
}

void tac_heap_note_alloc(void *block, size_t bytes, const void *site)
{
    struct tac_thread *thread = &tac_thread;
    if (thread->busy)
        return;
    if (thread->is_sampled)
        tac_outside_note(bytes, site);
    if (thread->hooks && thread->hooks->alloc) {
        thread->busy = 1;
        thread->hooks->alloc(block, bytes, site);
        thread->busy = 0;
    }
}

bool tac_heap_may_alloc(size_t bytes, const void *site)
{
    return !tac_thread.guard || tac_thread.busy || tac_guard_pass(bytes, false, site);
}

static void *malloc_checked(struct tac_heap *heap, size_t bytes)
{
    if (!tac_memcheck_on() || bytes > PTRDIFF_MAX - TAC_MEMCHECK_RED)
        return malloc_real(heap, bytes);
    tac_memcheck_enter();
    void *block = malloc_real(heap, bytes + TAC_MEMCHECK_RED);
    tac_memcheck_leave();
    tac_memcheck_alloc(block, bytes);
    return block;
}

/* Apart, as its like below: what it keeps in registers would be saved in every call. */
static __attribute__((noinline)) void *malloc_watched(struct tac_heap *heap, size_t bytes,
                                                      const void *site)
{
    if (!tac_heap_may_alloc(bytes, site))
        return failed(heap);
    void *block = malloc_checked(heap, bytes);
    if (block)
        tac_heap_note_alloc(block, bytes, site);
    return block;
}

/* The process' first call opens the heap, and a thread that is watched needs its thread heap. */
static __attribute__((noinline)) void *malloc_attached(size_t bytes, const void *site)
{
    struct tac_heap *heap = tac_thread_heap();
    return is_watched(&tac_thread) ? malloc_watched(heap, bytes, site) : malloc_real(heap, bytes);
}

void *tac_heap_malloc_at(size_t bytes, const void *site)
{
    return !tac_thread.heap && tac_thread_is_plain() ? tac_first_alloc(bytes)
                                                     : malloc_attached(bytes, site);
}

/* Larger than what the fast path has, or nothing, which it does not know the class of. */
static __attribute__((noinline)) void *malloc_larger(size_t bytes)
{
    struct tac_heap *heap = tac_heap_fast;
    return TAC_LIKELY(tac_outside_is_plain(heap))
               ? malloc_own(heap, tac_class_of_larger(bytes), bytes)
               : tac_heap_malloc_at(bytes, __builtin_return_address(0));
}

/* One jump after the other, without a frame: that alone is a tenth of what a call may cost. */
__attribute__((noinline)) void *tac_heap_malloc_slow(size_t bytes)
{
    if (bytes - 1 >= TAC_CLASS_SMALL_BYTES)
        return malloc_larger(bytes);
    struct tac_heap *heap = tac_heap_fast;
    return TAC_LIKELY(tac_outside_is_plain(heap))
               ? tac_heap_refill(heap, (bytes + 15) / 16) /* whose list is empty */
               : tac_heap_malloc_at(bytes, __builtin_return_address(0));
}

/* ---- free ---- */

static bool starts_block(const struct tac_slab *slab, const void *block)
{
    uintptr_t offset = (uintptr_t)block - (uintptr_t)tac_unit_address(tac_slab_unit(slab));
    uint32_t i = (uint32_t)((uint64_t)offset * slab->reciprocal >> 32);
    return i * slab->block_bytes == offset && i < __atomic_load_n(&slab->made, __ATOMIC_RELAXED);
}

static void free_slab_block(struct tac_heap *heap, struct tac_slab *slab, void *block)
{
    if (TAC_UNLIKELY(!starts_block(slab, block)))
        tac_mem_fatal("address is not the start of a block", block);
    if (heap && tac_slab_heap(slab) == heap)
        tac_slab_free_local(heap, slab, block);
    else
        tac_slab_free_remote(slab, block);
}

static inline void give_back(struct tac_heap *heap, void *block)
{
    uintptr_t offset = (uintptr_t)block - tac_mem.base;
    struct tac_slab *line = tac_slab_at(offset), *slab = tac_slab_of(line);
    if (TAC_LIKELY(heap))
        heap->counters.slow_frees++;
    if (TAC_KIND_GET(slab) == TAC_KIND_SLAB)
        free_slab_block(heap, slab, block);
    else if (TAC_KIND_GET(slab) == TAC_KIND_LARGE && !(offset & (TAC_UNIT_BYTES - 1)))
        tac_large_free(heap, (struct tac_large *)(void *)line, offset >> TAC_UNIT_SHIFT);
    else
        tac_mem_fatal("block was freed twice, or is not one of this heap", block);
}

static __attribute__((noinline)) void free_watched(void *block, const void *site)
{
    struct tac_thread *thread = &tac_thread;
    if (!thread->busy) {
        tac_guard_pass(0, true, site);
        if (thread->hooks && thread->hooks->free) {
            thread->busy = 1;
            thread->hooks->free(block, tac_api_usable(block), site);
            thread->busy = 0;
        }
    }
    if (tac_memcheck_on())
        tac_memcheck_free(block);
    tac_memcheck_enter();
    give_back(thread->heap, block);
    tac_memcheck_leave();
}

/* Of a thread that has no heap of its own, or is watched, or what is no block of ours. */
static __attribute__((noinline)) void free_other(void *block, const void *site)
{
    if (!block)
        return;
    if ((uintptr_t)block - tac_mem.base >= tac_mem.bytes)
        atomic_fetch_add(&tac_mem.foreign_frees, 1);
    else if (TAC_UNLIKELY(is_watched(&tac_thread)))
        free_watched(block, site);
    else
        give_back(tac_thread.heap, block);
}

void tac_heap_free_at(void *block, const void *site)
{
    free_other(block, site);
}

__attribute__((noinline)) void tac_heap_free_slow(void *block)
{
    struct tac_heap *heap = tac_heap_fast;
    if (TAC_UNLIKELY((uintptr_t)block - tac_mem.base >= tac_mem.bytes ||
                     !tac_outside_is_plain(heap)))
        free_other(block, __builtin_return_address(0));
    else
        give_back(heap, block);
}
