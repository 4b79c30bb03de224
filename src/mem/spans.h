/* SPDX-License-Identifier: MIT
 * spans.h - the span layer: who has which 16 KiB units of the arena.
 *
 * How. Three levels of 64-bit words; a set bit is free memory:
 *   level   a bit is    a word is
 *   0        16 KiB       1 MiB
 *   1         1 MiB      64 MiB
 *   2        64 MiB       4 GiB
 * Free memory is in exactly one level: a word that becomes full is emptied and becomes a bit of the
 * next level; a level that has no fit takes a bit of the next and keeps what is left of it.
 * Neighbours therefore coalesce by themselves, there are no headers and no boundary tags, and a run
 * of any length inside a word is taken with one compare-and-swap. The top level is the second where
 * that has few words, else the third; runs in it go on from word to word.
 * Words below the top stand in sets by the length of their longest run (bitrun.h): exactly, so that
 * a search takes the tightest word that fits and never tries one in vain. The sets are trees of
 * hints (hints.h). The few words of the top level are looked at themselves.
 *
 * Which level a block comes from follows from its length, and so does the cost: a block's first
 * unit is at a multiple of its level's unit, what is beyond the last whole one lies in the level
 * below, and no block reaches further down (tac_spans_round).
 *
 * Invariants. A unit is free in one level or in use. A hint may be one too many, never one too few:
 * a word is in the set of its value, but for the moment in which a thread that changed it says so.
 * Nothing is taken on the strength of a hint.
 * Threads. Any; lock-free: a lost compare-and-swap means that another thread succeeded. A thread
 * stopped anywhere in here holds nothing but the units that it has in its hands.
 * Cost. docs/heap.md counts it. No system call, no memory but the tables given to init. */
#ifndef TAC_MEM_SPANS_H
#define TAC_MEM_SPANS_H

#include "mem/bitrun.h"
#include "mem/hints.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TAC_UNIT_SHIFT = 14,
    TAC_UNIT_BYTES = 1 << TAC_UNIT_SHIFT,
    TAC_CHUNK_UNITS = 64, /* the arena is a multiple of that */
    TAC_SPANS_LEVELS = 3,
    TAC_SPANS_TOP_WORDS = 4, /* from more words on, a level has one above */
    TAC_SPANS_SOME = 4,      /* units taken together where they are to be found */
    TAC_SPANS_TRIES = 16,    /* lost races after which a call looks elsewhere */
};

/* The most units a span layer can hold: 64 GiB. */
#define TAC_SPANS_UNITS_MAX ((size_t)1 << 22)

struct tac_span_level {
    _Atomic uint64_t *word;
    unsigned words;
    _Atomic unsigned char *shown; /* the set that a word was last put into, about */
    struct tac_hints sets;
};

struct tac_spans {
    size_t units;
    unsigned top; /* the highest level used: it has no sets */
    bool deep;    /* see tac_span_depth */
    struct tac_span_level level[TAC_SPANS_LEVELS];
};

/* Units of level 0 in one of level l: 2^0, 2^6, 2^12. */
static inline unsigned tac_span_shift(unsigned l)
{
    return 6 * l;
}

/* Levels of the trees of hints over the words of level 0 and 1: for arenas to 1 GiB, and beyond. */
static inline unsigned tac_span_depth(unsigned l, bool deep)
{
    return (deep ? 3 : 2) - l;
}

/* Bytes of zeroed memory, aligned to 64, that init needs for so many units. */
size_t tac_spans_table_bytes(size_t units);

/* All units are free afterwards. units is 1 .. TAC_SPANS_UNITS_MAX. */
void tac_spans_init(struct tac_spans *spans, size_t units, void *table);

/* The length that a block of n units has: from 64 MiB on a multiple of 1 MiB. */
static inline size_t tac_spans_round(size_t n)
{
    size_t step = n >= (size_t)1 << 12 ? 64 : 1;
    return (n + step - 1) & ~(step - 1);
}

/* Take n units. Returns the first, or -1. Real-time: yes. */
long tac_spans_take(struct tac_spans *spans, size_t n);

/* The same for 1 .. 63 units, from the upper end of where they were found. */
long tac_spans_take_high(struct tac_spans *spans, unsigned n);

/* The same, the first such that origin + unit is a multiple of align, a power of two; origin is a
 * multiple of 64. Real-time: yes. */
long tac_spans_take_aligned(struct tac_spans *spans, size_t n, size_t align, size_t origin);

/* Take TAC_SPANS_SOME units where a run of that length is and a longer one is broken up last; or
 * one, if there are only shorter ones. unit is -1 when there is none. Real-time: yes. */
struct tac_span {
    long unit;
    unsigned n;
};
struct tac_span tac_spans_take_some(struct tac_spans *spans);

/* Give n >= 1 units back, in whatever pieces. Real-time: yes. */
void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n);

/* The same for these units of word w of level 0, at least one. Real-time: yes. */
void tac_spans_give_bits(struct tac_spans *spans, size_t w, uint64_t bits);

/* Take what is free as a whole from the unit on, a multiple of 64: 1 MiB or 64 MiB. Returns units.
 */
size_t tac_spans_claim_whole(struct tac_spans *spans, size_t unit);

/* Grow a block from `unit` to `from` by claiming what follows, up to `end` (<= units); not beyond
 * the word of the lowest level in which it starts inside a word, since no block may need more
 * pieces than a free can give back, and not over whole words into one that others have a part of.
 * Returns where it ends then, or 0; that is no further than tac_spans_grown says, if it has to take
 * the last word as a whole. Real-time: yes. */
size_t tac_spans_grow(struct tac_spans *spans, size_t from, size_t end, size_t unit);

static inline size_t tac_spans_grown(size_t from, size_t end)
{
    return (from ^ end) >> 6 && from & 63 ? (end + 63) & ~(size_t)63 : end;
}

/* Give back what a block of n units has beyond n_new; up to 1 MiB of it stays where the rest begins
 * inside a word and would be more than two pieces. Returns the length that is kept. Real-time: yes.
 */
size_t tac_spans_shrink(struct tac_spans *spans, size_t unit, size_t n, size_t n_new);

/* Walks, for statistics and tests while others may run: free units, and the longest run that one
 * call to take would find. */
size_t tac_spans_free_units(const struct tac_spans *spans);
size_t tac_spans_longest(const struct tac_spans *spans);

/* Is the unit free? */
bool tac_spans_is_free(const struct tac_spans *spans, size_t unit);

/* While nobody else runs: no unit is free twice, no complete parent is left below, every free word
 * is found by its hint. NULL, or what is wrong. */
const char *tac_spans_fault(const struct tac_spans *spans);

#endif
