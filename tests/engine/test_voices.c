/* SPDX-License-Identifier: MIT
 * test_voices.c - which voice gives way, and how: without a click, and without a note getting lost.
 */
#include "rig_engine.h"
#include "test.h"

#include <errno.h>
#include <math.h>

enum { SETTLE = 2000 };

/* Energy above a frequency by energy, by four Butterworth sections of order 2 in a row; from where
 * the filters have settled on. */
static double share_above(const float *x, uint32_t frames, double hz)
{
    double w = 2 * M_PI * hz / 48000, all = 0, high = 0, z[4][2] = {{0}};
    for (uint32_t f = 0; f < frames; f++) {
        double y = (double)x[f];
        all += f < SETTLE ? 0 : y * y;
        for (int s = 0; s < 4; s++) {
            double q = 0.5 / sin(M_PI * (2 * s + 1) / 16), alpha = sin(w) / (2 * q);
            double a0 = 1 + alpha, b0 = (1 + cos(w)) / 2 / a0, in = y;
            y = b0 * in + z[s][0];
            z[s][0] = -2 * b0 * in + 2 * cos(w) / a0 * y + z[s][1];
            z[s][1] = b0 * in - (1 - alpha) / a0 * y;
        }
        high += f < SETTLE ? 0 : y * y;
    }
    return high / all;
}

/* Loud and soft notes in turn on voices that all sound, so each steal is a large step. */
static void stealing_does_not_click(void)
{
    static const uint32_t counts[] = {1, 3, 40};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char text[500];
        snprintf(text, sizeof text,
                 "output: 1\nvoices: {v: {count: %u, nodes: {s: {block: sine, frequency: 8.1758 "
                 "Hz}, g: {block: gain}}, cables: [v.pitch -> s.pitch, v.velocity -> g.control, s "
                 "-> g]}}\ncables: [g -> output]\n",
                 counts[i]);
        struct tac_engine *e = rig_open(text);
        REQUIRE(e);
        for (uint32_t n = 0; n < 60; n++)
            tac_engine_note(e, "v", 50 + (float)(n * 7 % 24), n % 2 ? 1 : 0.05f, 0);
        rig_play(e, 0, 4800, 64);
        for (uint32_t n = 0; n < 50; n++)
            tac_engine_note(e, "v", 50 + (float)(n * 7 % 24), n % 2 ? 1 : 0.05f, n * 401);
        rig_play(e, 0, RIG_FRAMES, 64);
        double share = share_above(rig_out[0], RIG_FRAMES, 8000);
        CHECK_MSG(share < 1e-6, "%u voices: %.1f dB above 8 kHz", counts[i], 10 * log10(share));
        struct tac_engine_stats stats;
        tac_engine_stats(e, &stats);
        CHECK(stats.voices_stolen == 110 - counts[i] && stats.voices_active == counts[i]);
        tac_engine_free(e);
    }
}

/* What each way of stealing takes: the keys that still sound tell. */
static void the_right_voice_gives_way(void)
{
    static const struct {
        const char *steal;
        float left; /* sum of the pitches, two of them taken for 0 */
    } ways[] = {{"oldest", 263 - 67 - 60},
                {"lowest", 263 - 60 - 64},
                {"round-robin", 263 - 67 - 60},
                {"quietest", 263 - 72 - 64},
                {"none", 263}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char text[500];
        snprintf(text, sizeof text,
                 "output: 2\nvoices: {v: {count: 4, steal: %s, nodes: {c: {block: lfo, rate: 0, "
                 "depth: 0, centre: 1}, g: {block: gain}, p: {block: gain, level: -60 dB}}, "
                 "cables: [c -> g, "
                 "v.velocity -> g.control, v.pitch -> p]}}\n"
                 "cables: ['g -> output[1]', 'p -> output[2]']\n",
                 ways[i].steal);
        struct tac_engine *e = rig_open(text);
        REQUIRE(e);
        static const float key[4] = {67, 60, 72, 64}, velocity[4] = {0.5f, 0.4f, 0.2f, 0.3f};
        for (int n = 0; n < 4; n++)
            tac_engine_note(e, "v", key[n], velocity[n], 0);
        rig_play(e, 0, 9600, 64);
        tac_engine_note(e, "v", 0, 1, 0);
        tac_engine_note(e, "v", 0, 1, 10);
        rig_play(e, 0, 256, 64);
        CHECK_MSG(fabsf(1000 * rig_out[1][255] - ways[i].left) < 0.1f, "%s: %g", ways[i].steal,
                  (double)rig_out[1][255] * 1000);
        tac_engine_free(e);
    }
}

/* A voice that has begun softly is not taken for a quiet one at once, and one whose envelope has
 * fallen is. */
static void the_quietest_is_the_one_that_has_died_away(void)
{
    struct tac_engine *e =
        rig_open("output: 2\nvoices: {v: {count: 3, steal: quietest, nodes: {c: {block: lfo, rate: "
                 "0, depth: 0, centre: 1}, env: {block: adsr, attack: 200 ms, decay: 100 ms, "
                 "sustain: 0 %}, g: {block: gain}, p: {block: gain, level: -60 dB}}, cables: "
                 "[v.gate -> env, c -> "
                 "g, env.out -> g.control, v.pitch -> p]}}\n"
                 "cables: ['g -> output[1]', 'p -> output[2]']\n");
    REQUIRE(e);
    tac_engine_note(e, "v", 60, 1, 0);
    tac_engine_note(e, "v", 64, 1, 1000);
    tac_engine_note(e, "v", 67, 1, 22000);
    rig_play(e, 0, 22500, 64); /* the first two have decayed, the last has just begun */
    tac_engine_note(e, "v", 10, 1, 0);
    rig_play(e, 0, 500, 64);
    CHECK_NEAR(1000 * rig_out[1][499], 10 + 64 + 67, 0.1);
    tac_engine_note(e, "v", 20, 1, 0);
    rig_play(e, 0, 500, 64);
    CHECK_NEAR(1000 * rig_out[1][499], 10 + 20 + 67, 0.1);
    tac_engine_free(e);
}

/* Two notes at once where one voice is free: the second does not take it from the first, wherever
 * calls begin. */
static void a_voice_that_was_just_struck_is_left_alone(void)
{
    for (uint32_t step = 1; step <= 64; step += 21) {
        struct tac_engine *e =
            rig_open("output: 1\nvoices: {v: {count: 3, steal: quietest, nodes: {c: {block: lfo, "
                     "rate: 0, depth: 0, centre: 1}, g: {block: gain}, p: {block: gain, level: -60 "
                     "dB}}, cables: [c -> g, v.velocity -> g.control, v.pitch -> p]}}\n"
                     "cables: ['p -> output', 'g -> output']\n");
        REQUIRE(e);
        tac_engine_note(e, "v", 60, 0.5f, 0);
        tac_engine_note(e, "v", 64, 1, 0);
        rig_play(e, 0, 9600, step);
        tac_engine_note(e, "v", 10, 1, 30);
        tac_engine_note(e, "v", 20, 1, 30);
        rig_play(e, 0, 500, step);
        CHECK_NEAR(1000 * (rig_out[0][499] - 3), 10 + 20 + 64, 0.1);
        tac_engine_free(e);
    }
}

/* Ends of notes that come while the voice fades out. */
static void a_short_note_that_steals_is_heard_for_as_long_as_it_lasts(void)
{
    struct tac_engine *e = rig_open("output: 2\n"
                                    "voices: {v: {count: 1, nodes: {a: {block: gain}}}}\n"
                                    "cables: ['v.gate -> output[1]', 'v.pitch -> output[2]']\n");
    REQUIRE(e);
    for (uint32_t step = 1; step <= 64; step += 21) {
        tac_engine_note(e, "v", 60, 1, 0);
        tac_engine_note(e, "v", 64, 1, 100);
        tac_engine_note(e, "v", 60, 0, 110);
        tac_engine_note(e, "v", 64, 0, 120);
        rig_play(e, 0, 400, step);
        CHECK(rig_out[0][109] == 1 && rig_out[0][110] == 0 && rig_out[1][163] == 60);
        CHECK(rig_out[1][164] == 64 && rig_out[0][164] == 1 && rig_out[0][184] == 1);
        CHECK(rig_out[0][185] == 0 && rig_out[0][399] == 0);
        rig_play(e, 0, 4800, 64);
    }
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    CHECK(stats.voices_active == 0);
    tac_engine_free(e);
}

/* More notes than voices within one fade: the last win, and nothing hangs. */
static void a_flood_of_notes_leaves_the_last(void)
{
    struct tac_engine *e = rig_open("output: 2\n"
                                    "voices: {v: {count: 2, nodes: {a: {block: gain}}}}\n"
                                    "cables: ['v.gate -> output[1]', 'v.pitch -> output[2]']\n");
    REQUIRE(e);
    for (int n = 0; n < 90; n++)
        tac_engine_note(e, "v", 20 + (float)n, 1, (uint32_t)n);
    rig_play(e, 0, 1000, 17);
    CHECK(rig_out[0][999] == 2 && rig_out[1][999] == 20 + 88 + 20 + 89);
    for (int n = 0; n < 90; n++)
        tac_engine_note(e, "v", 20 + (float)n, 0, (uint32_t)n);
    rig_play(e, 0, 1000, 64);
    CHECK(rig_out[0][999] == 0);
    tac_engine_free(e);
}

/* The section is another with every edit: what was counted of the others is not forgotten. */
static void counts_go_on_over_edits(void)
{
    struct tac_engine *e = NULL;
    struct tac_engine_stats stats;
    for (int i = 0; i < 6; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "output: 1\nvoices: {v: {count: %d, nodes: {s: {block: sine, frequency: 8 Hz}}, "
                 "cables: [v.pitch -> s.pitch]}}\ncables: [s -> output]\n",
                 1 + i % 2);
        if (e)
            REQUIRE(rig_load(e, text) == 0);
        else
            REQUIRE((e = rig_open(text)));
        rig_play(e, 0, 64, 64);
        tac_engine_note(e, "v", 60, 1, 0);
        rig_play(e, 0, 2000, 64);
        tac_engine_stats(e, &stats);
        CHECK_MSG(stats.notes == (uint64_t)i + 1, "%d: %llu notes", i,
                  (unsigned long long)stats.notes);
    }
    CHECK(tac_engine_play_note(e, 12345, 60, 1, 0) == -ENOENT);
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(stealing_does_not_click);
    TEST(the_right_voice_gives_way);
    TEST(the_quietest_is_the_one_that_has_died_away);
    TEST(a_voice_that_was_just_struck_is_left_alone);
    TEST(a_short_note_that_steals_is_heard_for_as_long_as_it_lasts);
    TEST(a_flood_of_notes_leaves_the_last);
    TEST(counts_go_on_over_edits);
    return test_end();
}
