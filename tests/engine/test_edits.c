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

/* ---- what is heard of edits to what sounds -------------------------------------------------- */

enum { EDIT_EVERY = 1440, EDITS = 1000 };

/* Patches that all give the same sine, by different ways, over and over. */
static const char *const ways[] = {
    "output: 1\n" SINE "cables: [s.out -> output]\n",
    "output: 1\n" SINE "  g: {block: gain}\ncables: [s -> g -> output]\n",
    "output: 1\n" SINE
    "  g: {block: gain, channels: 2}\ncables: ['s -> g', 'g.out[2] -> output']\n",
    "output: 1\n" SINE "  a: {block: gain, level: -6.0206 dB}\n  b: {block: gain, level: -6.0206 "
    "dB}\ncables: [s -> a -> output, s -> b -> output]\n",
    "output: 1\n" SINE "  n: {block: noise}\n  g: {block: mix}\n"
    "cables: [s -> g.in1, g -> output]\n",
};

static void a_thousand_edits_around_a_held_sine_leave_no_trace(void)
{
    static float alone[EDIT_EVERY];
    struct tac_engine *e = rig_open(ways[0]), *still = rig_open(ways[0]);
    REQUIRE(e && still);
    float worst = 0;
    rig_play(e, 0, 480, 64);
    rig_play(still, 0, 480, 64);
    for (int i = 0; i < EDITS; i++) {
        REQUIRE(rig_load(e, ways[i * 7 % 5]) == 0);
        rig_play(still, 0, EDIT_EVERY, 64);
        memcpy(alone, rig_out[0], sizeof alone);
        rig_play(e, 0, EDIT_EVERY, 64);
        for (int f = 0; f < EDIT_EVERY; f++)
            worst = fmaxf(worst, fabsf(rig_out[0][f] - alone[f]));
    }
    CHECK_MSG(worst < 1e-4f, "%.1f dBFS", 20 * log10((double)worst));
    tac_engine_free(e);
    tac_engine_free(still);
}

/* Largest step from frame to frame. */
static float steepest(uint32_t frames)
{
    float most = 0;
    for (uint32_t f = 1; f < frames; f++)
        most = fmaxf(most, fabsf(rig_out[0][f] - rig_out[0][f - 1]));
    return most;
}

#define CONSTANT "{block: lfo, rate: 0, depth: 0, centre: "

/* Constants, so that any step is the edit's: each goes over into the next within the fade. */
static void what_replaces_what_is_cross_faded(void)
{
    static const struct {
        const char *text;
        float level;
    } stages[] = {
        {"output: 1\nnodes: {a: " CONSTANT "1}}\ncables: [a -> output]", 1},
        {"output: 1\nnodes: {b: " CONSTANT "0.5}}\ncables: [b -> output]", 0.5f},
        {"output: 1\nnodes: {b: " CONSTANT "0.5}, c: " CONSTANT "0.25}}\n"
         "cables: [b -> output, c -> output]",
         0.75f},
        {"output: 1\nnodes: {b: " CONSTANT "0.5, channels: 2}}\ncables: ['b -> output']", 1},
        {"output: 1\nnodes: {b: " CONSTANT "0.5, channels: 20}}\ncables: ['b.out[7] -> output']",
         0.5f},
        {"output: 1\nvoices: {v: {count: 3, nodes: {x: " CONSTANT "0.1}}}}\ncables: [x -> output]",
         0.3f},
        {"output: 1\nvoices: {v: {count: 20, nodes: {x: " CONSTANT "0.1}}}}\ncables: [x -> output]",
         2},
        {"output: 1\nnodes: {g: {block: gain}, b: " CONSTANT "1}}\ncables: [b -> g -> output]", 1},
        {"output: 1\nnodes: {g: {block: gain}}", 0},
    };
    struct tac_engine *e = NULL;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (!e)
            REQUIRE((e = rig_open(stages[i].text)));
        else
            REQUIRE(rig_load(e, stages[i].text) == 0);
        rig_play(e, 0, 2000, 64);
        CHECK_MSG(fabsf(rig_out[0][1999] - stages[i].level) < 1e-5f, "stage %zu: %g", i,
                  (double)rig_out[0][1999]);
        CHECK_MSG(i == 0 || steepest(2000) < 0.003f, "stage %zu: a step of %g", i,
                  (double)steepest(2000));
        struct tac_engine_stats stats;
        tac_engine_stats(e, &stats); /* the ghosts go */
        rig_play(e, 0, 200, 64);
        CHECK_MSG(steepest(200) < 1e-6f && fabsf(rig_out[0][199] - stages[i].level) < 1e-5f,
                  "stage %zu settles at %g", i, (double)rig_out[0][199]);
    }
    tac_engine_free(e);
}

/* Edits that follow each other faster than a fade lasts, with and without anybody between them. */
static void an_edit_within_the_fade_of_another_waits_for_it(void)
{
    static const uint32_t gaps[] = {16, 37, 200, 480, 959};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++) {
        struct tac_engine *e = rig_open("output: 1\nnodes: {a: " CONSTANT "1}}\n"
                                        "cables: [a -> output]\n");
        REQUIRE(e);
        rig_play(e, 0, 100, 64);
        uint32_t at = 100;
        for (int i = 0; i < 12; i++, at += gaps[g]) {
            char text[200];
            snprintf(text, sizeof text,
                     "output: 1\nnodes: {a: " CONSTANT "1}, n%d: " CONSTANT "2}}\n"
                     "cables: [%s%d -> output]\n",
                     i, i & 1 ? "a -> output] #" : "n", i);
            REQUIRE(rig_load(e, text) == 0);
            rig_play(e, at, gaps[g], 64);
        }
        rig_play(e, at, 2200, 64);
        CHECK_MSG(steepest(at + 2200) < 0.005f, "every %u frames: a step of %g", gaps[g],
                  (double)steepest(at + 2200));
        CHECK(rig_out[0][at + 2199] == 1);
        tac_engine_free(e);
    }
}

/* What is said to a node before the audio thread has it is said to it when it has. */
static void what_is_sent_to_a_plan_that_waits_arrives(void)
{
    struct tac_engine *e =
        rig_open("output: 1\nnodes: {a: " CONSTANT "1}}\ncables: [a -> output]\n");
    REQUIRE(e);
    uint32_t id;
    rig_play(e, 0, 100, 64);
    REQUIRE(rig_load(e, "output: 1\nnodes: {a: " CONSTANT "1}}\n") == 0);
    rig_play(e, 0, 100, 64);
    REQUIRE(rig_load(e, "output: 1\nnodes: {b: " CONSTANT "2}}\ncables: [b -> output]\n") == 0);
    REQUIRE(tac_engine_param_find(e, "b.centre", &id) == 0);
    REQUIRE(tac_engine_param_set(e, id, 5, 10) == 0);
    rig_play(e, 0, 4000, 64);
    CHECK_NEAR(rig_out[0][3999], 5, 1e-5);
    tac_engine_free(e);
}

/* The section stays with its voices, so the ghosts are fed by what feeds the new node. */
static void a_node_among_voices_is_cross_faded(void)
{
    static const char text[] = "output: 1\nvoices: {v: {count: %d, nodes: {c: " CONSTANT
                               "1}, f: {block: %s}}, cables: [v.gate -> f%s]}}\n"
                               "cables: [f -> output]\n";
    static const char *const blocks[][2] = {
        {"gain", ""}, {"mix", ".in2"}, {"gain", ", c -> f.control"}, {"mix", ".in1"}};
    for (int count = 4; count <= 40; count += 36) {
        struct tac_engine *e = NULL;
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
            char patch[400];
            snprintf(patch, sizeof patch, text, count, blocks[i][0], blocks[i][1]);
            if (e)
                REQUIRE(rig_load(e, patch) == 0);
            else
                REQUIRE((e = rig_open(patch)));
            if (i == 0)
                tac_engine_note(e, "v", 60, 1, 0);
            rig_play(e, 0, 1300, 64);
            CHECK_MSG(i == 0 || steepest(1300) < 0.003f, "%d voices, edit %zu: a step of %g", count,
                      i, (double)steepest(1300));
            CHECK(fabsf(rig_out[0][1299] - 1) < 1e-6f);
            struct tac_engine_stats stats;
            tac_engine_stats(e, &stats);
            CHECK(stats.voices_active == 1 && stats.notes == 1);
        }
        tac_engine_free(e);
    }
}

/* A loop that only the old and the new cables together would close. */
static void turning_a_chain_around_is_no_loop(void)
{
    struct tac_engine *e =
        rig_open("output: 1\nnodes: {a: {block: gain}, b: {block: gain}, c: " CONSTANT
                 "1}}\ncables: [c -> a -> b -> output]\n");
    REQUIRE(e);
    rig_play(e, 0, 64, 64);
    REQUIRE(rig_load(e, "output: 1\nnodes: {a: {block: gain}, b: {block: gain}, c: " CONSTANT
                        "1}}\ncables: [c -> b -> a -> output]\n") == 0);
    rig_play(e, 0, 640, 64);
    CHECK(fabsf(rig_out[0][639] - 1) < 1e-6f);
    tac_engine_free(e);
}

#define TAILS                                                                                      \
    "output: 1\n"                                                                                  \
    "voices: {v: {count: 4, nodes: {osc: {block: saw, frequency: 8.1758 Hz}, env: {block: adsr, "  \
    "release: 900 ms}, vca: {block: gain, level: -12 dB}}, cables: [v.pitch -> osc.pitch, v.gate " \
    "-> env, env.out -> vca.control, osc -> vca]}}\n"                                              \
    "nodes:\n  d: {block: delay, time: 90 ms, feedback: 70 %}\n  r: {block: reverb}\n"

static void notes_delays_and_tails_survive_edits(void)
{
    static const char *const texts[] = {
        TAILS "cables: [vca -> d -> r, r.left -> output]\n",
        TAILS "  q: {block: gain}\ncables: [vca -> d -> r, r.left -> output, q -> output]\n"};
    static float plain[RIG_FRAMES];
    for (int edits = 0; edits < 2; edits++) {
        struct tac_engine *e = rig_open(texts[0]);
        REQUIRE(e);
        tac_engine_note(e, "v", 57, 1, 10);
        tac_engine_note(e, "v", 64, 1, 500);
        tac_engine_note(e, "v", 57, 0, 9000);
        for (uint32_t at = 0; at < RIG_FRAMES; at += 1200) {
            if (edits && at)
                REQUIRE(rig_load(e, texts[at / 1200 % 2]) == 0);
            rig_play(e, at, 1200, 64);
        }
        if (!edits)
            memcpy(plain, rig_out[0], sizeof plain);
        tac_engine_free(e);
    }
    float worst = 0, peak = 0;
    for (int f = 0; f < RIG_FRAMES; f++) {
        worst = fmaxf(worst, fabsf(rig_out[0][f] - plain[f]));
        peak = f > RIG_FRAMES - 4000 ? fmaxf(peak, fabsf(plain[f])) : peak;
    }
    CHECK_MSG(worst < 1e-6f && peak > 0.01f, "off by %g, tail %g", (double)worst, (double)peak);
}

/* An echo in beats reads from another place, and has not forgotten what it heard. */
static void a_change_of_tempo_keeps_the_echoes(void)
{
    static const char *const texts[] = {
        "output: 1\ntempo: 120\nnodes: {s: {block: sine, frequency: 100 Hz, level: 50 %}, d: "
        "{block: "
        "delay, time: 0.1 beats, mix: 50 %}}\ncables: [s -> d -> output]\n",
        "output: 1\ntempo: 90\nnodes: {s: {block: sine, frequency: 100 Hz, level: 50 %}, d: "
        "{block: "
        "delay, time: 0.1 beats, mix: 50 %}}\ncables: [s -> d -> output]\n"};
    struct tac_engine *e = rig_open(texts[0]);
    REQUIRE(e);
    rig_play(e, 0, 12000, 64);
    REQUIRE(rig_load(e, texts[1]) == 0);
    rig_play(e, 12000, 12000, 64);
    CHECK_MSG(steepest(RIG_FRAMES) < 0.02f, "a step of %g", (double)steepest(RIG_FRAMES));
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
    TEST(a_thousand_edits_around_a_held_sine_leave_no_trace);
    TEST(what_replaces_what_is_cross_faded);
    TEST(an_edit_within_the_fade_of_another_waits_for_it);
    TEST(what_is_sent_to_a_plan_that_waits_arrives);
    TEST(a_node_among_voices_is_cross_faded);
    TEST(notes_delays_and_tails_survive_edits);
    TEST(turning_a_chain_around_is_no_loop);
    TEST(a_change_of_tempo_keeps_the_echoes);
    return test_end();
}
