/* SPDX-License-Identifier: MIT
 * bitrun.h - runs of set bits inside a 64-bit word, without a loop over bits.
 *
 * Words are sorted into buckets by their longest run: bucket k has a run of at least 2^k bits and
 * none of 2^(k + 1), k = 0 .. 5. A word without a set bit is in no bucket (-1).
 * Cost: constant, at most 6 shift-and steps each. Threads: pure. */
#ifndef TAC_MEM_BITRUN_H
#define TAC_MEM_BITRUN_H

#include "base/bits.h"

#include <stdint.h>

enum { TAC_BITRUN_BUCKETS = 6 };

/* n bits from start on; n is 1 .. 64 - start. */
static inline uint64_t tac_bitrun_mask(unsigned start, unsigned n)
{
    return (~0ull >> (64 - n)) << start;
}

/* Bit i is set when bits i .. i + n - 1 of x are; n is 1 .. 64. */
static inline uint64_t tac_bitrun_starts(uint64_t x, unsigned n)
{
    unsigned have = 1; /* runs of that length start at the bits of x */
    for (; 2 * have <= n; have *= 2)
        x &= x >> have;
    x &= x >> (n - have);
    return x;
}

/* The bucket of a word. */
static inline int tac_bitrun_bucket(uint64_t x)
{
    if (!x)
        return -1;
    if (!(x &= x >> 1))
        return 0;
    if (!(x &= x >> 2))
        return 1;
    if (!(x &= x >> 4))
        return 2;
    if (!(x &= x >> 8))
        return 3;
    return (x & x >> 16) ? 5 : 4;
}

/* The first bucket whose words all have a run of n (1 .. 32). */
static inline unsigned tac_bitrun_bucket_for(unsigned n)
{
    return n > 1 ? tac_bit_highest(n - 1) + 1 : 0;
}

#endif
