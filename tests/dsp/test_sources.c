/* SPDX-License-Identifier: MIT
 * test_sources.c - sine, saw and noise against what mathematics says they are. */
#include "play.h"
#include "spectrum.h"
#include "test.h"

enum { N = 48000 };

static float heard[N];

/* RMS of what a sine of that frequency (and a constant) does not explain, over the sine's RMS: the
 * four-parameter sine fit of IEEE 1057, the frequency known. */
static double residual_db(const float *x, size_t n, double norm)
{
    double a = 0, b = 0, dc = 0;
    for (int pass = 0; pass < 4; pass++) {
        double sa = 0, sb = 0, sc = 0;
        for (size_t i = 0; i < n; i++) {
            double c = cos(2 * M_PI * norm * (double)i), s = sin(2 * M_PI * norm * (double)i);
            double r = (double)x[i] - a * c - b * s - dc;
            sa += r * c;
            sb += r * s;
            sc += r;
        }
        a += 2 * sa / (double)n;
        b += 2 * sb / (double)n;
        dc += sc / (double)n;
    }
    double error = 0;
    for (size_t i = 0; i < n; i++) {
        double t = 2 * M_PI * norm * (double)i;
        double r = (double)x[i] - a * cos(t) - b * sin(t);
        error += r * r;
    }
    return 10 * log10(error / (double)n / ((a * a + b * b) / 2));
}

static void sine_has_no_distortion(void)
{
    static const double hz[] = {20, 110, 440, 997, 3523, 7041, 15013, 20000};
    EACH_VARIANT(v)
    for (size_t k = 0; k < sizeof hz / sizeof *hz; k++) {
        struct play p;
        play_open(&p, v, "sine");
        play_set(&p, "frequency", hz[k]);
        play_run(&p, NULL, 0, heard, N);
        double norm = floor(hz[k] / PLAY_RATE * 4294967296.0) / 4294967296.0;
        double db = residual_db(heard, N, norm);
        CHECK_MSG(db <= -145, "%s at %g Hz: %.1f dB", v->name, hz[k], db);
        play_close(&p);
    }
}

static void sine_follows_its_pitch(void)
{
    struct play p;
    play_open(&p, tac_blocks_variant(0), "sine");
    play_set(&p, "frequency", 1000);
    play_set(&p, "pitch", 12);
    play_run(&p, NULL, 0, heard, N);
    CHECK_NEAR(play_amplitude(heard, N, 2000.0 / PLAY_RATE), 1, 1e-4);
    play_close(&p);
}

/* Mean power density in octave bands from 125 Hz up, in dB. */
static void octave_levels(const float *x, size_t chunks, double level[8])
{
    static double re[SPECTRUM], im[SPECTRUM];
    memset(level, 0, 8 * sizeof *level);
    for (size_t c = 0; c < chunks; c++) {
        for (size_t i = 0; i < SPECTRUM; i++) {
            re[i] = (double)x[c * SPECTRUM + i];
            im[i] = 0;
        }
        spectrum_fft(re, im, SPECTRUM);
        for (int o = 0; o < 8; o++) {
            size_t low = (size_t)(125 * M_SQRT1_2 * pow(2, o) * SPECTRUM / PLAY_RATE),
                   high = low * 2;
            for (size_t k = low; k < high; k++)
                level[o] += (re[k] * re[k] + im[k] * im[k]) / (double)(high - low);
        }
    }
    for (int o = 0; o < 8; o++)
        level[o] = 10 * log10(level[o]);
}

/* Each octave lies on the line of its colour; brown and the differences leave it near the top. */
static void noise_has_its_colour(void)
{
    static const struct {
        double slope, within;
        int octaves;
    } colour[] = {
        {0, 0.3, 8}, {-3.0103, 0.3, 8}, {-6.0206, 0.6, 7}, {3.0103, 0.7, 7}, {6.0206, 0.7, 6}};
    enum { CHUNKS = 12 };
    static float x[CHUNKS * SPECTRUM];
    for (int c = 0; c < 5; c++) {
        struct play p;
        double level[8], middle = 0;
        play_open(&p, tac_blocks_variant(0), "noise");
        play_set(&p, "colour", c);
        play_run(&p, NULL, 0, x, CHUNKS * SPECTRUM);
        octave_levels(x, CHUNKS, level);
        for (int o = 0; o < colour[c].octaves; o++)
            middle += (level[o] - colour[c].slope * o) / colour[c].octaves;
        for (int o = 0; o < colour[c].octaves; o++) {
            double off = level[o] - colour[c].slope * o - middle;
            CHECK_MSG(fabs(off) <= colour[c].within, "colour %d, octave %d: %.2f dB off", c, o,
                      off);
        }
        play_close(&p);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(sine_has_no_distortion);
    TEST(sine_follows_its_pitch);
    TEST(noise_has_its_colour);
    return test_end();
}
