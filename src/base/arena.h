/* SPDX-License-Identifier: MIT
 * arena.h - a bump allocator over the caller's memory: set up much, free all at once.
 *
 * Used where a whole structure is built off the audio thread and dropped as one (plans, parsed
 * patches, indices). Invariant: used <= bytes. Threads: one at a time. Cost: constant; the memory
 * is handed out zeroed only if it was zero to begin with (a fresh tac_region is). */
#ifndef TAC_BASE_ARENA_H
#define TAC_BASE_ARENA_H

#include "base/bits.h"

#include <stddef.h>
#include <stdint.h>

struct tac_arena {
    unsigned char *base;
    size_t bytes, used;
};

static inline void tac_arena_init(struct tac_arena *arena, void *base, size_t bytes)
{
    *arena = (struct tac_arena){(unsigned char *)base, bytes, 0};
}

/* NULL iff the arena has no room left. align: a power of two. Real-time: yes. */
static inline void *tac_arena_take(struct tac_arena *arena, size_t bytes, size_t align)
{
    uintptr_t at = (uintptr_t)arena->base + arena->used;
    size_t start = arena->used + (size_t)(-at & (align - 1));
    if (start > arena->bytes || bytes > arena->bytes - start)
        return NULL;
    arena->used = start + bytes;
    return arena->base + start;
}

#endif
