/* SPDX-License-Identifier: MIT
 * test_sfz.c - reading instruments, and hearing one through the engine. */
#include "engine/sfz.h"

#include "rig_engine.h"
#include "test.h"

#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <unistd.h>

static struct tac_sfz_region *region;
static uint32_t regions;
static struct tac_error error;

static int parse(const char *text)
{
    free(region);
    region = NULL;
    regions = 0;
    memset(&error, 0, sizeof error);
    return tac_sfz_parse(text, strlen(text), &region, &regions, &error);
}

static void regions_take_over_what_stands_above(void)
{
    REQUIRE(parse("// an instrument\n"
                  "<control> default_path=..\\a b/\n"
                  "<global> ampeg_release=0.5 cutoff=100\n"
                  "<group> lovel=64 tune=-50 // half\n"
                  "<region> sample=soft one.wav key=c4\n"
                  "<region> sample=two.wav lokey=61 hikey=c#5 pitch_keycenter=e4 lovel=0 hivel=99\n"
                  "loop_mode=loop_sustain loop_start=10 loop_end=19 loop_crossfade=0.01\n"
                  "<group>\n"
                  "<region>sample=three.wav transpose=12 volume=-6 offset=5 end=99\r\n"
                  "<region> sample=four.wav trigger=release\n"
                  "<curve> curve_index=1 v000=0\n") == 0);
    REQUIRE(regions == 3);
    CHECK_STR(region[0].sample, "../a b/soft one.wav");
    CHECK(region[0].key_low == 60 && region[0].key_high == 60 && region[0].line == 5);
    CHECK(region[0].velocity_low == 64 && region[0].velocity_high == 127);
    CHECK_NEAR(region[0].root, 60.5, 1e-9);
    CHECK_NEAR(region[0].release_s, 0.5, 1e-9);
    CHECK(region[0].loop == TAC_SFZ_UNSAID && region[0].loop_last < 0);
    CHECK(region[1].key_low == 61 && region[1].key_high == 73 && region[1].velocity_low == 0);
    CHECK_NEAR(region[1].root, 64.5, 1e-9);
    CHECK(region[1].loop == TAC_SFZ_SUSTAIN && region[1].loop_first == 10 &&
          region[1].loop_last == 19);
    CHECK_NEAR(region[1].crossfade_s, 0.01, 1e-9);
    CHECK_NEAR(region[2].root, 48, 1e-9);
    CHECK(region[2].velocity_low == 0 && region[2].first == 5 && region[2].last == 99);
    CHECK_NEAR(region[2].volume_db, -6, 1e-9);
}

static void mistakes_are_told_with_their_line(void)
{
    static const struct {
        const char *text;
        unsigned line;
        int code;
    } bad[] = {
        {"", 0, -TAC_E_SYNTAX},
        {"<region> key=60\n", 0, -TAC_E_SYNTAX},
        {"<region> sample=a.wav\n<region sample=b.wav\n", 2, -TAC_E_SYNTAX},
        {"<region> sample=a.wav\n\nwhat is this\n", 3, -TAC_E_SYNTAX},
        {"#define $X 1\n<region> sample=a.wav\n", 1, -TAC_E_SYNTAX},
        {"<region> sample=a.wav lokey=h4\n", 1, -TAC_E_RANGE},
        {"<region> sample=a.wav lokey=128\n", 1, -TAC_E_RANGE},
        {"<region> sample=a.wav hivel=1x\n", 1, -TAC_E_RANGE},
        {"<region> sample=a.wav volume=nan\n", 1, -TAC_E_RANGE},
        {"<region> sample=a.wav loop_mode=never\n", 1, -TAC_E_RANGE},
        {"<region> sample=*sine\n<region> sample=a.wav\n", 2, -TAC_E_UNKNOWN},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        int code = parse(bad[k].text);
        CHECK_MSG(code == bad[k].code && error.line == bad[k].line && *error.text,
                  "%zu: %d, line %u: %s", k, code, error.line, error.text);
    }
    size_t size = 40 * (TAC_SFZ_REGIONS_MAX + 1);
    char *many = calloc(1, size + 1);
    for (int k = 0; k <= TAC_SFZ_REGIONS_MAX; k++)
        strcat(many + (size_t)k * 22, "<region> sample=a.wav\n");
    CHECK(parse(many) == -TAC_E_LIMIT);
    free(many);
}

/* Any bytes come to an end. */
static void noise_is_no_instrument(void)
{
    static const char alphabet[] = "<>= \n/#abregion=samplekey60.-\\";
    uint64_t seed = 5;
    char text[256];
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof text - 1; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            text[i] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
        }
        text[sizeof text - 1] = 0;
        (void)!parse(text);
    }
    CHECK(true);
}

/* ---- through the engine -------------------------------------------------------------------- */

static char folder[64];

static void write_sound(const char *name, int rate_hz, int frames, double period, float size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    SF_INFO info = {
        .samplerate = rate_hz, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    for (int i = 0; i < frames; i++) {
        float x = size * (float)sin(2 * M_PI * i / period);
        sf_writef_float(file, &x, 1);
    }
    sf_close(file);
}

static void write_text(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/keys.sfz", folder);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static struct tac_engine *open_keys(const char *note)
{
    char text[1024];
    snprintf(text, sizeof text,
             "tempo: 60\noutput: 2\nnodes:\n  s: {block: sequencer, rate: 1, length: 90 %%, "
             "notes: [%s]}\nvoices:\n  keys:\n    count: 20\n    nodes:\n"
             "      p: {block: sampler, file: '%s/keys.sfz'}\n    cables:\n"
             "      - keys.pitch -> p.pitch\n      - keys.gate -> p.gate\n"
             "cables:\n  - s.notes -> keys\n  - p.left -> output[1]\n",
             note, folder);
    return rig_open(text);
}

/* Rising zero crossings in a tenth of a second, from half a second on. */
static int heard_periods(struct tac_engine *e)
{
    int periods = 0;
    rig_play(e, 0, 24000, 64);
    rig_play(e, 0, 4800, 64);
    for (int i = 1; i < 4800; i++)
        periods += rig_out[0][i - 1] < 0 && rig_out[0][i] >= 0;
    return periods;
}

/* Sounds of 24 and 48 kHz, 100 ms long: what is heard after that is their loop, in tune. */
static void an_instrument_plays_its_keys(void)
{
    write_sound("low.wav", 24000, 2400, 100, 0.3f); /* 240 Hz */
    write_sound("high.wav", 48000, 4800, 50, 0.3f); /* 960 Hz */
    write_text("<global> loop_mode=loop_continuous loop_crossfade=0.005\n"
               "<region> sample=low.wav key=48 loop_start=1000 loop_end=1999\n"
               "<region> sample=high.wav lokey=60 hikey=84 pitch_keycenter=72 loop_start=1000 "
               "loop_end=3999\n");
    static const struct {
        const char *note;
        int periods;
    } key[] = {{"48", 24}, {"72", 96}, {"60", 48}, {"84", 192}, {"50", 0}};
    for (size_t k = 0; k < sizeof key / sizeof *key; k++) {
        struct tac_engine *e = open_keys(key[k].note);
        REQUIRE(e);
        int periods = heard_periods(e);
        CHECK_MSG(abs(periods - key[k].periods) <= 1, "key %s: %d periods, not %d", key[k].note,
                  periods, key[k].periods);
        tac_engine_free(e);
    }
}

static void a_bad_instrument_is_refused_in_one_line(void)
{
    char text[512];
    struct tac_error err = {0};
    struct tac_engine *e = rig_open("output: 1\nnodes:\n  n: {block: noise}\ncables:\n"
                                    "  - n -> output\n");
    REQUIRE(e);
    snprintf(text, sizeof text,
             "output: 1\nnodes:\n  p: {block: sampler, file: '%s/keys.sfz'}\ncables:\n"
             "  - p.left -> output[1]\n",
             folder);
    write_text("<region> sample=low.wav\n<region> sample=missing.wav\n");
    CHECK(tac_engine_load_text(e, text, strlen(text), "patch", NULL, &err) < 0);
    CHECK_MSG(strstr(err.text, "missing.wav"), "%s", err.text);
    write_text("<region> sample=low.wav lokey=nowhere\n");
    CHECK(tac_engine_load_text(e, text, strlen(text), "patch", NULL, &err) < 0);
    CHECK_MSG(strstr(err.text, "nowhere"), "%s", err.text);
    tac_engine_free(e);
}

static void clean_up(void)
{
    static const char *const names[] = {"low.wav", "high.wav", "keys.sfz"};
    for (int k = 0; k < 3; k++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, names[k]);
        unlink(path);
    }
    rmdir(folder);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(folder, sizeof folder, "/tmp/tactus-sfz-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    TEST(regions_take_over_what_stands_above);
    TEST(mistakes_are_told_with_their_line);
    TEST(noise_is_no_instrument);
    TEST(an_instrument_plays_its_keys);
    TEST(a_bad_instrument_is_refused_in_one_line);
    clean_up();
    free(region);
    return test_end();
}
