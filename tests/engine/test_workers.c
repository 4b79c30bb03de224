/* SPDX-License-Identifier: MIT
 * test_workers.c - several threads: the same bits as one, also when helpers are stopped in the
 * middle of what they do. */
#include "rig_engine.h"
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Voices in several banks, wide nodes, many cables into one, feedback, notes, noise. */
static const char all[] = "input: 2\n"
                          "output: 4\n"
                          "nodes:\n"
                          "  tilt: {block: svf, channels: 2}\n"
                          "  seq: {block: sequencer, rate: 16, notes: [50, 57, 62, 0, 65, 69]}\n"
                          "  n: {block: noise, level: 10 %, channels: 40}\n"
                          "  f: {block: svf, cutoff: 900 Hz, channels: 40}\n"
                          "  one: {block: gain}\n"
                          "  echo: {block: delay, time: 33 ms}\n"
                          "  lfo: {block: lfo, rate: 3 Hz, depth: 400}\n"
                          "  s: {block: sine, channels: 200, level: 0.2 %}\n"
                          "  soft: {block: shaper, channels: 3}\n"
                          "voices:\n"
                          "  v:\n"
                          "    count: 150\n"
                          "    unison: 2\n"
                          "    glide: 3 ms\n"
                          "    nodes:\n"
                          "      osc: {block: saw, frequency: 8.1758 Hz}\n"
                          "      vcf: {block: svf, cutoff: 1 kHz}\n"
                          "      env: {block: adsr}\n"
                          "      vca: {block: gain, level: -22 dB}\n"
                          "    cables:\n"
                          "      - v.pitch -> osc.pitch\n"
                          "      - v.gate -> env\n"
                          "      - env.out -> vca.control\n"
                          "      - osc -> vcf -> vca\n"
                          "  w:\n"
                          "    count: 20\n"
                          "    steal: quietest\n"
                          "    nodes:\n"
                          "      tri: {block: saw, frequency: 8.1758 Hz}\n"
                          "      hull: {block: adsr}\n"
                          "      amp: {block: gain, level: -22 dB}\n"
                          "    cables:\n"
                          "      - w.pitch -> tri.pitch\n"
                          "      - w.gate -> hull\n"
                          "      - hull.out -> amp.control\n"
                          "      - tri -> amp\n"
                          "cables:\n"
                          "  - seq.notes -> v\n"
                          "  - amp -> output[3]\n"
                          "  - input -> tilt -> output[1-2]\n"
                          "  - input -> one\n"
                          "  - lfo.out -> vcf.cutoff\n"
                          "  - lfo.out -> f.cutoff\n"
                          "  - vca -> echo -> output[1-2]\n"
                          "  - n -> f -> one -> output[3]\n"
                          "  - f.out[1-3] -> soft -> output[2-4]\n"
                          "  - s -> output[4]\n"
                          "  - echo.out ~> f.in[2]\n"
                          "  - vca.out ~> soft.in[1]\n";

enum { FRAMES_MAX = 12000, CHANNELS = 4 };
static float first[CHANNELS][FRAMES_MAX];
static uint32_t frames = FRAMES_MAX; /* fewer where they take long */

static void play_all(struct tac_engine *e, uint32_t step)
{
    for (uint32_t f = 0; f < frames; f++)
        rig_in[f] = 0.2f * sinf((float)f * 0.07f);
    uint32_t id;
    REQUIRE(tac_engine_param_find(e, "vca.level", &id) == 0);
    CHECK(tac_engine_param_set(e, id, -16, 1000) == 0);
    for (int note = 0; note < 40; note++)
        CHECK(tac_engine_note(e, "v", 40 + (float)note, 1, 100 * (uint32_t)note) == 0);
    for (int note = 0; note < 80; note++)
        CHECK(tac_engine_note(e, "w", 40 + (float)(note * 7 % 40), 1 - (float)(note % 5) / 8,
                              99 * (uint32_t)note) == 0);
    rig_play(e, 0, frames, step);
}

/* What one thread makes of it, once for all tests. */
static void keep_first(void)
{
    static bool kept;
    if (kept)
        return;
    kept = true;
    struct tac_engine *e = rig_open(all);
    REQUIRE(e);
    play_all(e, 64);
    float peak = 0;
    for (int c = 0; c < CHANNELS; c++) {
        memcpy(first[c], rig_out[c], sizeof first[c]);
        for (uint32_t f = 0; f < frames; f++)
            peak = fmaxf(peak, fabsf(first[c][f]));
    }
    CHECK(peak > 0.01f && peak < 20);
    tac_engine_free(e);
}

static void check_first(const char *what, uint32_t number)
{
    for (int c = 0; c < CHANNELS; c++) {
        uint32_t f = 0;
        while (f < frames && !memcmp(&first[c][f], &rig_out[c][f], sizeof(float)))
            f++;
        CHECK_MSG(f == frames, "channel %d, frame %u: %s %u", c, f, what, number);
    }
}

static void same_bits_for_every_number_of_threads(void)
{
    keep_first();
    static const uint32_t threads[] = {2, 3, 4, 7};
    static const uint32_t steps[] = {64, 48, 4096, 17};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        struct tac_engine *e = rig_open_threads(all, threads[i]);
        REQUIRE(e);
        play_all(e, steps[i]);
        check_first("threads:", threads[i]);
        struct tac_engine_stats stats;
        tac_engine_stats(e, &stats);
        CHECK(stats.threads == threads[i] && !stats.alone);
        tac_engine_free(e);
    }
}

/* The last banks of f wait for a long way that the others do not wait for. */
static const char late_bank[] = "output: 1\n"
                                "nodes:\n"
                                "  n: {block: noise, level: 10 %, channels: 64}\n"
                                "  a: {block: ladder, cutoff: 400 Hz, channels: 64}\n"
                                "  b: {block: ladder, cutoff: 500 Hz, channels: 64}\n"
                                "  c: {block: ladder, cutoff: 600 Hz, channels: 64}\n"
                                "  d: {block: ladder, cutoff: 700 Hz, channels: 64}\n"
                                "  m: {block: noise, level: 10 %, channels: 48}\n"
                                "  e: {block: ladder, cutoff: 700 Hz, channels: 48}\n"
                                "  f: {block: ladder, cutoff: 900 Hz, channels: 48}\n"
                                "cables:\n"
                                "  - n -> a -> b -> c -> d -> f.in[40]\n"
                                "  - m -> e -> f -> output\n";

static void groups_may_lie_in_several_tasks(void)
{
    enum { LENGTH = 2000 };
    static float alone[LENGTH];
    for (uint32_t threads = 1; threads <= 4; threads++) {
        struct tac_engine *e = rig_open_threads(late_bank, threads);
        REQUIRE(e);
        rig_play(e, 0, LENGTH, 64);
        if (threads == 1)
            memcpy(alone, rig_out[0], sizeof alone);
        CHECK_MSG(!memcmp(alone, rig_out[0], sizeof alone), "%u threads", threads);
        tac_engine_free(e);
    }
}

/* ---- helpers that are stopped -------------------------------------------------------------- */

static atomic_int stop;
static atomic_uint gone_on; /* how often a helper went on after it */

static void stay(int signal)
{
    (void)signal;
    while (atomic_load(&stop))
        nanosleep(&(struct timespec){0, 50000}, NULL);
    atomic_fetch_add(&gone_on, 1);
}

/* Thread ids of helpers of this process. */
static int find_helpers(pid_t *tids, int max)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *d; tasks && (d = readdir(tasks)) && count < max;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
        FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof name, file) && !strncmp(name, "tactus-help", 11))
            tids[count++] = (pid_t)atoi(d->d_name);
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return count;
}

static atomic_int done;

/* Stops the helpers at random moments, for a while. No signal is left behind: one that reached a
 * helper while it ends would find sanitizers without their data of the thread. */
static void *torment(void *user)
{
    pid_t tids[8];
    int helpers = 0;
    while (!helpers && !atomic_load(&done))
        helpers = find_helpers(tids, 8); /* they name themselves */
    unsigned *rounds = user, seed = 7, sent = atomic_load(&gone_on);
    while (!atomic_load(&done)) {
        atomic_store(&stop, 1);
        for (int i = 0; i < helpers; i++)
            sent += syscall(SYS_tgkill, getpid(), tids[i], SIGUSR2) == 0;
        seed = seed * 1664525 + 1013904223;
        nanosleep(&(struct timespec){0, 200000 + seed % 1000000}, NULL);
        atomic_store(&stop, 0);
        while (atomic_load(&gone_on) != sent)
            nanosleep(&(struct timespec){0, 50000}, NULL);
        nanosleep(&(struct timespec){0, 100000 + seed % 700000}, NULL);
        (*rounds)++;
    }
    return NULL;
}

/* Whether a task is lost in these rounds is luck; test_halted.c halts helpers at chosen places. */
static void stopped_helpers_change_nothing(void)
{
#if TAC_SANITIZED_THREAD
    SKIP("a stopped helper reads what others write, to no effect, which looks like a race");
#endif
    struct sigaction action = {.sa_handler = stay, .sa_flags = SA_RESTART};
    sigaction(SIGUSR2, &action, NULL);
    keep_first();
    unsigned rounds = 0;
    for (uint32_t again = 0; again < test_rounds(12); again++) {
        struct tac_engine *e = rig_open_threads(all, 3);
        REQUIRE(e);
        pthread_t thread;
        atomic_store(&done, 0);
        REQUIRE(pthread_create(&thread, NULL, torment, &rounds) == 0);
        play_all(e, 64);
        check_first("stopped helpers, round", again);
        atomic_store(&done, 1);
        pthread_join(thread, NULL);
        tac_engine_free(e);
    }
}

/* Edits while helpers are stopped: plans that a stopped helper is in outlive it. */
static void edits_go_on_beside_stopped_helpers(void)
{
    struct tac_engine *e = rig_open_threads(all, 3);
    REQUIRE(e);
    pthread_t thread;
    unsigned rounds = 0, edits = test_rounds(150);
    atomic_store(&done, 0);
#if !TAC_SANITIZED_THREAD
    REQUIRE(pthread_create(&thread, NULL, torment, &rounds) == 0);
#endif
    for (unsigned i = 0; i < edits; i++) {
        static char text[sizeof all + 100];
        snprintf(text, sizeof text, "%s%s", all, i & 1 ? "  - lfo -> output[1]\n" : "");
        REQUIRE(rig_load(e, text) == 0);
        rig_play(e, 0, 640, 64);
        bool sane = true;
        for (int f = 0; f < 640; f++)
            sane = sane && isfinite(rig_out[0][f]) && fabsf(rig_out[0][f]) < 500;
        CHECK(sane);
    }
    atomic_store(&done, 1);
#if !TAC_SANITIZED_THREAD
    pthread_join(thread, NULL);
#else
    (void)thread;
    (void)rounds;
#endif
    struct tac_engine_stats stats;
    tac_engine_stats(e, &stats);
    CHECK(stats.plans > edits / 3 && stats.plans <= edits); /* of those within a fade the latest */
    tac_engine_free(e);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    if (TAC_SANITIZED_THREAD || test_emulated())
        frames = FRAMES_MAX / 3;
    TEST(same_bits_for_every_number_of_threads);
    TEST(groups_may_lie_in_several_tasks);
    TEST(stopped_helpers_change_nothing);
    TEST(edits_go_on_beside_stopped_helpers);
    return test_end();
}
