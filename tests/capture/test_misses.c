/* SPDX-License-Identifier: MIT
 * test_misses.c - what a flight recorder keeps for: late cycles, also those with others inside. */
#include "capture/misses.h"

#include "test.h"

enum { LANE = 3, OUTER = 1, INNER = 2 };

/* Counter and nanoseconds are the same. */
static void give_clock(struct tac_misses *m)
{
    for (uint64_t ns = 0; ns <= 1000000; ns += 1000000) {
        struct tac_format_clock pair = {.counter = ns + 1, .ns = ns + 1};
        struct tac_format_chunk head = {.kind = TAC_CHUNK_CLOCK, .bytes = sizeof pair, .count = 1};
        CHECK(tac_misses_in(m, &head, &pair) == 0);
    }
}

static uint64_t word(enum tac_record_type type, uint32_t source)
{
    return (uint64_t)type << 56 | (uint64_t)source << 32;
}

/* A cycle of each source, the inner one in the middle; how many are late. */
static uint32_t nested(struct tac_misses *m, uint64_t outer_deadline, uint64_t inner_deadline)
{
    const struct tac_format_record records[] = {
        {1000, word(TAC_REC_CYCLE_BEGIN, OUTER)}, {outer_deadline, 0},
        {2000, word(TAC_REC_CYCLE_BEGIN, INNER)}, {inner_deadline, 0},
        {3000, word(TAC_REC_CYCLE_END, INNER)},   {0, 0},
        {9000, word(TAC_REC_CYCLE_END, OUTER)},   {0, 0},
    };
    struct tac_format_chunk head = {.kind = TAC_CHUNK_RECORDS,
                                    .id = LANE,
                                    .bytes = sizeof records,
                                    .count = sizeof records / sizeof *records};
    return tac_misses_in(m, &head, records);
}

static void each_source_has_its_own_deadline(void)
{
    struct tac_misses m = {0};
    CHECK(nested(&m, 5000, 0) == 0); /* without a clock nothing can be said */
    give_clock(&m);
    CHECK(nested(&m, 5000, 0) == 1);
    CHECK(nested(&m, 5000, 4000) == 1);
    CHECK(nested(&m, 9500, 2500) == 1);
    CHECK(nested(&m, 5000, 2500) == 2);
    CHECK(nested(&m, 9500, 4000) == 0);
    CHECK(nested(&m, 0, 0) == 0);
    tac_misses_fini(&m);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(each_source_has_its_own_deadline);
    return test_end();
}
