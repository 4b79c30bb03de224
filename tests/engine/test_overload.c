/* SPDX-License-Identifier: MIT
 * test_overload.c - what is given up when there is not enough time, in which order, without a step,
 * and that it comes back. Times are made up, so nothing depends on the machine. */
#include "engine/internal.h"
#include "engine/run.h"
#include "rig_engine.h"
#include "test.h"

#include <math.h>

#define CONSTANT "{block: lfo, rate: 0, depth: 0, centre: "
enum { PERIOD_NS = 1333333, HEAVY_NS = 1300000, LIGHT_NS = 100000, FADES = 8 };

/* Cycles of 64 frames that take so long, as the engine is told. */
static void play(struct tac_engine *e, uint32_t cycles, uint64_t busy_ns)
{
    for (uint32_t i = 0; i < cycles; i++) {
        rig_play(e, i % 300 * 64, 64, 64);
        e->shed.off = false;
        tac_shed_judge(&e->shed, &(struct tac_shed_scene){e->playing, &e->ramps, e->workers},
                       busy_ns, PERIOD_NS);
        e->shed.off = true;
    }
}

/* Until the level has changed, but not for ever, and on until its fades are over. Returns the
 * largest step from frame to frame. */
static float play_until(struct tac_engine *e, uint32_t level, uint64_t busy_ns)
{
    struct tac_engine_overload o = {0};
    float most = 0, last = NAN;
    for (int i = 0, there = 0; i < 200000 && there < FADES; i++) {
        tac_engine_overload(e, &o);
        there += o.level == level;
        play(e, 1, o.level == level ? LIGHT_NS * 9 : busy_ns);
        for (int f = 0; f < 64; f++) {
            if (!isnan(last))
                most = fmaxf(most, fabsf(rig_out[0][f] - last));
            last = rig_out[0][f];
        }
    }
    CHECK_MSG(o.level == level, "level %u, not %u", o.level, level);
    return most;
}

static float level_now(struct tac_engine *e)
{
    play(e, 60, LIGHT_NS * 9);
    return rig_out[0][59 * 64 + 63];
}

static void the_patch_says_what_goes_first_and_it_comes_back(void)
{
    struct tac_engine *e =
        rig_open("output: 1\n"
                 "nodes: {a: " CONSTANT "1}, b: " CONSTANT "2}, g: {block: gain}}\n"
                 "voices: {v: {count: 64, nodes: {x: " CONSTANT "0.125}}}}\n"
                 "cables: [a -> output, b -> g -> output, x -> output]\n"
                 "overload:\n"
                 "  - set: {a: {centre: 0.5}}\n"
                 "  - voices: {v: 16}\n"
                 "  - mute: g\n");
    REQUIRE(e);
    static const float levels[] = {11, 10.5f, 4.5f, 2.5f};
    static const char *const actions[] = {"", "set", "voices", "mute"};
    static const char *const targets[] = {"", "a", "v", "g"};
    CHECK_NEAR(level_now(e), 11, 1e-4);
    for (uint32_t level = 1; level <= 3; level++) {
        struct tac_engine_overload o;
        float step = play_until(e, level, HEAVY_NS);
        tac_engine_overload(e, &o);
        CHECK_STR(o.action, actions[level]);
        CHECK_STR(o.target, targets[level]);
        CHECK(o.guilty[0] && o.load > 0.5f);
        CHECK_NEAR(level_now(e), levels[level], 1e-3);
        CHECK_MSG(step < 0.13f, "a step of %g", (double)step);
    }
    for (uint32_t level = 3; level-- > 0;) {
        float step = play_until(e, level, LIGHT_NS);
        CHECK_NEAR(level_now(e), levels[level], 1e-3);
        CHECK_MSG(step < 0.13f, "back by a step of %g", (double)step);
    }
    tac_engine_free(e);
}

/* 129 voices: a bank more than full groups have, of any width. */
static void a_bank_on_its_own_goes_with_the_others(void)
{
    struct tac_engine *e = rig_open("output: 1\n"
                                    "voices: {v: {count: 129, nodes: {x: " CONSTANT "0.0625}}}}\n"
                                    "cables: [x -> output]\n"
                                    "overload: [voices: {v: 16}]\n");
    REQUIRE(e);
    CHECK_NEAR(level_now(e), 129 * 0.0625, 1e-4);
    float step = play_until(e, 1, HEAVY_NS);
    CHECK_NEAR(level_now(e), 1, 1e-4);
    step = fmaxf(step, play_until(e, 0, LIGHT_NS));
    CHECK_NEAR(level_now(e), 129 * 0.0625, 1e-4);
    CHECK_MSG(step < 0.13f, "a step of %g", (double)step);
    tac_engine_free(e);
}

static void without_a_list_the_costliest_is_muted_and_named(void)
{
    struct tac_engine *e = rig_open("output: 1\n"
                                    "nodes:\n"
                                    "  a: " CONSTANT "1}\n"
                                    "  hard: {block: shaper, channels: 64}\n"
                                    "  n: {block: noise, channels: 64, level: 1 %}\n"
                                    "cables: [a -> output, n -> hard -> output]\n");
    REQUIRE(e);
    play(e, 20, LIGHT_NS);
    play_until(e, 1, HEAVY_NS);
    struct tac_engine_overload o;
    tac_engine_overload(e, &o);
    CHECK_STR(o.guilty, "hard");
    CHECK_STR(o.action, "mute");
    CHECK(o.guilty_ns > 0);
    CHECK_NEAR(level_now(e), 1, 1e-6);
    /* an edit begins anew */
    REQUIRE(rig_load(e, "output: 1\nnodes: {a: " CONSTANT "1}}\ncables: [a -> output]\n") == 0);
    play(e, 3, LIGHT_NS);
    tac_engine_overload(e, &o);
    CHECK(o.level == 0 && o.steps == 1);
    tac_engine_free(e);
}

/* One of the slices that are looked at was interrupted. */
static void an_interruption_makes_nobody_guilty(void)
{
    static struct tac_node n = {.cost = {.now = 90, .recent = {30, 1000000, 60}}};
    CHECK(tac_run_recent(&n) == 60);
    atomic_store(&n.cost.now, 7ull << 40 | 5000000);
    atomic_store(&n.cost.recent[1], 90);
    CHECK(tac_run_recent(&n) == 60);
}

/* Of all its banks together: a slice is no shorter than the mean of slices. */
static void costs_are_of_whole_slices(void)
{
    struct tac_engine_cost c;
    struct tac_engine *e = rig_open("output: 1\n"
                                    "nodes: {n: {block: noise, channels: 500}, g: {block: gain}}\n"
                                    "cables: [n -> output, g -> output]\n");
    REQUIRE(e);
    for (int i = 0; i < 1000; i++)
        rig_play(e, 0, 64, 64);
    for (uint32_t i = 0; tac_engine_cost(e, i, &c) == 0; i++)
        CHECK_MSG(c.mean_ns > 0 && c.mean_ns <= c.worst_ns, "%s: %g, worst %g", c.node, c.mean_ns,
                  c.worst_ns);
    for (uint32_t i = 0; i < e->playing->graph->node_count; i++)
        CHECK(atomic_load(&e->playing->node[i].node->cost.count) == 1000 / TAC_TIMED_EVERY - 1);
    tac_engine_free(e);
}

static void what_is_fed_back_goes_silent_with_its_source(void)
{
    struct tac_engine *e =
        rig_open("output: 1\nnodes: {a: " CONSTANT "1}, b: " CONSTANT "2}, m: {block: gain}, f: "
                 "{block: gain}}\n"
                 "cables: [a -> output, b -> m -> output, m ~> f, f -> output]\n"
                 "overload: [mute: m]\n");
    REQUIRE(e);
    CHECK_NEAR(level_now(e), 5, 1e-6);
    play_until(e, 1, HEAVY_NS);
    CHECK_NEAR(level_now(e), 1, 1e-6);
    play_until(e, 0, LIGHT_NS);
    CHECK_NEAR(level_now(e), 5, 1e-6);
    tac_engine_free(e);
}

/* The node runs nine frames at a time, and fades over the whole slice. */
static void what_is_muted_in_a_loop_fades_as_anything_else(void)
{
    struct tac_engine *e =
        rig_open("output: 1\nnodes: {b: " CONSTANT "1}, m: {block: gain}, g: {block: gain, level: "
                 "-6.0206 dB}}\ncables: [b -> m -> output, m ~9> g -> m]\noverload: [mute: m]\n");
    REQUIRE(e);
    CHECK_NEAR(level_now(e), 2, 1e-3);
    float step = play_until(e, 1, HEAVY_NS);
    CHECK_NEAR(level_now(e), 0, 1e-6);
    CHECK_MSG(step < 0.1f, "a step of %g", (double)step);
    step = play_until(e, 0, LIGHT_NS);
    CHECK_MSG(step < 0.2f, "back by a step of %g", (double)step);
    CHECK_NEAR(level_now(e), 2, 1e-3);
    tac_engine_free(e);
}

static void a_hiccup_changes_nothing(void)
{
    struct tac_engine *e =
        rig_open("output: 1\nnodes: {a: " CONSTANT "1}}\ncables: [a -> output]\n");
    REQUIRE(e);
    for (int i = 0; i < 50; i++) {
        play(e, 20, LIGHT_NS * 5);
        play(e, 1, 50 * HEAVY_NS);
    }
    struct tac_engine_overload o;
    tac_engine_overload(e, &o);
    CHECK(o.steps == 0);
    tac_engine_free(e);
}

static void nonsense_lists_are_refused(void)
{
    static const char *const bad[] = {
        "overload: mute\n",
        "overload: [mute]\n",
        "overload: [mute: nobody]\n",
        "overload: [mute: output]\n",
        "overload: [voices: {output: 3}]\n",
        "overload: [set: {output: 3}]\n",
        "overload: [{mute: a, set: {}}]\n",
        "overload: [set: {a: {centre: x}}]\nnodes: {a: {block: lfo}}\n"};
    struct tac_engine *e;
    REQUIRE(tac_engine_new(NULL, &e) == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tac_error err = {0};
        CHECK_MSG(tac_engine_load_text(e, bad[i], strlen(bad[i]), "t", NULL, &err) < 0 && err.line,
                  "%s", bad[i]);
    }
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_patch_says_what_goes_first_and_it_comes_back);
    TEST(a_bank_on_its_own_goes_with_the_others);
    TEST(without_a_list_the_costliest_is_muted_and_named);
    TEST(an_interruption_makes_nobody_guilty);
    TEST(costs_are_of_whole_slices);
    TEST(what_is_fed_back_goes_silent_with_its_source);
    TEST(what_is_muted_in_a_loop_fades_as_anything_else);
    TEST(a_hiccup_changes_nothing);
    TEST(nonsense_lists_are_refused);
    return test_end();
}
