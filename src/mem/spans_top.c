/* SPDX-License-Identifier: MIT
 * spans_top.c - the top level of the span layer: a handful of words without sets, in which runs go
 * on from word to word.
 *
 * Cost: every word is looked at once. */
#include "mem/spans_word.h"

/* Positions in the top level that are `first` modulo a power of two. */
struct grid {
    size_t first, step;
};

static uint64_t grid_in_word(struct grid grid, unsigned w)
{
    if (grid.step <= 64)
        return tac_span_multiples((unsigned)grid.step, (unsigned)grid.first);
    return (grid.first >> 6) == (w & ((grid.step >> 6) - 1)) ? 1ull << (grid.first & 63) : 0;
}

TAC_ALWAYS_INLINE long take_in_word(struct tac_span_level *level, unsigned w, unsigned n,
                                    uint64_t aligned)
{
    uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
    if (!value)
        return -1;
    for (int tries = TAC_SPANS_TRIES; tries; tries--) {
        uint64_t starts = tac_bitrun_starts(value, n) & aligned;
        if (!starts)
            return -1;
        unsigned at = tac_bit_lowest(starts);
        if (atomic_compare_exchange_strong(&level->word[w], &value,
                                           value & ~tac_bitrun_mask(at, n)))
            return (long)w * 64 + at;
    }
    return -1;
}

/* The first run of n bits that goes on from word to word, or -1. */
static long find_across(const struct tac_span_level *level, size_t n)
{
    size_t start = 0, have = 0;
    for (unsigned w = 0; w < level->words; w++) {
        uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
        unsigned low = ~value ? tac_bit_lowest(~value) : 64;
        if (have + low >= n)
            return (long)start;
        if (low == 64) {
            have += 64;
            continue;
        }
        have = 63 - tac_bit_highest(~value);
        start = (w + 1) * (size_t)64 - have;
    }
    return -1;
}

/* Take exactly these bits, in several words; all or none. */
static TAC_SPAN_NOINLINE bool claim(struct tac_spans *spans, size_t from, size_t n)
{
    struct tac_span_level *level = &spans->level[spans->top];
    size_t end = from + n;
    for (size_t at = from, to; at < end; at = to) {
        size_t edge = (at | 63) + 1;
        to = edge < end ? edge : end;
        uint64_t mask = tac_bitrun_mask(at & 63, (unsigned)(to - at));
        if (!tac_span_claim_word(level, 0, (unsigned)(at >> 6), mask)) {
            unsigned shift = tac_span_shift(spans->top);
            if (at > from)
                tac_spans_give(spans, from << shift, (at - from) << shift);
            return false;
        }
    }
    return true;
}

bool tac_span_claim_top(struct tac_spans *spans, size_t from, size_t n)
{
    struct tac_span_level *level = &spans->level[spans->top];
    size_t w = from >> 6;
    if (TAC_UNLIKELY((from + n - 1) >> 6 != w))
        return from + n <= (size_t)level->words * 64 && claim(spans, from, n);
    return w < level->words &&
           tac_span_claim_word(level, 0, (unsigned)w, tac_bitrun_mask(from & 63, (unsigned)n));
}

long tac_span_take_top(struct tac_spans *spans, size_t n)
{
    struct tac_span_level *level = &spans->level[spans->top];
    for (unsigned w = 0; n <= 64 && w < level->words; w++) {
        long at = take_in_word(level, w, (unsigned)n, ~0ull);
        if (at >= 0)
            return at;
    }
    long at = level->words > 1 ? find_across(level, n) : -1;
    return at >= 0 && claim(spans, (size_t)at, n) ? at : -1;
}

/* n bits, the first on the grid; or -1. */
static long take_on(struct tac_spans *spans, size_t n, struct grid grid)
{
    struct tac_span_level *level = &spans->level[spans->top];
    for (unsigned w = 0; n <= 64 && w < level->words; w++) {
        long at = take_in_word(level, w, (unsigned)n, grid_in_word(grid, w));
        if (at >= 0)
            return at;
    }
    long at = level->words > 1 ? find_across(level, n + grid.step - 1) : -1;
    if (at < 0)
        return -1;
    at += (long)((grid.first - (size_t)at) & (grid.step - 1));
    return claim(spans, (size_t)at, n) ? at : -1;
}

/* What is free of word w of level 1, whose unit of the top level we hold, but for [from, end). */
static void keep_rest(struct tac_spans *spans, size_t w, unsigned from, unsigned end)
{
    uint64_t used = tac_bitrun_mask(from, end - from);
    struct tac_span_level *level = &spans->level[1];
    unsigned behind = 64 - end, longest = from > behind ? from : behind;
    if (longest && spans->deep)
        tac_span_fresh(level, 2, (unsigned)w, ~used, longest);
    else if (longest)
        tac_span_fresh(level, 1, (unsigned)w, ~used, longest);
}

long tac_span_take_top_words(struct tac_spans *spans, size_t words, size_t step, size_t first)
{
    if (spans->top == 1)
        return take_on(spans, words, (struct grid){first, step});
    unsigned skip = first & 63, behind = (skip + words) & 63;
    size_t bits = (skip + words + 63) >> 6;
    long at = step <= 64 ? tac_span_take_top(spans, bits)
                         : take_on(spans, bits, (struct grid){first >> 6, step >> 6});
    if (at < 0)
        return -1;
    size_t last = (size_t)at + bits - 1;
    if (bits == 1) {
        keep_rest(spans, last, skip, skip + (unsigned)words);
    } else {
        if (skip)
            keep_rest(spans, (size_t)at, skip, 64);
        if (behind)
            keep_rest(spans, last, 0, behind);
    }
    return (at << 6) + skip;
}
