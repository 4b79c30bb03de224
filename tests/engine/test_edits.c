/* SPDX-License-Identifier: MIT
 * test_edits.c - loading while the sound runs: nodes that stay keep their state, mistakes change
 * nothing, and plans are given back. */
#include "rig_engine.h"
#include "test.h"

#include <math.h>

#define SINE "nodes:\n  s: {block: sine, frequency: 441 Hz}\n"

static void a_held_sine_does_not_notice_an_edit_elsewhere(void)
{
    static float alone[RIG_FRAMES];
    struct tac_engine *e = rig_open("output: 1\n" SINE "cables: [s.out -> output]\n");
    REQUIRE(e);
    rig_play(e, 0, RIG_FRAMES, 64);
    memcpy(alone, rig_out[0], sizeof alone);
    tac_engine_free(e);
    e = rig_open("output: 1\n" SINE "cables: [s.out -> output]\n");
    REQUIRE(e);
    for (uint32_t at = 0, i = 0; at < RIG_FRAMES; at += 240, i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "output: 1\n" SINE "  n%u: {block: noise}\ncables: [s.out -> output]\n", i);
        REQUIRE(rig_load(e, text) == 0);
        rig_play(e, at, 240, 64);
    }
    CHECK(!memcmp(alone, rig_out[0], sizeof alone));
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    CHECK(stats.plans == RIG_FRAMES / 240);
    tac_engine_free(e);
}

static void an_edited_value_is_ramped_and_a_set_value_stays(void)
{
    struct tac_engine *e = rig_open("output: 2\n"
                                    "nodes: {a: {block: lfo, rate: 0, depth: 0, centre: 1}, b: "
                                    "{block: lfo, rate: 0, depth: 0}}\n"
                                    "cables: ['a.out -> output[1]', 'b.out -> output[2]']\n");
    REQUIRE(e);
    uint32_t id;
    REQUIRE(tac_engine_param_find(e, "b.centre", &id) == 0);
    tac_engine_param_set(e, id, 5, 0);
    rig_play(e, 0, 2000, 64);
    CHECK_NEAR(rig_out[1][1999], 5, 1e-5);
    REQUIRE(rig_load(e, "output: 2\n"
                        "nodes: {a: {block: lfo, rate: 0, depth: 0, centre: 3}, b: {block: lfo, "
                        "rate: 0, depth: 0}}\n"
                        "cables: ['a.out -> output[1]', 'b.out -> output[2]']\n") == 0);
    rig_play(e, 0, 2000, 64);
    CHECK(rig_out[0][0] < 1.01f);
    CHECK_NEAR(rig_out[0][1999], 3, 1e-5);
    CHECK_NEAR(rig_out[1][1999], 5, 1e-5);
    tac_engine_free(e);
}

static void a_mistake_changes_nothing(void)
{
    struct tac_engine *e = rig_open("output: 1\n" SINE "cables: [s.out -> output]\n");
    REQUIRE(e);
    struct tac_error err = {0};
    CHECK(tac_engine_load_text(e, "nodes: [", 8, "t", NULL, &err) < 0);
    CHECK(tac_engine_load_text(e, "output: 2\n", 10, "t", NULL, &err) == -22);
    rig_play(e, 0, 1000, 64);
    CHECK(fabsf(rig_out[0][27]) > 0.5f);
    tac_engine_free(e);
}

static void plans_nobody_played_are_dropped(void)
{
    struct tac_engine *e = rig_open("output: 1\n" SINE "cables: [s.out -> output]\n");
    REQUIRE(e);
    for (int i = 0; i < 50; i++)
        REQUIRE(rig_load(e, i & 1 ? "output: 1\n" SINE : "output: 1\nnodes: {x: {block: saw}}\n") ==
                0);
    rig_play(e, 0, 64, 64);
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    CHECK(stats.plans == 1);
    tac_engine_free(e);
}

static void a_change_that_was_not_played_is_not_lost(void)
{
    static const char *const values[] = {"1", "3", "3"};
    struct tac_engine *e = NULL;
    for (int i = 0; i < 3; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "output: 1\nnodes: {a: {block: lfo, rate: 0, depth: 0, centre: %s}}\n"
                 "cables: [a.out -> output]\n",
                 values[i]);
        if (e)
            REQUIRE(rig_load(e, text) == 0);
        else
            REQUIRE((e = rig_open(text)));
        if (i == 0)
            rig_play(e, 0, 64, 64);
    }
    struct tac_error err;
    CHECK(tac_engine_load_text(e, "nodes: {p: {block: player, file: no}}\noutput: 1", 47, "t", NULL,
                               &err) < 0);
    rig_play(e, 0, 2000, 64);
    CHECK_NEAR(rig_out[0][1999], 3, 1e-5);
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_held_sine_does_not_notice_an_edit_elsewhere);
    TEST(an_edited_value_is_ramped_and_a_set_value_stays);
    TEST(a_mistake_changes_nothing);
    TEST(plans_nobody_played_are_dropped);
    TEST(a_change_that_was_not_played_is_not_lost);
    return test_end();
}
