/* SPDX-License-Identifier: MIT
 * test_dynamics.c - what turns or makes levels: the limiter never overshoots, and lets quiet sound
 * alone. */
#include "play.h"
#include "test.h"

enum { N = 48000 };

static float loud[N], heard[N];

/* Bursts, single clicks and noise, up to +24 dB. */
static void make_rough_signal(void)
{
    uint32_t x = 1;
    for (int i = 0; i < N; i++) {
        x = x * 1664525u + 1013904223u;
        double noise = (double)(int32_t)x / 2147483648.0;
        double burst = i / 3000 % 3 == 1 ? 16 : 0.2;
        loud[i] = (float)(noise * burst);
        if (i % 7919 == 0)
            loud[i] = 15;
    }
}

static void open_limiter(struct play *p, const struct tac_variant *v, int true_peak)
{
    play_option = "peak";
    play_option_value = (float)true_peak;
    play_open(p, v, "limiter");
    play_option = NULL;
}

static void limiter_never_overshoots(void)
{
    make_rough_signal();
    for (int true_peak = 0; true_peak < 2; true_peak++)
        EACH_VARIANT(v)
        {
            struct play p;
            open_limiter(&p, v, true_peak);
            play_set(&p, "ceiling", -6);
            play_run(&p, loud, 0, heard, N);
            int over = 0;
            double ceiling = pow(10, -6 / 20.0) * (1 + 1e-6);
            for (int i = 0; i < N; i++)
                over += fabs((double)heard[i]) > ceiling;
            CHECK_MSG(over == 0, "%s: %d samples", v->name, over);
            play_close(&p);
        }
}

/* At eighths of a frame, by a sinc of 64 taps under a Hann window. */
static double true_peak(const float *x, int frames)
{
    double top = 0;
    for (int part = 0; part < 8; part++) {
        double tap[64];
        for (int k = 0; k < 64; k++) {
            double t = k - 31 - part / 8.0, w = fabs(t) < 32 ? pow(cos(M_PI * t / 64), 2) : 0;
            tap[k] = w * (t == 0 ? 1 : sin(M_PI * t) / (M_PI * t));
        }
        for (int i = 31; i + 33 < frames; i++) {
            double y = 0;
            for (int k = 0; k < 64; k++)
                y += tap[k] * (double)x[i - 31 + k];
            top = fmax(top, fabs(y));
        }
    }
    return top;
}

/* Sines up to 12 kHz whose peaks lie between frames, in bursts, 10 dB too loud. */
static void limiter_keeps_true_peaks_down(void)
{
    enum { FRAMES = 8192 };
    static const double norm[] = {1.0 / 4, 1.0 / 6, 0.2113, 0.0823};
    EACH_EXTREME(v)
    for (size_t k = 0; k < 4; k++) {
        struct play p;
        for (int i = 0; i < FRAMES; i++) {
            double swell = 0.5 - 0.5 * cos(2 * M_PI * i / 1024);
            loud[i] = (float)(3 * swell * sin(2 * M_PI * norm[k] * i + M_PI * norm[k]));
        }
        open_limiter(&p, v, 1);
        play_set(&p, "ceiling", -3);
        play_run(&p, loud, 0, heard, FRAMES);
        play_close(&p);
        double over = play_db(true_peak(heard, FRAMES)) + 3;
        CHECK_MSG(over <= 0.1, "%s, %.0f Hz: %.2f dB over", v->name, norm[k] * PLAY_RATE, over);
    }
}

static void limiter_passes_what_is_quiet(void)
{
    struct play p;
    for (int i = 0; i < N; i++)
        loud[i] = (float)(0.5 * sin(0.05 * i));
    play_open(&p, tac_blocks_variant(0), "limiter");
    play_run(&p, loud, 0, heard, N);
    uint32_t latency = p.block->latency_frames;
    double worst = 0;
    for (uint32_t i = latency; i < N; i++)
        worst = fmax(worst, fabs((double)heard[i] - (double)loud[i - latency]));
    CHECK_MSG(worst < 1e-6, "%g", worst);
    play_close(&p);
}

/* The gain alone, without the last clamp, must do the work: a sine 12 dB too loud stays a sine. */
static void limiter_does_not_clip(void)
{
    struct play p;
    for (int i = 0; i < N; i++)
        loud[i] = (float)(4 * sin(2 * M_PI * 1000 / PLAY_RATE * i));
    play_open(&p, tac_blocks_variant(0), "limiter");
    play_set(&p, "ceiling", 0);
    play_run(&p, loud, 0, heard, N);
    double third = play_amplitude(heard + N / 2, N / 2, 3000.0 / PLAY_RATE);
    CHECK_MSG(play_db(third) < -60, "third harmonic %.1f dB", play_db(third));
    play_close(&p);
}

/* A constant level, long enough for the detector to settle. */
static double settled_db(const struct tac_variant *v, double level_db)
{
    struct play p;
    for (int i = 0; i < N; i++)
        loud[i] = (float)pow(10, level_db / 20);
    play_open(&p, v, "compressor");
    play_set(&p, "threshold", -20);
    play_set(&p, "ratio", 4);
    play_set(&p, "knee", 6);
    play_run(&p, loud, 0, heard, N);
    play_close(&p);
    return play_db((double)heard[N - 1]);
}

static void compressor_follows_its_curve(void)
{
    EACH_VARIANT(v)
    for (double level = -40; level <= 0; level += 2.5) {
        double over = level + 20, want = level;
        if (fabs(over) <= 3)
            want = level - 0.75 * (over + 3) * (over + 3) / 12;
        else if (over > 3)
            want = level - 0.75 * over;
        double got = settled_db(v, level);
        CHECK_MSG(fabs(got - want) < 0.1, "%s %g dB: %.2f, not %.2f", v->name, level, got, want);
    }
}

/* A step up and down again: the reduction goes 63 % of its way in the attack, and in the release.
 */
static void compressor_takes_its_times(void)
{
    enum { ATTACK = 480, RELEASE = 2400 };
    double full = (20 - 0) * 0.75, first = full * (1 - exp(-1)), last = full * exp(-1);
    EACH_VARIANT(v)
    {
        struct play p;
        for (int i = 0; i < N; i++)
            loud[i] = i < N / 2 ? 1 : 1e-3f;
        play_open(&p, v, "compressor");
        play_set(&p, "threshold", -20);
        play_set(&p, "ratio", 4);
        play_set(&p, "knee", 0);
        play_set(&p, "attack", (double)ATTACK / PLAY_RATE);
        play_set(&p, "release", (double)RELEASE / PLAY_RATE);
        play_run(&p, loud, 1, heard, N);
        CHECK_NEAR(heard[ATTACK - 1], first, 0.01);
        CHECK_NEAR(heard[N / 2 - 1], full, 0.01);
        CHECK_NEAR(heard[N / 2 + RELEASE - 1], last, 0.01);
        play_close(&p);
    }
}

/* Attack of 10 ms to the top, decay and release to within 60 dB in their time, no step on the way.
 */
static void adsr_takes_the_times_asked_for(void)
{
    EACH_VARIANT(v)
    {
        struct play p;
        play_open(&p, v, "adsr");
        play_set(&p, "attack", 0.01);
        play_set(&p, "decay", 0.1);
        play_set(&p, "sustain", 0.5);
        play_set(&p, "release", 0.2);
        for (int i = 0; i < N; i++)
            loud[i] = i < N / 2 ? 1 : 0;
        play_run(&p, loud, 0, heard, N);
        int top = 0;
        while (top < N - 1 && heard[top] < 1)
            top++;
        CHECK_MSG(abs(top - 480) <= 1, "%s: top after %d frames", v->name, top);
        CHECK_NEAR(heard[top + 4800], 0.5 + 0.5e-3, 1e-4);
        /* It rests where a step is less than half of the last bit: 2e-5 above. */
        CHECK_NEAR(heard[N / 2 - 1], 0.5, 4e-5);
        CHECK_NEAR(heard[N / 2 + 9600 - 1], 0.5e-3, 1e-5);
        play_close(&p);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(limiter_never_overshoots);
    TEST(limiter_keeps_true_peaks_down);
    TEST(limiter_passes_what_is_quiet);
    TEST(limiter_does_not_clip);
    TEST(compressor_follows_its_curve);
    TEST(compressor_takes_its_times);
    TEST(adsr_takes_the_times_asked_for);
    return test_end();
}
