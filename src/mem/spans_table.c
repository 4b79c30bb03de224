/* SPDX-License-Identifier: MIT
 * spans_table.c - the tables of the span layer: laying them out, walking them, checking them. */
#include "mem/spans.h"

#include "base/bits.h"

/* Words of level l: each covers 64, 64^2 units; l = 2: words of marks. */
static size_t level_words(size_t units, unsigned l)
{
    size_t covered = (size_t)1 << (6 * (l + 1));
    return (units + covered - 1) / covered;
}

static size_t hint_words(size_t members)
{
    return (members + 63) / 64 + (members + 4095) / 4096;
}

size_t tac_spans_table_bytes(size_t units)
{
    size_t words = 0;
    for (unsigned l = 0; l < TAC_SPANS_LEVELS; l++) {
        size_t n = level_words(units, l);
        words += tac_align_up(n, 8);
        words += TAC_BITRUN_BUCKETS * tac_align_up(hint_words(n), 8) + tac_align_up(n, 64) / 8;
    }
    words += tac_align_up(level_words(units, TAC_SPANS_LEVELS), 8);
    return words * sizeof(uint64_t);
}

static _Atomic uint64_t *level_init(struct tac_span_level *level, size_t words,
                                    _Atomic uint64_t *table)
{
    level->word = table;
    level->words = (unsigned)words;
    table += tac_align_up(words, 8);
    atomic_init(&level->filled, 0);
    void *bytes = table;
    level->shown = bytes;
    table += tac_align_up(words, 64) / 8;
    for (int k = 0; k < TAC_BITRUN_BUCKETS; k++) {
        atomic_init(&level->bucket[k].top, 0);
        level->bucket[k].middle = table;
        level->bucket[k].bottom = table + (words + 4095) / 4096;
        table += tac_align_up(hint_words(words), 8);
    }
    return table;
}

void tac_spans_init(struct tac_spans *spans, size_t units, void *table)
{
    spans->units = units;
    _Atomic uint64_t *next = table;
    for (unsigned l = 0; l < TAC_SPANS_LEVELS; l++)
        next = level_init(&spans->level[l], level_words(units, l), next);
    spans->full = next;
    spans->full_words = (unsigned)level_words(units, TAC_SPANS_LEVELS);
    tac_spans_give(spans, 0, units);
}

static size_t bits_set(const struct tac_span_level *level)
{
    size_t n = 0;
    for (unsigned w = 0; w < level->words; w++)
        n += (size_t)__builtin_popcountll(
            atomic_load_explicit(&level->word[w], memory_order_relaxed));
    return n;
}

size_t tac_spans_free_units(const struct tac_spans *spans)
{
    size_t units = 0;
    for (unsigned l = 0; l < TAC_SPANS_LEVELS; l++)
        units += bits_set(&spans->level[l]) << (6 * l);
    return units;
}

static unsigned longest_in(uint64_t x)
{
    unsigned n = 0;
    for (; x; n++)
        x &= x >> 1;
    return n;
}

static size_t longest_in_level(const struct tac_span_level *level)
{
    unsigned longest = 0;
    for (unsigned w = 0; w < level->words; w++) {
        unsigned n = longest_in(atomic_load_explicit(&level->word[w], memory_order_relaxed));
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* Runs across words of level 1 are seen as marks of full words; runs across words of marks, as the
 * search for more than 1 GiB sees them, as whole words in a row. */
size_t tac_spans_longest(const struct tac_spans *spans)
{
    size_t longest = longest_in_level(&spans->level[0]);
    size_t chunks = longest_in_level(&spans->level[1]) * 64;
    longest = chunks > longest ? chunks : longest;
    size_t whole = 0;
    for (unsigned m = 0; m < spans->full_words; m++) {
        uint64_t marks = atomic_load(&spans->full[m]);
        size_t words = (size_t)longest_in(marks) * 64 * 64;
        whole = marks == ~0ull ? whole + words : 0;
        longest = words > longest ? words : longest;
        longest = whole > longest ? whole : longest;
    }
    return longest;
}

/* Is the bit, or one of those above it, free from level l on? */
static bool free_above(const struct tac_spans *spans, unsigned l, size_t at)
{
    for (; l < TAC_SPANS_LEVELS; l++, at >>= 6)
        if (atomic_load(&spans->level[l].word[at >> 6]) >> (at & 63) & 1)
            return true;
    return false;
}

bool tac_spans_is_free(const struct tac_spans *spans, size_t unit)
{
    return free_above(spans, 0, unit);
}

/* A word is found through the bucket of its value. It may be in another as well: threads that met
 * at a word may leave a hint too many, and the first search that falls for it removes it. */
static bool hint_leads(const struct tac_span_level *level, unsigned w)
{
    int bucket = tac_bitrun_bucket(atomic_load(&level->word[w]));
    if (bucket < 0)
        return true;
    const struct tac_hints *h = &level->bucket[bucket];
    return atomic_load(&h->bottom[w / 64]) >> (w & 63) & 1 &&
           atomic_load(&h->middle[w / 4096]) >> (w / 64 & 63) & 1 &&
           atomic_load(&h->top) >> (w / 4096) & 1 && atomic_load(&level->filled) >> bucket & 1;
}

const char *tac_spans_fault(const struct tac_spans *spans)
{
    for (unsigned l = 0; l < TAC_SPANS_LEVELS; l++)
        for (unsigned w = 0; w < spans->level[l].words; w++) {
            uint64_t value = atomic_load(&spans->level[l].word[w]);
            if (l == 0 && value == ~0ull)
                return "a full word was not handed to the level above";
            if (l == 0 && value && free_above(spans, 1, w))
                return "a unit is free in two levels";
            if (l == 1 && (value == ~0ull) != (atomic_load(&spans->full[w / 64]) >> (w & 63) & 1))
                return "a mark of a full word is wrong";
            if (!hint_leads(&spans->level[l], w))
                return "no hint leads to a word's longest run";
        }
    return NULL;
}
