/* SPDX-License-Identifier: MIT
 * spans.c - taking and giving runs of units; the design is in spans.h. The top level is in
 * spans_top.c, growth in place in spans_claim.c.
 *
 * What a call does to a level is one function each, with everything inlined: what depends on the
 * level is decided by the compiler, and registers are saved once. */
#include "mem/spans_word.h"

static size_t divide_up(size_t n, unsigned shift)
{
    return (n + ((size_t)1 << shift) - 1) >> shift;
}

void tac_span_unset_changed(struct tac_span_level *level, unsigned depth, unsigned k, unsigned w)
{
    struct tac_hint_path path = tac_hint_path_of(&level->sets, depth, k, w);
    uint64_t before = atomic_load(path.node[0]);
    if (tac_bitrun_longest(atomic_load(&level->word[w])) == k)
        return;
    tac_hint_drop(path.node[0], before, path.child[0]);
    tac_hints_fold(&path, depth, 0);
}

/* ---- Searching ---- */

/* What a search takes. */
struct want {
    unsigned n;
    unsigned sure;    /* a run of that length has a place for it */
    unsigned some;    /* not 0: so many instead of n where the set says that they are there */
    uint64_t aligned; /* bits where it may start */
    bool high;
};

/* Sets that may have a run of so many. A look at one word. */
TAC_ALWAYS_INLINE uint64_t sets_for(const struct tac_span_level *level, unsigned root, unsigned n)
{
    return tac_hints_sets(&level->sets, root) & ~0ull << n;
}

/* The word is where it belongs, but somebody is moving it: who put it into another set said so
 * before looking for the last time whether it is still needed in this one. */
static TAC_SPAN_NOINLINE void announce_again(struct tac_span_level *level, unsigned depth,
                                             unsigned w, uint64_t value, unsigned k)
{
    tac_span_publish(level, depth, w, value, k, k);
}

/* A run of bits out of the tightest word under a root, which has these sets. *ret_n tells how many.
 * -1: a hint was wrong, or another thread was faster. */
TAC_ALWAYS_INLINE long try_run(struct tac_span_level *level, unsigned depth, unsigned root,
                               uint64_t sets, struct want want, unsigned *ret_n)
{
    unsigned k = tac_bit_lowest(sets);
    struct tac_hint_path path;
    if (TAC_UNLIKELY(tac_hints_find(&level->sets, depth, k, root, &path) >= 0))
        return -1;
    unsigned w = path.i, n = want.some && k >= want.some ? want.some : want.n;
    uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
    uint64_t starts = tac_bitrun_starts(value, n) & want.aligned;
    if (TAC_UNLIKELY(!starts))
        return -1;
    unsigned at = want.high ? tac_bit_highest(starts) : tac_bit_lowest(starts);
    uint64_t left = value & ~tac_bitrun_mask(at, n);
    if (TAC_UNLIKELY(!atomic_compare_exchange_strong(&level->word[w], &value, left)))
        return -1;
    unsigned longest = tac_bitrun_longest(left);
    if (longest != k) {
        tac_span_set(level, &path, depth, longest);
        tac_span_unset(level, &path, depth, left);
    } else if (TAC_UNLIKELY(atomic_load(&level->shown[w]) != k)) {
        announce_again(level, depth, w, left, k);
    }
    if (want.some)
        *ret_n = n;
    return (long)w * 64 + at;
}

/* Remove what misleads a search in set k under a root, if anything does. */
TAC_ALWAYS_INLINE void mend(struct tac_span_level *level, unsigned depth, unsigned root, unsigned k,
                            struct want want)
{
    struct tac_hint_path path;
    int misled = tac_hints_find(&level->sets, depth, k, root, &path);
    if (misled >= 0) {
        for (unsigned d = 0; d < depth; d++)
            if (d == (unsigned)misled)
                tac_hints_fold(&path, depth, d);
        return;
    }
    unsigned n = want.some && k >= want.some ? want.some : want.n;
    uint64_t value = tac_span_value(level, path.i);
    if (!(tac_bitrun_starts(value, n) & want.aligned)) /* a hint too many */
        tac_span_unset(level, &path, depth, value);
}

/* After a try in vain. */
static TAC_SPAN_NOINLINE long take_again(struct tac_span_level *level, unsigned depth,
                                         unsigned root, unsigned n, unsigned sure, unsigned some,
                                         uint64_t aligned, bool high, unsigned *ret_n)
{
    struct want want = {n, sure, some, aligned, high};
    for (int tries = TAC_SPANS_TRIES; tries; tries--) {
        uint64_t sets = sets_for(level, root, want.sure);
        if (!sets)
            return -1;
        mend(level, depth, root, tac_bit_lowest(sets), want);
        sets = sets_for(level, root, want.sure);
        long at = sets ? try_run(level, depth, root, sets, want, ret_n) : -1;
        if (at >= 0)
            return at;
    }
    return -1;
}

/* Of a root that has these sets. */
TAC_ALWAYS_INLINE long take_run(struct tac_span_level *level, unsigned depth, unsigned root,
                                uint64_t sets, struct want want, unsigned *ret_n)
{
    long at = try_run(level, depth, root, sets, want, ret_n);
    return TAC_LIKELY(at >= 0) ? at
                               : take_again(level, depth, root, want.n, want.sure, want.some,
                                            want.aligned, want.high, ret_n);
}

/* In level 0 beyond its first root, which only arenas above 32 GiB have. */
static TAC_SPAN_NOINLINE long take_far(struct tac_span_level *level, struct want want,
                                       unsigned *ret_n)
{
    unsigned n = want.n;
    uint64_t sets = sets_for(level, 1, want.sure);
    if (!sets)
        return -1;
    long at = take_run(level, 3, 1, sets, want, &n);
    *ret_n = n;
    return at;
}

/* In level 0, whose first root has these sets, not 0. */
TAC_ALWAYS_INLINE long take_there(struct tac_spans *spans, struct want want, uint64_t sets,
                                  bool deep, unsigned *ret_n)
{
    struct tac_span_level *level = &spans->level[0];
    long at = take_run(level, tac_span_depth(0, deep), 0, sets, want, ret_n);
    if (deep && TAC_UNLIKELY(at < 0) && level->words > 1 << 15)
        at = take_far(level, want, ret_n);
    return at;
}

TAC_ALWAYS_INLINE long take_1(struct tac_spans *spans, struct want want, bool deep)
{
    struct tac_span_level *level = &spans->level[1];
    uint64_t sets = tac_span_is_flat(spans, deep) ? 0 : sets_for(level, 0, want.sure);
    return sets ? take_run(level, tac_span_depth(1, deep), 0, sets, want, NULL) : -1;
}

/* ---- Taking ---- */

/* The first word of level 0 in so many units of the top level, whose rest behind the words that are
 * wanted stays in level 1. */
TAC_ALWAYS_INLINE long split_top(struct tac_spans *spans, size_t words, bool deep)
{
    if (tac_span_is_flat(spans, deep))
        return tac_span_take_top(spans, words);
    size_t bits = divide_up(words, 6);
    long at = tac_span_take_top(spans, bits);
    unsigned used = words & 63;
    if (at < 0)
        return -1;
    if (used)
        tac_span_fresh(&spans->level[1], tac_span_depth(1, deep), (unsigned)((size_t)at + bits - 1),
                       tac_bitrun_mask(used, 64 - used), 64 - used);
    return at << 6;
}

/* n units (1 .. 63) of a word that is taken for them. */
TAC_ALWAYS_INLINE long take_new(struct tac_spans *spans, unsigned n, bool high, bool deep)
{
    long w = take_1(spans, (struct want){1, 1, 0, ~0ull, false}, deep);
    if (w < 0 && (w = split_top(spans, 1, deep)) < 0)
        return -1;
    TAC_ASSERT_SLOW(n - 1 <= 62);
    if (n - 1 > 62)
        __builtin_unreachable();
    uint64_t rest = high ? ~0ull >> n : ~0ull << n;
    tac_span_fresh(&spans->level[0], tac_span_depth(0, deep), (unsigned)w, rest, 64 - n);
    return (w << 6) + (high ? 64 - (long)n : 0);
}

/* Apart, since a call that comes here has nothing left of the search before. */
TAC_FOR_BOTH(long, take_new_low, (struct tac_spans * spans, unsigned n),
             return take_new(spans, n, false, deep))
TAC_FOR_BOTH(long, take_new_high, (struct tac_spans * spans, unsigned n),
             return take_new(spans, n, true, deep))

TAC_ALWAYS_INLINE long take_new_apart(struct tac_spans *spans, unsigned n, bool high, bool deep)
{
    if (high)
        return deep ? take_new_high_deep(spans, n) : take_new_high_near(spans, n);
    return deep ? take_new_low_deep(spans, n) : take_new_low_near(spans, n);
}

/* n units (1 .. 63) of a word of level 0, which has these sets, or of a new one. */
TAC_ALWAYS_INLINE long take_or_new(struct tac_spans *spans, unsigned n, uint64_t sets, bool high,
                                   bool deep)
{
    unsigned taken;
    long unit = take_there(spans, (struct want){n, n, 0, ~0ull, high}, sets, deep, &taken);
    return TAC_LIKELY(unit >= 0) ? unit : take_new_apart(spans, n, high, deep);
}

TAC_FOR_BOTH(long, take_low, (struct tac_spans * spans, unsigned n, uint64_t sets),
             return take_or_new(spans, n, sets, false, deep))
TAC_FOR_BOTH(long, take_high, (struct tac_spans * spans, unsigned n, uint64_t sets),
             return take_or_new(spans, n, sets, true, deep))

/* Beyond the first root, which only arenas above 32 GiB have, or of a new one. */
static TAC_SPAN_NOINLINE long take_far_or_new(struct tac_spans *spans, unsigned n, bool high)
{
    unsigned taken;
    long unit = take_far(&spans->level[0], (struct want){n, n, 0, ~0ull, high}, &taken);
    return unit >= 0 ? unit : take_new_apart(spans, n, high, true);
}

TAC_ALWAYS_INLINE bool is_far(const struct tac_spans *spans, bool deep)
{
    return deep && TAC_UNLIKELY(spans->level[0].words > 1 << 15);
}

TAC_ALWAYS_INLINE long take_part(struct tac_spans *spans, unsigned n, bool high, bool deep)
{
    uint64_t sets = sets_for(&spans->level[0], 0, n);
    if (TAC_UNLIKELY(!sets))
        return is_far(spans, deep) ? take_far_or_new(spans, n, high)
                                   : take_new_apart(spans, n, high, deep);
    if (high)
        return deep ? take_high_deep(spans, n, sets) : take_high_near(spans, n, sets);
    return deep ? take_low_deep(spans, n, sets) : take_low_near(spans, n, sets);
}

/* The same, or one unit if there are only shorter runs. */
TAC_ALWAYS_INLINE struct tac_span take_some_or_new(struct tac_spans *spans, uint64_t sets,
                                                   bool deep)
{
    unsigned n = TAC_SPANS_SOME;
    struct want want = {1, 1, TAC_SPANS_SOME, ~0ull, true};
    long unit = take_there(spans, want, sets, deep, &n);
    if (TAC_UNLIKELY(unit < 0))
        unit = take_new_apart(spans, n = TAC_SPANS_SOME, true, deep);
    return (struct tac_span){unit, n};
}

TAC_FOR_BOTH(struct tac_span, take_some, (struct tac_spans * spans, uint64_t sets),
             return take_some_or_new(spans, sets, deep))

static TAC_SPAN_NOINLINE struct tac_span take_some_far(struct tac_spans *spans)
{
    unsigned n = TAC_SPANS_SOME;
    long unit = take_far(&spans->level[0], (struct want){1, 1, TAC_SPANS_SOME, ~0ull, true}, &n);
    if (unit < 0)
        unit = take_new_apart(spans, n = TAC_SPANS_SOME, true, true);
    return (struct tac_span){unit, n};
}

TAC_ALWAYS_INLINE struct tac_span take_some(struct tac_spans *spans, bool deep)
{
    uint64_t sets = sets_for(&spans->level[0], 0, 1);
    if (TAC_LIKELY(sets))
        return deep ? take_some_deep(spans, sets) : take_some_near(spans, sets);
    if (is_far(spans, deep))
        return take_some_far(spans);
    return (struct tac_span){take_new_apart(spans, TAC_SPANS_SOME, true, deep), TAC_SPANS_SOME};
}

/* From 64 units on: whole words, of which the last may be used in part. */
TAC_ALWAYS_INLINE long take_large(struct tac_spans *spans, size_t n, bool deep)
{
    if (n - 1 >= spans->units)
        return -1;
    size_t words = divide_up(n, 6);
    long w = -1;
    if (words < 64)
        w = take_1(spans, (struct want){(unsigned)words, (unsigned)words, 0, ~0ull, false}, deep);
    if (w < 0 && (w = split_top(spans, words, deep)) < 0)
        return -1;
    return tac_span_cut(spans, (size_t)w, n, deep);
}

/* ---- Taking at an alignment ---- */

/* Level 0 and what lies above it have the same positions modulo 64: what begins at a word is
 * aligned to less. */
TAC_ALWAYS_INLINE long take_in_line(struct tac_spans *spans, size_t n, unsigned align, bool deep)
{
    unsigned taken, sure = (unsigned)n + align - 1;
    struct want want = {(unsigned)n, sure, 0, tac_span_multiples(align, 0), false};
    long unit = -1;
    uint64_t sets = n + align <= 64 ? sets_for(&spans->level[0], 0, sure) : 0;
    if (TAC_LIKELY(sets))
        unit = take_there(spans, want, sets, deep, &taken);
    else if (is_far(spans, deep) && n + align <= 64)
        unit = take_far(&spans->level[0], want, &taken);
    if (unit >= 0)
        return unit;
    return n < 64 ? take_new_apart(spans, (unsigned)n, false, deep) : take_large(spans, n, deep);
}

/* So many words of level 0, the first at a word that is `first` modulo `step`. */
TAC_ALWAYS_INLINE long take_in_steps(struct tac_spans *spans, size_t n, size_t step, size_t first,
                                     bool deep)
{
    size_t words = divide_up(n, 6), sure = words + step - 1;
    long w = -1;
    if (sure < 64)
        w = take_1(spans,
                   (struct want){(unsigned)words, (unsigned)sure, 0,
                                 tac_span_multiples((unsigned)step, (unsigned)first), false},
                   deep);
    if (w < 0 && (w = tac_span_take_top_words(spans, words, step, first)) < 0)
        return -1;
    return tac_span_cut(spans, (size_t)w, n, deep);
}

/* ---- Giving ---- */

TAC_ALWAYS_INLINE void give_top_part(struct tac_spans *spans, size_t from, size_t end)
{
    uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(end - from));
    uint64_t before = atomic_fetch_add(&spans->level[spans->top].word[from >> 6], mask);
    TAC_ASSERT(!(before & mask));
    (void)before;
}

static TAC_SPAN_NOINLINE void give_top(struct tac_spans *spans, size_t from, size_t end)
{
    for (size_t edge; edge = (from | 63) + 1, edge < end; from = edge)
        give_top_part(spans, from, edge);
    if (TAC_LIKELY(from < end))
        give_top_part(spans, from, end);
}

/* Units of one word come home. True when it is complete with them. */
TAC_ALWAYS_INLINE bool give_units(struct tac_spans *spans, size_t w, uint64_t mask, bool deep)
{
    return tac_span_give_word(&spans->level[0], tac_span_depth(0, deep), (unsigned)w, mask);
}

TAC_ALWAYS_INLINE bool give_part(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    return give_units(spans, from >> 6, tac_bitrun_mask(from & 63, (unsigned)(end - from)), deep);
}

/* Words of level 0 come home as a whole, all in one word of level 1. */
TAC_ALWAYS_INLINE void give_words(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    uint64_t mask = tac_bitrun_mask(from & 63, (unsigned)(end - from));
    if (TAC_UNLIKELY(tac_span_is_flat(spans, deep)))
        give_top(spans, from, end);
    else if (tac_span_give_word(&spans->level[1], tac_span_depth(1, deep), (unsigned)(from >> 6),
                                mask))
        give_top(spans, from >> 6, (from >> 6) + 1);
}

/* The part of the first word of what is given that is not the whole of it, which happens when a
 * block shrinks. */
static TAC_SPAN_NOINLINE bool give_head(struct tac_spans *spans, size_t from, size_t end)
{
    return spans->deep ? give_part(spans, from, end, true) : give_part(spans, from, end, false);
}

static TAC_SPAN_NOINLINE void give_words_apart(struct tac_spans *spans, size_t from, size_t end)
{
    if (spans->deep)
        give_words(spans, from, end, true);
    else
        give_words(spans, from, end, false);
}

/* Words of level 0 that fill or reach over words of level 1. */
static TAC_SPAN_NOINLINE void give_many_words(struct tac_spans *spans, size_t from, size_t end)
{
    size_t first = (from + 63) >> 6, last = end >> 6;
    if (spans->top == 1) {
        give_top(spans, from, end);
        return;
    }
    if (from & 63)
        give_words_apart(spans, from, first << 6);
    if (end & 63)
        give_words_apart(spans, last << 6, end);
    give_top(spans, first, last);
}

TAC_ALWAYS_INLINE void give_bits(struct tac_spans *spans, size_t w, uint64_t bits, bool deep)
{
    if (give_units(spans, w, bits, deep))
        give_words(spans, w, w + 1, deep);
}

TAC_ALWAYS_INLINE void give_all_words(struct tac_spans *spans, size_t from, size_t end, bool deep)
{
    if (TAC_UNLIKELY((from ^ (end - 1)) >> 6 || end - from == 64))
        give_many_words(spans, from, end);
    else
        give_words(spans, from, end, deep);
}

TAC_ALWAYS_INLINE void give(struct tac_spans *spans, size_t unit, size_t n, bool deep)
{
    size_t end = unit + n, from = unit >> 6, to = end >> 6;
    if (n < 64 && (end - 1) >> 6 == from) {
        if (give_part(spans, unit, end, deep))
            give_words(spans, from, from + 1, deep);
        return;
    }
    if (TAC_UNLIKELY(unit & 63))
        from += !give_head(spans, unit, (from + 1) << 6);
    if (end & 63)
        to += give_part(spans, to << 6, end, deep);
    if (from < to)
        give_all_words(spans, from, to, deep);
}

/* A block of n_old units keeps the first n. A word that was all the block's has nothing else in it.
 */
TAC_ALWAYS_INLINE void shrink(struct tac_spans *spans, size_t unit, size_t n, size_t n_old,
                              bool deep)
{
    size_t at = unit + n, end = unit + n_old, from = (at + 63) >> 6, to = end >> 6;
    if (unit & 63 || at >> 6 == (end - 1) >> 6) {
        give(spans, at, n_old - n, deep);
        return;
    }
    if (at & 63)
        tac_span_fresh(&spans->level[0], tac_span_depth(0, deep), (unsigned)(at >> 6),
                       ~0ull << (at & 63), 64 - (at & 63));
    if (end & 63)
        to += give_part(spans, to << 6, end, deep);
    size_t edge = (from + 63) & ~(size_t)63;
    if (!tac_span_is_flat(spans, deep) && edge < to && from < edge && unit >> 6 <= edge - 64) {
        tac_span_fresh(&spans->level[1], tac_span_depth(1, deep), (unsigned)(from >> 6),
                       ~0ull << (from & 63), 64 - (from & 63));
        from = edge;
    }
    if (from < to)
        give_all_words(spans, from, to, deep);
}

/* ---- For either kind of arena ---- */

TAC_FOR_BOTH(long, take_large, (struct tac_spans * spans, size_t n),
             return take_large(spans, n, deep))
TAC_FOR_BOTH(long, take_in_line, (struct tac_spans * spans, size_t n, unsigned align),
             return take_in_line(spans, n, align, deep))
TAC_FOR_BOTH(long, take_in_steps, (struct tac_spans * spans, size_t n, size_t step, size_t first),
             return take_in_steps(spans, n, step, first, deep))
TAC_FOR_BOTH(void, give, (struct tac_spans * spans, size_t unit, size_t n),
             give(spans, unit, n, deep))
TAC_FOR_BOTH(void, give_bits, (struct tac_spans * spans, size_t w, uint64_t bits),
             give_bits(spans, w, bits, deep))
TAC_FOR_BOTH(void, shrink, (struct tac_spans * spans, size_t unit, size_t n, size_t n_old),
             shrink(spans, unit, n, n_old, deep))

long tac_spans_take(struct tac_spans *spans, size_t n)
{
    if (n - 1 >= 63)
        return spans->deep ? take_large_deep(spans, n) : take_large_near(spans, n);
    return spans->deep ? take_part(spans, (unsigned)n, false, true)
                       : take_part(spans, (unsigned)n, false, false);
}

long tac_spans_take_high(struct tac_spans *spans, unsigned n)
{
    return spans->deep ? take_part(spans, n, true, true) : take_part(spans, n, true, false);
}

struct tac_span tac_spans_take_some(struct tac_spans *spans)
{
    return spans->deep ? take_some(spans, true) : take_some(spans, false);
}

long tac_spans_take_aligned(struct tac_spans *spans, size_t n, size_t align, size_t origin)
{
    if (n - 1 >= spans->units)
        return -1;
    if (align <= 64)
        return spans->deep ? take_in_line_deep(spans, n, (unsigned)align)
                           : take_in_line_near(spans, n, (unsigned)align);
    size_t step = align >> 6, first = -(origin >> 6) & (step - 1);
    return spans->deep ? take_in_steps_deep(spans, n, step, first)
                       : take_in_steps_near(spans, n, step, first);
}

void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n)
{
    if (spans->deep)
        give_deep(spans, unit, n);
    else
        give_near(spans, unit, n);
}

void tac_spans_give_bits(struct tac_spans *spans, size_t w, uint64_t bits)
{
    if (spans->deep)
        give_bits_deep(spans, w, bits);
    else
        give_bits_near(spans, w, bits);
}

size_t tac_spans_shrink(struct tac_spans *spans, size_t unit, size_t n, size_t n_new)
{
    size_t at = unit + n_new, end = unit + n;
    if (at & 63 && ((end & 63 && (end >> 6) - (at >> 6) > 1) || (at ^ end) >> 12))
        n_new += -at & 63;
    if (spans->deep)
        shrink_deep(spans, unit, n_new, n);
    else
        shrink_near(spans, unit, n_new, n);
    return n_new;
}
