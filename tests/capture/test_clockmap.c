/* SPDX-License-Identifier: MIT
 * test_clockmap.c - raw counters to nanoseconds: exact between pairs, also when the rate changes;
 * and a suspended machine, a changed rate and pairs that contradict are said. */
#include "capture/capture.h"
#include "capture/clockmap.h"

#include "test.h"

enum { PAIRS = 50, STEP_NS = 100000000 };

/* A pair every 100 ms at 2.5 GHz; from pair `from` on ticks_per_us instead of 2500. */
static struct tac_clockmap map_with(int from, double ticks_per_us, uint64_t boot_jump_ns)
{
    struct tac_list pairs = {0};
    struct tac_clockmap map;
    uint64_t counter = 1ull << 40, ns = 5000000000, boot = 0;
    for (int i = 0; i < PAIRS; i++) {
        struct tac_format_clock *p = tac_list_add(&pairs, sizeof *p);
        *p = (struct tac_format_clock){counter, ns, 50, boot};
        counter += (uint64_t)((i >= from ? ticks_per_us : 2500.0) * STEP_NS / 1000);
        ns += STEP_NS;
        boot += i == from ? boot_jump_ns : 0;
    }
    tac_clockmap_init(&map, &pairs);
    return map;
}

static void times_between_pairs_are_exact(void)
{
    struct tac_clockmap map = map_with(PAIRS, 0, 0);
    CHECK(map.problems == 0);
    CHECK_NEAR(map.hz, 2.5e9, 1);
    for (uint64_t us = 0; us < 6000000; us += 1237)
        CHECK(tac_clockmap_ns(&map, (1ull << 40) + us * 2500) == 5000000000 + us * 1000);
    tac_clockmap_fini(&map);
}

static void a_changed_rate_is_followed_and_said(void)
{
    struct tac_clockmap map = map_with(25, 1800, 0);
    CHECK(map.problems & TAC_CAPTURE_FREQUENCY);
    uint64_t change = (1ull << 40) + 25ull * STEP_NS / 1000 * 2500;
    for (uint64_t us = 0; us < 2000000; us += 1237)
        CHECK_NEAR(tac_clockmap_ns(&map, change + us * 1800), 7500000000.0 + (double)us * 1000, 2);
    tac_clockmap_fini(&map);
}

static void what_time_servers_correct_is_no_changed_rate(void)
{
    struct tac_clockmap map = map_with(25, 2500 * 1.0002, 0);
    CHECK(map.problems == 0);
    tac_clockmap_fini(&map);
}

static void a_suspended_machine_is_said(void)
{
    struct tac_clockmap map = map_with(10, 2500, 3000000000);
    CHECK(map.problems & TAC_CAPTURE_SUSPENDED);
    tac_clockmap_fini(&map);
}

static void pairs_that_run_backwards_are_left_out_and_said(void)
{
    struct tac_list pairs = {0};
    struct tac_clockmap map;
    for (uint64_t i = 0; i < 10; i++) {
        struct tac_format_clock *p = tac_list_add(&pairs, sizeof *p);
        *p = (struct tac_format_clock){i == 5 ? 1 : 1000000 + i * 250000000, i * STEP_NS, 50, 0};
    }
    tac_clockmap_init(&map, &pairs);
    CHECK(map.problems & TAC_CAPTURE_CLOCK_POOR);
    CHECK(tac_clockmap_ns(&map, 1000000 + 5 * 250000000ull) == 5ull * STEP_NS);
    tac_clockmap_fini(&map);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(times_between_pairs_are_exact);
    TEST(a_changed_rate_is_followed_and_said);
    TEST(what_time_servers_correct_is_no_changed_rate);
    TEST(a_suspended_machine_is_said);
    TEST(pairs_that_run_backwards_are_left_out_and_said);
    return test_end();
}
