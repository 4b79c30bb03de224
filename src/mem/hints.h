/* SPDX-License-Identifier: MIT
 * hints.h - sets of small numbers that any thread may change and any thread may search, in which
 * no member is ever hidden by what another thread does, or by one that was stopped in the middle.
 *
 * 64 sets over the same numbers share one structure. Each set is a tree of nodes with 32
 * children each, the bottom first; what has the trees' roots for children is called the crown, and
 * tells which sets have members. A node is one 64-bit word: a bit for each child that is present
 * (low half) and a count of announcements (high half).
 *   add      from the bottom up: counts in each node on the way, and sets the child's bit where it
 *            is not set.
 *   remove   reads the node, then looks whether the child is needed (the thing itself at the
 * bottom, the node below further up), and if not, takes the bit away with one compare-and-swap. Why
 * nothing is hidden: whoever needs a child made it so first and counts then. If that was before the
 * remover read the node, the remover sees the need when it looks; if after, the count is another
 * and the compare-and-swap fails. (It could succeed if the count came round once, 2^32
 * announcements, while the remover was stopped at that instruction; the child then stays hidden
 * until the next one.) The price: a remover that failed leaves a child that is not there. Whoever
 * is misled by it removes it.
 * Memory order is sequential throughout, which the argument needs.
 * Cost: wait-free; one atomic operation a level. The depth is constant where the functions are
 * inlined: everything here is counted (docs/heap.md). */
#ifndef TAC_MEM_HINTS_H
#define TAC_MEM_HINTS_H

#include "base/bits.h"
#include "base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAC_HINTS_DEPTH_MAX = 3, TAC_HINTS_SETS = 64 };

/* Decided by the compiler in each place of use. */
#define TAC_HINTS_INLINE static inline __attribute__((always_inline))

typedef _Atomic uint64_t tac_hint_node;

struct tac_hints {
    tac_hint_node
        *level[TAC_HINTS_DEPTH_MAX]; /* [0] is the bottom: nodes of one place side by side */
    tac_hint_node *crown;            /* for each root two nodes: sets 0 .. 31, 32 .. 63 */
    unsigned roots;
};

TAC_HINTS_INLINE uint64_t tac_hint_bit(unsigned i)
{
    return 1ull << (i & 31);
}

/* Children that may be there. */
TAC_HINTS_INLINE uint32_t tac_hint_seen(tac_hint_node *node)
{
    return (uint32_t)atomic_load(node);
}

/* Node i of level d in the tree of set k. */
TAC_HINTS_INLINE tac_hint_node *tac_hint_node_of(const struct tac_hints *h, unsigned d, unsigned k,
                                                 unsigned i)
{
    return &h->level[d][(size_t)i * TAC_HINTS_SETS + k];
}

TAC_HINTS_INLINE tac_hint_node *tac_hint_crown_of(const struct tac_hints *h, unsigned k,
                                                  unsigned root)
{
    return &h->crown[2 * root + (k >> 5)];
}

TAC_HINTS_INLINE void tac_hint_announce(tac_hint_node *node, unsigned i)
{
    if (!(atomic_fetch_add(node, 1ull << 32) >> (i & 31) & 1))
        atomic_fetch_or(node, tac_hint_bit(i));
}

/* Second half of a removal: the node was read as `before`, and then the child was not needed. */
TAC_HINTS_INLINE void tac_hint_drop(tac_hint_node *node, uint64_t before, unsigned i)
{
    atomic_compare_exchange_strong(node, &before, before & ~tac_hint_bit(i));
}

/* Child i of the node is the node below. True when that is empty. */
TAC_HINTS_INLINE bool tac_hint_remove(tac_hint_node *node, unsigned i, tac_hint_node *below)
{
    uint64_t before = atomic_load(node);
    if (tac_hint_seen(below))
        return false;
    tac_hint_drop(node, before, i);
    return true;
}

TAC_HINTS_INLINE void tac_hints_add(struct tac_hints *h, unsigned depth, unsigned k, unsigned i)
{
#pragma GCC unroll 3
    for (unsigned d = 0; d < depth; d++, i >>= 5)
        tac_hint_announce(tac_hint_node_of(h, d, k, i >> 5), i);
    tac_hint_announce(tac_hint_crown_of(h, k, i), k);
}

/* Node i of level d in the tree of set k may be empty: say so above. */
TAC_HINTS_INLINE void tac_hints_fold(struct tac_hints *h, unsigned depth, unsigned d, unsigned k,
                                     unsigned i)
{
    tac_hint_node *node = tac_hint_node_of(h, d, k, i);
#pragma GCC unroll 3
    for (d++; d < depth; d++, i >>= 5) {
        tac_hint_node *up = tac_hint_node_of(h, d, k, i >> 5);
        if (!tac_hint_remove(up, i, node))
            return;
        node = up;
    }
    tac_hint_remove(tac_hint_crown_of(h, k, i), k, node);
}

/* Sets that have members under the root, perhaps. */
TAC_HINTS_INLINE uint64_t tac_hints_sets(const struct tac_hints *h, unsigned root)
{
    return tac_hint_seen(&h->crown[2 * root]) | (uint64_t)tac_hint_seen(&h->crown[2 * root + 1])
                                                    << 32;
}

/* What a search comes to: a member (level -1), or the empty node that misled it. */
struct tac_hints_found {
    int level;
    unsigned i;
};

/* The lowest member of set k under a root. */
TAC_HINTS_INLINE struct tac_hints_found tac_hints_find(const struct tac_hints *h, unsigned depth,
                                                       unsigned k, unsigned root)
{
    unsigned i = root;
#pragma GCC unroll 3
    for (int d = (int)depth - 1; d >= 0; d--) {
        uint32_t seen = tac_hint_seen(tac_hint_node_of(h, (unsigned)d, k, i));
        if (TAC_UNLIKELY(!seen))
            return (struct tac_hints_found){d, i};
        i = i * 32 + tac_bit_lowest(seen);
    }
    return (struct tac_hints_found){-1, i};
}

#endif
