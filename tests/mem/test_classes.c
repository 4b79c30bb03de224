/* SPDX-License-Identifier: MIT
 * test_classes.c - each size finds a class that holds it, and each address its block. */
#include "mem/classes.h"

#include "test.h"

static void every_size_fits_its_class(void)
{
    for (size_t bytes = 1; bytes <= TAC_CLASS_MAX_BYTES; bytes++) {
        if (!tac_class_of(bytes))
            continue; /* whole units */
        unsigned c = tac_class_of(bytes);
        REQUIRE(c > 0 && c < TAC_CLASSES);
        REQUIRE(tac_class_table[c].block_bytes >= bytes);
        CHECK_MSG(tac_class_table[c].block_bytes <= bytes + bytes / 4 + 80, "%zu wastes", bytes);
    }
}

static void larger_sizes_have_the_same_class_and_nothing_the_first(void)
{
    CHECK(tac_class_of_larger(0) == 1);
    for (size_t bytes = TAC_CLASS_SMALL_BYTES + 1; bytes <= TAC_CLASS_MAX_BYTES; bytes++)
        REQUIRE(tac_class_of_larger(bytes) == tac_class_of(bytes));
    CHECK(tac_class_of_larger(TAC_CLASS_MAX_BYTES + 1) == 0);
    CHECK(tac_class_of_larger(SIZE_MAX) == 0);
}

static void slabs_hold_their_blocks(void)
{
    for (unsigned c = 1; c < TAC_CLASSES; c++) {
        const struct tac_class *class = &tac_class_table[c];
        size_t bytes = (size_t) class->units * 16384;
        CHECK(class->block_bytes % 16 == 0);
        CHECK((size_t) class->capacity * class->block_bytes <= bytes);
        CHECK((class->units > 1) == (c >= TAC_CLASS_MEDIUM_FIRST));
        CHECK(class->units == 1 || (class->units >= 4 && class->units <= 7)); /* see mark_parts */
        CHECK(class->capacity <= TAC_CLASS_BLOCKS_MAX);
    }
}

static void every_address_finds_its_block(void)
{
    for (unsigned c = 1; c < TAC_CLASSES; c++) {
        const struct tac_class *class = &tac_class_table[c];
        uint32_t step = class->block_bytes > TAC_CLASS_LIST_BYTES ? class->block_bytes : 1;
        for (uint32_t at = 0; at < (uint32_t) class->capacity * class->block_bytes; at += step)
            REQUIRE((uint64_t)at * class->reciprocal >> 32 == at / class->block_bytes);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(every_size_fits_its_class);
    TEST(larger_sizes_have_the_same_class_and_nothing_the_first);
    TEST(slabs_hold_their_blocks);
    TEST(every_address_finds_its_block);
    return test_end();
}
