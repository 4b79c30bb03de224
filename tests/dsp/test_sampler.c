/* SPDX-License-Identifier: MIT
 * test_sampler.c - what pitching a file does to a sine. */
#include "play.h"
#include "test.h"

enum { HEAD = 1 << 17, N = 1 << 15 };

static float head[HEAD], heard[N];

static uint32_t read_nothing(struct tac_stream *self, float *out, uint32_t frames)
{
    (void)self, (void)out, (void)frames;
    return 0;
}

static bool always_at_end(struct tac_stream *self)
{
    (void)self;
    return true;
}

static struct tac_stream sine = {.channels = 1,
                                 .read = read_nothing,
                                 .at_end = always_at_end,
                                 .head = head,
                                 .head_frames = HEAD};

static double phase_of(const float *x, size_t n, double norm)
{
    double a = 0, b = 0;
    for (size_t i = 0; i < n; i++) {
        a += (double)x[i] * cos(2 * M_PI * norm * (double)i);
        b += (double)x[i] * sin(2 * M_PI * norm * (double)i);
    }
    return atan2(a, b);
}

/* All but the best fitting sine near that frequency, in dB below it. The pitch is a float, so the
 * frequency is off by up to 1e-7: it is read from the phases of the two halves. */
static double residual_db(const float *x, double norm)
{
    double turn = phase_of(x + N / 2, N / 2, norm) - phase_of(x, N / 2, norm);
    double a = 0, b = 0, error = 0;
    norm += remainder(turn - M_PI * norm * N, 2 * M_PI) / (M_PI * N);
    for (size_t i = 0; i < N; i++) {
        double w = 2 * M_PI * norm * (double)i;
        a += 2.0 / N * (double)x[i] * cos(w);
        b += 2.0 / N * (double)x[i] * sin(w);
    }
    for (size_t i = 0; i < N; i++) {
        double w = 2 * M_PI * norm * (double)i, r = (double)x[i] - a * cos(w) - b * sin(w);
        error += r * r / N;
    }
    return 10 * log10(error / ((a * a + b * b) / 2));
}

/* Frequencies that come out, as whole periods of N frames. */
static void a_pitched_sine_stays_a_sine(void)
{
    static const double pitch[] = {-7, -0.31, 0, 4, 7, 12}, periods[] = {137, 1367, 4733};
    play_sample = &sine;
    EACH_EXTREME(v)
    for (size_t k = 0; k < 3; k++)
        for (size_t t = 0; t < 6; t++) {
            struct play p;
            double norm = periods[k] / N / pow(2, pitch[t] / 12);
            for (size_t i = 0; i < HEAD; i++)
                head[i] = (float)sin(2 * M_PI * norm * (double)i);
            play_open(&p, v, "sampler");
            play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 1);
            play_set(&p, "pitch", pitch[t]);
            play_run(&p, NULL, 0, heard, 64);
            play_run(&p, NULL, 0, heard, N);
            double db = residual_db(heard, periods[k] / N);
            CHECK_MSG(db <= -105, "%s, %g periods, %g semitones: %.1f dB", v->name, periods[k],
                      pitch[t], db);
            play_close(&p);
        }
    play_sample = NULL;
}

/* Pitched up, a sine that would come out above half the rate does not: it would fold to below 18
 * kHz. One that has room keeps its level. */
static void what_has_no_room_is_left_out(void)
{
    static const struct {
        double semitones, hz; /* hz: of the file */
        int stays;
    } load[] = {{12, 15500, 0}, {12, 20000, 0}, {12, 8500, 1}, {7, 20500, 0}, {19, 12000, 0},
                {24, 9000, 0},  {24, 4000, 1},  {40, 3200, 0}, {1, 16000, 1}};
    play_sample = &sine;
    EACH_EXTREME(v)
    for (size_t k = 0; k < sizeof load / sizeof *load; k++) {
        struct play p;
        double power = 0;
        for (size_t i = 0; i < HEAD; i++)
            head[i] = (float)sin(2 * M_PI * load[k].hz / PLAY_RATE * (double)i);
        play_open(&p, v, "sampler");
        play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 1);
        play_set(&p, "pitch", load[k].semitones);
        play_run(&p, NULL, 0, heard, 1024);
        play_run(&p, NULL, 0, heard, 4096);
        for (size_t i = 0; i < 4096; i++)
            power += 2 * (double)heard[i] * (double)heard[i] / 4096;
        double db = 10 * log10(power + 1e-20);
        CHECK_MSG(load[k].stays ? fabs(db) < 0.1 : db <= -90, "%s, %g Hz, %g semitones up: %.2f dB",
                  v->name, load[k].hz, load[k].semitones, db);
        play_close(&p);
    }
    play_sample = NULL;
}

/* Goes on behind a head of any length, for one lane. frames 0: from there. */
static uint32_t read_on(struct tac_stream *self, float *out, uint32_t frames)
{
    static uint32_t next;
    if (!frames)
        next = self->head_frames;
    for (uint32_t i = 0; i < frames; i++)
        out[i] = (float)(1 + next++);
    return frames;
}

static void the_head_goes_over_into_the_stream(void)
{
    static struct tac_stream ramp = {
        .channels = 1, .read = read_on, .at_end = always_at_end, .head = head};
    const struct tac_variant *one = tac_blocks_variant_for(1);
    play_sample = &ramp;
    for (uint32_t i = 0; i < HEAD; i++)
        head[i] = (float)(1 + i);
    for (uint32_t frames = 960; frames <= 1100; frames += 7) {
        struct play p;
        uint32_t wrong = 0;
        ramp.head_frames = frames;
        read_on(&ramp, NULL, 0);
        play_open(&p, one, "sampler");
        play_fill(p.in[0], (size_t)PLAY_CHUNK * p.lanes, 1);
        play_run(&p, NULL, 0, heard, 2048);
        for (uint32_t i = 0; i < 2048; i++)
            wrong += heard[i] != (float)(1 + i);
        CHECK_MSG(!wrong, "a head of %u frames: %u are wrong", frames, wrong);
        play_close(&p);
    }
    play_sample = NULL;
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_pitched_sine_stays_a_sine);
    TEST(what_has_no_room_is_left_out);
    TEST(the_head_goes_over_into_the_stream);
    return test_end();
}
