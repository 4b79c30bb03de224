/* SPDX-License-Identifier: MIT
 * test_loops.c - feedback of fewer frames than a slice: exact recursions, the same bits however
 * time is cut and for every number of threads, state that outlives edits, what runs away, and what
 * cannot be done. */
#include "rig_engine.h"
#include "test.h"

#include <math.h>

#define ONE "{block: lfo, rate: 0 Hz, depth: 0, centre: 1}"

/* y[n] = 1 + g y[n - N]. */
static void a_loop_is_the_recursion_that_it_says(void)
{
    static const uint32_t delays[] = {1, 2, 5, 16, 63, 64};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        char text[400];
        uint32_t n = delays[i];
        snprintf(text, sizeof text,
                 "output: 1\nnodes: {one: " ONE ", sum: {block: gain}, a: {block: gain, level: -1 "
                 "dB}}\ncables: [one -> sum -> output, sum -> a, a ~%u> sum]\n",
                 n);
        struct tac_engine *e = rig_open(text);
        REQUIRE(e);
        rig_play(e, 0, 2000, 100);
        static double y[2000];
        double g = pow(10, -1 / 20.0), worst = 0;
        for (uint32_t f = 0; f < 2000; f++) {
            y[f] = 1 + (f >= n ? g * y[f - n] : 0);
            worst = fmax(worst, fabs(y[f] - (double)rig_out[0][f]));
        }
        CHECK_MSG(worst < 1e-4, "~%u>: off by %g", n, worst);
        tac_engine_free(e);
    }
}

/* Gains in a row behind it, which go through in one pass. */
static void what_a_loop_gives_out_is_read_like_any_signal(void)
{
    struct tac_engine *e =
        rig_open("output: 1\nnodes: {one: " ONE ", sum: {block: gain}, a: {block: gain, level: "
                 "-6.0206 dB}, x: {block: gain, level: -6.0206 dB}, y: {block: gain, level: "
                 "-6.0206 dB}}\ncables: [one -> sum, sum -> a, a ~1> sum, a -> x -> y -> "
                 "output]\n");
    REQUIRE(e);
    for (uint32_t step = 64; step > 1; step /= 3)
        rig_play(e, 0, 2000, step);
    CHECK_NEAR(rig_out[0][1999], 0.25, 1e-4);
    tac_engine_free(e);
}

/* Delays of several lengths, a chain of filters in the loop, a parameter that is driven from it,
 * two loops that share a node, one in each of 40 channels, and one in voices. */
static const char all[] = "input: 1\noutput: 4\n"
                          "nodes:\n"
                          "  n: {block: noise, channels: 40, level: 5 %}\n"
                          "  wide: {block: svf, channels: 40, cutoff: 2 kHz}\n"
                          "  soft: {block: shaper, channels: 40}\n"
                          "  back: {block: gain, channels: 40, level: -6 dB}\n"
                          "  a: {block: gain}\n"
                          "  b: {block: svf, cutoff: 1 kHz}\n"
                          "  c: {block: gain, level: -12 dB}\n"
                          "  d: {block: gain, level: -12 dB}\n"
                          "  m: {block: gain, level: 0 dB}\n"
                          "  echo: {block: delay, time: 7 ms}\n"
                          "  far: {block: gain, level: -20 dB}\n"
                          "voices:\n"
                          "  v:\n"
                          "    count: 20\n"
                          "    nodes:\n"
                          "      pluck: {block: saw, frequency: 8.1758 Hz}\n"
                          "      env: {block: adsr, sustain: 0 %, decay: 20 ms}\n"
                          "      vca: {block: gain, level: -12 dB}\n"
                          "      comb: {block: svf, cutoff: 3 kHz}\n"
                          "      keep: {block: gain, level: -3 dB}\n"
                          "    cables:\n"
                          "      - v.pitch -> pluck.pitch\n"
                          "      - v.gate -> env\n"
                          "      - env.out -> vca.control\n"
                          "      - pluck -> vca -> comb -> keep\n"
                          "      - keep ~31> comb\n"
                          "cables:\n"
                          "  - n -> wide -> soft -> back\n"
                          "  - back ~3> wide\n"
                          "  - soft.out[40] -> output[1]\n"
                          "  - soft.out[1] -> output[2]\n"
                          "  - input -> a -> b -> c\n"
                          "  - c ~1> a\n"
                          "  - b -> d\n"
                          "  - d ~7> a\n"
                          "  - c ~2> m\n"
                          "  - m -> b.cutoff\n"
                          "  - b -> output[3]\n"
                          "  - a ~> echo\n"
                          "  - echo -> far -> a\n"
                          "  - comb -> output[4]\n"
                          "  - keep -> output[4]\n";

enum { FRAMES = 8000, CHANNELS = 4 };
static float first[CHANNELS][FRAMES];

static void play_all(struct tac_engine *e, uint32_t step)
{
    for (int f = 0; f < RIG_FRAMES; f++)
        rig_in[f] = 0.2f * sinf((float)f * 0.07f);
    uint32_t id;
    REQUIRE(tac_engine_param_find(e, "c.level", &id) == 0);
    CHECK(tac_engine_param_set(e, id, -12, 1000) == 0);
    for (uint32_t note = 0; note < 30; note++)
        CHECK(tac_engine_note(e, "v", 40 + (float)note, 1, 113 * note) == 0);
    rig_play(e, 0, FRAMES, step);
}

static void same_bits_however_time_is_cut(void)
{
    static const uint32_t steps[] = {64, 1, 7, 48, 4096}, threads[] = {1, 1, 2, 3, 4};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct tac_engine *e = rig_open_threads(all, threads[i]);
        REQUIRE(e);
        play_all(e, steps[i]);
        for (int c = 0; c < CHANNELS; c++) {
            float peak = 0;
            for (int f = 0; f < FRAMES; f++)
                peak = fmaxf(peak, fabsf(rig_out[c][f]));
            CHECK_MSG(peak > 0.001f && peak < 10, "channel %d: %g", c, (double)peak);
            if (i == 0)
                memcpy(first[c], rig_out[c], sizeof first[c]);
            CHECK_MSG(!memcmp(first[c], rig_out[c], sizeof first[c]),
                      "channel %d, calls of %u, %u threads", c, steps[i], threads[i]);
        }
        tac_engine_free(e);
    }
}

/* Something is put in and taken out elsewhere; what goes round goes on. */
static void loops_go_on_when_something_else_is_edited(void)
{
    static const char *const arrows[] = {"~1>", "~5>", "~>"};
    static float alone[6000];
    for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++) {
        for (int edits = 0; edits < 2; edits++) {
            struct tac_engine *e = NULL;
            for (uint32_t at = 0; at < 6000; at += 600) {
                char text[500];
                snprintf(text, sizeof text,
                         "output: 1\nnodes: {one: " ONE ", sum: {block: gain}, a: {block: gain, "
                         "level: -0.1 dB}%s}\ncables: [one -> sum -> output, sum -> a, a %s sum]\n",
                         edits && at / 600 % 2 ? ", n: {block: noise}" : "", arrows[i]);
                if (!e)
                    REQUIRE((e = rig_open(text)));
                else if (edits)
                    REQUIRE(rig_load(e, text) == 0);
                rig_play(e, at, 600, 50);
            }
            if (!edits)
                memcpy(alone, rig_out[0], sizeof alone);
            else
                CHECK_MSG(!memcmp(alone, rig_out[0], sizeof alone), "%s", arrows[i]);
            tac_engine_free(e);
        }
    }
}

/* The node in the loop is replaced: old and new share the way for the time of the fade. */
static void an_edit_of_the_loop_itself_is_cross_faded(void)
{
    static const struct {
        int channels;
        const char *out;
    } ways[] = {{1, "a"}, {2, "a.out[2]"}, {3, "a.out[1]"}, {1, "a"}};
    struct tac_engine *e = NULL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char patch[400];
        snprintf(patch, sizeof patch,
                 "output: 1\nnodes: {one: " ONE ", sum: {block: gain}, a: {block: gain, level: "
                 "-6.0206 dB, channels: %d}}\ncables: [one -> sum -> output, sum -> a, '%s ~1> "
                 "sum']\n",
                 ways[i].channels, ways[i].out);
        if (!e)
            REQUIRE((e = rig_open(patch)));
        else
            REQUIRE(rig_load(e, patch) == 0);
        rig_play(e, 0, 4000, 64);
        float most = 0;
        for (int f = 1; f < 4000 && i; f++)
            most = fmaxf(most, fabsf(rig_out[0][f] - rig_out[0][f - 1]));
        CHECK_MSG(most < 0.003f, "edit %zu: a step of %g", i, (double)most);
        CHECK_NEAR(rig_out[0][3999], 2, 1e-3);
        struct tac_engine_stats stats;
        tac_engine_stats(e, &stats); /* the ghosts go */
    }
    tac_engine_free(e);
}

/* A loop that gains more than it loses: through a filter and a room, in one channel and in 20. */
#define RUNAWAY(arrow)                                                                             \
    "output: 2\nnodes: {one: " ONE ", sum: {block: svf, channels: 20}, a: {block: gain, "          \
    "channels: 20, level: 6 dB}, room: {block: reverb, time: 100 ms}}\ncables: [one -> sum, "      \
    "'sum -> output[1]', sum -> a, a " arrow " sum, sum -> room, 'room.left -> output[2]']\n"

static float most_of(uint32_t channel, uint32_t begin, uint32_t end)
{
    float most = 0;
    for (uint32_t f = begin; f < end; f++)
        most = isfinite(rig_out[channel][f]) ? fmaxf(most, fabsf(rig_out[channel][f])) : INFINITY;
    return most;
}

static void play_runaway(struct tac_engine *e, uint32_t step)
{
    uint32_t id;
    REQUIRE(tac_engine_param_find(e, "a.level", &id) == 0);
    CHECK(tac_engine_param_set(e, id, -12, 6000) == 0);
    rig_play(e, 0, 24000, step);
}

static void a_loop_that_runs_away_is_caught_and_told_and_comes_back(void)
{
    static const char *const patches[] = {RUNAWAY("~1>"), RUNAWAY("~5>"), RUNAWAY("~>")};
    static const uint32_t steps[] = {64, 1, 100}, threads[] = {1, 1, 2};
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            struct tac_engine *e = rig_open_threads(patches[i], threads[k]);
            struct tac_engine_stats stats;
            REQUIRE(e);
            play_runaway(e, steps[k]);
            tac_engine_stats(e, &stats);
            CHECK_MSG(stats.runaways > 20 && !strcmp(stats.runaway, "a"), "%llu of %s",
                      (unsigned long long)stats.runaways, stats.runaway);
            float wild = most_of(0, 0, 6000);
            CHECK_MSG(wild > 1000 && wild < 1e9f, "it ran up to %g", (double)wild);
            float calm = most_of(0, 22000, 24000), room = most_of(1, 22000, 24000);
            CHECK_MSG(calm < 40 && room < 400, "in the end %g and %g", (double)calm, (double)room);
            for (int c = 0; c < 2 && !k; c++)
                memcpy(first[c], rig_out[c], sizeof first[c]);
            CHECK_MSG(!memcmp(first[0], rig_out[0], sizeof first[0]) &&
                          !memcmp(first[1], rig_out[1], sizeof first[1]),
                      "calls of %u", steps[k]);
            tac_engine_free(e);
        }
}

/* 816 dB are more than a float can hold. A filter that was once given an infinity gives out no
 * number ever after: it is made anew. */
static void what_is_no_number_does_not_go_out_and_the_node_is_made_anew(void)
{
    char text[1200];
    int used = snprintf(text, sizeof text,
                        "output: 1\nnodes: {one: " ONE ", f: {block: svf}, still: {block: "
                        "gain}");
    for (int i = 0; i < 17; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, ", g%d: {block: gain}", i);
    used += snprintf(text + used, sizeof text - (size_t)used, "}\ncables: [one -> g0");
    for (int i = 1; i < 17; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, " -> g%d", i);
    snprintf(text + used, sizeof text - (size_t)used, " -> f -> output, one -> still -> output]\n");
    struct tac_engine *e = rig_open(text);
    struct tac_engine_stats stats;
    struct tac_engine_meter meter;
    uint32_t id;
    REQUIRE(e);
    for (int level = 48; level >= 0; level -= 48) {
        for (int i = 0; i < 17; i++) {
            char path[16];
            snprintf(path, sizeof path, "g%d.level", i);
            REQUIRE(tac_engine_param_find(e, path, &id) == 0);
            CHECK(tac_engine_param_set(e, id, (float)level, 0) == 0);
        }
        rig_play(e, 0, 4000, 64);
        CHECK(most_of(0, 0, 4000) < INFINITY);
    }
    CHECK(rig_out[0][3999] == 0);
    CHECK(tac_engine_meter(e, 0, &meter) == 0 && meter.mended > 3000 && meter.peak < INFINITY);
    tac_engine_stats(e, &stats);
    CHECK_MSG(stats.runaways >= meter.mended && stats.runaway[0] == 'g', "%s", stats.runaway);
    rig_play(e, 0, 4000, 64);
    CHECK_NEAR(rig_out[0][3999], 2, 1e-3);
    uint64_t before = stats.runaways;
    rig_play(e, 0, 4000, 64);
    tac_engine_stats(e, &stats);
    CHECK(stats.runaways == before);
    tac_engine_free(e);
}

static void what_cannot_be_a_loop_is_refused_and_the_sound_goes_on(void)
{
    static const struct {
        const char *cables, *says;
    } mistakes[] = {
        {"s ~1> g", "closes no loop"},        {"s ~0> g", "1 to 64 frames"},
        {"s ~65> g", "1 to 64 frames"},       {"s ~x> g", "an arrow"},
        {"g -> h, h -> g", "form a loop"},    {"w ~1> g, g -> w", "sum of channels"},
        {"x -> g, g ~2> x", "sum of voices"}, {"q.gate -> g, g ~1> q.rate", "deals in notes"},
    };
    struct tac_engine *e = rig_open("output: 1\nnodes: {s: " ONE "}\ncables: [s -> output]\n");
    REQUIRE(e);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        char text[600];
        struct tac_error err = {0};
        snprintf(text, sizeof text,
                 "output: 1\nnodes: {s: " ONE ", g: {block: gain}, h: {block: gain}, w: {block: "
                 "gain, channels: 3}, q: {block: sequencer, notes: [1]}}\nvoices: {v: {count: 2, "
                 "nodes: {x: {block: gain}}}}\ncables: [%s]\n",
                 mistakes[i].cables);
        CHECK_MSG(tac_engine_load_text(e, text, strlen(text), "t", NULL, &err) < 0 &&
                      strstr(err.text, mistakes[i].says) && err.line == 4,
                  "%s: %u: %s", mistakes[i].cables, err.line, err.text);
        rig_play(e, 0, 64, 64);
        CHECK(rig_out[0][63] == 1);
    }
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_loop_is_the_recursion_that_it_says);
    TEST(what_a_loop_gives_out_is_read_like_any_signal);
    TEST(same_bits_however_time_is_cut);
    TEST(loops_go_on_when_something_else_is_edited);
    TEST(an_edit_of_the_loop_itself_is_cross_faded);
    TEST(a_loop_that_runs_away_is_caught_and_told_and_comes_back);
    TEST(what_is_no_number_does_not_go_out_and_the_node_is_made_anew);
    TEST(what_cannot_be_a_loop_is_refused_and_the_sound_goes_on);
    return test_end();
}
