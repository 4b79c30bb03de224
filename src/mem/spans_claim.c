/* SPDX-License-Identifier: MIT
 * spans_claim.c - taking exactly given units: growth in place, and runs across words of the top
 * level. */
#include "mem/spans_word.h"

/* Bits [from, end) of one word, if all are set. */
static bool claim_word(struct tac_spans *spans, unsigned l, size_t from, size_t end)
{
    struct tac_span_level *level = &spans->level[l];
    size_t w = from >> 6;
    if (w >= level->words)
        return false;
    uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(end - from));
    uint64_t value = atomic_load(&level->word[w]);
    for (int tries = TAC_SPANS_TRIES; tries && (value & mask) == mask; tries--)
        if (atomic_compare_exchange_strong(&level->word[w], &value, value & ~mask)) {
            if (l < spans->top)
                tac_span_publish(spans, l, (unsigned)w, value & ~mask);
            return true;
        }
    return false;
}

static void give_back(struct tac_spans *spans, unsigned l, size_t from, size_t end)
{
    unsigned shift = tac_span_shift(l);
    tac_spans_give(spans, from << shift, (end - from) << shift);
}

bool tac_span_claim_top(struct tac_spans *spans, size_t from, size_t n)
{
    size_t end = from + n;
    for (size_t at = from, to; at < end; at = to) {
        size_t edge = (at | 63) + 1;
        to = edge < end ? edge : end;
        if (!claim_word(spans, spans->top, at, to)) {
            if (at > from)
                give_back(spans, spans->top, from, at);
            return false;
        }
    }
    return true;
}

static bool claim_range(struct tac_spans *spans, unsigned l, size_t from, size_t end, bool split);

/* The part of a claim that lies in one parent, before its end. Next to a block that is in use it is
 * in this level; else (split) the parent may be free as a whole. */
static bool claim_head(struct tac_spans *spans, unsigned l, size_t from, size_t end, bool split)
{
    if (claim_word(spans, l, from, end))
        return true;
    enum { shift = 6 };
    size_t parent = from >> shift;
    if (!split || !claim_range(spans, l + 1, parent, parent + 1, true))
        return false;
    give_back(spans, l, parent << shift, from);
    give_back(spans, l, end, (parent + 1) << shift);
    return true;
}

/* Bits [from, end) of the level, wherever they are free: the part before the first whole parent is
 * in this level, the whole parents further up. The parent of the last part may be free as a whole,
 * then the rest of it is given to this level; or its bits are here. */
static bool claim_range(struct tac_spans *spans, unsigned l, size_t from, size_t end, bool split)
{
    if (l == spans->top)
        return tac_span_claim_top(spans, from, end - from);
    enum { shift = 6 };
    size_t first = (from + ((size_t)1 << shift) - 1) >> shift, begin = from;
    if (from < first << shift) {
        size_t to = first << shift < end ? first << shift : end;
        if (!claim_head(spans, l, from, to, split))
            return false;
        from = to;
    }
    if (from == end)
        return true;
    size_t last = end >> shift, behind = last << shift;
    if (behind < end && claim_range(spans, l + 1, first, last + 1, split)) {
        give_back(spans, l, end, (last + 1) << shift);
        return true;
    }
    if (first == last || claim_range(spans, l + 1, first, last, split)) {
        if (behind == end || claim_word(spans, l, behind, end))
            return true;
        if (first < last)
            give_back(spans, l + 1, first, last);
    }
    if (begin < from)
        give_back(spans, l, begin, from);
    return false;
}

bool tac_spans_claim(struct tac_spans *spans, size_t unit, size_t n)
{
    return n && n <= spans->units && unit <= spans->units - n &&
           claim_range(spans, 0, unit, unit + n, true);
}

bool tac_spans_grow(struct tac_spans *spans, size_t unit, size_t n, size_t n_new)
{
    unsigned l = 1; /* the block may fill the word of this level that it starts in */
    while (l < spans->top && !(unit & (((size_t)1 << tac_span_shift(l + 1)) - 1)))
        l++;
    size_t word = (size_t)64 << tac_span_shift(l);
    if (l < spans->top && unit / word != (unit + n_new - 1) / word)
        return false;
    return unit + n_new <= spans->units && claim_range(spans, 0, unit + n, unit + n_new, false);
}
