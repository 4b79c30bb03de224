/* SPDX-License-Identifier: MIT
 * heap_system.h - the heap that the program would have without us: libc's, or that of a library of
 * its own (jemalloc, tcmalloc) which comes after ours.
 *
 * libc's is reached by its second names, so that nothing has to be looked up. For another one the
 * functions are looked up at the first allocation; what is allocated meanwhile, and before the
 * environment can be read, comes from a small array that takes nothing back. */
#ifndef TAC_WATCH_HEAP_SYSTEM_H
#define TAC_WATCH_HEAP_SYSTEM_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tac_system_heap {
    void *(*malloc)(size_t bytes);
    void *(*calloc)(size_t count, size_t bytes);
    void *(*realloc)(void *block, size_t bytes);
    void *(*aligned)(size_t alignment, size_t bytes);
    void (*free)(void *block);
    size_t (*usable_size)(void *block);
};

extern struct tac_system_heap tac_system_heap;

/* Find out whose heap it is. Once, by the first allocation. */
void tac_system_heap_find(void);

enum { TAC_EARLY_BYTES = 1 << 17 };
extern unsigned char tac_early[TAC_EARLY_BYTES];

static inline bool tac_early_owns(const void *block)
{
    return TAC_UNLIKELY((uintptr_t)block - (uintptr_t)tac_early < TAC_EARLY_BYTES);
}

/* NULL when the array is used up. Blocks are zeroed. */
void *tac_early_alloc(size_t alignment, size_t bytes);
size_t tac_early_usable_size(const void *block);

#endif
