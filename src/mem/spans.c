/* SPDX-License-Identifier: MIT
 * spans.c - taking, giving and claiming runs of units; the design is in spans.h. */
#include "mem/spans.h"

#include "base/check.h"

#define ALL (~0ull)

static void hint_add(struct tac_span_level *level, unsigned bucket, unsigned w)
{
    if (tac_hints_add(&level->bucket[bucket], w))
        atomic_fetch_or(&level->filled, 1ull << bucket);
}

/* The bucket seems to be empty: take it out of the summary, unless it is not. */
static void hint_fold(struct tac_span_level *level, unsigned bucket)
{
    atomic_fetch_and(&level->filled, ~(1ull << bucket));
    if (atomic_load(&level->bucket[bucket].top))
        atomic_fetch_or(&level->filled, 1ull << bucket);
}

static void hint_remove(struct tac_span_level *level, unsigned bucket, unsigned w)
{
    enum tac_hints_change change = tac_hints_remove(&level->bucket[bucket], w);
    if (change == TAC_HINTS_EMPTIED)
        hint_fold(level, bucket);
    else if (change == TAC_HINTS_FILLED)
        atomic_fetch_or(&level->filled, 1ull << bucket);
}

/* Bring the hints of a word in line with its value. Whoever changed the word last looks last, since
 * word and `shown` are read again after each change of hints. */
static void publish(struct tac_span_level *level, unsigned w, uint64_t value)
{
    for (int tries = TAC_SPANS_TRIES / 2; tries; tries--) {
        unsigned now = (unsigned)(tac_bitrun_bucket(value) + 1);
        unsigned before = atomic_load_explicit(&level->shown[w], memory_order_relaxed);
        if (now == before)
            return;
        before = atomic_exchange(&level->shown[w], (unsigned char)now);
        if (now && now != before)
            hint_add(level, now - 1, w);
        if (before && now != before)
            hint_remove(level, before - 1, w);
        unsigned shown = atomic_load(&level->shown[w]);
        if (shown != now && shown) /* someone overtook: what he added may be what was removed */
            hint_add(level, shown - 1, w);
        uint64_t again = atomic_load(&level->word[w]);
        if (again == value)
            return;
        value = again;
    }
}

/* The mark of a level-1 word. Again, whoever changed the word last looks last. */
static void mark_full(struct tac_spans *spans, unsigned w)
{
    _Atomic uint64_t *mark = &spans->full[w / 64];
    uint64_t bit = 1ull << (w & 63);
    for (int tries = TAC_SPANS_TRIES / 2; tries; tries--) {
        bool full = atomic_load(&spans->level[1].word[w]) == ALL;
        if (full == ((atomic_load(mark) & bit) != 0))
            return;
        if (full)
            atomic_fetch_or(mark, bit);
        else
            atomic_fetch_and(mark, ~bit);
    }
}

static void announce(struct tac_spans *spans, unsigned l, unsigned w, uint64_t before,
                     uint64_t after)
{
    publish(&spans->level[l], w, after);
    if (l == 1 && (before == ALL || after == ALL))
        mark_full(spans, w);
}

/* A hint led to a word that is not of the bucket: take the hint away, and make sure of the right.
 */
static void mend(struct tac_span_level *level, unsigned w, unsigned bucket)
{
    if (atomic_load(&level->shown[w]) != bucket + 1)
        hint_remove(level, bucket, w);
    if (atomic_load(&level->shown[w]) == bucket + 1)
        hint_add(level, bucket, w);
    publish(level, w, atomic_load(&level->word[w]));
}

/* Where in the word to take n bits from, or -1. */
static int place(uint64_t value, unsigned n, uint64_t aligned, bool high)
{
    uint64_t starts = tac_bitrun_starts(value, n) & aligned;
    if (!starts)
        return -1;
    return (int)(high ? tac_bit_highest(starts) : tac_bit_lowest(starts));
}

/* One bit at each multiple of align. */
static uint64_t aligned_bits(unsigned align)
{
    static const uint64_t bits[7] = {
        ALL,
        0x5555555555555555,
        0x1111111111111111,
        0x0101010101010101,
        0x0001000100010001,
        0x0000000100000001,
        1,
    };
    return bits[tac_bit_lowest(align)];
}

/* A run of n bits (1 .. 63) out of one word. First a bucket whose words may have such a run, and
 * tightly: the one below the sure one, or with alignment the one that is sure without it; then
 * those whose words all have one. */
static long take_run(struct tac_spans *spans, unsigned l, unsigned n, unsigned align, bool high)
{
    struct tac_span_level *level = &spans->level[l];
    uint64_t aligned = aligned_bits(align);
    unsigned sure = tac_bitrun_bucket_for(align > 1 ? 2 * n - 1 : n);
    unsigned k = align > 1 ? tac_bitrun_bucket_for(n) : sure - (n > 2 && n & (n - 1));
    for (int tries = TAC_SPANS_TRIES; tries; tries--) {
        uint64_t filled = atomic_load_explicit(&level->filled, memory_order_relaxed) >> k << k;
        if (!filled)
            return -1;
        k = tac_bit_lowest(filled);
        long w = tac_hints_find(&level->bucket[k]);
        if (w < 0) {
            hint_fold(level, k);
            continue;
        }
        uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
        int at = place(value, n, aligned, high);
        if (at < 0) {
            if (atomic_load(&level->shown[w]) != k + 1 || k >= sure)
                mend(level, (unsigned)w, k);
            else
                k = sure;
            continue;
        }
        uint64_t left = value & ~tac_bitrun_mask((unsigned)at, n);
        if (atomic_compare_exchange_strong(&level->word[w], &value, left)) {
            announce(spans, l, (unsigned)w, value, left);
            return w * 64 + at;
        }
    }
    return -1;
}

/* ---- Giving ---- */

/* Bits of one word come home. True when the word was full and has been emptied, so that its bit of
 * the level above is now the caller's to give. */
static bool give_bits(struct tac_spans *spans, unsigned l, size_t w, uint64_t mask, bool promote)
{
    struct tac_span_level *level = &spans->level[l];
    uint64_t before = atomic_fetch_or(&level->word[w], mask), after = before | mask;
    TAC_ASSERT(!(before & mask));
    bool moved = false;
    if (promote && after == ALL) {
        moved = atomic_compare_exchange_strong(&level->word[w], &after, 0);
        after = moved ? 0 : after;
    }
    announce(spans, l, (unsigned)w, before, after);
    return moved;
}

static void give_chunks(struct tac_spans *spans, size_t chunk, size_t n)
{
    while (n) {
        unsigned at = chunk & 63, here = n < 64 - at ? (unsigned)n : 64 - at;
        give_bits(spans, 1, chunk / 64, tac_bitrun_mask(at, here), false);
        chunk += here;
        n -= here;
    }
}

/* n units of one chunk, 1 .. 63. */
static void give_units(struct tac_spans *spans, size_t unit, unsigned n)
{
    size_t chunk = unit / 64;
    if (give_bits(spans, 0, chunk, tac_bitrun_mask(unit & 63, n), true))
        give_chunks(spans, chunk, 1);
}

void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n)
{
    size_t head = -unit & 63;
    if (head > n)
        head = n;
    if (head)
        give_units(spans, unit, (unsigned)head);
    unit += head;
    n -= head;
    if (n & 63)
        give_units(spans, unit + (n & ~(size_t)63), n & 63);
    give_chunks(spans, unit / 64, n / 64);
}

/* ---- Taking whole chunks ---- */

static void give_words(struct tac_spans *spans, size_t w, size_t n)
{
    give_chunks(spans, w * 64, n * 64);
}

/* Empty n full words of level 1 from w on; all or none. */
static bool empty_words(struct tac_spans *spans, size_t w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t full = ALL;
        bool mine = atomic_compare_exchange_strong(&spans->level[1].word[w + i], &full, 0);
        if (mine)
            announce(spans, 1, (unsigned)(w + i), ALL, 0);
        else
            mark_full(spans, (unsigned)(w + i));
        if (!mine) {
            give_words(spans, w, i);
            return false;
        }
    }
    return true;
}

/* More than 1 GiB: full words of marks in a row, so the block starts at a multiple of 1 GiB. */
static long take_words_long(struct tac_spans *spans, size_t n)
{
    size_t have = 0, need = (n + 63) / 64;
    for (unsigned m = 0; m < spans->full_words; m++) {
        have = atomic_load(&spans->full[m]) == ALL ? have + 1 : 0;
        if (have == need) {
            size_t w = (m + 1 - need) * 64;
            return empty_words(spans, w, n) ? (long)w : -1;
        }
    }
    return -1;
}

/* n entirely free words of level 1; the first, or -1. */
static long take_words(struct tac_spans *spans, size_t n)
{
    if (n > 64)
        return take_words_long(spans, n);
    int tries = TAC_SPANS_TRIES;
    for (unsigned m = 0; m < spans->full_words && tries;) {
        uint64_t marks = atomic_load(&spans->full[m]);
        int at = marks ? place(marks, (unsigned)n, ALL, false) : -1;
        if (at < 0) {
            m++;
            continue;
        }
        size_t w = m * 64 + (size_t)at;
        if (empty_words(spans, w, n))
            return (long)w;
        tries--;
    }
    return -1;
}

/* n whole chunks; the first, or -1. */
static long take_chunks(struct tac_spans *spans, size_t n)
{
    if (n < 64) {
        long chunk = take_run(spans, 1, (unsigned)n, 1, false);
        if (chunk >= 0)
            return chunk;
    }
    if (n <= 32) /* a full word would have been found */
        return -1;
    size_t words = (n + 63) / 64;
    long w = take_words(spans, words);
    if (w < 0)
        return -1;
    give_chunks(spans, (size_t)w * 64 + n, words * 64 - n);
    return w * 64;
}

/* A new chunk's unused units become a word of level 0. */
static long take_from_chunks(struct tac_spans *spans, size_t n, bool high)
{
    size_t chunks = (n + 63) / 64;
    unsigned rest = (unsigned)(chunks * 64 - n);
    long chunk = take_chunks(spans, chunks);
    if (chunk < 0)
        return -1;
    size_t last = (size_t)chunk + chunks - 1;
    bool upper = high && chunks == 1;
    if (rest)
        give_bits(spans, 0, last, tac_bitrun_mask(upper ? 0 : 64 - rest, rest), false);
    return chunk * 64 + (upper ? (long)rest : 0);
}

long tac_spans_take(struct tac_spans *spans, size_t n, unsigned align, bool high)
{
    if (!n || n > spans->units)
        return -1;
    if (n < 64) {
        long unit = take_run(spans, 0, (unsigned)n, align, high);
        if (unit >= 0)
            return unit;
    }
    return take_from_chunks(spans, n, high);
}

/* ---- Growth in place ---- */

/* Take exactly these bits of a word, if all are set. */
static bool claim_bits(struct tac_spans *spans, unsigned l, size_t w, uint64_t mask)
{
    struct tac_span_level *level = &spans->level[l];
    if (w >= level->words)
        return false;
    uint64_t value = atomic_load(&level->word[w]);
    for (int tries = TAC_SPANS_TRIES; tries && (value & mask) == mask; tries--)
        if (atomic_compare_exchange_strong(&level->word[w], &value, value & ~mask)) {
            announce(spans, l, (unsigned)w, value, value & ~mask);
            return true;
        }
    return false;
}

/* n units (1 .. 63) of one chunk, which may be free as a whole. */
static bool claim_units(struct tac_spans *spans, size_t unit, unsigned n)
{
    size_t chunk = unit / 64;
    uint64_t mask = tac_bitrun_mask(unit & 63, n);
    if (claim_bits(spans, 0, chunk, mask))
        return true;
    if (!claim_bits(spans, 1, chunk / 64, 1ull << (chunk & 63)))
        return false;
    give_bits(spans, 0, chunk, ~mask, false);
    return true;
}

/* The whole chunks of a claim must lie in one word of level 1. */
static bool claim_chunks(struct tac_spans *spans, size_t chunk, size_t n)
{
    if (!n)
        return true;
    unsigned at = chunk & 63;
    return n <= 64 - at && claim_bits(spans, 1, chunk / 64, tac_bitrun_mask(at, (unsigned)n));
}

bool tac_spans_claim(struct tac_spans *spans, size_t unit, size_t n)
{
    if (!n || n > spans->units || unit > spans->units - n)
        return false;
    size_t head = -unit & 63;
    head = head < n ? head : n;
    size_t chunks = (n - head) / 64, tail = (n - head) % 64, done = head;
    if (head && !claim_units(spans, unit, (unsigned)head))
        return false;
    if (claim_chunks(spans, (unit + head) / 64, chunks)) {
        done += chunks * 64;
        if (!tail || claim_units(spans, unit + done, (unsigned)tail))
            return true;
    }
    tac_spans_give(spans, unit, done);
    return false;
}
