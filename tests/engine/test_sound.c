/* SPDX-License-Identifier: MIT
 * test_sound.c - what comes out of patches against what theory says: widths, sums, feedback, notes,
 * ramps, and the same bits for every length of the calls. */
#include "rig_engine.h"
#include "test.h"

#include <math.h>

/* A constant 1 from an lfo that stands still. */
#define ONE "{block: lfo, rate: 0 Hz, depth: 0, centre: 1"

static void one_to_many_and_lane_to_lane(void)
{
    struct tac_engine *e = rig_open("output: 3\n"
                                    "nodes:\n"
                                    "  one: " ONE "}\n"
                                    "  g: {block: gain, channels: 3}\n"
                                    "  two: " ONE "}\n"
                                    "cables:\n"
                                    "  - one -> g -> output\n"
                                    "  - two.out -> g.in[2]\n"
                                    "  - two.out -> output[3]\n");
    REQUIRE(e);
    rig_play(e, 0, 100, 64);
    for (int f = 0; f < 100; f += 33) {
        CHECK_NEAR(rig_out[0][f], 1, 1e-6);
        CHECK_NEAR(rig_out[1][f], 2, 1e-6);
        CHECK_NEAR(rig_out[2][f], 2, 1e-6);
    }
    tac_engine_free(e);
}

static void many_to_one_is_the_sum(void)
{
    struct tac_engine *e = rig_open("output: 2\n"
                                    "nodes:\n"
                                    "  wide: " ONE ", channels: 37}\n"
                                    "cables:\n"
                                    "  - wide.out -> output[1]\n"
                                    "  - wide.out[3-20] -> output[2]\n");
    REQUIRE(e);
    rig_play(e, 0, 100, 64);
    CHECK_NEAR(rig_out[0][99], 37, 1e-4);
    CHECK_NEAR(rig_out[1][99], 18, 1e-4);
    tac_engine_free(e);
}

static void pieces_of_wide_cables_arrive_where_they_should(void)
{
    struct tac_engine *e = rig_open("output: 4\n"
                                    "nodes:\n"
                                    "  one: " ONE "}\n"
                                    "  wide: {block: gain, channels: 21}\n"
                                    "cables:\n"
                                    "  - one -> wide.in[19]\n"
                                    "  - wide.out[18-21] -> output\n");
    REQUIRE(e);
    rig_play(e, 0, 64, 64);
    CHECK_NEAR(rig_out[0][63], 0, 0);
    CHECK_NEAR(rig_out[1][63], 1, 1e-6);
    CHECK_NEAR(rig_out[2][63], 0, 0);
    tac_engine_free(e);
}

static void voices_are_summed_when_they_leave(void)
{
    struct tac_engine *e = rig_open("output: 1\n"
                                    "voices:\n"
                                    "  v:\n"
                                    "    count: 11\n"
                                    "    nodes: {one: " ONE "}}\n"
                                    "cables: [one.out -> output]\n");
    REQUIRE(e);
    rig_play(e, 0, 64, 64);
    CHECK_NEAR(rig_out[0][63], 11, 1e-5);
    tac_engine_free(e);
}

/* More than one mix takes at once: alternating destinations, wide ones, and a bank after the first.
 */
static void many_cables_into_one_input_are_summed(void)
{
    static char text[20000];
    char *at = text + sprintf(text, "output: 4\nnodes:\n  g: {block: gain, channels: 40}\n");
    for (int i = 0; i < 60; i++)
        at += sprintf(at, "  c%d: {block: lfo, rate: 0, depth: 0, centre: %d}\n", i, i + 1);
    at += sprintf(at, "  w: {block: lfo, channels: 40, rate: 0, depth: 0, centre: 7}\ncables:\n");
    for (int i = 0; i < 60; i++)
        at += sprintf(at, "  - c%d -> output[%d%s]\n", i, i % 3 + 1, i % 3 == 2 ? "-4" : "");
    for (int i = 0; i < 40; i++)
        at += sprintf(at, "  - c%d -> g.in[%d]\n", i, i % 2 ? 40 : 1);
    sprintf(at, "  - w -> g\n  - 'g.out[40] -> output[1]'\n  - 'g.out[2] -> output[2]'\n");
    struct tac_engine *e = rig_open(text);
    REQUIRE(e);
    rig_play(e, 0, 64, 64);
    CHECK_NEAR(rig_out[0][5], 590 + 420 + 7, 1e-3); /* 1+4+...+58, 2+4+...+40 */
    CHECK_NEAR(rig_out[1][5], 610 + 7, 1e-3);
    CHECK_NEAR(rig_out[2][5], 630, 1e-3);
    CHECK_NEAR(rig_out[3][5], 630, 1e-3);
    tac_engine_free(e);
}

static void feedback_comes_one_slice_later(void)
{
    struct tac_engine *e = rig_open("output: 1\n"
                                    "nodes:\n"
                                    "  one: " ONE "}\n"
                                    "  g: {block: gain}\n"
                                    "cables:\n"
                                    "  - one -> g -> output\n"
                                    "  - g.out ~> g.in\n");
    REQUIRE(e);
    rig_play(e, 0, 256, 50);
    for (int f = 0; f < 256; f++)
        CHECK_NEAR(rig_out[0][f], 1 + f / 64, 1e-5);
    tac_engine_free(e);
}

static void a_note_sets_pitch_gate_and_velocity_at_its_frame(void)
{
    struct tac_engine *e = rig_open("output: 3\n"
                                    "voices:\n"
                                    "  v: {count: 1, nodes: {a: {block: gain}}}\n"
                                    "cables:\n"
                                    "  - v.pitch -> output[1]\n"
                                    "  - v.gate -> output[2]\n"
                                    "  - v.velocity -> output[3]\n");
    REQUIRE(e);
    CHECK(tac_engine_note(e, "v", 60, 0.5f, 100) == 0);
    CHECK(tac_engine_note(e, NULL, 60, 0, 200) == 0);
    CHECK(tac_engine_note(e, "nobody", 60, 1, 0) == -TAC_E_UNKNOWN);
    rig_play(e, 0, 300, 37);
    CHECK(rig_out[1][99] == 0 && rig_out[1][100] == 1 && rig_out[1][199] == 1);
    CHECK(rig_out[1][200] == 0);
    CHECK(rig_out[0][100] == 60 && rig_out[2][100] == 0.5f);
    tac_engine_free(e);
}

/* The new note strikes when the old one has faded out: 64 frames later. */
static void a_stolen_voice_drops_its_gate_for_one_frame(void)
{
    struct tac_engine *e = rig_open("output: 2\n"
                                    "voices:\n"
                                    "  v: {count: 1, nodes: {a: {block: gain}}}\n"
                                    "cables: ['v.gate -> output[1]', 'v.pitch -> output[2]']\n");
    REQUIRE(e);
    tac_engine_note(e, "v", 60, 1, 10);
    tac_engine_note(e, "v", 64, 1, 63);
    rig_play(e, 0, 128, 128);
    CHECK(rig_out[0][126] == 1 && rig_out[0][127] == 0);
    CHECK(rig_out[1][126] == 60 && rig_out[1][127] == 64);
    rig_play(e, 0, 128, 128);
    CHECK(rig_out[0][0] == 1 && rig_out[1][0] == 64);
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    CHECK(stats.notes == 2 && stats.voices_stolen == 1 && stats.voices_active == 1);
    tac_engine_free(e);
}

static void mono_goes_back_to_the_held_key(void)
{
    struct tac_engine *e = rig_open("output: 2\n"
                                    "voices:\n"
                                    "  v: {mode: legato, nodes: {a: {block: gain}}}\n"
                                    "cables: ['v.gate -> output[1]', 'v.pitch -> output[2]']\n");
    REQUIRE(e);
    tac_engine_note(e, "v", 60, 1, 0);
    tac_engine_note(e, "v", 67, 1, 20);
    tac_engine_note(e, "v", 67, 0, 40);
    tac_engine_note(e, "v", 60, 0, 60);
    rig_play(e, 0, 128, 16);
    CHECK(rig_out[1][19] == 60 && rig_out[1][20] == 67 && rig_out[1][40] == 60);
    for (int f = 0; f < 60; f++)
        CHECK(rig_out[0][f] == 1);
    CHECK(rig_out[0][60] == 0);
    tac_engine_free(e);
}

static void unison_spreads_the_pitch(void)
{
    struct tac_engine *e =
        rig_open("output: 1\n"
                 "voices:\n"
                 "  v: {count: 1, unison: 3, detune: 2 semitones, nodes: {a: {block: gain}}}\n"
                 "cables: [v.pitch -> output]\n");
    REQUIRE(e);
    tac_engine_note(e, "v", 60, 1, 0);
    rig_play(e, 0, 64, 64);
    CHECK_NEAR(rig_out[0][10], 180, 1e-4);
    tac_engine_free(e);
}

static void a_parameter_change_is_a_ramp(void)
{
    struct tac_engine *e = rig_open("output: 1\n"
                                    "nodes: {one: " ONE "}, p: {block: player, level: 0 %}}\n"
                                    "cables: [one.out -> output]\n");
    REQUIRE(e);
    uint32_t id;
    REQUIRE(tac_engine_param_find(e, "one.centre", &id) == 0);
    CHECK(tac_engine_param_find(e, "one.nothing", &id) == -TAC_E_UNKNOWN);
    REQUIRE(tac_engine_param_find(e, "one.centre", &id) == 0);
    CHECK(tac_engine_param_set(e, id, 2, 100) == 0);
    rig_play(e, 0, 1200, 77);
    CHECK_NEAR(rig_out[0][99], 1, 1e-6);
    for (int f = 101; f < 1200; f++)
        CHECK(rig_out[0][f] - rig_out[0][f - 1] >= 0 &&
              rig_out[0][f] - rig_out[0][f - 1] < 0.0012f);
    CHECK_NEAR(rig_out[0][100 + 480], 1.5, 0.002);
    CHECK_NEAR(rig_out[0][1199], 2, 1e-6);
    struct tac_engine_param p;
    REQUIRE(tac_engine_param_get(e, id, &p) == 0);
    CHECK_STR(p.name, "centre");
    CHECK(p.value == 2);
    tac_engine_free(e);
}

/* Everything at once, in calls of many lengths: not a bit may change. */
static const char all[] = "output: 4\n"
                          "nodes:\n"
                          "  seq: {block: sequencer, rate: 8, notes: [50, 57, 62, 0, 65, 69]}\n"
                          "  n: {block: noise, level: 10 %, channels: 3}\n"
                          "  f: {block: svf, cutoff: 900 Hz, channels: 3}\n"
                          "  echo: {block: delay, time: 33 ms}\n"
                          "  lfo: {block: lfo, rate: 3 Hz, depth: 400}\n"
                          "voices:\n"
                          "  v:\n"
                          "    count: 6\n"
                          "    unison: 2\n"
                          "    glide: 3 ms\n"
                          "    steal: quietest\n"
                          "    nodes:\n"
                          "      osc: {block: saw, frequency: 8.1758 Hz}\n"
                          "      vcf: {block: svf, cutoff: 1 kHz}\n"
                          "      env: {block: adsr}\n"
                          "      vca: {block: gain, level: -12 dB}\n"
                          "    cables:\n"
                          "      - v.pitch -> osc.pitch\n"
                          "      - v.gate -> env\n"
                          "      - env.out -> vca.control\n"
                          "      - osc -> vcf -> vca\n"
                          "cables:\n"
                          "  - seq.notes -> v\n"
                          "  - lfo.out -> vcf.cutoff\n"
                          "  - lfo.out -> f.cutoff\n"
                          "  - vca -> echo -> output[1-2]\n"
                          "  - n -> f -> output[2-4]\n"
                          "  - echo.out ~> f.in[2]\n";

static void same_bits_for_every_length_of_the_calls(void)
{
    static float first[4][6000];
    static const uint32_t steps[] = {64, 1, 7, 48, 100, 4096};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct tac_engine *e = rig_open(all);
        REQUIRE(e);
        uint32_t id;
        REQUIRE(tac_engine_param_find(e, "vca.level", &id) == 0);
        tac_engine_param_set(e, id, -3, 1000);
        for (int note = 0; note < 20; note++)
            tac_engine_note(e, "v", 40 + (float)note, 1, 1234 + 133 * (uint32_t)note);
        rig_play(e, 0, 6000, steps[i]);
        float peak = 0;
        for (int c = 0; c < 4; c++) {
            if (i == 0)
                memcpy(first[c], rig_out[c], sizeof first[c]);
            CHECK_MSG(!memcmp(first[c], rig_out[c], sizeof first[c]), "channel %d, calls of %u", c,
                      steps[i]);
            for (int f = 0; f < 6000; f++)
                peak = fmaxf(peak, fabsf(rig_out[c][f]));
        }
        CHECK(peak > 0.01f && peak < 10);
        struct tac_engine_stats stats;
        tac_engine_stats(e, &stats);
        CHECK_MSG(stats.voices_stolen > 10, "%d stolen", (int)stats.voices_stolen);
        tac_engine_free(e);
    }
}

static void a_missing_sound_file_is_one_line(void)
{
    struct tac_engine *e;
    struct tac_error err = {0};
    const char *text = "nodes:\n  p: {block: player, file: no/such.wav}\n";
    REQUIRE(tac_engine_new(NULL, &e) == 0);
    CHECK(tac_engine_load_text(e, text, strlen(text), "t", "/tmp/", &err) < 0);
    CHECK(err.line == 2 && strstr(err.text, "no/such.wav"));
    tac_engine_free(e);
}

static void what_is_no_number_does_not_stay(void)
{
    struct tac_engine *e = rig_open("input: 1\noutput: 1\nnodes: {f: {block: svf}}\n"
                                    "cables: ['input -> f', 'f -> output']\n");
    struct tac_engine_meter meter = {0};
    REQUIRE(e);
    for (int i = 0; i < RIG_FRAMES; i++)
        rig_in[i] = i == 100 ? NAN : i == 101 ? INFINITY : 0.5f;
    rig_play(e, 0, RIG_FRAMES, 64);
    uint32_t bad = 0;
    for (int i = 0; i < RIG_FRAMES; i++)
        bad += !isfinite(rig_out[0][i]);
    CHECK_MSG(!bad, "%u frames are no numbers", bad);
    CHECK(fabsf(rig_out[0][RIG_FRAMES - 1] - 0.5f) < 0.01f);
    CHECK(tac_engine_meter(e, 0, &meter) == 0 && meter.rms > 0.1f);
    memset(rig_in, 0, sizeof rig_in);
    tac_engine_free(e);
}

static void nonsense_configurations_are_refused(void)
{
    struct tac_engine *e = NULL;
    CHECK(tac_engine_new(&(struct tac_engine_config){.rate_hz = -1}, &e) < 0 && !e);
    CHECK(tac_engine_new(&(struct tac_engine_config){.rate_hz = (double)NAN}, &e) < 0 && !e);
    tac_engine_free(NULL);
}

/* A row of gains is done in one pass; with a listener at each of them it is not. The level of one
 * moves for a while. */
static void rows_of_gains_have_the_bits_of_single_ones(void)
{
    enum { FRAMES = 9000 };
    static const char row[] = "output: 2\nnodes:\n"
                              "  n: {block: noise, level: 50 %}\n"
                              "  a: {block: gain, level: -1.1 dB}\n"
                              "  b: {block: gain}\n"
                              "  c: {block: gain, level: 2.3 dB}\n"
                              "  d: {block: gain, level: -0.7 dB}\n"
                              "cables:\n  - n -> a -> b -> c -> d -> output[1]\n";
    static const char taps[] = "  - a -> output[2]\n  - b -> output[2]\n  - c -> output[2]\n";
    static float first[FRAMES];
    for (int single = 0; single < 2; single++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", row, single ? taps : "");
        struct tac_engine *e = rig_open(text);
        REQUIRE(e);
        uint32_t id;
        REQUIRE(tac_engine_param_find(e, "c.level", &id) == 0);
        CHECK(tac_engine_param_set(e, id, -12, 1000) == 0);
        rig_play(e, 0, FRAMES, single ? 64 : 37);
        if (!single)
            memcpy(first, rig_out[0], sizeof first);
        CHECK(!memcmp(first, rig_out[0], sizeof first));
        CHECK(fabsf(first[FRAMES - 1]) > 0);
        tac_engine_free(e);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(one_to_many_and_lane_to_lane);
    TEST(many_to_one_is_the_sum);
    TEST(pieces_of_wide_cables_arrive_where_they_should);
    TEST(voices_are_summed_when_they_leave);
    TEST(many_cables_into_one_input_are_summed);
    TEST(feedback_comes_one_slice_later);
    TEST(a_note_sets_pitch_gate_and_velocity_at_its_frame);
    TEST(a_stolen_voice_drops_its_gate_for_one_frame);
    TEST(mono_goes_back_to_the_held_key);
    TEST(unison_spreads_the_pitch);
    TEST(a_parameter_change_is_a_ramp);
    TEST(same_bits_for_every_length_of_the_calls);
    TEST(a_missing_sound_file_is_one_line);
    TEST(what_is_no_number_does_not_stay);
    TEST(nonsense_configurations_are_refused);
    TEST(rows_of_gains_have_the_bits_of_single_ones);
    return test_end();
}
