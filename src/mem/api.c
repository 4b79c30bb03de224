/* SPDX-License-Identifier: MIT
 * api.c - the entry points tac_heap_*: thin layers over the fast and slow paths. */
#include "mem/api.h"

#include "mem/entry.h"
#include "mem/memcheck.h"
#include "mem/outside.h"
#include "mem/sizing.h"

#include <errno.h>
#include <string.h>

void *tac_heap_malloc(size_t bytes)
{
    return TAC_ENTRY_MALLOC(bytes);
}

void tac_heap_free(void *block)
{
    TAC_ENTRY_FREE(block);
}

void *tac_heap_calloc(size_t count, size_t bytes)
{
    return TAC_ENTRY_CALLOC(count, bytes);
}

void *tac_heap_realloc(void *block, size_t bytes)
{
    return TAC_ENTRY_REALLOC(block, bytes);
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/* Large blocks of a lazily populated arena that nobody had yet are zero already: do not touch. */
static void *calloc_large(size_t bytes)
{
    bool fresh = false;
    struct tac_heap *heap = tac_thread_heap_now();
    void *block = tac_large_alloc(heap, bytes, &fresh);
    if (!block)
        return tac_heap_failed();
    return fresh ? block : memset(block, 0, bytes);
}

void *tac_api_calloc(size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total) || total > PTRDIFF_MAX)
        return no_memory();
    if (total > TAC_CLASS_MAX_BYTES && !tac_thread.hooks && !tac_thread.guard &&
        !tac_thread.is_sampled && !tac_memcheck_on())
        return calloc_large(total);
    void *block = tac_heap_malloc_fast_at(total, __builtin_return_address(0));
    return block ? memset(block, 0, total) : NULL;
}

size_t tac_heap_usable_size(const void *block)
{
    return TAC_ENTRY_USABLE((void *)(uintptr_t)block);
}

size_t tac_api_usable(const void *block)
{
    if (!block)
        return 0;
    struct tac_place place = tac_place_of(block);
    return tac_place_bytes(&place);
}

int tac_heap_owns(const void *address)
{
    return (uintptr_t)address - tac_mem.base < tac_mem.bytes;
}

/* Slab blocks are aligned to the largest power of two that divides their size: for bytes, a
 * multiple of the alignment, the size to ask for. */
static size_t block_bytes_for(size_t bytes)
{
    return bytes <= TAC_CLASS_SMALL_BYTES ? bytes : (size_t)tac_power_of_two_ceil(bytes);
}

/* A block of a slab, of which nobody hears here. */
static void *aligned_unheard(size_t rounded, const void *site)
{
    struct tac_thread *thread = &tac_thread;
    int busy = thread->busy;
    thread->busy = 1;
    void *block = tac_heap_malloc_at(block_bytes_for(rounded), site);
    thread->busy = busy;
    return block;
}

/* Whole units; with memcheck always, which have room behind the block. */
static void *aligned_units(size_t alignment, size_t bytes)
{
    size_t red = tac_memcheck_on() ? TAC_MEMCHECK_RED : 0;
    void *block = tac_large_alloc_aligned(tac_thread.heap, bytes + red, alignment);
    if (!block)
        return tac_heap_failed();
    if (red)
        tac_memcheck_alloc(block, bytes);
    return block;
}

static __attribute__((noinline)) void *aligned_watched(size_t alignment, size_t bytes,
                                                       const void *site)
{
    tac_thread_heap_now(); /* the first call of all opens it, and asks */
    size_t rounded = tac_align_up(bytes ? bytes : 1, alignment);
    if (!tac_heap_may_alloc(bytes, site))
        return tac_heap_failed();
    void *block = !tac_memcheck_on() && rounded <= TAC_UNIT_BYTES ? aligned_unheard(rounded, site)
                                                                  : aligned_units(alignment, bytes);
    if (!block)
        return NULL;
    tac_heap_note_alloc(block, bytes, site);
    tac_sizing_note_aligned(block, alignment);
    return block;
}

void *tac_api_aligned(size_t alignment, size_t bytes, const void *site)
{
    if (bytes > PTRDIFF_MAX - alignment - TAC_MEMCHECK_RED)
        return no_memory();
    if (alignment <= 16)
        return tac_heap_malloc_fast_at(bytes, site);
    if (TAC_UNLIKELY(!tac_outside_is_plain(tac_heap_fast)))
        return aligned_watched(alignment, bytes, site);
    size_t rounded = tac_align_up(bytes ? bytes : 1, alignment);
    if (rounded <= TAC_UNIT_BYTES) /* nobody asks for the site */
        return tac_heap_malloc_fast(block_bytes_for(rounded));
    void *block = tac_large_alloc_aligned(tac_heap_fast, bytes, alignment);
    return TAC_LIKELY(block) ? block : tac_heap_failed();
}

void *tac_heap_aligned_alloc(size_t alignment, size_t bytes)
{
    if (!tac_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return TAC_ENTRY_ALIGNED(alignment, bytes);
}
