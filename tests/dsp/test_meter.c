/* SPDX-License-Identifier: MIT
 * test_meter.c - the meter beside libebur128, and beside what the standards say of a sine. */
#include "play.h"
#include "test.h"

#include <ebur128.h>

enum { SECONDS = 20, N = SECONDS * PLAY_RATE };

static float left[N], right[N];

/* Loud and soft passages of noise and sines, so that both gates have something to do. */
static void compose(uint64_t seed)
{
    static const float gain[] = {0.5f, 0.003f, 0.1f, 0.8f, 0.0002f, 0.05f};
    for (size_t i = 0; i < N; i++) {
        float g = gain[i / (PLAY_RATE * 3) % 6];
        double t = (double)i / PLAY_RATE;
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        double noise = (double)(seed >> 33) / 1073741824.0 - 1;
        left[i] = g * (float)(0.6 * sin(2 * M_PI * 110 * t) + 0.3 * noise);
        right[i] = g * (float)(0.5 * sin(2 * M_PI * 3100 * t) + 0.4 * sin(2 * M_PI * 40 * t));
    }
}

static ebur128_state *reference(size_t frames)
{
    int mode = EBUR128_MODE_M | EBUR128_MODE_S | EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK |
               EBUR128_MODE_SAMPLE_PEAK;
    ebur128_state *e = ebur128_init(2, PLAY_RATE, mode);
    for (size_t i = 0; i < frames; i++) {
        float frame[2] = {left[i], right[i]};
        ebur128_add_frames_float(e, frame, 1);
    }
    return e;
}

static int port(const struct play *p, const char *name)
{
    for (int i = 0; p->block->out[i].name; i++)
        if (!strcmp(p->block->out[i].name, name))
            return i;
    abort();
}

static void listen(struct play *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += PLAY_CHUNK) {
        for (uint32_t f = 0; f < PLAY_CHUNK; f++) {
            play_fill(p->in[0] + f * p->lanes, p->lanes, left[i + f]);
            play_fill(p->in[1] + f * p->lanes, p->lanes, right[i + f]);
        }
        play_chunk(p, PLAY_CHUNK);
    }
}

/* The last frame of an output, in the last lane. */
static double reading(const struct play *p, const char *name)
{
    return (double)p->out[port(p, name)][(size_t)PLAY_CHUNK * p->lanes - 1];
}

static void check(const struct play *p, const char *name, double expected, double within)
{
    CHECK_MSG(fabs(reading(p, name) - expected) <= within, "%u lanes, %s: %.3f, expected %.3f",
              p->lanes, name, reading(p, name), expected);
    float value = 0;
    const char *unit = p->block->reading(p->state, (uint32_t)port(p, name), p->lanes - 1, &value);
    CHECK(unit && !strcmp(unit, strstr(name, "peak") || strstr(name, "rms") ? "dB" : "LUFS"));
    CHECK_NEAR(value, reading(p, name), 1e-4);
}

static void the_sound_is_no_reading(void)
{
    EACH_EXTREME(v)
    {
        struct play p;
        float value = 7;
        play_open(&p, v, "meter");
        CHECK(!p.block->reading(p.state, (uint32_t)port(&p, "left"), 0, &value));
        CHECK(!p.block->reading(p.state, (uint32_t)port(&p, "true_peak"), 0, &value));
        CHECK(value == 7);
        CHECK(p.block->reading(p.state, (uint32_t)port(&p, "peak"), 0, &value));
        CHECK_NEAR(value, -120, 1e-3);
        play_close(&p);
    }
}

static void readings_are_those_of_libebur128(void)
{
    static const size_t seconds[] = {4, 8, 14, 20};
    compose(7);
    EACH_EXTREME(v)
    {
        struct play p;
        size_t done = 0;
        play_open(&p, v, "meter");
        p.connected = 3;
        for (size_t k = 0; k < sizeof seconds / sizeof *seconds; k++) {
            size_t frames = seconds[k] * PLAY_RATE;
            ebur128_state *e = reference(frames);
            double momentary, brief, integrated, peak[2];
            listen(&p, done, frames);
            done = frames;
            ebur128_loudness_momentary(e, &momentary);
            ebur128_loudness_shortterm(e, &brief);
            ebur128_loudness_global(e, &integrated);
            for (unsigned c = 0; c < 2; c++)
                ebur128_sample_peak(e, c, &peak[c]);
            check(&p, "momentary", momentary, 0.1);
            check(&p, "short", brief, 0.1);
            check(&p, "integrated", integrated, 0.1);
            check(&p, "peak", play_db(fmax(peak[0], peak[1])), 0.01);
            ebur128_destroy(&e);
        }
        play_close(&p);
    }
}

/* Sines alone: the short filter of libebur128 reads noise near half the rate too low. */
static void true_peak_is_that_of_libebur128(void)
{
    double peak[2];
    for (size_t i = 0; i < N; i++) {
        double t = (double)i / PLAY_RATE;
        left[i] = (float)(0.4 * sin(2 * M_PI * 8913 * t) + 0.2 * sin(2 * M_PI * 5017 * t + 1));
        right[i] = (float)(0.5 * sin(2 * M_PI * 11003 * t));
    }
    ebur128_state *e = reference(4 * PLAY_RATE);
    for (unsigned c = 0; c < 2; c++)
        ebur128_true_peak(e, c, &peak[c]);
    ebur128_destroy(&e);
    EACH_EXTREME(v)
    {
        struct play p;
        play_open(&p, v, "meter");
        p.connected = 3;
        listen(&p, 0, 4 * PLAY_RATE);
        check(&p, "true_peak", play_db(fmax(peak[0], peak[1])), 0.1);
        play_close(&p);
    }
}

/* EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS. */
static void a_sine_reads_as_the_standard_says(void)
{
    EACH_EXTREME(v)
    {
        struct play p;
        float size = powf(10, -23.0f / 20);
        for (size_t i = 0; i < N; i++)
            left[i] = right[i] =
                size * sinf((float)(2 * M_PI * 1000 / PLAY_RATE * (double)(i % 48)));
        play_open(&p, v, "meter");
        p.connected = 3;
        listen(&p, 0, 8 * PLAY_RATE);
        check(&p, "momentary", -23, 0.1);
        check(&p, "short", -23, 0.1);
        check(&p, "integrated", -23, 0.1);
        check(&p, "rms", -26.01, 0.05);
        check(&p, "peak", -23, 0.01);
        play_close(&p);
    }
}

/* A sine at a quarter of the rate whose samples all miss its crests by 3 dB. */
static void true_peak_is_found_between_the_samples(void)
{
    EACH_EXTREME(v)
    {
        struct play p;
        for (size_t i = 0; i < N; i++)
            left[i] = right[i] = 0.5f * (float)sin(M_PI / 2 * (double)i + M_PI / 4);
        play_open(&p, v, "meter");
        p.connected = 3;
        listen(&p, 0, PLAY_RATE);
        check(&p, "true_peak", -6.02, 0.1);
        check(&p, "peak", -9.03, 0.05);
        play_fill(p.in[2], (size_t)PLAY_CHUNK * p.lanes, 1);
        listen(&p, 0, PLAY_CHUNK);
        play_fill(p.in[2], (size_t)PLAY_CHUNK * p.lanes, 0);
        play_fill(left, N, 0);
        play_fill(right, N, 0);
        listen(&p, 0, PLAY_RATE);
        check(&p, "momentary", -120, 0.1);
        play_close(&p);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(readings_are_those_of_libebur128);
    TEST(true_peak_is_that_of_libebur128);
    TEST(a_sine_reads_as_the_standard_says);
    TEST(true_peak_is_found_between_the_samples);
    TEST(the_sound_is_no_reading);
    return test_end();
}
