/* SPDX-License-Identifier: MIT
 * test_overload_words.c - what `tactus play` says about what was given up. */
#include "cli/overload_words.h"

#include "test.h"

#include <string.h>

static char line[400];

static void all_is_computed_says_nothing(void)
{
    struct tac_engine_overload o = {.guilty = "", .action = "", .target = ""};
    CHECK_STR(tac_overload_status(&o, line, sizeof line), "");
    CHECK_STR(tac_overload_summary(&o, line, sizeof line), "");
}

static void each_step_names_its_node_and_the_guilty_one(void)
{
    struct tac_engine_overload o = {.level = 2,
                                    .steps = 3,
                                    .guilty = "osc",
                                    .guilty_ns = 12300,
                                    .action = "voices",
                                    .target = "v"};
    CHECK_STR(tac_overload_status(&o, line, sizeof line),
              "OVERLOAD level 2 (fewer voices of v; osc cost most, 12 us a slice)");
    CHECK_STR(tac_overload_summary(&o, line, sizeof line),
              "overload: 3 steps taken, 2 in force at the end; the latest: fewer voices of v; osc "
              "cost most, 12 us a slice");
    o.action = "mute";
    CHECK(strstr(tac_overload_status(&o, line, sizeof line), "(v muted; osc"));
    o.action = "set";
    CHECK(strstr(tac_overload_status(&o, line, sizeof line), "(v simplified; osc"));
}

static void what_is_over_stays_in_the_summary_alone(void)
{
    struct tac_engine_overload o = {.steps = 1, .guilty = "", .action = "mute", .target = "hard"};
    CHECK_STR(tac_overload_status(&o, line, sizeof line), "");
    CHECK_STR(tac_overload_summary(&o, line, sizeof line),
              "overload: 1 step taken, 0 in force at the end; the latest: hard muted");
}

static void long_names_fit(void)
{
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct tac_engine_overload o = {
        .level = 1, .steps = 1, .guilty = name, .guilty_ns = 1e9, .action = "set", .target = name};
    CHECK(strlen(tac_overload_status(&o, line, sizeof line)) < 250);
    CHECK(strlen(tac_overload_summary(&o, line, sizeof line)) < 300);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(all_is_computed_says_nothing);
    TEST(each_step_names_its_node_and_the_guilty_one);
    TEST(what_is_over_stays_in_the_summary_alone);
    TEST(long_names_fit);
    return test_end();
}
