/* SPDX-License-Identifier: MIT
 * test_bits.c - powers of two and bitmaps against slow references. */
#include "base/bits.h"

#include "test.h"

static void power_of_two_ceil_matches_reference(void)
{
    for (uint64_t x = 0; x < 5000; x++) {
        uint64_t p = 1;
        while (p < x)
            p *= 2;
        CHECK(tac_power_of_two_ceil(x) == p);
    }
    CHECK(tac_power_of_two_ceil((1ull << 62) + 1) == 1ull << 63);
}

static void bit_index_of_single_bits(void)
{
    for (unsigned i = 0; i < 64; i++) {
        CHECK(tac_bit_lowest(1ull << i) == i);
        CHECK(tac_bit_highest(1ull << i) == i);
        CHECK(tac_bit_lowest(~0ull << i) == i);
        CHECK(tac_bit_highest(~0ull >> i) == 63 - i);
    }
}

static void bitmap_find_matches_reference(void)
{
    uint64_t map[TAC_BITMAP_WORDS(300)] = {0};
    uint64_t random = 1;
    for (int round = 0; round < 3000; round++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        size_t i = (size_t)(random >> 33) % 300;
        if (random >> 63)
            tac_bitmap_set(map, i);
        else
            tac_bitmap_clear(map, i);
        size_t start = (size_t)(random >> 40) % 320;
        size_t expect = start;
        while (expect < 320 && !tac_bitmap_get(map, expect))
            expect++;
        CHECK(tac_bitmap_find_set(map, TAC_BITMAP_WORDS(300), start) == expect);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(power_of_two_ceil_matches_reference);
    TEST(bit_index_of_single_bits);
    TEST(bitmap_find_matches_reference);
    return test_end();
}
