/* SPDX-License-Identifier: MIT
 * spans.h - the span layer: who has which 4 KiB units of the arena.
 *
 * How. Two levels of 64-bit words; a set bit is free memory:
 *   level 0   one word for each 256 KiB chunk, one bit for each 4 KiB unit
 *   level 1   one word for each 16 MiB, one bit for each chunk that is free as a whole
 * Free memory is in exactly one level: when the last bit of a chunk comes home, its word is emptied
 * and its bit in level 1 is set; when level 0 has no fit, a bit of level 1 is taken and becomes a
 * word. Neighbours therefore coalesce by themselves, there are no headers and no boundary tags, and
 * a run of any length inside a word is taken with one compare-and-swap. Longer blocks take whole
 * chunks, or whole level-1 words, and give the unused tail back at once.
 * Words are kept in buckets by longest run (bitrun.h), as hints (hints.h): the search takes the
 * tightest bucket that fits, which is the good fit of segregated lists. Level-1 words that are
 * entirely free are marked in a third bitmap, for blocks of more than 16 MiB; a hint as well.
 *
 * Invariants. A unit is free in one level or in use. A hint may be wrong for a moment; the words
 * never are, and nothing is taken on the strength of a hint.
 * Threads. Any; lock-free: a lost compare-and-swap means that another thread succeeded, and after
 * TAC_SPANS_TRIES lost or misled attempts a search goes on one level up, so every call is bounded.
 * A thread stopped anywhere in here holds nothing but the units that it has in its hands.
 * Cost. docs/heap.md counts it; beyond that, about 40 instructions for each 16 MiB of a block. No
 * system call, no memory but the tables given to init. */
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
    TAC_CHUNK_UNITS = 64,
    TAC_SPANS_TRIES = 8,
    TAC_SPANS_LEVELS = 2,
};

/* The most units a span layer can hold: 64^3 chunks, 64 GiB. */
#define TAC_SPANS_UNITS_MAX ((size_t)TAC_HINTS_MAX * TAC_CHUNK_UNITS)

struct tac_span_level {
    _Atomic uint64_t *word;
    unsigned words;
    _Atomic uint64_t filled;      /* one bit for each bucket that is not empty; a hint too */
    _Atomic unsigned char *shown; /* 1 + the bucket that a word was last put into; 0: none */
    struct tac_hints bucket[TAC_BITRUN_BUCKETS];
};

struct tac_spans {
    size_t units;
    struct tac_span_level level[TAC_SPANS_LEVELS];
    _Atomic uint64_t *full; /* one bit for each word of level 1 that is entirely free */
    unsigned full_words;
};

/* Bytes of zeroed memory, aligned to 64, that init needs for so many units. */
size_t tac_spans_table_bytes(size_t units);

/* All units are free afterwards. units is 1 .. TAC_SPANS_UNITS_MAX. */
void tac_spans_init(struct tac_spans *spans, size_t units, void *table);

/* Take n units, the first at a multiple of align (a power of two, at most TAC_CHUNK_UNITS; more
 * than 1 only with n <= align or n > 48). high prefers the upper end of a chunk: large blocks go
 * there, slabs to the lower end. Returns the first unit, or -1. Real-time: yes. */
long tac_spans_take(struct tac_spans *spans, size_t n, unsigned align, bool high);

/* Give units back, in whatever pieces. Real-time: yes. */
void tac_spans_give(struct tac_spans *spans, size_t unit, size_t n);

/* Take exactly the units [unit, unit + n) if they are free: growth in place. Real-time: yes. */
bool tac_spans_claim(struct tac_spans *spans, size_t unit, size_t n);

/* Walks, for statistics and tests while others may run: free units, and the longest run that one
 * call to take would find. */
size_t tac_spans_free_units(const struct tac_spans *spans);
size_t tac_spans_longest(const struct tac_spans *spans);

/* Is the unit free? */
bool tac_spans_is_free(const struct tac_spans *spans, size_t unit);

/* While nobody else runs: no unit is free twice, every free word is found by its hint, tables agree
 * with the number of units. NULL, or what is wrong. */
const char *tac_spans_fault(const struct tac_spans *spans);

#endif
