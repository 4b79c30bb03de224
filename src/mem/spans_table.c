/* SPDX-License-Identifier: MIT
 * spans_table.c - the tables of the span layer: laying them out, walking them, checking them. */
#include "mem/spans.h"

#include "base/bits.h"

#include <string.h>

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static size_t level_words(size_t units, unsigned l)
{
    return divide_up(units, (size_t)64 << tac_span_shift(l));
}

static unsigned top_level(size_t units)
{
    unsigned l = 1;
    while (l + 1 < TAC_SPANS_LEVELS && level_words(units, l) > TAC_SPANS_TOP_WORDS)
        l++;
    return l;
}

static bool is_deep(size_t units)
{
    return level_words(units, 0) > 1 << 10;
}

/* Nodes of all trees over so many words: the bottom comes last. */
static size_t nodes(size_t words, unsigned depth)
{
    return TAC_HINTS_SETS * (tac_hints_first(depth, 0) + divide_up(words, 32));
}

/* In 64-bit words; the parts begin on lines of their own. */
static size_t level_table(size_t words, unsigned depth, bool top)
{
    size_t n = tac_align_up(words, 8);
    return top ? n : n + tac_align_up(words, 64) / 8 + nodes(words, depth);
}

size_t tac_spans_table_bytes(size_t units)
{
    size_t n = 0;
    unsigned top = top_level(units);
    for (unsigned l = 0; l <= top; l++)
        n += level_table(level_words(units, l), tac_span_depth(l, is_deep(units)), l == top);
    return n * sizeof(uint64_t);
}

static void sets_init(struct tac_span_level *level, _Atomic uint64_t *next)
{
    void *bytes = next;
    level->shown = bytes;
    level->sets.nodes = (char *)bytes + tac_align_up(level->words, 64);
}

void tac_spans_init(struct tac_spans *spans, size_t units, void *table)
{
    _Atomic uint64_t *next = table;
    spans->units = units;
    spans->top = top_level(units);
    spans->deep = is_deep(units);
    for (unsigned l = 0; l <= spans->top; l++) {
        struct tac_span_level *level = &spans->level[l];
        unsigned depth = tac_span_depth(l, spans->deep);
        memset(level, 0, sizeof *level);
        level->word = next;
        level->words = (unsigned)level_words(units, l);
        if (l < spans->top)
            sets_init(level, next + tac_align_up(level->words, 8));
        next += level_table(level->words, depth, l == spans->top);
    }
    tac_spans_give(spans, 0, units);
}

/* ---- Walks ---- */

static uint64_t word_of(const struct tac_spans *spans, unsigned l, size_t w)
{
    return atomic_load_explicit(&spans->level[l].word[w], memory_order_relaxed);
}

size_t tac_spans_free_units(const struct tac_spans *spans)
{
    size_t units = 0;
    for (unsigned l = 0; l <= spans->top; l++)
        for (unsigned w = 0; w < spans->level[l].words; w++)
            units += (size_t)__builtin_popcountll(word_of(spans, l, w)) << tac_span_shift(l);
    return units;
}

/* Of the top level, whose runs go on from word to word. */
static size_t longest_on_top(const struct tac_spans *spans)
{
    const struct tac_span_level *level = &spans->level[spans->top];
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < (size_t)level->words * 64; i++) {
        run = word_of(spans, spans->top, i / 64) >> (i & 63) & 1 ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

size_t tac_spans_longest(const struct tac_spans *spans)
{
    size_t longest = longest_on_top(spans) << tac_span_shift(spans->top);
    for (unsigned l = spans->top; l-- && !longest;)
        for (unsigned w = 0; w < spans->level[l].words; w++) {
            size_t n = (size_t)tac_bitrun_longest(word_of(spans, l, w)) << tac_span_shift(l);
            longest = n > longest ? n : longest;
        }
    return longest;
}

/* Is the bit, or one of those above it, free from level l on? */
static bool free_above(const struct tac_spans *spans, unsigned l, size_t unit)
{
    for (; l <= spans->top; l++) {
        size_t at = unit >> tac_span_shift(l);
        if (word_of(spans, l, at >> 6) >> (at & 63) & 1)
            return true;
    }
    return false;
}

bool tac_spans_is_free(const struct tac_spans *spans, size_t unit)
{
    return free_above(spans, 0, unit);
}

static bool hint_leads(const struct tac_span_level *level, unsigned depth, unsigned k, unsigned w)
{
    for (unsigned d = 0; d < depth; d++) {
        const tac_hint_node *node =
            tac_hint_at(tac_hint_set(level->sets.nodes, k), depth, d, tac_hint_offset(depth, d, w));
        if (!(tac_hint_seen(node) & tac_hint_bit(w >> 5 * d)))
            return false;
    }
    const tac_hint_node *crown = &level->sets.crown[2 * (w >> 5 * depth)];
    return tac_hint_seen(&crown[k >> 5]) & tac_hint_bit(k);
}

/* A word may be in another set as well: threads that met at a word may leave a hint too many, and
 * the first search that falls for it removes it. */
static const char *word_fault(const struct tac_spans *spans, unsigned l, unsigned w)
{
    uint64_t value = word_of(spans, l, w);
    if (value == ~0ull)
        return "a complete word was not handed to the level above";
    if (value && free_above(spans, l + 1, (size_t)w << 6 << tac_span_shift(l)))
        return "a unit is free in two levels";
    if (value &&
        !hint_leads(&spans->level[l], tac_span_depth(l, spans->deep), tac_bitrun_longest(value), w))
        return "no hint leads to a free word";
    return NULL;
}

const char *tac_spans_fault(const struct tac_spans *spans)
{
    for (unsigned l = 0; l < spans->top; l++)
        for (unsigned w = 0; w < spans->level[l].words; w++) {
            const char *fault = word_fault(spans, l, w);
            if (fault)
                return fault;
        }
    return NULL;
}
