/* SPDX-License-Identifier: MIT
 * spans.h - the span layer: who has which 4 KiB units of the arena.
 *
 * How. Four levels of 64-bit words; a set bit is free memory:
 *   level   a bit is    a word is    a parent is
 *   0         4 KiB      256 KiB      64 KiB   (16 bits)
 *   1        64 KiB        4 MiB       4 MiB   (64 bits)
 *   2         4 MiB      256 MiB     256 MiB
 *   3       256 MiB       16 GiB
 * An arena uses as many as it needs for the top level to have at most four words. Free memory is in
 * exactly one level: bits that complete their parent leave and become the parent's bit; a level
 * that has no fit takes a bit of the next and keeps what is left of it. Neighbours therefore
 * coalesce by themselves, there are no headers and no boundary tags, and a run of any length inside
 * a word is taken with one compare-and-swap.
 * Words stand in sets by the length of their longest run (bitrun.h): exactly, so that a search
 * takes the tightest word that fits and never tries one in vain. The sets are trees of hints
 * (hints.h). The few words of the top level are looked at themselves.
 *
 * A block is at least one unit. Which level it comes from follows from its length (tac_spans_round)
 * and so does the cost: a block's first unit is at a multiple of its level's unit, what is beyond
 * the last whole one lies in the level below, and no block reaches further down.
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
    TAC_UNIT_SHIFT = 12,
    TAC_UNIT_BYTES = 1 << TAC_UNIT_SHIFT,
    TAC_CHUNK_UNITS = 64, /* the arena is a multiple of that */
    TAC_SPANS_SMALL_UNITS = 16, /* blocks below that come from level 0 */
    TAC_SPANS_LEVELS = 4,
    TAC_SPANS_TOP_WORDS = 4,
    TAC_SPANS_TRIES = 16, /* lost races after which a call looks elsewhere */
};

/* The most units a span layer can hold: 64 GiB. */
#define TAC_SPANS_UNITS_MAX ((size_t)TAC_SPANS_TOP_WORDS << 22)

struct tac_span_level {
    _Atomic uint64_t *word;
    unsigned words;
    _Atomic unsigned char *shown; /* the set that a word was last put into, about */
    struct tac_hints sets;
};

struct tac_spans {
    size_t units;
    unsigned top; /* the highest level used: it has no sets */
    struct tac_span_level level[TAC_SPANS_LEVELS];
};

/* Units of level 0 in one of level l: 2^0, 2^4, 2^10, 2^16. */
static inline unsigned tac_span_shift(unsigned l)
{
    return l ? 6 * l - 2 : 0;
}

/* Bits of a parent: 2^4, 2^6, 2^6. */
static inline unsigned tac_span_parent_shift(unsigned l)
{
    return l ? 6 : 4;
}

/* Trees of hints over the words: as deep as 64 GiB need, so that the bound is the same for all. */
static inline struct tac_hints_shape tac_span_shape(unsigned l)
{
    return (struct tac_hints_shape){3 - l, l ? 6 : 5};
}

/* Bytes of zeroed memory, aligned to 64, that init needs for so many units. */
size_t tac_spans_table_bytes(size_t units);

/* All units are free afterwards. units is 1 .. TAC_SPANS_UNITS_MAX. */
void tac_spans_init(struct tac_spans *spans, size_t units, void *table);

/* The length that a block of n units has: from 4 MiB on a multiple of 64 KiB, from 256 MiB on a
 * multiple of 4 MiB (less than 2 % more). take, give and grow are bounded for such lengths. */
static inline size_t tac_spans_round(size_t n)
{
    size_t step = n >= (size_t)1 << 16 ? (size_t)1 << 10 : n >= (size_t)1 << 10 ? 16 : 1;
    return (n + step - 1) & ~(step - 1);
}

/* Take n units, the first at a multiple of align (a power of two, at most 1024; align 4 with n 4 is
 * what slabs ask for and costs no more than 1). high: from the upper end of where they were found.
 * Returns the first unit, or -1. Real-time: yes. */
long tac_spans_take(struct tac_spans *spans, size_t n, unsigned align, bool high);

/* Give n >= 1 units back, in whatever pieces. Real-time: yes. */
void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n);

/* Take exactly the units [unit, unit + n) if they are free. Real-time: yes. */
bool tac_spans_claim(struct tac_spans *spans, size_t unit, size_t n);

/* Grow a block of n units by claiming what follows, up to n_new units; not beyond the word of the
 * largest level whose unit the block starts at, since no block may need more pieces than a free can
 * give back. Real-time: yes. */
bool tac_spans_grow(struct tac_spans *spans, size_t unit, size_t n, size_t n_new);

/* Walks, for statistics and tests while others may run: free units, and the longest run that one
 * call to take would find. */
size_t tac_spans_free_units(const struct tac_spans *spans);
size_t tac_spans_longest(const struct tac_spans *spans);

/* Is the unit free? */
bool tac_spans_is_free(const struct tac_spans *spans, size_t unit);

/* While nobody else runs: no unit is free twice, no complete parent is left below, every free word
 * is found by its hint. NULL, or what is wrong. */
const char *tac_spans_fault(const struct tac_spans *spans);

/* The set that a word of the level belongs to; 0: none. */
static inline unsigned tac_span_set_of(unsigned l, uint64_t word)
{
    return l ? tac_bitrun_longest(word) : tac_bitrun_kind(word);
}

#endif
