/* SPDX-License-Identifier: MIT
 * spans_claim.c - taking exactly given units: growth in place, and free memory for a trim.
 *
 * A block grows over the end of a word only where it has the word for itself; then the word is
 * empty behind it, which is cheap. Parts are looked at before the first of them is taken, so that
 * giving back is for lost races only. As in spans.c, what grows is there twice. */
#include "mem/spans_word.h"

/* Bits from the given one on, of a word in which nothing before it is free; they must all be. */
TAC_ALWAYS_INLINE bool claim_rest(struct tac_span_level *level, unsigned depth, unsigned w,
                                  unsigned from)
{
    uint64_t rest = ~0ull << from;
    if (!atomic_compare_exchange_strong(&level->word[w], &rest, 0))
        return false;
    tac_span_publish(level, depth, w, 0, tac_span_shown(level, w), 0);
    return true;
}

TAC_ALWAYS_INLINE bool is_free(const struct tac_span_level *level, unsigned w, uint64_t mask)
{
    return !(~atomic_load_explicit(&level->word[w], memory_order_relaxed) & mask);
}

TAC_ALWAYS_INLINE void keep_behind(struct tac_span_level *level, unsigned depth, size_t w,
                                   unsigned used)
{
    tac_span_fresh(level, depth, (unsigned)w, ~0ull << used, 64 - used);
}

/* Words of level 0 from within a word of level 1, or its end, into others. */
TAC_ALWAYS_INLINE bool many_words(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    struct tac_span_level *level = &spans->level[1];
    const unsigned depth = tac_span_depth(1, deep), behind = end & 63;
    size_t first = (from + 63) >> 6, last = end >> 6;
    uint64_t used = ~(~0ull << behind);
    if (from & 63 && !is_free(level, (unsigned)(from >> 6), ~0ull << (from & 63)))
        return false;
    if (behind && tac_span_claim_top(spans, first, last + 1 - first)) {
        keep_behind(level, depth, last, behind);
    } else {
        if (first < last && !tac_span_claim_top(spans, first, last - first))
            return false;
        if (behind && !tac_span_claim_word(level, depth, (unsigned)last, used)) {
            if (first < last)
                tac_spans_give(spans, first << 12, (last - first) << 12);
            return false;
        }
    }
    if (!(from & 63) || claim_rest(level, depth, (unsigned)(from >> 6), from & 63))
        return true;
    tac_spans_give(spans, first << 12, (end - (first << 6)) << 6);
    return false;
}

static TAC_SPAN_NOINLINE bool claim_many_words(struct tac_spans *spans, size_t from, size_t end)
{
    return spans->deep ? many_words(spans, from, end, true) : many_words(spans, from, end, false);
}

/* Words of level 0, as a whole. */
TAC_ALWAYS_INLINE bool claim_words(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    if (from == end)
        return true;
    if (spans->top == 1)
        return tac_span_claim_top(spans, from, end - from);
    uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(end - from));
    return tac_span_claim_word(&spans->level[1], tac_span_depth(1, deep), (unsigned)(from >> 6),
                               mask);
}

/* From within a word of level 0, or its end, into others. */
TAC_ALWAYS_INLINE bool grow_over(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    struct tac_span_level *level = &spans->level[0];
    const unsigned depth = tac_span_depth(0, deep), behind = end & 63;
    size_t first = (from + 63) >> 6, last = end >> 6;
    uint64_t used = ~(~0ull << behind);
    if (from & 63 && !is_free(level, (unsigned)(from >> 6), ~0ull << (from & 63)))
        return false;
    if (spans->top == 2 && (first ^ (last + !!behind - 1)) >> 6) {
        if (!claim_many_words(spans, first, last + !!behind))
            return false;
        if (behind)
            keep_behind(level, depth, last, behind);
    } else if (behind && claim_words(spans, first, last + 1, deep)) {
        keep_behind(level, depth, last, behind);
    } else {
        if (behind && !is_free(level, (unsigned)last, used))
            return false;
        if (!claim_words(spans, first, last, deep))
            return false;
        if (behind && !tac_span_claim_word(level, depth, (unsigned)last, used)) {
            if (first < last)
                tac_spans_give(spans, first << 6, (last - first) << 6);
            return false;
        }
    }
    if (!(from & 63) || claim_rest(level, depth, (unsigned)(from >> 6), from & 63))
        return true;
    tac_spans_give(spans, first << 6, end - (first << 6));
    return false;
}

static TAC_SPAN_NOINLINE bool grow_over_deep(struct tac_spans *spans, size_t from, size_t end)
{
    return grow_over(spans, from, end, true);
}

static TAC_SPAN_NOINLINE bool grow_over_near(struct tac_spans *spans, size_t from, size_t end)
{
    return grow_over(spans, from, end, false);
}

static TAC_SPAN_NOINLINE bool claim_part(struct tac_spans *spans, size_t from, size_t end)
{
    uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(end - from));
    struct tac_span_level *level = &spans->level[0];
    return spans->deep ? tac_span_claim_word(level, 3, (unsigned)(from >> 6), mask)
                       : tac_span_claim_word(level, 2, (unsigned)(from >> 6), mask);
}

bool tac_spans_grow(struct tac_spans *spans, size_t unit, size_t n, size_t n_new)
{
    size_t from = unit + n, end = unit + n_new, last = end - 1;
    if (end > spans->units)
        return false;
    if ((from ^ last) >> 6 == 0 && from & 63)
        return claim_part(spans, from, end);
    if (unit & 63 || (spans->top == 2 && unit & 4095 && (unit ^ last) >> 12))
        return false;
    return spans->deep ? grow_over_deep(spans, from, end) : grow_over_near(spans, from, end);
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
