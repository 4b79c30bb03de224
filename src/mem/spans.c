/* SPDX-License-Identifier: MIT
 * spans.c - taking and giving runs of units; the design is in spans.h. Growth in place is in
 * spans_claim.c. */
#include "mem/spans_word.h"

#include "base/check.h"

/* ---- Sets of words ---- */

/* Does the word belong into the set? Apart, since it is rarely asked. */
static TAC_SPAN_NOINLINE bool is_member(struct tac_span_level *level, bool bottom, unsigned k,
                                        unsigned w)
{
    return tac_span_set_of(!bottom, atomic_load(&level->word[w])) == k;
}

/* The word, which had the value when it was looked at last, is not in the set any more, unless it
 * changed again. */
TAC_SPAN_INLINE void set_remove(struct tac_span_level *level, unsigned l, unsigned k, unsigned w,
                                uint64_t value)
{
    tac_hint_node *node = tac_hint_node_of(&level->sets, tac_span_shape(l), 0, k, w >> 5);
    uint64_t before = atomic_load(node);
    if (TAC_UNLIKELY(atomic_load(&level->word[w]) != value) && is_member(level, !l, k, w))
        return;
    tac_hint_drop(node, before, w);
    tac_hints_fold(&level->sets, tac_span_shape(l), 0, k, w >> 5);
}

/* Word w, which was in the set `before` (0: none), has a new value and belongs into set k (0: none)
 * now. The new set first, so that it is in one at any time. */
TAC_SPAN_INLINE void publish(struct tac_span_level *level, unsigned l, unsigned w, uint64_t value,
                             unsigned before, unsigned k)
{
    atomic_store_explicit(&level->shown[w], (unsigned char)k, memory_order_relaxed);
    if (k)
        tac_hints_add(&level->sets, tac_span_shape(l), k, w);
    if (before && before != k)
        set_remove(level, l, before, w, value);
}

void tac_span_publish(struct tac_spans *spans, unsigned l, unsigned w, uint64_t value)
{
    struct tac_span_level *level = &spans->level[l];
    publish(level, l, w, value, atomic_load_explicit(&level->shown[w], memory_order_relaxed),
            tac_span_set_of(l, value));
}

/* ---- Searching ---- */

/* Remove the empty node that misled a search. */
TAC_SPAN_INLINE void mend(struct tac_span_level *level, unsigned l, unsigned k,
                          struct tac_hints_found found)
{
    struct tac_hints_shape shape = tac_span_shape(l);
    for (unsigned d = 0; d < shape.depth; d++)
        if (d == (unsigned)found.level)
            tac_hints_fold(&level->sets, shape, d, k, found.i);
}

/* A run of n bits that starts at a bit of `aligned`, out of one of the sets. */
TAC_SPAN_INLINE long take_run(struct tac_spans *spans, unsigned l, unsigned n, uint64_t sets,
                              uint64_t aligned, bool high)
{
    struct tac_span_level *level = &spans->level[l];
    for (int tries = TAC_SPANS_TRIES; tries; tries--) {
        unsigned root;
        int k = tac_hints_choose(&level->sets, tac_span_shape(l), sets, &root);
        if (k < 0)
            return -1;
        struct tac_hints_found found =
            tac_hints_find(&level->sets, tac_span_shape(l), (unsigned)k, root);
        if (TAC_UNLIKELY(found.level >= 0)) {
            mend(level, l, (unsigned)k, found);
            continue;
        }
        unsigned w = found.i;
        uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
        uint64_t starts = tac_bitrun_starts(value, n) & aligned;
        if (TAC_UNLIKELY(!starts)) { /* a hint too many */
            set_remove(level, l, (unsigned)k, w, value);
            continue;
        }
        unsigned at = high ? tac_bit_highest(starts) : tac_bit_lowest(starts);
        uint64_t left = value & ~tac_bitrun_mask(at, n);
        if (TAC_LIKELY(atomic_compare_exchange_strong(&level->word[w], &value, left))) {
            publish(level, l, w, left, (unsigned)k, tac_span_set_of(l, left));
            return (long)w * 64 + at;
        }
    }
    return -1;
}

/* One function for each level, so that what depends on the level is decided by the compiler. */

static TAC_SPAN_NOINLINE long take_0(struct tac_spans *spans, unsigned n, bool quad, bool high)
{
    return take_run(spans, 0, n, tac_bitrun_kinds_for(n, quad),
                    quad ? 0x1111111111111111 : ~0ull, high);
}

static TAC_SPAN_NOINLINE long take_1(struct tac_spans *spans, unsigned n, uint64_t sets,
                                     uint64_t aligned, bool high)
{
    return take_run(spans, 1, n, sets, aligned, high);
}

static TAC_SPAN_NOINLINE long take_2(struct tac_spans *spans, unsigned n, uint64_t sets,
                                     uint64_t aligned, bool high)
{
    return take_run(spans, 2, n, sets, aligned, high);
}

/* One bit at each multiple of align (1 .. 64). */
static uint64_t aligned_bits(unsigned align)
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
    return bits[tac_bit_lowest(align)];
}

/* ---- The top level: a handful of words without sets ---- */

static long take_top_word(struct tac_span_level *level, unsigned w, unsigned n, uint64_t aligned,
                          bool high)
{
    uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
    for (int tries = TAC_SPANS_TRIES; tries; tries--) {
        uint64_t starts = tac_bitrun_starts(value, n) & aligned;
        if (!starts)
            return -1;
        unsigned at = high ? tac_bit_highest(starts) : tac_bit_lowest(starts);
        uint64_t left = value & ~tac_bitrun_mask(at, n);
        if (atomic_compare_exchange_strong(&level->word[w], &value, left))
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

static long take_top(struct tac_spans *spans, size_t n, uint64_t aligned, bool high)
{
    struct tac_span_level *level = &spans->level[spans->top];
    for (unsigned w = 0; n <= 64 && w < level->words; w++) {
        long at = take_top_word(level, w, (unsigned)n, aligned, high);
        if (at >= 0)
            return at;
    }
    if (level->words == 1 || aligned != ~0ull)
        return -1;
    long at = find_across(level, n);
    return at >= 0 && tac_span_claim_top(spans, (size_t)at, n) ? at : -1;
}

/* ---- Taking ---- */

static size_t divide_up(size_t n, unsigned shift)
{
    return (n + ((size_t)1 << shift) - 1) >> shift;
}

/* n bits of level l, 1 .. top. Every run of n + align - 1 bits has an aligned start. */
TAC_SPAN_INLINE long take_at(struct tac_spans *spans, unsigned l, size_t n, unsigned align,
                             bool high)
{
    uint64_t aligned = TAC_UNLIKELY(align > 1) ? aligned_bits(align) : ~0ull;
    if (l == spans->top)
        return take_top(spans, n, aligned, high);
    size_t sure = n + align - 1;
    if (sure > 63)
        return -1;
    return l == 1 ? take_1(spans, (unsigned)n, ~0ull << sure, aligned, high)
                  : take_2(spans, (unsigned)n, ~0ull << sure, aligned, high);
}

/* Try one level; what is left of the last of its units goes back. */
TAC_SPAN_INLINE long take_level(struct tac_spans *spans, unsigned l, size_t n, unsigned align,
                                bool high)
{
    unsigned shift = tac_span_shift(l);
    size_t bits = divide_up(n, shift);
    long at = take_at(spans, l, bits, align >> shift ? align >> shift : 1, high);
    if (at < 0)
        return -1;
    size_t unit = (size_t)at << shift, more = (bits << shift) - n;
    if (!more)
        return (long)unit;
    tac_spans_give(spans, high ? unit : unit + n, more);
    return (long)(high ? unit + more : unit);
}

long tac_spans_take(struct tac_spans *spans, size_t n, unsigned align, bool high)
{
    if (!n || n > spans->units)
        return -1;
    long unit = -1;
    if (n < TAC_SPANS_SMALL_UNITS && (align == 1 || (align == 4 && n == 4)))
        unit = take_0(spans, (unsigned)n, align == 4, high);
    if (unit < 0 && (n <= 63 << 4 || spans->top == 1))
        unit = take_level(spans, 1, n, align, high);
    if (unit < 0 && spans->top >= 2 && (n <= 63 << 10 || spans->top == 2))
        unit = take_level(spans, 2, n, align, high);
    if (unit < 0 && spans->top == 3)
        unit = take_level(spans, 3, n, align, high);
    return unit;
}

/* ---- Giving ---- */

struct range {
    size_t from, end;
};

/* A bit for each parent in level 0 of which all bits are set, at its lowest. */
TAC_SPAN_INLINE uint64_t whole_parents(uint64_t value)
{
    value &= value >> 8;
    value &= value >> 4;
    value &= value >> 2;
    value &= value >> 1;
    return value & 0x0001000100010001;
}

/* The bits of those parents that the mask belongs to and that are complete. */
TAC_SPAN_INLINE uint64_t complete(unsigned l, uint64_t value, struct range r)
{
    if (l)
        return value == ~0ull ? ~0ull : 0;
    uint64_t whole = whole_parents(value);
    if (TAC_LIKELY(!whole))
        return 0;
    unsigned first = r.from & 48, last = (unsigned)(r.end - 1) & 48;
    return (whole & tac_bitrun_mask(first, last - first + 1)) * 0xffff;
}

/* Bits of one word below the top come home. Parents that are complete with them leave the word, and
 * are the caller's to give: which they are (none: an empty range). */
TAC_SPAN_INLINE struct range give_word(struct tac_spans *spans, unsigned l, size_t from, size_t end)
{
    struct tac_span_level *level = &spans->level[l];
    struct range r = {from, end};
    unsigned w = (unsigned)(from >> 6), n = (unsigned)(end - from);
    uint64_t mask = tac_bitrun_mask(from & 63, n);
    uint64_t value = atomic_fetch_add(&level->word[w], mask);
    bool contiguous = l && !value;
    TAC_ASSERT_SLOW(!(value & mask));
    value += mask;
    uint64_t gone = complete(l, value, r);
    for (int tries = TAC_SPANS_TRIES; TAC_UNLIKELY(gone) && tries; tries--) {
        if (atomic_compare_exchange_strong(&level->word[w], &value, value & ~gone)) {
            value &= ~gone;
            break;
        }
        gone = complete(l, value, r);
    }
    publish(level, l, w, value, atomic_load_explicit(&level->shown[w], memory_order_relaxed),
            contiguous && value ? n : tac_span_set_of(l, value));
    if (!gone)
        return (struct range){0, 0};
    if (l)
        return (struct range){w, w + 1};
    return (struct range){w * 4 + tac_bit_lowest(gone) / 16, w * 4 + tac_bit_highest(gone) / 16 + 1};
}

static TAC_SPAN_NOINLINE struct range give_0(struct tac_spans *spans, size_t from, size_t end)
{
    return give_word(spans, 0, from, end);
}

static TAC_SPAN_NOINLINE struct range give_1(struct tac_spans *spans, size_t from, size_t end)
{
    return give_word(spans, 1, from, end);
}

static TAC_SPAN_NOINLINE struct range give_2(struct tac_spans *spans, size_t from, size_t end)
{
    return give_word(spans, 2, from, end);
}

static TAC_SPAN_NOINLINE void give_top(struct tac_spans *spans, size_t from, size_t end)
{
    while (from < end) {
        size_t edge = (from | 63) + 1, to = edge < end ? edge : end;
        uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(to - from));
        uint64_t before = atomic_fetch_add(&spans->level[spans->top].word[from >> 6], mask);
        TAC_ASSERT_SLOW(!(before & mask));
        (void)before;
        from = to;
    }
}

/* What a level makes of a range: that part of it that is whole parents, completed ones included. */
struct climb {
    struct range up;
    struct range part; /* what is left for the level, in one word; may be empty */
    bool alone;        /* part is all there was */
};

/* A range that lies in one word is given to the level at once. Else there may be a part before the
 * first whole parent (only of what is not a block: given with `give`), and a part behind the last. */
TAC_SPAN_INLINE struct climb climb(struct tac_spans *spans, unsigned l, struct range r,
                                   struct range (*give)(struct tac_spans *, size_t, size_t))
{
    unsigned shift = tac_span_parent_shift(l);
    size_t within = ((size_t)1 << shift) - 1;
    struct climb c = {{r.from >> shift, r.end >> shift}, r, false};
    if (!((r.from | r.end) & within)) {
        c.part.end = c.part.from;
        return c;
    }
    if (TAC_LIKELY((r.from ^ (r.end - 1)) < 64)) {
        c.alone = true;
        return c;
    }
    if (TAC_UNLIKELY(r.from & within)) {
        struct range more = give(spans, r.from, (c.up.from + 1) << shift);
        c.up.from = more.end ? more.from : c.up.from + 1;
    }
    c.part.from = r.end & ~within;
    return c;
}

/* After part was given, and `gone` became of it. */
TAC_SPAN_INLINE struct range climbed(struct climb c, struct range gone)
{
    if (c.alone)
        return gone;
    return (struct range){c.up.from, gone.end ? gone.end : c.up.end};
}

/* One level, inlined into the whole. */
TAC_SPAN_INLINE struct range give_level(struct tac_spans *spans, unsigned l, struct range r,
                                        struct range (*give)(struct tac_spans *, size_t, size_t))
{
    struct climb c = climb(spans, l, r, give);
    if (c.part.from == c.part.end)
        return c.up;
    return climbed(c, give_word(spans, l, c.part.from, c.part.end));
}

void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n)
{
    struct range r = give_level(spans, 0, (struct range){unit, unit + n}, give_0);
    if (r.from < r.end && spans->top > 1) {
        r = give_level(spans, 1, r, give_1);
        if (r.from < r.end && spans->top > 2)
            r = give_level(spans, 2, r, give_2);
    }
    if (r.from < r.end)
        give_top(spans, r.from, r.end);
}
