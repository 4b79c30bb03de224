/* SPDX-License-Identifier: MIT
 * test_backend_alsa.c - the ALSA backend on PCMs that need no card: null, file, and wrong ones.
 *
 * The configuration is written to a folder of the test and named by ALSA_CONFIG_PATH, so the
 * machine's own does not matter. These PCMs have no clock, so the backend's pace is tested too. */
#include "test.h"

#include "backend/alsa_pcm.h"
#include "backend/backend.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { FRAMES = 128, CHANNELS = 2 };
#define RATE_HZ 48000.0

static char folder[64], raw_path[96];

static int write_configuration(void)
{
    char path[96];
    snprintf(folder, sizeof folder, "/tmp/tactus-alsa-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/conf", folder);
    snprintf(raw_path, sizeof raw_path, "%s/out.raw", folder);
    FILE *f = fopen(path, "w");
    if (!f)
        return -1;
    fprintf(f,
            "</usr/share/alsa/alsa.conf>\n"
            "pcm.nothing { type null }\n"
            "pcm.tofile { type file slave.pcm nothing file \"%s\" format raw }\n"
            "pcm.narrow { type plug slave { pcm tofile format S16_LE } }\n",
            raw_path);
    setenv("ALSA_CONFIG_PATH", path, 1);
    return fclose(f);
}

static void remove_configuration(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/conf", folder);
    unlink(path);
    unlink(raw_path);
    rmdir(folder);
}

/* Channel 0 a ramp from 0 up by 1/4096 a frame, channel 1 a constant. */
static void ramp(void *user, const struct tac_cycle *cycle)
{
    uint32_t *at = user;
    for (uint32_t i = 0; i < cycle->frames; i++) {
        cycle->out[0][i] = (float)(*at % 4096) / 4096;
        if (cycle->outputs > 1)
            cycle->out[1][i] = -0.5f;
        ++*at;
    }
}

static int open_device(const char *device, double rate_hz, uint32_t frames, uint32_t *at,
                       struct tac_backend_stream **ret_stream, struct tac_error *err)
{
    struct tac_backend_config config = {.rate_hz = rate_hz,
                                        .frames = frames,
                                        .outputs = CHANNELS,
                                        .device = device,
                                        .priority = -1,
                                        .process = ramp,
                                        .user = at};
    return tac_backend_find("alsa")->open(&config, ret_stream, err);
}

/* Play until n cycles are done, at most ten seconds. */
static struct tac_backend_stats play(struct tac_backend_stream *stream, uint64_t cycles)
{
    const struct tac_backend *alsa = stream->backend;
    struct tac_backend_stats stats = {0};
    struct tac_error err = {0};
    uint64_t end = tac_clock_ns() + 10000000000u;
    if (alsa->start(stream, &err) < 0)
        return stats;
    do {
        usleep(5000);
        alsa->stats(stream, &stats);
    } while (stats.cycles < cycles && !stats.done && tac_clock_ns() < end);
    CHECK(alsa->stop(stream) == 0);
    alsa->stats(stream, &stats);
    return stats;
}

static void pcm_without_clock_is_held_to_the_clock(void)
{
    struct tac_backend_stream *stream = NULL;
    struct tac_error err = {0};
    uint32_t at = 0;
    REQUIRE(open_device("nothing", RATE_HZ, FRAMES, &at, &stream, &err) == 0);
    uint64_t begin = tac_clock_ns();
    struct tac_backend_stats stats = play(stream, 150);
    double took_s = (double)(tac_clock_ns() - begin) / 1e9;
    CHECK(stats.cycles >= 150 && stats.frames == stats.cycles * FRAMES && at == stats.frames);
    CHECK(stats.xruns == 0 && stats.error == 0 && stats.late == 0); // and has no deadline
    CHECK_MSG((double)stats.frames / RATE_HZ <= 2 * took_s + 0.25, "%g s of sound in %g s",
              (double)stats.frames / RATE_HZ, took_s);
    stream->backend->close(stream);
}

static void samples_arrive_in_order(void)
{
    static float got[FRAMES * 200 * CHANNELS];
    struct tac_backend_stream *stream = NULL;
    struct tac_error err = {0};
    uint32_t at = 0;
    REQUIRE(open_device("tofile", RATE_HZ, FRAMES, &at, &stream, &err) == 0);
    play(stream, 100);
    stream->backend->close(stream);
    FILE *f = fopen(raw_path, "rb");
    REQUIRE(f);
    size_t n = fread(got, sizeof *got * CHANNELS, FRAMES * 200, f), first = 0, good = 0;
    fclose(f);
    while (first < n && got[first * CHANNELS + 1] == 0) // the silence before the first block
        first++;
    CHECK_MSG(first > 0 && first % FRAMES == 0, "%zu frames of silence", first);
    for (size_t i = first; i < n; i++)
        good += got[i * CHANNELS] == (float)((i - first) % 4096) / 4096 &&
                got[i * CHANNELS + 1] == -0.5f;
    CHECK_MSG(n > first + FRAMES * 90 && good == n - first, "%zu of %zu frames", good, n - first);
}

static void stream_starts_again_after_stop(void)
{
    struct tac_backend_stream *stream = NULL;
    struct tac_error err = {0};
    uint32_t at = 0;
    REQUIRE(open_device("nothing", RATE_HZ, FRAMES, &at, &stream, &err) == 0);
    uint64_t once = play(stream, 5).cycles;
    CHECK(once >= 5 && play(stream, once + 5).cycles >= once + 5);
    stream->backend->close(stream);
}

static void wrong_devices_are_one_line(void)
{
    struct tac_backend_stream *stream = NULL;
    struct tac_error err = {0};
    uint32_t at = 0;
    CHECK(open_device("no_such_device", RATE_HZ, FRAMES, &at, &stream, &err) < 0);
    CHECK(strstr(err.text, "cannot be opened") && !strcmp(err.file, "no_such_device"));
    CHECK(open_device("nothing", 48000, 0, &at, &stream, &err) == -TAC_E_RANGE);
    CHECK(open_device("nothing", 1e9, FRAMES, &at, &stream, &err) == -TAC_E_RANGE);
    CHECK(!stream);
    tac_backend_find("alsa")->close(NULL);
}

static void every_format_keeps_its_precision(void)
{
    static const float x[] = {0, 0.5f, -0.5f, 0.25f, -1, 0.999969482421875f, 2, -2, 1};
    enum { N = sizeof x / sizeof *x };
    for (const struct tac_alsa_sample *s = tac_alsa_samples; s->put; s++) {
        size_t bytes = (size_t)snd_pcm_format_physical_width(s->format) / 8, step = bytes * 2;
        unsigned char samples[N * 8 + 8];
        float back[N];
        bool clips = s->format != SND_PCM_FORMAT_FLOAT;
        memset(samples, 0xa5, sizeof samples);
        s->put(samples, step, x, N);
        s->get(back, samples, step, N);
        for (int i = 0; i < N; i++)
            CHECK_NEAR(back[i], clips ? fminf(1, fmaxf(-1, x[i])) : x[i], 1 / 32768.0);
        for (size_t b = 0; b < bytes; b++) // the neighbour's samples are left alone
            CHECK(samples[bytes + b] == 0xa5);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    if (write_configuration())
        return 1;
    TEST(every_format_keeps_its_precision);
    TEST(pcm_without_clock_is_held_to_the_clock);
    TEST(samples_arrive_in_order);
    TEST(stream_starts_again_after_stop);
    TEST(wrong_devices_are_one_line);
    remove_configuration();
    return test_end();
}
