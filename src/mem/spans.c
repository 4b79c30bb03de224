/* SPDX-License-Identifier: MIT
 * spans.c - taking and giving runs of units; the design is in spans.h. Growth in place is in
 * spans_claim.c. */
#include "mem/spans_word.h"

#include "base/check.h"

static size_t divide_up(size_t n, unsigned shift)
{
    return (n + ((size_t)1 << shift) - 1) >> shift;
}

/* ---- Sets of words ---- */

/* Does the word belong into the set? Apart, since it is rarely asked. */
static TAC_SPAN_NOINLINE bool is_member(struct tac_span_level *level, unsigned k, unsigned w)
{
    return tac_bitrun_longest(atomic_load(&level->word[w])) == k;
}

/* The word, which had the value when it was looked at last, is not in the set any more, unless it
 * changed again. */
TAC_SPAN_INLINE void set_remove(struct tac_span_level *level, unsigned depth, unsigned k,
                                unsigned w, uint64_t value)
{
    tac_hint_node *node = tac_hint_node_of(&level->sets, 0, k, w >> 5);
    uint64_t before = atomic_load(node);
    if (TAC_UNLIKELY(atomic_load(&level->word[w]) != value) && is_member(level, k, w))
        return;
    tac_hint_drop(node, before, w);
    tac_hints_fold(&level->sets, depth, 0, k, w >> 5);
}

/* Word w, which was in the set `before` (0: none), has a new value and belongs into set k (0: none)
 * now. The new set first, so that it is in one at any time. */
TAC_SPAN_INLINE void publish(struct tac_span_level *level, unsigned depth, unsigned w,
                             uint64_t value, unsigned before, unsigned k)
{
    atomic_store_explicit(&level->shown[w], (unsigned char)k, memory_order_relaxed);
    if (k)
        tac_hints_add(&level->sets, depth, k, w);
    if (before && before != k)
        set_remove(level, depth, before, w, value);
}

void tac_span_publish(struct tac_spans *spans, unsigned l, unsigned w, uint64_t value)
{
    struct tac_span_level *level = &spans->level[l];
    unsigned before = atomic_load_explicit(&level->shown[w], memory_order_relaxed);
    unsigned depth = tac_span_depth(l, spans->deep), k = tac_bitrun_longest(value);
    if (depth == 1)
        publish(level, 1, w, value, before, k);
    else if (depth == 2)
        publish(level, 2, w, value, before, k);
    else
        publish(level, 3, w, value, before, k);
}

/* ---- Searching ---- */

/* Remove the empty node that misled a search. */
TAC_SPAN_INLINE void mend(struct tac_span_level *level, unsigned depth, unsigned k,
                          struct tac_hints_found found)
{
    for (unsigned d = 0; d < depth; d++)
        if (d == (unsigned)found.level)
            tac_hints_fold(&level->sets, depth, d, k, found.i);
}

/* Which sets a search looks into, and what it takes there. */
struct want {
    uint64_t sets;
    uint64_t aligned; /* bits where it may start */
    unsigned n;
    unsigned some; /* not 0: so many instead of n where the set says that they are there */
    bool high;
};

/* A run of bits out of one of the sets. *ret_n tells how many. */
TAC_SPAN_INLINE long take_run(struct tac_span_level *level, unsigned depth, struct want want,
                              unsigned *ret_n)
{
    unsigned root = 0;
    for (int tries = TAC_SPANS_TRIES; TAC_LIKELY(tries); tries--) {
        uint64_t sets = tac_hints_sets(&level->sets, root) & want.sets;
        while (TAC_UNLIKELY(!sets)) {
            if (++root >= level->sets.roots)
                return -1;
            sets = tac_hints_sets(&level->sets, root) & want.sets;
        }
        unsigned k = tac_bit_lowest(sets);
        struct tac_hints_found found = tac_hints_find(&level->sets, depth, k, root);
        if (TAC_UNLIKELY(found.level >= 0)) {
            mend(level, depth, k, found);
            continue;
        }
        unsigned w = found.i, n = want.some && k >= want.some ? want.some : want.n;
        uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
        uint64_t starts = tac_bitrun_starts(value, n) & want.aligned;
        if (TAC_UNLIKELY(!starts)) { /* a hint too many */
            set_remove(level, depth, k, w, value);
            continue;
        }
        unsigned at = want.high ? tac_bit_highest(starts) : tac_bit_lowest(starts);
        uint64_t left = value & ~tac_bitrun_mask(at, n);
        if (TAC_LIKELY(atomic_compare_exchange_strong(&level->word[w], &value, left))) {
            publish(level, depth, w, left, k, tac_bitrun_longest(left));
            if (want.some)
                *ret_n = n;
            return (long)w * 64 + at;
        }
    }
    return -1;
}

/* One function for each depth and use, so that what depends on it is decided by the compiler. */

#define TAKE_FUNCTIONS(depth)                                                                      \
    static TAC_SPAN_NOINLINE long take_of_##depth(struct tac_span_level *level, unsigned n,        \
                                                  bool high)                                       \
    {                                                                                              \
        struct want want = {~0ull << n, ~0ull, n, 0, high};                                        \
        return take_run(level, depth, want, NULL);                                                 \
    }                                                                                              \
    static TAC_SPAN_NOINLINE long take_any_of_##depth(struct tac_span_level *level,                \
                                                      const struct want *want)                     \
    {                                                                                              \
        return take_run(level, depth, *want, NULL);                                                \
    }

/* With n 1, which most splits ask for, half of it falls away. */
static TAC_SPAN_NOINLINE long take_one_of_1(struct tac_span_level *level)
{
    return take_run(level, 1, (struct want){~1ull, ~0ull, 1, 0, false}, NULL);
}

static TAC_SPAN_NOINLINE long take_one_of_2(struct tac_span_level *level)
{
    return take_run(level, 2, (struct want){~1ull, ~0ull, 1, 0, false}, NULL);
}

TAKE_FUNCTIONS(1)
TAKE_FUNCTIONS(2)
TAKE_FUNCTIONS(3)

static TAC_SPAN_NOINLINE long take_some_of_2(struct tac_span_level *level, unsigned n,
                                             unsigned *ret_n)
{
    return take_run(level, 2, (struct want){~1ull, ~0ull, 1, n, true}, ret_n);
}

static TAC_SPAN_NOINLINE long take_some_of_3(struct tac_span_level *level, unsigned n,
                                             unsigned *ret_n)
{
    return take_run(level, 3, (struct want){~1ull, ~0ull, 1, n, true}, ret_n);
}

/* May the level below the top have a run of n? A look at one word, before the call is paid. */
TAC_SPAN_INLINE bool has(const struct tac_span_level *level, unsigned n)
{
    return TAC_LIKELY(tac_hints_sets(&level->sets, 0) >> n) || TAC_UNLIKELY(level->sets.roots > 1);
}

TAC_SPAN_INLINE long take_0(struct tac_spans *spans, unsigned n, bool high)
{
    if (!has(&spans->level[0], n))
        return -1;
    return spans->deep ? take_of_3(&spans->level[0], n, high)
                       : take_of_2(&spans->level[0], n, high);
}

TAC_SPAN_INLINE long take_1(struct tac_spans *spans, unsigned n)
{
    if (!has(&spans->level[1], n))
        return -1;
    if (n == 1)
        return spans->deep ? take_one_of_2(&spans->level[1]) : take_one_of_1(&spans->level[1]);
    return spans->deep ? take_of_2(&spans->level[1], n, false)
                       : take_of_1(&spans->level[1], n, false);
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

/* Bits of a word whose unit of the next level is in our hands: nobody else changes it. */
TAC_SPAN_INLINE void give_fresh(struct tac_spans *spans, unsigned l, size_t w, unsigned from,
                                unsigned n)
{
    struct tac_span_level *level = &spans->level[l];
    atomic_store_explicit(&level->word[w], tac_bitrun_mask(from, n), memory_order_relaxed);
    atomic_store_explicit(&level->shown[w], (unsigned char)n, memory_order_relaxed);
    if (spans->deep)
        tac_hints_add(&level->sets, tac_span_depth(l, true), n, (unsigned)w);
    else
        tac_hints_add(&level->sets, tac_span_depth(l, false), n, (unsigned)w);
}

/* Units [0, n) of the word of level 1 that was taken as a whole are used, the rest is free. */
TAC_SPAN_INLINE void split_1(struct tac_spans *spans, size_t w, size_t n)
{
    unsigned used = (unsigned)divide_up(n, 6);
    if (used < 64)
        give_fresh(spans, 1, w, used, 64 - used);
}

/* The first unit of at least n units that were taken from level 1 upwards: what lies behind the
 * n-th in the last word of level 0 goes back. */
TAC_SPAN_INLINE long cut(struct tac_spans *spans, size_t first_word, size_t n)
{
    unsigned used = n & 63;
    if (used)
        give_fresh(spans, 0, first_word + (n >> 6), used, 64 - used);
    return (long)(first_word << 6);
}

/* As many words of level 0, entirely, as n units need. */
static long take_words(struct tac_spans *spans, size_t n)
{
    size_t words = divide_up(n, 6);
    if (spans->top == 1)
        return take_top(spans, words, ~0ull, false);
    long w = words < 64 ? take_1(spans, (unsigned)words) : -1;
    if (w >= 0)
        return w;
    size_t units = divide_up(n, 12);
    long at = take_top(spans, units, ~0ull, false);
    if (at < 0)
        return -1;
    split_1(spans, (size_t)at + units - 1, n - ((units - 1) << 12));
    return at << 6;
}

static TAC_SPAN_NOINLINE long take_large(struct tac_spans *spans, size_t n)
{
    if (!n || n > spans->units)
        return -1;
    long w = take_words(spans, n);
    return w < 0 ? -1 : cut(spans, (size_t)w, n);
}

/* n units (1 .. 63) of a word that is taken for them. */
static long take_new(struct tac_spans *spans, unsigned n, bool high)
{
    long w = take_words(spans, 1);
    if (w < 0)
        return -1;
    give_fresh(spans, 0, (size_t)w, high ? 0 : n, 64 - n);
    return (w << 6) + (high ? 64 - (long)n : 0);
}

long tac_spans_take(struct tac_spans *spans, size_t n, bool high)
{
    if (TAC_UNLIKELY(n - 1 >= 63))
        return take_large(spans, n);
    long unit = take_0(spans, (unsigned)n, high);
    return unit >= 0 ? unit : take_new(spans, (unsigned)n, high);
}

long tac_spans_take_some(struct tac_spans *spans, unsigned n, unsigned *ret_n)
{
    if (has(&spans->level[0], 1)) {
        long unit = spans->deep ? take_some_of_3(&spans->level[0], n, ret_n)
                                : take_some_of_2(&spans->level[0], n, ret_n);
        if (TAC_LIKELY(unit >= 0))
            return unit;
    }
    *ret_n = n;
    return take_new(spans, n, true);
}

/* ---- Taking at an alignment ---- */

/* n bits of level l, at a bit of `aligned`; every run of `sure` bits has such a start. */
static long take_aligned_bits(struct tac_spans *spans, unsigned l, size_t n, size_t sure,
                              uint64_t aligned)
{
    if (l == spans->top)
        return take_top(spans, n, aligned, false);
    if (sure > 63)
        return -1;
    struct want want = {~0ull << sure, aligned, (unsigned)n, 0, false};
    unsigned depth = tac_span_depth(l, spans->deep);
    return depth == 1   ? take_any_of_1(&spans->level[l], &want)
           : depth == 2 ? take_any_of_2(&spans->level[l], &want)
                        : take_any_of_3(&spans->level[l], &want);
}

long tac_spans_take_aligned(struct tac_spans *spans, size_t n, unsigned align)
{
    if (!n || n > spans->units)
        return -1;
    for (unsigned l = n < 64 ? 0 : 1; l <= spans->top; l++) {
        unsigned shift = tac_span_shift(l);
        size_t bits = divide_up(n, shift), sure = l ? bits : n + align - 1;
        long at = take_aligned_bits(spans, l, bits, sure, l ? ~0ull : aligned_bits(align));
        if (at < 0)
            continue;
        size_t unit = (size_t)at << shift, more = (bits << shift) - n;
        if (more)
            tac_spans_give(spans, unit + n, more);
        return (long)unit;
    }
    return -1;
}

/* ---- Giving ---- */

struct range {
    size_t from, end;
};

/* Bits of one word below the top come home. True when it is complete with them: then they all left
 * it, and its bit of the next level is the caller's to give. */
TAC_SPAN_INLINE bool give_word(struct tac_span_level *level, unsigned depth, size_t from,
                               size_t end)
{
    unsigned w = (unsigned)(from >> 6), n = (unsigned)(end - from), k = 0;
    uint64_t mask = tac_bitrun_mask(from & 63, n);
    uint64_t value = atomic_fetch_add(&level->word[w], mask);
    bool contiguous = !value, complete = false;
    TAC_ASSERT(!(value & mask));
    value += mask;
    if (value == ~0ull) /* whoever makes it so again when this fails, comes here too */
        complete = atomic_compare_exchange_strong(&level->word[w], &value, 0);
    if (complete)
        value = 0;
    else
        k = contiguous ? n : tac_bitrun_longest(value);
    unsigned before = atomic_load_explicit(&level->shown[w], memory_order_relaxed);
    publish(level, depth, w, value, before, k);
    return complete;
}

static TAC_SPAN_NOINLINE bool give_of_1(struct tac_span_level *level, size_t from, size_t end)
{
    return give_word(level, 1, from, end);
}

static TAC_SPAN_NOINLINE bool give_of_2(struct tac_span_level *level, size_t from, size_t end)
{
    return give_word(level, 2, from, end);
}

static TAC_SPAN_NOINLINE bool give_of_3(struct tac_span_level *level, size_t from, size_t end)
{
    return give_word(level, 3, from, end);
}

static bool give_0(struct tac_spans *spans, size_t from, size_t end)
{
    return spans->deep ? give_of_3(&spans->level[0], from, end)
                       : give_of_2(&spans->level[0], from, end);
}

static bool give_1(struct tac_spans *spans, size_t from, size_t end)
{
    return spans->deep ? give_of_2(&spans->level[1], from, end)
                       : give_of_1(&spans->level[1], from, end);
}

static TAC_SPAN_NOINLINE void give_top(struct tac_spans *spans, size_t from, size_t end)
{
    while (from < end) {
        size_t edge = (from | 63) + 1, to = edge < end ? edge : end;
        uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(to - from));
        uint64_t before = atomic_fetch_add(&spans->level[spans->top].word[from >> 6], mask);
        TAC_ASSERT(!(before & mask));
        (void)before;
        from = to;
    }
}

/* Give to a level what is less than a word, and return the words, with those that were completed:
 * the part before the first whole word (only of what is not a block), and the part behind the last.
 */
TAC_SPAN_INLINE struct range climb(struct tac_spans *spans, struct range r,
                                   bool (*give)(struct tac_spans *, size_t, size_t))
{
    struct range up = {r.from >> 6, r.end >> 6};
    if (r.from & 63) {
        if (up.from == up.end) {
            bool complete = give(spans, r.from, r.end);
            return (struct range){up.from, up.from + complete};
        }
        up.from += !give(spans, r.from, (up.from + 1) << 6);
    }
    if (r.end & 63)
        up.end += give(spans, up.end << 6, r.end);
    return up;
}

void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n)
{
    struct range r = climb(spans, (struct range){unit, unit + n}, give_0);
    if (r.from < r.end && spans->top == 2)
        r = climb(spans, r, give_1);
    if (r.from < r.end)
        give_top(spans, r.from, r.end);
}
