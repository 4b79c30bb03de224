/* SPDX-License-Identifier: MIT
 * bitrun.h - runs of set bits inside a 64-bit word, without a loop over bits.
 *
 * Words are sorted into buckets by their longest run: bucket thresholds are 1, 2, 3, 4, 6, 8, 12,
 * 16, 24, 32, 48 bits. A word in bucket k has a run of at least threshold(k) and none of
 * threshold(k + 1). A word without a set bit is in no bucket (-1).
 * Cost: constant, at most 6 shift-and steps each. Threads: pure. */
#ifndef TAC_MEM_BITRUN_H
#define TAC_MEM_BITRUN_H

#include "base/bits.h"

#include <stdint.h>

enum { TAC_BITRUN_BUCKETS = 11 };

/* n bits from start on; n is 1 .. 64 - start. */
static inline uint64_t tac_bitrun_mask(unsigned start, unsigned n)
{
    return (~0ull >> (64 - n)) << start;
}

/* Bit i is set when bits i .. i + n - 1 of x are; n is 1 .. 64. */
static inline uint64_t tac_bitrun_starts(uint64_t x, unsigned n)
{
    for (unsigned have = 1; have < n;) {
        unsigned step = have < n - have ? have : n - have;
        x &= x >> step;
        have += step;
    }
    return x;
}

/* The bucket of a word. */
static inline int tac_bitrun_bucket(uint64_t x)
{
    if (!x)
        return -1;
    int log2 = 0;
    for (uint64_t next; log2 < 5 && (next = x & x >> (1u << log2)); log2++)
        x = next;
    if (log2 == 0)
        return 0;
    return 2 * log2 - 1 + ((x & x >> (1u << (log2 - 1))) != 0);
}

/* The first bucket whose words all have a run of n; TAC_BITRUN_BUCKETS when there is none. */
static inline int tac_bitrun_bucket_for(unsigned n)
{
    unsigned log2 = tac_bit_highest(n), power = 1u << log2;
    if (n == power)
        return log2 ? (int)(2 * log2 - 1) : 0;
    return (int)(2 * log2) + (n > power + power / 2);
}

#endif
