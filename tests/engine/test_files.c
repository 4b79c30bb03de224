/* SPDX-License-Identifier: MIT
 * test_files.c - blocks and their files through the engine: sampler, midi, recorder. */
#include "rig_engine.h"
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RATE = 48000, LONG = 2 * RATE };

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A mono ramp of so many frames: frame i is (i % 1000) / 1000. */
static void write_ramp(const char *name, uint32_t frames)
{
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path_of(name), SFM_WRITE, &info);
    for (uint32_t i = 0; i < frames; i++) {
        float x = (float)(i % 1000) / 1000;
        sf_writef_float(file, &x, 1);
    }
    sf_close(file);
}

static struct tac_engine *open_patch(const char *format)
{
    char text[2048];
    snprintf(text, sizeof text, format, folder, folder, folder);
    return rig_open(text);
}

/* 20.5 kHz at 44.1 kHz, one second of it behind the converter's beginning: what is no such sine. */
static void another_rate_is_converted_with_care(void)
{
    enum { FRAMES = 12000 };
    SF_INFO info = {.samplerate = 44100, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path_of("rate.wav"), SFM_WRITE, &info);
    double a = 0, b = 0, error = 0, turn = 2 * M_PI * 20500 / RATE;
    for (int i = 0; i < 44100; i++) {
        float x = 0.5f * (float)sin(2 * M_PI * 20500 / 44100 * i);
        sf_writef_float(file, &x, 1);
    }
    sf_close(file);
    struct tac_engine *e =
        open_patch("output: 1\nnodes:\n  p: {block: player, file: '%s/rate.wav'}\n"
                   "cables:\n  - p.out -> output[1]\n");
    REQUIRE(e);
    rig_play(e, 0, 24000, 64);
    const float *x = rig_out[0] + 9000;
    for (int i = 0; i < FRAMES; i++) {
        a += 2.0 / FRAMES * (double)x[i] * cos(turn * i);
        b += 2.0 / FRAMES * (double)x[i] * sin(turn * i);
    }
    for (int i = 0; i < FRAMES; i++)
        error += pow((double)x[i] - a * cos(turn * i) - b * sin(turn * i), 2) * 2 / FRAMES;
    double db = 10 * log10(error / (a * a + b * b));
    CHECK_NEAR(hypot(a, b), 0.5, 1e-3);
    CHECK_MSG(db < -130, "%.1f dB", db);
    tac_engine_free(e);
}

/* The file is longer than what is kept in memory, and struck again and again; the gate comes out
 * beside it. */
static void a_sample_plays_itself_at_each_stroke(void)
{
    write_ramp("long.wav", LONG);
    struct tac_engine *e = open_patch(
        "tempo: 60\noutput: 2\nnodes:\n  s: {block: sequencer, rate: 0.625, length: 10 %%,"
        " notes: [60]}\n  p: {block: sampler, file: '%s/long.wav'}\n"
        "cables:\n  - s.gate -> p.gate\n  - p.left -> output[1]\n  - s.gate -> output[2]\n");
    REQUIRE(e);
    uint32_t since = 0, strokes = 0, bad = 0;
    float before = 0;
    for (uint32_t at = 0; at < 6 * RATE; at += 6000) { /* one each 1.6 s: 1.1 s of it from disk */
        rig_play(e, 0, 6000, 250);
        for (uint32_t i = 0; i < 6000; i++, since++) {
            if (rig_out[1][i] > 0.5f && before <= 0.5f) {
                since = 0;
                strokes++;
            }
            before = rig_out[1][i];
            float within =
                strokes > 1 && since < 1500 ? 2 : 1e-6f; /* the stroke before falls away */
            bad += fabsf(rig_out[0][i] - (float)(since % 1000) / 1000) > within;
        }
    }
    CHECK_MSG(!bad && strokes == 4, "%u frames differ in %u strokes", bad, strokes);
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    CHECK(stats.stream_underruns == 0);
    tac_engine_free(e);
}

static void a_sample_ends_and_is_silent(void)
{
    write_ramp("short.wav", 500);
    struct tac_engine *e =
        open_patch("output: 1\nnodes:\n  s: {block: sequencer, rate: 0.1, notes: [60]}\n"
                   "  p: {block: sampler, file: '%s/short.wav'}\n"
                   "cables:\n  - s.gate -> p.gate\n  - p.left -> output\n");
    REQUIRE(e);
    rig_play(e, 0, RIG_FRAMES, 64);
    for (uint32_t i = 0; i < 500; i++)
        CHECK_NEAR((double)rig_out[0][i], (double)i / 1000, 1e-6);
    CHECK_MSG(rig_out[0][2000] < 1e-4f, "%g is left", (double)rig_out[0][2000]);
    tac_engine_free(e);
}

/* An octave up: every second frame of the ramp, between its jumps. */
static void a_sample_follows_the_pitch(void)
{
    write_ramp("short.wav", 10000);
    struct tac_engine *e = open_patch(
        "output: 1\nnodes:\n  s: {block: sequencer, rate: 0.1, notes: [72]}\n"
        "  p: {block: sampler, file: '%s/short.wav', root: 60}\n"
        "cables:\n  - s.gate -> p.gate\n  - s.pitch -> p.pitch\n  - p.right -> output\n");
    REQUIRE(e);
    rig_play(e, 0, RIG_FRAMES, 64);
    for (uint32_t i = 20; i < 480; i++)
        CHECK_NEAR((double)rig_out[0][i], (double)i / 500, 2e-3);
    tac_engine_free(e);
}

/* Its own samples, again from the first after the last; and silence after the end without a loop.
 */
static void a_player_plays_its_file(void)
{
    write_ramp("short.wav", 700);
    for (int loop = 0; loop < 2; loop++) {
        char text[512];
        uint32_t bad = 0;
        snprintf(text, sizeof text,
                 "output: 1\nnodes:\n  p: {block: player, file: '%s/short.wav', loop: %s}\n"
                 "cables: [p -> output]\n",
                 folder, loop ? "yes" : "no");
        struct tac_engine *e = rig_open(text);
        REQUIRE(e);
        rig_play(e, 0, RIG_FRAMES, 96);
        for (uint32_t i = 0; i < RIG_FRAMES; i++) {
            float expected = loop || i < 700 ? (float)(i % 700) / 1000 : 0;
            bad += rig_out[0][i] != expected;
        }
        CHECK_MSG(!bad, "%s: %u frames differ", loop ? "loop" : "once", bad);
        tac_engine_free(e);
    }
}

static void a_midi_file_plays_into_voices(void)
{
    static const unsigned char song[] = "MThd\0\0\0\6\0\0\0\1\0\140MTrk\0\0\0\14"
                                        "\0\220\105\177\140\200\105\0\0\377\57\0";
    FILE *file = fopen(path_of("song.mid"), "wbe");
    REQUIRE(file);
    fwrite(song, 1, sizeof song - 1, file);
    fclose(file);
    struct tac_engine *e = open_patch(
        "output: 2\nnodes:\n  m: {block: midi, file: '%s/song.mid'}\n"
        "voices:\n  v:\n    count: 4\n    nodes:\n      g: {block: gain}\n"
        "      h: {block: gain}\n    cables:\n      - v.gate -> g\n      - v.pitch -> h\n"
        "cables:\n  - m.notes -> v\n  - g -> output[1]\n");
    REQUIRE(e);
    rig_play(e, 0, RIG_FRAMES, 64);
    rig_play(e, RIG_FRAMES - 100, 100, 100);
    CHECK(rig_out[0][10] > 0.9f && rig_out[0][RIG_FRAMES - 200] > 0.9f);
    CHECK_MSG(rig_out[0][RIG_FRAMES - 50] < 0.1f, "the note ends after one beat of half a second");
    tac_engine_free(e);
}

static void a_recorder_writes_what_it_hears(void)
{
    struct tac_engine *e = open_patch("output: 2\nnodes:\n  n: {block: noise, channels: 2}\n"
                                      "  r: {block: recorder, channels: 2, file: '%s/take.wav'}\n"
                                      "cables:\n  - n -> r -> output\n");
    REQUIRE(e);
    rig_play(e, 0, RIG_FRAMES, 100);
    tac_engine_free(e);
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path_of("take.wav"), SFM_READ, &info);
    REQUIRE(file && info.channels == 2 && info.frames == RIG_FRAMES && info.samplerate == RATE);
    static float frame[RIG_FRAMES][2];
    CHECK(sf_readf_float(file, frame[0], RIG_FRAMES) == RIG_FRAMES);
    uint32_t bad = 0;
    for (uint32_t i = 0; i < RIG_FRAMES; i++)
        bad += frame[i][0] != rig_out[0][i] || frame[i][1] != rig_out[1][i];
    CHECK_MSG(!bad, "%u frames differ", bad);
    sf_close(file);
}

/* More channels than one bank has go to further files; a dot in a folder's name is no extension. */
static void a_wide_recording_stays_in_its_folder(void)
{
    char wide[300], name[600];
    snprintf(wide, sizeof wide, "%s", path_of("takes.1"));
    REQUIRE(mkdir(wide, 0700) == 0);
    struct tac_engine *e =
        open_patch("output: 1\nnodes:\n  n: {block: noise, channels: 20}\n"
                   "  r: {block: recorder, channels: 20, file: '%s/takes.1/all'}\n"
                   "cables:\n  - n -> r\n  - r.out[1] -> output\n");
    REQUIRE(e);
    rig_play(e, 0, 1000, 100);
    tac_engine_free(e);
    int channels = 0;
    DIR *made = opendir(wide);
    REQUIRE(made);
    for (struct dirent *d; (d = readdir(made));) {
        SF_INFO info = {0};
        snprintf(name, sizeof name, "%s/%s", wide, d->d_name);
        SNDFILE *file = d->d_name[0] == '.' ? NULL : sf_open(name, SFM_READ, &info);
        channels += file && info.frames == 1000 ? info.channels : 0;
        if (file) {
            sf_close(file);
            unlink(name);
        }
    }
    closedir(made);
    rmdir(wide);
    CHECK_MSG(channels == 20, "%d channels are in its files", channels);
}

static void what_cannot_be_opened_is_one_line(void)
{
    struct tac_engine *e;
    struct tac_error err = {0};
    static const char *const patch[] = {
        "nodes: {m: {block: midi, file: /nonexistent/x.mid}}\n",
        "nodes: {m: {block: sampler, file: /nonexistent/x.wav}}\n",
        "nodes: {m: {block: recorder, file: /nonexistent/x.wav}}\n"};
    static const char of_folder[] = "nodes: {m: {block: player, file: /tmp}}\n";
    REQUIRE(tac_engine_new(NULL, &e) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(tac_engine_load_text(e, patch[i], strlen(patch[i]), "test", NULL, &err) < 0);
        CHECK_MSG(strstr(err.text, "/nonexistent/x") && err.line == 1, "%s", err.text);
    }
    CHECK(tac_engine_load_text(e, of_folder, sizeof of_folder - 1, "test", NULL, &err) < 0);
    CHECK_MSG(strstr(err.text, "is a directory"), "%s", err.text);
    tac_engine_free(e);
}

/* What would be waited for, or read for ever, is refused. */
static void what_is_no_file_is_refused_at_once(void)
{
    static const char *const texts[] = {"nodes:\n  m: {block: midi, file: '%s'}\n",
                                        "nodes:\n  s: {block: sampler, file: '%s'}\n",
                                        "nodes:\n  p: {block: player, file: '%s'}\n"};
    char pipe[128], text[256];
    struct tac_engine *e = NULL;
    REQUIRE(tac_engine_new(&(struct tac_engine_config){.offline = 1, .no_lock = 1}, &e) == 0);
    snprintf(pipe, sizeof pipe, "%s", path_of("pipe.sfz"));
    REQUIRE(mkfifo(pipe, 0600) == 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tac_error err = {0};
        snprintf(text, sizeof text, texts[i], pipe);
        CHECK(tac_engine_load_text(e, text, strlen(text), "t", NULL, &err) < 0);
        CHECK_MSG(err.line == 2 && (strstr(err.text, "a pipe") || strstr(err.text, "no file")),
                  "%s", err.text);
    }
    unlink(pipe);
    struct tac_error err = {0};
    snprintf(text, sizeof text, texts[0], "/dev/zero");
    CHECK(tac_engine_load_text(e, text, strlen(text), "t", NULL, &err) == -22);
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    snprintf(folder, sizeof folder, "/tmp/tactus-files-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    test_begin(argc, argv);
    TEST(another_rate_is_converted_with_care);
    TEST(a_sample_plays_itself_at_each_stroke);
    TEST(a_sample_ends_and_is_silent);
    TEST(a_sample_follows_the_pitch);
    TEST(a_player_plays_its_file);
    TEST(a_midi_file_plays_into_voices);
    TEST(a_recorder_writes_what_it_hears);
    TEST(a_wide_recording_stays_in_its_folder);
    TEST(what_cannot_be_opened_is_one_line);
    TEST(what_is_no_file_is_refused_at_once);
    static const char *const made[] = {"long.wav", "short.wav", "song.mid", "take.wav", "rate.wav"};
    for (int i = 0; i < 5; i++)
        unlink(path_of(made[i]));
    rmdir(folder);
    return test_end();
}
