/* SPDX-License-Identifier: MIT
 * trace_heap.h - what the heap does, in the recording: connects the hooks of tactus/mem.h to
 * tactus/trace.h. Header only, so that neither library knows the other; link both.
 *
 *     tac_heap_hooks_set(tac_trace_heap_hooks());   once, before the threads that matter begin
 *
 * Each allocation, free, reallocation, and get and put of a pool of a registered thread becomes one
 * event with the address that called; a pool that was empty becomes a refused allocation. The hooks
 * are called after the operation, so the events have no length. Real-time: the hooks are. */
#ifndef TACTUS_TRACE_HEAP_H
#define TACTUS_TRACE_HEAP_H

#include "tactus/mem.h"
#include "tactus/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline void tac_trace_heap_put(enum tac_memory_op op, const void *block, const void *old,
                                      size_t bytes, const void *site)
{
    void *pc[1];
    if (!TAC_TRACE_ON(TAC_CAT_MEMORY))
        return;
    pc[0] = (void *)(uintptr_t)site;
    tac_trace_memory(op, block, old, bytes, tac_trace_counter());
    if (site)
        tac_trace_stack(pc, 1);
}

static inline void tac_trace_heap_alloc(void *block, size_t bytes, const void *site)
{
    tac_trace_heap_put(TAC_MEMORY_ALLOC, block, NULL, bytes, site);
}

static inline void tac_trace_heap_free(void *block, size_t bytes, const void *site)
{
    tac_trace_heap_put(TAC_MEMORY_FREE, block, NULL, bytes, site);
}

static inline void tac_trace_heap_realloc(void *old, void *block, size_t bytes, const void *site)
{
    tac_trace_heap_put(TAC_MEMORY_REALLOC, block, old, bytes, site);
}

static inline void tac_trace_heap_pool_get(void *object, size_t bytes, const void *site)
{
    tac_trace_heap_put(object ? TAC_MEMORY_POOL_GET : TAC_MEMORY_FAIL, object, NULL, bytes, site);
}

static inline void tac_trace_heap_pool_put(void *object, size_t bytes, const void *site)
{
    tac_trace_heap_put(TAC_MEMORY_POOL_PUT, object, NULL, bytes, site);
}

/* The hooks; they live as long as the program. */
static inline const struct tac_heap_hooks *tac_trace_heap_hooks(void)
{
    static const struct tac_heap_hooks hooks = {tac_trace_heap_alloc, tac_trace_heap_free,
                                                tac_trace_heap_realloc, tac_trace_heap_pool_get,
                                                tac_trace_heap_pool_put};
    return &hooks;
}

#ifdef __cplusplus
}
#endif
#endif
