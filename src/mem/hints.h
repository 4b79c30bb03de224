/* SPDX-License-Identifier: MIT
 * hints.h - sets of small numbers that any thread may change and any thread may search, in which
 * no member is ever hidden by what another thread does, or by one that was stopped in the middle.
 *
 * 64 sets over the same numbers share one structure. Each set is a tree of nodes with 32
 * children each, the bottom first; what has the trees' roots for children is called the crown, and
 * tells which sets have members. A node is one 64-bit word: a bit for each child that is present
 * (low half) and a count of announcements (high half).
 *   add      from the bottom up: counts in each node on the way, and sets the child's bit.
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
#include "base/sanitized.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAC_HINTS_SETS = 64, TAC_HINTS_ROOTS = 2 };

typedef _Atomic uint64_t tac_hint_node;

/* Depths: 1 for up to 32 numbers, 2 for up to 1024, 3 for up to 65536, which have two roots. */
struct tac_hints {
    char *nodes;
    /* sets 0 .. 31 and 32 .. 63 of each root: that every thread writes to */
    alignas(64) tac_hint_node crown[2 * TAC_HINTS_ROOTS];
};

/* Where the nodes of level d of a tree begin, the roots first: in places, which are the nodes of
 * all sets side by side. Fixed, so that an address is one addition. */
TAC_ALWAYS_INLINE unsigned tac_hints_first(unsigned depth, unsigned d)
{
    unsigned of_3[] = {TAC_HINTS_ROOTS * 33, TAC_HINTS_ROOTS, 0};
    return depth == 3 ? of_3[d] : depth - d - 1;
}

/* Children that may be there. */
TAC_ALWAYS_INLINE uint32_t tac_hint_seen(const tac_hint_node *node)
{
    return (uint32_t)atomic_load(node);
}

/* Numbers of children are taken modulo 32, which a shift does by itself. */
TAC_ALWAYS_INLINE uint64_t tac_hint_bit(unsigned i)
{
    return (uint32_t)1 << (i & 31);
}

/* Bytes from a set's first node to its node of level d above number i: what the level adds, and
 * what the number does. Apart, since the one is a constant of an address. */
enum { TAC_HINTS_PLACE_BYTES = TAC_HINTS_SETS * sizeof(tac_hint_node) };

TAC_ALWAYS_INLINE size_t tac_hint_level(unsigned depth, unsigned d)
{
    return tac_hints_first(depth, d) * TAC_HINTS_PLACE_BYTES;
}

TAC_ALWAYS_INLINE size_t tac_hint_offset(unsigned depth, unsigned d, unsigned i)
{
    if (depth < 3 && depth == d + 1) /* the root */
        return 0;
    return (d == 0 ? i * 16 : i >> (5 * d - 4)) & ~(TAC_HINTS_PLACE_BYTES - 1u);
}

/* The same, but compilers do not see what it is, or they add the level's part to it. */
TAC_ALWAYS_INLINE size_t tac_hint_place(unsigned depth, unsigned d, unsigned i)
{
    size_t offset = tac_hint_offset(depth, d, i);
    if (!__builtin_constant_p(offset))
        __asm__("" : "+r"(offset));
    return offset;
}

/* The first node of set k. Compilers do not see where it is, or they add it up anew for each. */
TAC_ALWAYS_INLINE char *tac_hint_set(char *nodes, unsigned k)
{
    nodes += k * sizeof(tac_hint_node);
    __asm__("" : "+r"(nodes));
    return nodes;
}

TAC_ALWAYS_INLINE tac_hint_node *tac_hint_at(char *set, unsigned depth, unsigned d, size_t offset)
{
    return (tac_hint_node *)(void *)(set + offset + tac_hint_level(depth, d));
}

/* Where number i stands in all trees: worked out once for all that is done with it. */
struct tac_hint_path {
    char *nodes;
    tac_hint_node *crown;
    size_t offset[3];
    unsigned i;
};

TAC_ALWAYS_INLINE struct tac_hint_path tac_hint_path_of(struct tac_hints *h, unsigned depth,
                                                        unsigned i)
{
    struct tac_hint_path path = {.nodes = h->nodes, .i = i};
#pragma GCC unroll 3
    for (unsigned d = 0; d < depth; d++)
        path.offset[d] = tac_hint_place(depth, d, i);
    path.crown = depth < 3 ? h->crown : h->crown + 2 * (i >> 15);
    return path;
}

/* x without the bit of child i. Written out, since compilers take four instructions where they
 * share the constant with other places. */
TAC_ALWAYS_INLINE uint64_t tac_hint_without(uint64_t x, unsigned i)
{
#if defined(__x86_64__)
    __asm__("btr %q1, %0" : "+r"(x) : "r"(i & 31) : "cc");
    return x;
#else
    return x & ~tac_hint_bit(i);
#endif
}

TAC_ALWAYS_INLINE uint64_t tac_hint_with(uint64_t x, unsigned i)
{
#if defined(__x86_64__)
    __asm__("bts %q1, %0" : "+r"(x) : "r"(i & 31) : "cc");
    return x;
#else
    return x | tac_hint_bit(i);
#endif
}

/* Say that child i is there: add one to the count, and set its bit. In one step, or if somebody was
 * faster in two, which cannot fail. */
TAC_ALWAYS_INLINE void tac_hint_announce(tac_hint_node *node, unsigned i, uint64_t one)
{
    uint64_t before = atomic_load_explicit(node, memory_order_relaxed);
    if (TAC_LIKELY(atomic_compare_exchange_strong(node, &before, tac_hint_with(before + one, i))))
        return;
    atomic_fetch_add(node, one);
    atomic_fetch_or(node, tac_hint_bit(i));
}

/* Second half of a removal: the node was read as `before`, and then the child was not needed. */
TAC_ALWAYS_INLINE void tac_hint_drop(tac_hint_node *node, uint64_t before, unsigned i)
{
    atomic_compare_exchange_strong(node, &before, tac_hint_without(before, i));
}

/* Child i of the node is the node below. True when that is empty. */
TAC_ALWAYS_INLINE bool tac_hint_remove(tac_hint_node *node, unsigned i, const tac_hint_node *below)
{
    uint64_t before = atomic_load(node);
    if (tac_hint_seen(below))
        return false;
    tac_hint_drop(node, before, i);
    return true;
}

TAC_ALWAYS_INLINE void tac_hints_add(const struct tac_hint_path *path, unsigned depth, unsigned k)
{
    uint64_t one = 1ull << 32;
    __asm__("" : "+r"(one)); /* lest compilers make it anew for each node */
    char *set = tac_hint_set(path->nodes, k);
#pragma GCC unroll 3
    for (unsigned d = 0; d < depth; d++)
        tac_hint_announce(tac_hint_at(set, depth, d, path->offset[d]), path->i >> 5 * d, one);
    tac_hint_announce(&path->crown[k >> 5], k, one);
}

/* The node of level d on the path, in the tree of set k that begins there, may be empty: say so
 * further up. */
TAC_ALWAYS_INLINE void tac_hints_fold(const struct tac_hint_path *path, char *set, unsigned depth,
                                      unsigned d, unsigned k)
{
    const tac_hint_node *below = tac_hint_at(set, depth, d, path->offset[d]);
#pragma GCC unroll 3
    for (d++; d < depth; d++) {
        tac_hint_node *node = tac_hint_at(set, depth, d, path->offset[d]);
        if (!tac_hint_remove(node, path->i >> 5 * d, below))
            return;
        below = node;
    }
    tac_hint_remove(&path->crown[k >> 5], k, below);
}

/* Sets that have members under the root, perhaps. */
TAC_ALWAYS_INLINE uint64_t tac_hints_sets(const struct tac_hints *h, unsigned root)
{
    return tac_hint_seen(&h->crown[2 * root]) | atomic_load(&h->crown[2 * root + 1]) << 32;
}

/* What a search comes to: a member (level -1), or a number below the empty node that misled it. */
struct tac_hints_found {
    int level;
    unsigned i;
};

/* The lowest member of set k under a root. */
TAC_ALWAYS_INLINE struct tac_hints_found tac_hints_find(const struct tac_hints *h, unsigned depth,
                                                        unsigned k, unsigned root)
{
    char *set = tac_hint_set(h->nodes, k);
    unsigned i = root << 5 * depth;
#pragma GCC unroll 3
    for (int d = (int)depth - 1; d >= 0; d--) {
        size_t offset = tac_hint_place(depth, (unsigned)d, i);
        uint32_t seen = tac_hint_seen(tac_hint_at(set, depth, (unsigned)d, offset));
        if (TAC_UNLIKELY(!seen))
            return (struct tac_hints_found){d, i};
        i += (unsigned)__builtin_ctz(seen) << 5 * d;
    }
    return (struct tac_hints_found){-1, i};
}

#endif
