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

static void hint_remove(struct tac_span_level *level, unsigned bucket, unsigned w)
{
    if (tac_hints_remove(&level->bucket[bucket], w))
        tac_hints_fold(&level->filled, 1ull << bucket, &level->bucket[bucket].top);
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

/* A run of n bits (1 .. 48) out of one word of a level that has buckets. First a bucket whose words
 * may have such a run, and tightly: the one below the sure one, or with alignment the one that is
 * sure without it; then those whose words all have one. */
static long take_run(struct tac_span_level *level, unsigned n, unsigned align, bool high)
{
    uint64_t aligned = aligned_bits(align);
    unsigned sure = (unsigned)tac_bitrun_bucket_for(align > 1 ? 2 * n - 1 : n);
    unsigned k = align > 1 ? (unsigned)tac_bitrun_bucket_for(n) : sure - (n > 2 && n & (n - 1));
    for (int tries = TAC_SPANS_TRIES; tries; tries--) {
        uint64_t filled = atomic_load_explicit(&level->filled, memory_order_relaxed) >> k << k;
        if (!filled)
            return -1;
        k = tac_bit_lowest(filled);
        long w = tac_hints_find(&level->bucket[k]);
        if (w < 0) {
            tac_hints_fold(&level->filled, 1ull << k, &level->bucket[k].top);
            continue;
        }
        uint64_t value = atomic_load_explicit(&level->word[w], memory_order_relaxed);
        int at = place(value, n, aligned, high);
        if (at < 0) {
            if (tac_bitrun_bucket(value) != (int)k)
                mend(level, (unsigned)w, k);
            else
                k = sure > k ? sure : k + 1;
            continue;
        }
        uint64_t left = value & ~tac_bitrun_mask((unsigned)at, n);
        if (atomic_compare_exchange_strong(&level->word[w], &value, left)) {
            publish(level, (unsigned)w, left);
            return w * 64 + at;
        }
    }
    return -1;
}

/* Give bits of one word back; returns true when the word was full and has been emptied, so that its
 * bit of the level above is now the caller's to give. */
static bool give_bits(struct tac_span_level *level, unsigned w, uint64_t mask, bool promote)
{
    uint64_t before = atomic_fetch_or(&level->word[w], mask);
    TAC_ASSERT(!(before & mask));
    uint64_t after = before | mask;
    bool moved = false;
    if (promote && after == ALL) {
        moved = atomic_compare_exchange_strong(&level->word[w], &after, 0);
        after = moved ? 0 : after;
    }
    publish(level, w, after);
    return moved;
}

/* Give n bits from bit `at` of level l on, all in one word or whole words at the top. */
static void give_up(struct tac_spans *spans, unsigned l, size_t at, unsigned n)
{
    for (; l + 1 < TAC_SPANS_LEVELS; l++) {
        size_t w = at / 64;
        if (n < 64 && !give_bits(&spans->level[l], (unsigned)w, tac_bitrun_mask(at & 63, n), true))
            return;
        at = w;
        n = 1;
    }
    atomic_fetch_or(&spans->level[l].word[at / 64], tac_bitrun_mask(at & 63, n));
}

/* Give n bits of level l, in any number of words. */
static void give_level(struct tac_spans *spans, unsigned l, size_t at, size_t n)
{
    bool top = l + 1 == TAC_SPANS_LEVELS;
    size_t head = -at & 63;
    if (head) {
        head = head < n ? head : n;
        give_up(spans, l, at, (unsigned)head);
        at += head;
        n -= head;
    }
    if (n & 63)
        give_up(spans, l, at + (n & ~(size_t)63), n & 63);
    if (n / 64 && !top)
        give_level(spans, l + 1, at / 64, n / 64);
    for (size_t i = 0; top && i < n / 64; i++)
        atomic_store(&spans->level[l].word[at / 64 + i], ALL);
}

void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n)
{
    if (n)
        give_level(spans, 0, unit, n);
}

/* Whole words of the top level, for blocks above 1 GiB: neighbours that are entirely free. */
static long take_top_words(struct tac_span_level *top, size_t words)
{
    size_t have = 0;
    for (unsigned w = 0; w < top->words; w++) {
        uint64_t full = ALL;
        if (!atomic_compare_exchange_strong(&top->word[w], &full, 0)) {
            for (; have; have--)
                atomic_store(&top->word[w - have], ALL);
        } else if (++have == words) {
            return (long)(w + 1 - have) * 64;
        }
    }
    for (size_t i = 0; i < have; i++)
        atomic_store(&top->word[top->words - 1 - i], ALL);
    return -1;
}

/* n bits of the top level, which has few words and no buckets. */
static long take_top(struct tac_span_level *top, size_t n)
{
    if (n > 64)
        return take_top_words(top, (n + 63) / 64);
    int tries = TAC_SPANS_TRIES;
    for (unsigned w = 0; w < top->words && tries; w++) {
        uint64_t value = atomic_load_explicit(&top->word[w], memory_order_relaxed);
        if (!value)
            continue;
        int at = place(value, (unsigned)n, ALL, false);
        if (at < 0)
            continue;
        uint64_t left = value & ~tac_bitrun_mask((unsigned)at, (unsigned)n);
        if (atomic_compare_exchange_strong(&top->word[w], &value, left))
            return (long)w * 64 + at;
        tries--;
        w--; /* the same word again */
    }
    return -1;
}

/* n bits of level l: from a word of that level, or as whole bits of the level above, of which the
 * tail is given back. */
static long take_level(struct tac_spans *spans, unsigned l, size_t n, unsigned align, bool high)
{
    if (l + 1 == TAC_SPANS_LEVELS)
        return take_top(&spans->level[l], n);
    if (n <= 48) {
        long at = take_run(&spans->level[l], (unsigned)n, align, high);
        if (at >= 0)
            return at;
    }
    size_t whole = (n + 63) / 64;
    long upper = take_level(spans, l + 1, whole, 1, false);
    if (upper < 0)
        return -1;
    size_t at = (size_t)upper * 64, rest = whole * 64 - n;
    if (high && whole == 1) {
        if (rest)
            give_bits(&spans->level[l], (unsigned)upper, tac_bitrun_mask(0, (unsigned)rest), false);
        return (long)(at + rest);
    }
    if (rest >= 64) { /* whole words at the top were rounded up */
        give_level(spans, l, at + n, rest);
    } else if (rest) {
        size_t last = (size_t)upper + whole - 1;
        uint64_t mask = tac_bitrun_mask((unsigned)(64 - rest), (unsigned)rest);
        give_bits(&spans->level[l], (unsigned)last, mask, false);
    }
    return (long)at;
}

long tac_spans_take(struct tac_spans *spans, size_t n, unsigned align, bool high)
{
    if (!n || n > spans->units)
        return -1;
    return take_level(spans, 0, n, align, high);
}

/* ---- Growth in place ---- */

/* Take exactly these bits of a word, if all are set. */
static bool claim_bits(struct tac_span_level *level, size_t w, uint64_t mask, bool hinted)
{
    if (w >= level->words)
        return false;
    uint64_t value = atomic_load(&level->word[w]);
    for (int tries = TAC_SPANS_TRIES; tries && (value & mask) == mask; tries--)
        if (atomic_compare_exchange_strong(&level->word[w], &value, value & ~mask)) {
            if (hinted)
                publish(level, (unsigned)w, value & ~mask);
            return true;
        }
    return false;
}

/* n bits (1 .. 64) of one word of level l, first splitting the bit above when that is what is free.
 */
static bool claim_word(struct tac_spans *spans, unsigned l, size_t at, unsigned n)
{
    bool top = l + 1 == TAC_SPANS_LEVELS;
    size_t w = at / 64;
    uint64_t mask = tac_bitrun_mask(at & 63, n);
    if (claim_bits(&spans->level[l], w, mask, !top))
        return true;
    if (top || !claim_word(spans, l + 1, w, 1))
        return false;
    if (mask != ALL)
        give_bits(&spans->level[l], (unsigned)w, ALL & ~mask, false);
    return true;
}

/* The whole chunks of a claim: they must lie in one word of level 1. */
static bool claim_chunks(struct tac_spans *spans, size_t chunk, size_t n)
{
    if (!n)
        return true;
    return n <= 64 - (chunk & 63) && claim_word(spans, 1, chunk, (unsigned)n);
}

bool tac_spans_claim(struct tac_spans *spans, size_t unit, size_t n)
{
    if (!n || n > spans->units || unit > spans->units - n)
        return false;
    size_t head = -unit & 63;
    head = head < n ? head : n;
    size_t chunks = (n - head) / 64, tail = (n - head) % 64, done = 0;
    if (head && !claim_word(spans, 0, unit, (unsigned)head))
        return false;
    done = head;
    if (claim_chunks(spans, (unit + head) / 64, chunks)) {
        done += chunks * 64;
        if (!tail || claim_word(spans, 0, unit + done, (unsigned)tail))
            return true;
    }
    tac_spans_give(spans, unit, done);
    return false;
}
