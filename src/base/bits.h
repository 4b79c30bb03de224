/* SPDX-License-Identifier: MIT
 * bits.h - powers of two, and bitmaps of 64-bit words.
 *
 * A bitmap is a plain array of uint64_t in the caller's memory; bit i is bit (i & 63) of word i
 * / 64. Cost: constant per call, except tac_bitmap_find_set which reads at most words many.
 * Threads: the caller's concern. */
#ifndef TAC_BASE_BITS_H
#define TAC_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Index of the lowest / highest set bit. x must not be 0. */
static inline unsigned tac_bit_lowest(uint64_t x)
{
    return (unsigned)__builtin_ctzll(x);
}

static inline unsigned tac_bit_highest(uint64_t x)
{
    return 63u - (unsigned)__builtin_clzll(x);
}

static inline bool tac_is_power_of_two(uint64_t x)
{
    return x && !(x & (x - 1));
}

/* The smallest power of two >= x; 1 for 0. x <= 2^63. */
static inline uint64_t tac_power_of_two_ceil(uint64_t x)
{
    return x <= 1 ? 1 : 1ull << (tac_bit_highest(x - 1) + 1);
}

/* x rounded up to a multiple of the power of two. */
static inline size_t tac_align_up(size_t x, size_t power_of_two)
{
    return (x + power_of_two - 1) & ~(power_of_two - 1);
}

#define TAC_BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool tac_bitmap_get(const uint64_t *map, size_t i)
{
    return map[i / 64] >> (i & 63) & 1;
}

static inline void tac_bitmap_set(uint64_t *map, size_t i)
{
    map[i / 64] |= 1ull << (i & 63);
}

static inline void tac_bitmap_clear(uint64_t *map, size_t i)
{
    map[i / 64] &= ~(1ull << (i & 63));
}

/* The first set bit at or after start, or words * 64 when there is none. */
static inline size_t tac_bitmap_find_set(const uint64_t *map, size_t words, size_t start)
{
    size_t w = start / 64;
    if (w >= words)
        return words * 64;
    uint64_t word = map[w] & ~0ull << (start & 63);
    while (!word) {
        if (++w == words)
            return words * 64;
        word = map[w];
    }
    return w * 64 + tac_bit_lowest(word);
}

#endif
