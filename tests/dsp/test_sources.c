/* SPDX-License-Identifier: MIT
 * test_sources.c - sine, saw and noise against what mathematics says they are. */
#include "play.h"
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

static void noise_is_flat_or_pink(void)
{
    static float long_noise[1 << 18];
    enum { COUNT = 1 << 18 };
    for (int pink = 0; pink < 2; pink++) {
        struct play p;
        play_open(&p, tac_blocks_variant(0), "noise");
        play_set(&p, "colour", pink);
        play_run(&p, NULL, 0, long_noise, COUNT);
        double level[2] = {0, 0};
        static const double centre[] = {500, 4000};
        for (int band = 0; band < 2; band++)
            for (int k = -100; k <= 100; k++) {
                double a = play_amplitude(long_noise, 1 << 15,
                                          centre[band] * pow(2, k / 200.0) / PLAY_RATE);
                level[band] += a * a;
            }
        double slope = 10 * log10(level[1] / level[0]) / 3;
        CHECK_MSG(fabs(slope - (pink ? -3.01 : 0)) < 0.6, "slope %.2f dB per octave", slope);
        play_close(&p);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(sine_has_no_distortion);
    TEST(sine_follows_its_pitch);
    TEST(noise_is_flat_or_pink);
    return test_end();
}
