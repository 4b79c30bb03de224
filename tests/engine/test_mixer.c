/* SPDX-License-Identifier: MIT
 * test_mixer.c - several patches at once: their sum, gains, pans, mutes and solos, and that each
 * can be edited, put in and taken out while the others sound. */
#include "rig_engine.h"
#include "tactus/mixer.h"
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#define CONSTANT(value) "{block: lfo, rate: 0, depth: 0, centre: " #value "}"
#define MONO(value) "output: 1\nnodes: {c: " CONSTANT(value) "}\ncables: [c -> output]\n"
#define STEREO(left, right)                                                                        \
    "output: 2\nnodes: {l: " CONSTANT(left) ", r: " CONSTANT(                                      \
        right) "}\ncables: ['l -> output[1]', 'r -> output[2]']\n"

static struct tac_mixer *open_mixer(uint32_t inputs, uint32_t outputs)
{
    struct tac_mixer *m = NULL;
    struct tac_mixer_config config = {.inputs = inputs, .outputs = outputs, .no_lock = 1};
    return tac_mixer_new(&config, &m) < 0 ? NULL : m;
}

static void play_mix(struct tac_mixer *m, uint32_t frames, uint32_t step)
{
    for (uint32_t done = 0; done < frames;) {
        uint32_t n = frames - done < step ? frames - done : step;
        float *out[RIG_CHANNELS];
        const float *in[RIG_CHANNELS];
        for (int c = 0; c < RIG_CHANNELS; c++) {
            out[c] = rig_out[c] + done;
            in[c] = rig_in + done;
        }
        tac_mixer_process(m, in, out, n);
        done += n;
    }
}

static float steepest(int channel, uint32_t frames)
{
    float most = 0;
    for (uint32_t f = 1; f < frames; f++)
        most = fmaxf(most, fabsf(rig_out[channel][f] - rig_out[channel][f - 1]));
    return most;
}

static void patches_are_summed_as_their_strips_say(void)
{
    struct tac_mixer *m = open_mixer(0, 4);
    struct tac_engine *a = rig_open(STEREO(1, 2)), *b = rig_open(MONO(4));
    uint32_t sa, sb;
    REQUIRE(m && a && b);
    REQUIRE(tac_mixer_add(m, a, &sa) == 0 && tac_mixer_add(m, b, &sb) == 0);
    play_mix(m, 2000, 64);
    CHECK_NEAR(rig_out[0][1999], 1 + 4 * sqrt(0.5), 1e-5);
    CHECK_NEAR(rig_out[1][1999], 2 + 4 * sqrt(0.5), 1e-5);
    CHECK(rig_out[2][1999] == 0);
    struct tac_mixer_strip left = {.gain_db = -20, .pan = -1}, far = {.pan = 0.5f, .first_out = 2};
    CHECK(tac_mixer_set(m, sa, &far) == 0 && tac_mixer_set(m, sb, &left) == 0);
    play_mix(m, 2000, 64);
    CHECK_NEAR(rig_out[0][1999], 0.4, 1e-5);
    CHECK_NEAR(rig_out[1][1999], 0, 1e-6);
    CHECK_NEAR(rig_out[2][1999], 0.5, 1e-6);
    CHECK_NEAR(rig_out[3][1999], 2, 1e-6);
    struct tac_mixer_strip got;
    CHECK(tac_mixer_get(m, sb, &got) == 0 && got.pan == -1);
    struct tac_engine_meter meter;
    CHECK(tac_mixer_meter(m, sa, 1, &meter) == 0 && meter.peak >= 2);
    CHECK(tac_mixer_meter(m, sa, 2, &meter) == -ENOENT);
    CHECK(tac_mixer_meter(m, sb, 1, &meter) == 0);
    CHECK(tac_mixer_meter(m, sb, 0, &meter) == 0); /* what was louder before */
    for (int i = 0; i < 5; i++)
        play_mix(m, 24000, 64);
    CHECK(tac_mixer_meter(m, sb, 0, &meter) == 0);
    CHECK_NEAR(meter.peak, 0.4, 1e-5);
    CHECK_NEAR(meter.rms, 0.4, 0.01);
    CHECK(tac_mixer_meter(m, TAC_MIXER_MIX, 3, &meter) == 0);
    CHECK_NEAR(meter.rms, 2, 0.01);
    CHECK(tac_mixer_meter(m, TAC_MIXER_MIX, 4, &meter) == -ENOENT);
    tac_mixer_free(m);
    tac_engine_free(a);
    tac_engine_free(b);
}

static void mute_and_solo_are_ramps(void)
{
    struct tac_mixer *m = open_mixer(0, 1);
    struct tac_engine *e[3] = {rig_open(MONO(1)), rig_open(MONO(2)), rig_open(MONO(4))};
    uint32_t strip[3];
    REQUIRE(m && e[0] && e[1] && e[2]);
    for (int i = 0; i < 3; i++)
        REQUIRE(tac_mixer_add(m, e[i], &strip[i]) == 0);
    static const struct {
        int strip;
        uint32_t mute, solo;
        float level;
    } steps[] = {{0, 0, 0, 7}, {1, 1, 0, 5}, {2, 0, 1, 4}, {0, 0, 1, 5},
                 {1, 1, 1, 5}, {2, 0, 0, 1}, {0, 0, 0, 0}, {1, 0, 0, 7}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct tac_mixer_strip how = {.mute = steps[i].mute, .solo = steps[i].solo};
        CHECK(tac_mixer_set(m, strip[steps[i].strip], &how) == 0);
        play_mix(m, 1200, 64);
        CHECK_MSG(fabsf(rig_out[0][1199] - steps[i].level) < 1e-5f, "step %zu: %g", i,
                  (double)rig_out[0][1199]);
        CHECK_MSG(steepest(0, 1200) < 0.008f, "step %zu: %g", i, (double)steepest(0, 1200));
    }
    tac_mixer_free(m);
    for (int i = 0; i < 3; i++)
        tac_engine_free(e[i]);
}

#define KEYS                                                                                       \
    "input: 1\noutput: 2\nvoices: {v: {count: 5, nodes: {s: {block: saw, frequency: 8.1758 Hz}, "  \
    "f: {block: svf}, env: {block: adsr}, g: {block: gain}}, cables: [v.pitch -> s.pitch, v.gate " \
    "-> env, env.out -> g.control, s -> f -> g]}}\n"                                               \
    "nodes:\n  d: {block: delay, time: 20 ms}\n"
#define PLAIN KEYS "cables: [g -> output, input -> d, d -> output]\n"
#define EDITED                                                                                     \
    KEYS "  n: {block: noise}\ncables: [g -> output, input -> d, d -> output, n -> output]\n"

static void begin_notes(struct tac_engine *e)
{
    for (uint32_t i = 0; i < 12; i++)
        CHECK(tac_engine_note(e, "v", 50 + (float)i, 1, 700 * i) == 0);
}

static void alone_a_patch_has_the_bits_of_its_engine(void)
{
    static float alone[2][8000];
    static const uint32_t steps[] = {64, 1, 100, 4096};
    for (int f = 0; f < RIG_FRAMES; f++)
        rig_in[f] = 0.1f * sinf((float)f * 0.05f);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct tac_engine *e = rig_open(PLAIN);
        struct tac_mixer *m = open_mixer(1, 2);
        uint32_t strip;
        REQUIRE(e && m && tac_mixer_add(m, e, &strip) == 0);
        begin_notes(e);
        if (i == 0) {
            tac_mixer_remove(m, strip);
            rig_play(e, 0, 8000, 64);
            memcpy(alone[0], rig_out[0], sizeof alone[0]);
            memcpy(alone[1], rig_out[1], sizeof alone[1]);
        } else {
            play_mix(m, 8000, steps[i]);
            CHECK_MSG(!memcmp(alone[0], rig_out[0], sizeof alone[0]) &&
                          !memcmp(alone[1], rig_out[1], sizeof alone[1]),
                      "calls of %u", steps[i]);
        }
        tac_mixer_free(m);
        tac_engine_free(e);
    }
}

/* The other is silent in the mix, but edited all the time; so what is heard must not change a bit.
 */
static void an_edit_of_one_is_nothing_to_the_other(void)
{
    static float alone[12000];
    for (int edits = 0; edits < 2; edits++) {
        struct tac_engine *a = rig_open(PLAIN), *b = rig_open(PLAIN);
        struct tac_mixer *m = open_mixer(1, 2);
        uint32_t sa, sb;
        REQUIRE(a && b && m);
        REQUIRE(tac_mixer_add(m, a, &sa) == 0 && tac_mixer_add(m, b, &sb) == 0);
        CHECK(tac_mixer_set(m, sb, &(struct tac_mixer_strip){.mute = 1}) == 0);
        play_mix(m, 1000, 64);
        begin_notes(a);
        begin_notes(b);
        for (uint32_t at = 0; at < 12000; at += 600) {
            if (edits)
                REQUIRE(rig_load(b, at / 600 % 2 ? PLAIN : EDITED) == 0);
            play_mix(m, 600, 64);
            if (edits)
                CHECK(!memcmp(alone + at, rig_out[0], 600 * sizeof(float)));
            else
                memcpy(alone + at, rig_out[0], 600 * sizeof(float));
        }
        tac_mixer_free(m);
        tac_engine_free(a);
        tac_engine_free(b);
    }
}

static _Atomic int playing;

static void *play_on(void *mixer)
{
    static float data[2][64];
    float *out[2] = {data[0], data[1]};
    while (atomic_load(&playing))
        tac_mixer_process(mixer, NULL, out, 64);
    return NULL;
}

static void strips_come_and_go_while_others_sound(void)
{
    struct tac_mixer *m = open_mixer(0, 2);
    struct tac_engine *stays = rig_open(MONO(1));
    pthread_t thread;
    uint32_t strip;
    REQUIRE(m && stays && tac_mixer_add(m, stays, &strip) == 0);
    atomic_store(&playing, 1);
    REQUIRE(pthread_create(&thread, NULL, play_on, m) == 0);
    for (int i = 0; i < 20; i++) {
        struct tac_engine *e = rig_open(STEREO(1, 2));
        uint32_t id = 99;
        REQUIRE(e);
        CHECK(tac_mixer_add(m, e, &id) == 0 && id == 1);
        CHECK(tac_mixer_set(m, id, &(struct tac_mixer_strip){.gain_db = -3}) == 0);
        CHECK(tac_mixer_remove(m, id) == 0 && tac_mixer_remove(m, id) == -ENOENT);
        tac_engine_free(e);
    }
    atomic_store(&playing, 0);
    pthread_join(thread, NULL);
    tac_mixer_free(m);
    tac_engine_free(stays);
}

static void what_does_not_fit_is_refused(void)
{
    struct tac_mixer *m = NULL;
    CHECK(tac_mixer_new(NULL, &m) == -EINVAL);
    CHECK(tac_mixer_new(&(struct tac_mixer_config){.outputs = 0}, &m) == -EINVAL);
    CHECK(tac_mixer_new(&(struct tac_mixer_config){.outputs = 65}, &m) == -EINVAL);
    CHECK(tac_mixer_new(&(struct tac_mixer_config){.outputs = 1, .rate_hz = (double)NAN}, &m) ==
          -EINVAL);
    m = open_mixer(0, 1);
    struct tac_engine *wide = rig_open(STEREO(1, 1)), *hears = rig_open(PLAIN), *empty = NULL;
    struct tac_engine *good = rig_open(MONO(1));
    uint32_t strip;
    REQUIRE(m && wide && hears && good && tac_engine_new(NULL, &empty) == 0);
    CHECK(tac_mixer_add(m, wide, &strip) == -EINVAL && tac_mixer_add(m, hears, &strip) == -EINVAL);
    CHECK(tac_mixer_add(m, empty, &strip) == -EINVAL);
    REQUIRE(tac_mixer_add(m, good, &strip) == 0);
    CHECK(tac_mixer_add(m, good, &strip) == -EEXIST);
    CHECK(tac_mixer_set(m, strip, &(struct tac_mixer_strip){.pan = 2}) == -EINVAL);
    CHECK(tac_mixer_set(m, strip, &(struct tac_mixer_strip){.pan = NAN}) == -EINVAL);
    CHECK(tac_mixer_set(m, strip, &(struct tac_mixer_strip){.gain_db = 30}) == -EINVAL);
    CHECK(tac_mixer_set(m, strip, &(struct tac_mixer_strip){.first_out = 1}) == -EINVAL);
    CHECK(tac_mixer_set(m, 7, &(struct tac_mixer_strip){0}) == -ENOENT);
    struct tac_engine *many[TAC_MIXER_STRIPS_MAX];
    for (int i = 0; i < TAC_MIXER_STRIPS_MAX; i++) {
        REQUIRE((many[i] = rig_open(MONO(1))));
        int code = tac_mixer_add(m, many[i], &strip);
        CHECK(code == (i < TAC_MIXER_STRIPS_MAX - 1 ? 0 : -TAC_E_LIMIT));
    }
    play_mix(m, 64, 64);
    CHECK(rig_out[0][63] == TAC_MIXER_STRIPS_MAX);
    tac_mixer_free(m);
    for (int i = 0; i < TAC_MIXER_STRIPS_MAX; i++)
        tac_engine_free(many[i]);
    tac_engine_free(wide);
    tac_engine_free(hears);
    tac_engine_free(empty);
    tac_engine_free(good);
}

static uint32_t count_threads(void)
{
    uint32_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *d; tasks && (d = readdir(tasks));)
        count += d->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

#define WORK(cutoff)                                                                               \
    "output: 1\nnodes: {n: {block: noise, channels: 300, level: 1 %}, f: {block: svf, channels: "  \
    "300, cutoff: " #cutoff " Hz}}\ncables: [n -> f -> output]\n"

/* Three engines with two helpers: their sum has the same bits as with none; one is put in and taken
 * out while the others play, the one who brought the helpers first of all. */
static void engines_share_their_helpers(void)
{
    static const char *const patch[] = {WORK(500), WORK(1000), WORK(2000)};
    enum { ENGINES = 3, FRAMES = 3000 };
    static float alone[FRAMES];
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        struct tac_engine *e[ENGINES] = {NULL};
        struct tac_mixer *m = open_mixer(0, 1);
        struct tac_engine_stats stats;
        struct tac_engine_thread audio, helper;
        uint32_t strip[ENGINES], before = count_threads();
        REQUIRE(m);
        for (int i = 0; i < ENGINES; i++) {
            struct tac_engine_config config = {
                .no_lock = 1, .no_shed = 1, .threads = threads, .always_help = 1, .beside = e[0]};
            REQUIRE(tac_engine_new(&config, &e[i]) == 0 && rig_load(e[i], patch[i]) == 0);
            REQUIRE(tac_mixer_add(m, e[i], &strip[i]) == 0);
        }
        uint32_t more = count_threads() - before; /* each engine has one that reads files */
        CHECK_MSG(more == ENGINES + threads - 1, "%u threads more", more);
        play_mix(m, FRAMES, 100);
        if (threads == 1)
            memcpy(alone, rig_out[0], sizeof alone);
        CHECK(!memcmp(alone, rig_out[0], sizeof alone));
        for (int i = 0; i < ENGINES; i++) {
            tac_engine_stats(e[i], &stats);
            CHECK(stats.threads == threads);
            CHECK(tac_engine_thread(e[i], 0, &audio) == 0 && audio.tasks > 0);
            CHECK(tac_engine_thread(e[i], 1, &helper) == (threads > 1 ? 0 : -ENOENT));
        }
        for (int i = 0; i < ENGINES; i++) {
            play_mix(m, 500, 64);
            CHECK(tac_mixer_remove(m, strip[i]) == 0);
            tac_engine_free(e[i]);
        }
        play_mix(m, 500, 64);
        CHECK(rig_out[0][499] == 0);
        tac_mixer_free(m);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(patches_are_summed_as_their_strips_say);
    TEST(mute_and_solo_are_ramps);
    TEST(alone_a_patch_has_the_bits_of_its_engine);
    TEST(an_edit_of_one_is_nothing_to_the_other);
    TEST(strips_come_and_go_while_others_sound);
    TEST(what_does_not_fit_is_refused);
    TEST(engines_share_their_helpers);
    return test_end();
}
