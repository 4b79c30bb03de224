/* SPDX-License-Identifier: MIT
 * test_clock.c - the clocks move forward and the pairing is consistent; no wall-clock bound is
 * asserted, since the machine may be as slow as it likes. */
#include "base/clock.h"

#include "test.h"

static void clock_and_counter_never_step_back(void)
{
    uint64_t ns = tac_clock_ns(), count = tac_counter();
    for (int i = 0; i < 100000; i++) {
        uint64_t ns2 = tac_clock_ns(), count2 = tac_counter();
        CHECK(ns2 >= ns && count2 >= count);
        ns = ns2;
        count = count2;
    }
}

static void pair_lies_between_two_readings(void)
{
    uint64_t ns0 = tac_clock_ns(), c0 = tac_counter();
    struct tac_clock_pair pair = tac_clock_pair();
    uint64_t ns1 = tac_clock_ns(), c1 = tac_counter();
    CHECK(pair.ns >= ns0 && pair.ns <= ns1);
    CHECK(pair.counter >= c0 && pair.counter <= c1);
}

static void counter_rate_agrees_with_itself(void)
{
    double a = tac_counter_hz(20000000), b = tac_counter_hz(20000000);
    CHECK(a > 1e5);
    CHECK_MSG(fabs(a / b - 1) < 0.01, "%g Hz then %g Hz", a, b);
}

static void sleep_until_does_not_return_early(void)
{
    uint64_t until = tac_clock_ns() + 3000000;
    CHECK(tac_clock_sleep_until(until));
    CHECK(tac_clock_ns() >= until);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(clock_and_counter_never_step_back);
    TEST(pair_lies_between_two_readings);
    TEST(counter_rate_agrees_with_itself);
    TEST(sleep_until_does_not_return_early);
    return test_end();
}
