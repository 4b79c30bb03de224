/* SPDX-License-Identifier: MIT
 * hints.h - a set of small numbers that any thread may change: three levels of 64-bit words, found
 * from the top with three bit scans.
 *
 * The set is a hint. A member that is found may be gone by then (the finder looks at the thing
 * itself and removes a wrong hint), and between the two steps of a removal a member may be hidden
 * for a moment. add and remove are wait-free: at most three, or six, atomic operations.
 * Capacity 64^3 members. */
#ifndef TAC_MEM_HINTS_H
#define TAC_MEM_HINTS_H

#include "base/bits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TAC_HINTS_MAX = 64 * 64 * 64 };

struct tac_hints {
    _Atomic uint64_t top;
    _Atomic uint64_t *middle; /* (members + 4095) / 4096 words */
    _Atomic uint64_t *bottom; /* (members + 63) / 64 words */
};

/* The word of the bottom level is not empty: say so above. True when the set was empty. */
static inline bool tac_hints_raise(struct tac_hints *h, unsigned i)
{
    if (atomic_fetch_or(&h->middle[i / 4096], 1ull << (i / 64 & 63)))
        return false;
    return !atomic_fetch_or(&h->top, 1ull << (i / 4096));
}

/* True when the set was empty: whoever keeps a summary of several sets marks it there. */
static inline bool tac_hints_add(struct tac_hints *h, unsigned i)
{
    if (atomic_fetch_or(&h->bottom[i / 64], 1ull << (i & 63)))
        return false;
    return tac_hints_raise(h, i);
}

enum tac_hints_change { TAC_HINTS_SAME, TAC_HINTS_EMPTIED, TAC_HINTS_FILLED };

/* An upper bit goes first; when the lower word turns out not to be empty after all, everything
 * above it is raised again, since another remover may have gone on upwards meanwhile. */
static inline enum tac_hints_change tac_hints_remove(struct tac_hints *h, unsigned i)
{
    uint64_t bit = 1ull << (i & 63), middle_bit = 1ull << (i / 64 & 63),
             top_bit = 1ull << (i / 4096);
    _Atomic uint64_t *bottom = &h->bottom[i / 64], *middle = &h->middle[i / 4096];
    if (atomic_fetch_and(bottom, ~bit) & ~bit)
        return TAC_HINTS_SAME;
    uint64_t left = atomic_fetch_and(middle, ~middle_bit) & ~middle_bit;
    if (atomic_load(bottom))
        return tac_hints_raise(h, i) ? TAC_HINTS_FILLED : TAC_HINTS_SAME;
    if (left)
        return TAC_HINTS_SAME;
    left = atomic_fetch_and(&h->top, ~top_bit) & ~top_bit;
    if (atomic_load(middle))
        return atomic_fetch_or(&h->top, top_bit) ? TAC_HINTS_SAME : TAC_HINTS_FILLED;
    return left ? TAC_HINTS_SAME : TAC_HINTS_EMPTIED;
}

/* The lowest member, or -1. */
static inline long tac_hints_find(struct tac_hints *h)
{
    uint64_t top = atomic_load_explicit(&h->top, memory_order_relaxed);
    if (!top)
        return -1;
    unsigned t = tac_bit_lowest(top);
    uint64_t middle = atomic_load_explicit(&h->middle[t], memory_order_relaxed);
    if (!middle)
        return -1;
    unsigned m = t * 64 + tac_bit_lowest(middle);
    uint64_t bottom = atomic_load_explicit(&h->bottom[m], memory_order_relaxed);
    return bottom ? (long)(m * 64 + tac_bit_lowest(bottom)) : -1;
}

#endif
