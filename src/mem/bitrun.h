/* SPDX-License-Identifier: MIT
 * bitrun.h - runs of set bits inside a 64-bit word, without a loop over bits.
 *
 * A run of 2k bits starts wherever two runs of k start k apart; doubling finds the power of two
 * below the longest run, halving back finds the rest. Cost: constant, at most 5 steps up and 4 down
 * of 4 instructions. Threads: pure. */
#ifndef TAC_MEM_BITRUN_H
#define TAC_MEM_BITRUN_H

#include "base/bits.h"
#include "base/sanitized.h"

#include <stdint.h>

/* n bits from start on; n is 1 .. 64 - start. */
static inline uint64_t tac_bitrun_mask(unsigned start, unsigned n)
{
    return (~0ull >> (64 - n)) << start;
}

/* Bit i is set when bits i .. i + n - 1 of x are; n is 1 .. 64. Written out, since shifts by a
 * constant are half the instructions. */
static inline uint64_t tac_bitrun_starts(uint64_t x, unsigned n)
{
    if (n < 2)
        return x;
    x &= x >> 1;
    if (n < 4)
        return x & x >> (n - 2);
    x &= x >> 2;
    if (n < 8)
        return x & x >> (n - 4);
    x &= x >> 4;
    if (n < 16)
        return x & x >> (n - 8);
    x &= x >> 8;
    if (n < 32)
        return x & x >> (n - 16);
    x &= x >> 16;
    return x & x >> (n - 32);
}

/* A run of n starts at each bit of `at`, and at each bit of of2 (of4, of8) one of 2 (4, 8): the
 * longest there. Lengths are constants where these are inlined, so that each step is a shift and a
 * test. */
TAC_ALWAYS_INLINE unsigned tac_bitrun_to_1(uint64_t x, uint64_t at, unsigned n)
{
    return n + ((at & x >> n) != 0);
}

TAC_ALWAYS_INLINE unsigned tac_bitrun_to_2(uint64_t x, uint64_t of2, uint64_t at, unsigned n)
{
    uint64_t longer = at & of2 >> n;
    return longer ? tac_bitrun_to_1(x, longer, n + 2) : tac_bitrun_to_1(x, at, n);
}

TAC_ALWAYS_INLINE unsigned tac_bitrun_to_4(uint64_t x, uint64_t of2, uint64_t of4, uint64_t at,
                                           unsigned n)
{
    uint64_t longer = at & of4 >> n;
    return longer ? tac_bitrun_to_2(x, of2, longer, n + 4) : tac_bitrun_to_2(x, of2, at, n);
}

/* Length of the longest run, 0 .. 64. */
TAC_ALWAYS_INLINE unsigned tac_bitrun_longest(uint64_t x)
{
    uint64_t of2 = x & x >> 1;
    if (!of2)
        return x != 0;
    uint64_t of4 = of2 & of2 >> 2;
    if (!of4)
        return tac_bitrun_to_1(x, of2, 2);
    uint64_t of8 = of4 & of4 >> 4;
    if (!of8)
        return tac_bitrun_to_2(x, of2, of4, 4);
    uint64_t of16 = of8 & of8 >> 8;
    if (!of16)
        return tac_bitrun_to_4(x, of2, of4, of8, 8);
    uint64_t of32 = of16 & of16 >> 16;
    if (of32) /* there is one such run */
        return 32 + tac_bit_highest(of32) - tac_bit_lowest(of32);
    uint64_t of24 = of16 & of8 >> 16;
    return of24 ? tac_bitrun_to_4(x, of2, of4, of24, 24) : tac_bitrun_to_4(x, of2, of4, of16, 16);
}

#endif
