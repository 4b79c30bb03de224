/* SPDX-License-Identifier: MIT
 * memcheck.h - Valgrind's memcheck is told about our blocks, so that it finds overruns, uses of
 * freed and of undefined memory, and leaks in blocks of this heap as in those of malloc.
 *
 * Memcheck replaces malloc and its family by itself, ours too. What needs telling are the blocks of
 * tac_heap_malloc(), and of malloc where Valgrind was asked not to replace it. When the heap opens
 * under Valgrind every call takes the slow path, blocks get TAC_MEMCHECK_RED bytes more that nobody
 * may touch, and the heap's own work on free memory is not reported. Without Valgrind that is one
 * test in the slow path; built without its headers, nothing.
 *
 * Source: the Valgrind manual, "Memory pools: describing and working with custom allocators". */
#ifndef TAC_MEM_MEMCHECK_H
#define TAC_MEM_MEMCHECK_H

#include "mem/heap.h"

enum { TAC_MEMCHECK_RED = 16 };

#ifdef TAC_MEM_VALGRIND
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <valgrind/memcheck.h>
#pragma GCC diagnostic pop

static inline bool tac_memcheck_on(void)
{
    return TAC_UNLIKELY(tac_mem.memcheck);
}

static inline void tac_memcheck_begin(void)
{
    tac_mem.memcheck = RUNNING_ON_VALGRIND != 0;
    if (tac_mem.memcheck)
        (void)VALGRIND_MAKE_MEM_NOACCESS(tac_mem.base, tac_mem.units << TAC_UNIT_SHIFT);
}

/* The heap's own work begins and ends. */
static inline void tac_memcheck_enter(void)
{
    VALGRIND_DISABLE_ERROR_REPORTING;
}

static inline void tac_memcheck_leave(void)
{
    VALGRIND_ENABLE_ERROR_REPORTING;
}

static inline void tac_memcheck_alloc(const void *block, size_t bytes)
{
    if (block)
        VALGRIND_MALLOCLIKE_BLOCK(block, bytes, 0, 0);
}

static inline void tac_memcheck_free(const void *block)
{
    VALGRIND_FREELIKE_BLOCK(block, 0);
}

#else

static inline bool tac_memcheck_on(void)
{
    return false;
}
static inline void tac_memcheck_begin(void)
{
}
static inline void tac_memcheck_enter(void)
{
}
static inline void tac_memcheck_leave(void)
{
}
static inline void tac_memcheck_alloc(const void *block, size_t bytes)
{
    (void)block;
    (void)bytes;
}
static inline void tac_memcheck_free(const void *block)
{
    (void)block;
}

#endif
#endif
