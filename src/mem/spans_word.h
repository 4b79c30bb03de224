/* SPDX-License-Identifier: MIT
 * spans_word.h - what taking, giving and claiming do to one word of the span layer.
 *
 * The depth of the trees is a constant where these are inlined: each function of the span layer is
 * there twice, for `deep` and other arenas. */
#ifndef TAC_MEM_SPANS_WORD_H
#define TAC_MEM_SPANS_WORD_H

#include "base/check.h"
#include "base/sanitized.h"
#include "mem/spans.h"

#define TAC_SPAN_NOINLINE __attribute__((noinline))

/* A function for `deep` arenas, and the same for others. */
#define TAC_FOR_BOTH(type, name, parameters, ...)                                                  \
    static TAC_SPAN_NOINLINE type name##_deep parameters                                           \
    {                                                                                              \
        const bool deep = true;                                                                    \
        __VA_ARGS__;                                                                               \
    }                                                                                              \
    static TAC_SPAN_NOINLINE type name##_near parameters                                           \
    {                                                                                              \
        const bool deep = false;                                                                   \
        __VA_ARGS__;                                                                               \
    }

/* One bit at each position that is `first` modulo `step`, a power of two up to 64. */
TAC_ALWAYS_INLINE uint64_t tac_span_multiples(unsigned step, unsigned first)
{
    static const uint64_t bits[7] = {
        ~0ull,
        0x5555555555555555,
        0x1111111111111111,
        0x0101010101010101,
        0x0001000100010001,
        0x0000000100000001,
        1,
    };
    return bits[tac_bit_lowest(step)] << first;
}

/* ---- The top level (spans_top.c) ---- */

/* n bits, or -1. */
long tac_span_take_top(struct tac_spans *spans, size_t n);

/* So many words of level 0 from the top level, the first at a word that is `first` modulo `step`;
 * what was not wanted stays in the level between. */
long tac_span_take_top_words(struct tac_spans *spans, size_t words, size_t step, size_t first);

/* Exactly these bits; all or none. */
bool tac_span_claim_top(struct tac_spans *spans, size_t from, size_t n);

/* Is level 1 the top? Deep arenas have one above. */
TAC_ALWAYS_INLINE bool tac_span_is_flat(const struct tac_spans *spans, bool deep)
{
    return !deep && spans->top == 1;
}

/* ---- Words ---- */

TAC_ALWAYS_INLINE uint64_t tac_span_value(const struct tac_span_level *level, size_t w)
{
    return atomic_load_explicit(&level->word[w], memory_order_relaxed);
}

/* The word is not in set k any more, unless it belongs there again: after a change by others. */
void tac_span_unset_changed(struct tac_span_level *level, unsigned depth, unsigned k, unsigned w);

/* Has word w the value? Written out as tac_hint_is_empty is. */
TAC_ALWAYS_INLINE bool tac_span_has(const struct tac_span_level *level, size_t w, uint64_t value)
{
#if defined(__x86_64__) && !TAC_SANITIZED
    bool same;
    __asm__ volatile("cmpq %1, %2" : "=@cce"(same) : "r"(value), "m"(level->word[w]) : "memory");
    return same;
#else
    return atomic_load(&level->word[w]) == value;
#endif
}

/* The word of the path, which had the value when it was looked at last, is not in its set any more,
 * unless it changed again. */
TAC_ALWAYS_INLINE void tac_span_unset(struct tac_span_level *level,
                                      const struct tac_hint_path *path, unsigned depth,
                                      uint64_t value)
{
    uint64_t before = atomic_load(path->node[0]);
    if (TAC_UNLIKELY(!tac_span_has(level, path->i, value))) {
        tac_span_unset_changed(level, depth, path->k, path->i);
        return;
    }
    tac_hint_drop(path->node[0], before, path->child[0]);
    tac_hints_fold(path, depth, 0);
}

/* The word of the path has a new value and belongs into set k (0: none) now. */
TAC_ALWAYS_INLINE void tac_span_set(struct tac_span_level *level, const struct tac_hint_path *path,
                                    unsigned depth, unsigned k)
{
    atomic_store_explicit(&level->shown[path->i], (unsigned char)k, memory_order_relaxed);
    if (k)
        tac_hints_add(path, depth, k);
}

/* Word w, which was in the set `before` (0: none), has a new value and belongs into set k (0: none)
 * now. The new set first, so that it is in one at any time. */
TAC_ALWAYS_INLINE void tac_span_publish(struct tac_span_level *level, unsigned depth, unsigned w,
                                        uint64_t value, unsigned before, unsigned k)
{
    bool is_new = __builtin_constant_p(before) && !before;
    struct tac_hint_path path = tac_hint_path_of(&level->sets, depth, is_new ? k : before, w);
    tac_span_set(level, &path, depth, k);
    if (before && before != k)
        tac_span_unset(level, &path, depth, value);
}

TAC_ALWAYS_INLINE unsigned tac_span_shown(const struct tac_span_level *level, unsigned w)
{
    unsigned k = atomic_load_explicit(&level->shown[w], memory_order_relaxed);
    __asm__("" : "+r"(k)); /* or compilers keep it as a byte as well */
    return k;
}

/* Free bits of a word whose unit of the next level is in our hands: nobody else changes it. k is
 * their longest run. */
TAC_ALWAYS_INLINE void tac_span_fresh(struct tac_span_level *level, unsigned depth, unsigned w,
                                      uint64_t value, unsigned k)
{
    atomic_store_explicit(&level->word[w], value, memory_order_relaxed);
    tac_span_publish(level, depth, w, value, 0, k);
}

/* The bits of the mask come home to a word below the top. True when it is complete with them: then
 * they all left it, and its bit of the next level is the caller's to give. */
TAC_ALWAYS_INLINE bool tac_span_give_word(struct tac_span_level *level, unsigned depth, unsigned w,
                                          uint64_t mask)
{
    uint64_t value = atomic_fetch_add(&level->word[w], mask);
    TAC_ASSERT(!(value & mask));
    value += mask;
    if (value == ~0ull) { /* whoever makes it so again when this fails, comes here too */
        if (atomic_compare_exchange_strong(&level->word[w], &value, 0)) {
            tac_span_publish(level, depth, w, 0, tac_span_shown(level, w), 0);
            return true;
        }
    }
    tac_span_publish(level, depth, w, value, tac_span_shown(level, w), tac_bitrun_longest(value));
    return false;
}

/* The first unit of n, of which the last is in a word of level 0 that was taken as a whole: what is
 * behind it goes back. */
TAC_ALWAYS_INLINE long tac_span_cut(struct tac_spans *spans, size_t first_word, size_t n, bool deep)
{
    unsigned used = n & 63;
    if (used)
        tac_span_fresh(&spans->level[0], tac_span_depth(0, deep), (unsigned)(first_word + (n >> 6)),
                       tac_bitrun_mask(used, 64 - used), 64 - used);
    return (long)(first_word << 6);
}

/* After a lost race for the bits of the mask (spans_claim.c). */
bool tac_span_claim_again(struct tac_span_level *level, unsigned depth, unsigned w, uint64_t mask);

/* The bits of the mask, if they are all free there. */
TAC_ALWAYS_INLINE bool tac_span_claim_word(struct tac_span_level *level, unsigned depth, unsigned w,
                                           uint64_t mask)
{
    uint64_t value = atomic_load(&level->word[w]), left = value ^ mask;
    if (left & mask)
        return false;
    if (TAC_UNLIKELY(!atomic_compare_exchange_strong(&level->word[w], &value, left)))
        return tac_span_claim_again(level, depth, w, mask);
    if (depth)
        tac_span_publish(level, depth, w, left, tac_span_shown(level, w), tac_bitrun_longest(left));
    return true;
}

#endif
