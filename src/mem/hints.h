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

/* The same, asked once. Written out, since compilers load what is atomic apart from comparing it.
 */
TAC_ALWAYS_INLINE bool tac_hint_is_empty(const tac_hint_node *node)
{
#if defined(__x86_64__) && !TAC_SANITIZED
    bool empty;
    __asm__ volatile("cmpl $0, %1" : "=@cce"(empty) : "m"(*node) : "memory");
    return empty;
#else
    return !tac_hint_seen(node);
#endif
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

/* Where number i stands in the tree of set k, and so in all trees: worked out once for all that is
 * done with it. */
struct tac_hint_path {
    struct tac_hints *hints;
    tac_hint_node *node[3];
    unsigned child[3]; /* its number in the node of each level */
    unsigned k, root, i;
};

TAC_ALWAYS_INLINE struct tac_hint_path tac_hint_path_of(struct tac_hints *h, unsigned depth,
                                                        unsigned k, unsigned i)
{
    struct tac_hint_path path = {.hints = h, .k = k, .root = depth < 3 ? 0 : i >> 15, .i = i};
    char *set = tac_hint_set(h->nodes, k);
#pragma GCC unroll 3
    for (unsigned d = 0; d < depth; d++) {
        path.node[d] = tac_hint_at(set, depth, d, tac_hint_place(depth, d, i));
        bool is_last = depth < 3 && d == depth - 1; /* the root, and the only one */
        path.child[d] = is_last ? i >> 5 * d : i >> 5 * d & 31;
    }
    return path;
}

TAC_ALWAYS_INLINE tac_hint_node *tac_hint_crown(const struct tac_hint_path *path, unsigned k)
{
    size_t at = (size_t)2 * path->root + (k >> 5);
    if (!__builtin_constant_p(at)) /* lest compilers add where the crown is before they multiply */
        __asm__("" : "+r"(at));
    return &path->hints->crown[at];
}

/* x without the bit of child i, which is below 32. Written out, since compilers take four
 * instructions where they share the constant with other places. */
TAC_ALWAYS_INLINE uint64_t tac_hint_without(uint64_t x, unsigned i)
{
#if defined(__x86_64__)
    __asm__("btr %q1, %0" : "+r"(x) : "r"(i) : "cc");
    return x;
#else
    return x & ~tac_hint_bit(i);
#endif
}

TAC_ALWAYS_INLINE uint64_t tac_hint_with(uint64_t x, unsigned i)
{
#if defined(__x86_64__)
    __asm__("bts %q1, %0" : "+r"(x) : "r"(i) : "cc");
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
    if (!tac_hint_is_empty(below))
        return false;
    tac_hint_drop(node, before, i);
    return true;
}

/* Into set k, which may be another than that of the path. */
TAC_ALWAYS_INLINE void tac_hints_add(const struct tac_hint_path *path, unsigned depth, unsigned k)
{
    uint64_t one = 1ull << 32;
    __asm__("" : "+r"(one)); /* lest compilers make it anew for each node */
    ptrdiff_t away = (ptrdiff_t)k - (ptrdiff_t)path->k;
#pragma GCC unroll 3
    for (unsigned d = 0; d < depth; d++)
        tac_hint_announce(path->node[d] + away, path->child[d], one);
    tac_hint_announce(tac_hint_crown(path, k), k & 31, one);
}

/* The node of level d on the path may be empty: say so further up. */
TAC_ALWAYS_INLINE void tac_hints_fold(const struct tac_hint_path *path, unsigned depth, unsigned d)
{
#pragma GCC unroll 3
    for (d++; d < depth; d++)
        if (!tac_hint_remove(path->node[d], path->child[d], path->node[d - 1]))
            return;
    tac_hint_remove(tac_hint_crown(path, path->k), path->k & 31, path->node[depth - 1]);
}

/* Sets that have members under the root, perhaps. */
TAC_ALWAYS_INLINE uint64_t tac_hints_sets(const struct tac_hints *h, unsigned root)
{
    return tac_hint_seen(&h->crown[2 * root]) | atomic_load(&h->crown[2 * root + 1]) << 32;
}

/* The lowest member of set k under a root, and -1; or the level of the empty node on the way to a
 * number, which misled the search. */
TAC_ALWAYS_INLINE int tac_hints_find(struct tac_hints *h, unsigned depth, unsigned k, unsigned root,
                                     struct tac_hint_path *ret_path)
{
    char *set = tac_hint_set(h->nodes, k);
    struct tac_hint_path *path = ret_path;
    *path = (struct tac_hint_path){.hints = h, .k = k, .root = root, .i = root << 5 * depth};
#pragma GCC unroll 3
    for (int d = (int)depth - 1; d >= 0; d--) {
        size_t offset = tac_hint_place(depth, (unsigned)d, path->i);
        path->node[d] = tac_hint_at(set, depth, (unsigned)d, offset);
        uint32_t seen = tac_hint_seen(path->node[d]);
        if (TAC_UNLIKELY(!seen))
            return d;
        path->child[d] = (unsigned)__builtin_ctz(seen);
        path->i += path->child[d] << 5 * d;
    }
    return -1;
}

#endif
