/* SPDX-License-Identifier: MIT
 * test_holes.c - the holes of a buffer answer as a walk over all gaps would, however these overlap.
 */
#include "capture/holes.h"

#include "test.h"

#include <stdlib.h>

enum { GAPS = 300, THREADS = 4, SPAN = 2000 };

static struct tac_capture_gap gap[GAPS];

static void draw_gaps(void)
{
    srand(11);
    for (int i = 0; i < GAPS; i++) {
        uint64_t begin = (uint64_t)(rand() % SPAN);
        uint32_t whose = (uint32_t)(rand() % THREADS);
        bool kernel = rand() % 2;
        gap[i] = (struct tac_capture_gap){.begin_ns = begin,
                                          .end_ns = begin + (uint64_t)(rand() % 12),
                                          .thread = kernel ? TAC_CAPTURE_NONE : whose,
                                          .tid = kernel ? whose : 0,
                                          .dropped = 1};
    }
}

static bool is_met(bool kernel, uint32_t whose, uint64_t from, uint64_t to)
{
    for (int i = 0; i < GAPS; i++)
        if ((gap[i].thread == TAC_CAPTURE_NONE) == kernel &&
            (kernel ? gap[i].tid : gap[i].thread) == whose && gap[i].end_ns > from &&
            gap[i].begin_ns < to)
            return true;
    return false;
}

static void each_question_has_the_answer_of_a_walk(void)
{
    for (int kernel = 0; kernel < 2; kernel++) {
        struct tac_holes h;
        REQUIRE(tac_holes_find(gap, GAPS, kernel ? TAC_HOLES_OF_KERNEL : TAC_HOLES_OF_THREADS,
                               &h) == 0);
        for (uint32_t whose = 0; whose <= THREADS; whose++)
            for (uint64_t from = 0; from < SPAN; from++) {
                uint64_t to = from + 1 + from % 9;
                const struct tac_hole *hole = tac_holes_within(&h, whose, from, to);
                REQUIRE(!hole == !is_met(kernel, whose, from, to));
                if (hole)
                    REQUIRE(hole->whose == whose && hole->end_ns > from && hole->begin_ns < to);
            }
        tac_holes_fini(&h);
    }
}

static void those_of_a_buffer_keep_apart_and_lose_nothing(void)
{
    struct tac_holes h;
    uint64_t dropped = 0, wanted = 0;
    REQUIRE(tac_holes_find(gap, GAPS, TAC_HOLES_OF_THREADS, &h) == 0);
    for (size_t i = 0; i < h.count; i++) {
        dropped += h.hole[i].dropped;
        if (i && h.hole[i].whose == h.hole[i - 1].whose)
            CHECK(h.hole[i].begin_ns > h.hole[i - 1].end_ns);
    }
    for (int i = 0; i < GAPS; i++)
        wanted += gap[i].thread != TAC_CAPTURE_NONE;
    CHECK(dropped == wanted);
    tac_holes_fini(&h);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    draw_gaps();
    TEST(each_question_has_the_answer_of_a_walk);
    TEST(those_of_a_buffer_keep_apart_and_lose_nothing);
    return test_end();
}
