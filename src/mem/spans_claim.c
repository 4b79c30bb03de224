/* SPDX-License-Identifier: MIT
 * spans_claim.c - taking exactly given units: growth in place, and free memory for a trim.
 *
 * A block grows over the end of a word only where it has the word for itself; then the word is
 * empty behind it, which is cheap. What it grows into is a part of the next word, or words that are
 * free as a whole. The last of these goes back in part where the block began to grow at the end of
 * a word, else it stays the block's: so a call moves one word from set to set, and one other gets
 * into a set or out of it. Parts are looked at before the first of them is taken, so that giving
 * back is for lost races only. As in spans.c, what grows is there twice. */
#include "mem/spans_word.h"

bool tac_span_claim_again(struct tac_span_level *level, unsigned depth, unsigned w, uint64_t mask)
{
    uint64_t value = atomic_load(&level->word[w]);
    for (int tries = TAC_SPANS_TRIES; tries && !(~value & mask); tries--) {
        uint64_t left = value & ~mask;
        if (!atomic_compare_exchange_strong(&level->word[w], &value, left))
            continue;
        if (depth)
            tac_span_publish(level, depth, w, left, tac_span_shown(level, w),
                             tac_bitrun_longest(left));
        return true;
    }
    return false;
}

/* Take all that is free of a word, if it is that: the rest of one in which nothing before is. */
TAC_ALWAYS_INLINE bool claim_rest(struct tac_span_level *level, unsigned depth, size_t w,
                                  uint64_t rest, unsigned longest)
{
    if (TAC_UNLIKELY(!atomic_compare_exchange_strong(&level->word[w], &rest, 0)))
        return false;
    tac_span_publish(level, depth, (unsigned)w, 0, longest, 0);
    return true;
}

TAC_ALWAYS_INLINE void keep_behind(struct tac_span_level *level, unsigned depth, size_t w,
                                   unsigned used)
{
    tac_span_fresh(level, depth, (unsigned)w, ~0ull << used, 64 - used);
}

/* Does what ends there end in the first word beyond, which is free in parts? */
TAC_ALWAYS_INLINE bool ends_among_others(const struct tac_span_level *level, size_t first,
                                         size_t end)
{
    return end & 63 && end >> 6 == first && tac_span_value(level, first);
}

/* Words of level 0 from within a word of level 1, or its end, into others. */
TAC_ALWAYS_INLINE bool many_words(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    struct tac_span_level *level = &spans->level[1];
    const unsigned depth = tac_span_depth(1, deep), used = from & 63, behind = end & 63;
    const uint64_t rest = ~0ull << used;
    size_t first = (from + 63) >> 6, whole = (end + 63) >> 6;
    if (used && tac_span_value(level, from >> 6) != rest)
        return false;
    if (ends_among_others(level, first, end)) {
        if (!tac_span_claim_word(level, depth, (unsigned)first, ~(~0ull << behind)))
            return false;
    } else {
        if (!tac_span_claim_top(spans, first, whole - first))
            return false;
        if (behind)
            keep_behind(level, depth, whole - 1, behind);
    }
    if (!used || TAC_LIKELY(claim_rest(level, depth, from >> 6, rest, 64 - used)))
        return true;
    tac_spans_give(spans, first << 12, (end - (first << 6)) << 6);
    return false;
}

/* At level 1 the same as grow_over at level 0; in units. */
static TAC_SPAN_NOINLINE size_t grow_far(struct tac_spans *spans, size_t from, size_t end)
{
    bool done = spans->deep ? many_words(spans, from >> 6, end >> 6, true)
                            : many_words(spans, from >> 6, end >> 6, false);
    return done ? end : 0;
}

static TAC_SPAN_NOINLINE bool claim_many_words(struct tac_spans *spans, size_t from, size_t end)
{
    return spans->deep ? many_words(spans, from, end, true) : many_words(spans, from, end, false);
}

/* Words of level 0, as a whole. */
TAC_ALWAYS_INLINE bool claim_words(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    if (tac_span_is_flat(spans, deep))
        return tac_span_claim_top(spans, from, end - from);
    if (TAC_UNLIKELY((from ^ (end - 1)) >> 6))
        return claim_many_words(spans, from, end);
    uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(end - from));
    if (TAC_UNLIKELY(!~mask))
        return claim_many_words(spans, from, end);
    return tac_span_claim_word(&spans->level[1], tac_span_depth(1, deep), (unsigned)(from >> 6),
                               mask);
}

/* What was claimed from word `first` on may stay, and it ends there, if the rest of the word in
 * which it begins, which was looked at, is still free. */
TAC_ALWAYS_INLINE size_t with_rest(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    const unsigned used = from & 63;
    if (TAC_LIKELY(claim_rest(&spans->level[0], tac_span_depth(0, deep), from >> 6, ~0ull << used,
                              64 - used)))
        return end;
    size_t first = (from | 63) + 1;
    tac_spans_give(spans, first, end - first);
    return 0;
}

/* From within a word of level 0, or its end, to within the next, which is free in parts. */
TAC_ALWAYS_INLINE size_t grow_among(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    if (!tac_span_claim_word(&spans->level[0], tac_span_depth(0, deep), (unsigned)(end >> 6),
                             ~(~0ull << (end & 63))))
        return 0;
    return from & 63 ? with_rest(spans, from, end, deep) : end;
}

/* The same into words that are free as a whole. */
TAC_ALWAYS_INLINE size_t grow_words(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    size_t whole = (end + 63) >> 6;
    if (!claim_words(spans, (from + 63) >> 6, whole, deep))
        return 0;
    __asm__("" : "+r"(end)); /* or compilers keep what they made of it until here */
    if (from & 63)
        return with_rest(spans, from, (end + 63) & ~(size_t)63, deep);
    if (end & 63)
        keep_behind(&spans->level[0], tac_span_depth(0, deep), end >> 6, end & 63);
    return end;
}

TAC_FOR_BOTH(size_t, grow_among, (struct tac_spans * spans, size_t from, size_t end),
             return grow_among(spans, from, end, deep))
TAC_FOR_BOTH(size_t, grow_words, (struct tac_spans * spans, size_t from, size_t end),
             return grow_words(spans, from, end, deep))

/* From within a word of level 0, or its end, into others. Where it ends, or 0. */
static inline size_t grow_over(struct tac_spans *spans, size_t from, size_t end)
{
    const struct tac_span_level *level = &spans->level[0];
    size_t first = (from + 63) >> 6;
    if (from & 63 && tac_span_value(level, from >> 6) != ~0ull << (from & 63))
        return 0;
    if (ends_among_others(level, first, end))
        return spans->deep ? grow_among_deep(spans, from, end) : grow_among_near(spans, from, end);
    return spans->deep ? grow_words_deep(spans, from, end) : grow_words_near(spans, from, end);
}

/* Inside its word. */
static TAC_SPAN_NOINLINE size_t grow_part(struct tac_spans *spans, size_t from, size_t end)
{
    uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(end - from));
    struct tac_span_level *level = &spans->level[0];
    bool done = spans->deep ? tac_span_claim_word(level, 3, (unsigned)(from >> 6), mask)
                            : tac_span_claim_word(level, 2, (unsigned)(from >> 6), mask);
    return done ? end : 0;
}

size_t tac_spans_grow(struct tac_spans *spans, size_t from, size_t end, size_t unit)
{
    size_t last = end - 1;
    if ((from ^ last) >> 6 == 0 && from & 63)
        return grow_part(spans, from, end);
    if (TAC_UNLIKELY((unit ^ last) >> 12) && spans->top == 2) {
        if (unit & 4095)
            return 0;
        if (!((from | end) & 63) && (from ^ last) >> 12)
            return grow_far(spans, from, end);
    }
    return unit & 63 ? 0 : grow_over(spans, from, end);
}

size_t tac_spans_claim_whole(struct tac_spans *spans, size_t unit)
{
    size_t w = unit >> 6;
    uint64_t bit = 1ull << (w & 63);
    if (spans->top == 1)
        return tac_span_claim_top(spans, w, 1) ? 64 : 0;
    if (!(w & 63) && tac_span_claim_top(spans, w >> 6, 1))
        return 4096;
    struct tac_span_level *level = &spans->level[1];
    bool done = spans->deep ? tac_span_claim_word(level, 2, (unsigned)(w >> 6), bit)
                            : tac_span_claim_word(level, 1, (unsigned)(w >> 6), bit);
    return done ? 64 : 0;
}
