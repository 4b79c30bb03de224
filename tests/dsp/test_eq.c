/* SPDX-License-Identifier: MIT
 * test_eq.c - equaliser bands against the analogue ones that they stand for, up to 20 kHz. */
#include "play.h"
#include "test.h"

#include <complex.h>

enum { N = 1 << 13 };

static float pulse[N], heard[N], boosted[N];

/* Size in dB of the analogue band of Bristow-Johnson's cookbook. */
static double analogue_db(int shape, double gain_db, double q, double hz_per_f0)
{
    double a = pow(10, gain_db / 40), r = sqrt(a) / q;
    double complex s = (double complex)I * hz_per_f0, h;
    if (shape == 0)
        h = (s * s + s * a / q + 1) / (s * s + s / (a * q) + 1);
    else if (shape == 1)
        h = a * (s * s + r * s + a) / (a * s * s + r * s + 1);
    else
        h = a * (a * s * s + r * s + 1) / (s * s + r * s + a);
    return play_db(cabs(h));
}

static double response_db(double hz)
{
    double complex sum = 0, at = 1, turn = cexp(-2 * M_PI * (double complex)I * hz / PLAY_RATE);
    for (int i = 0; i < N; i++, at *= turn)
        sum += (double)heard[i] * at;
    return play_db(cabs(sum));
}

static void open_band(struct play *p, const struct tac_variant *v, int shape, double gain_db,
                      double q, double hz)
{
    play_open(p, v, "eq");
    play_set(p, "shape", shape);
    play_set(p, "gain", gain_db);
    play_set(p, "q", q);
    play_set(p, "frequency", hz);
}

/* Largest difference to the analogue band, 20 Hz to 20 kHz. */
static double worst_db(const struct tac_variant *v, int shape, double gain_db, double q, double hz)
{
    struct play p;
    double worst = 0;
    pulse[0] = 1;
    open_band(&p, v, shape, gain_db, q, hz);
    play_run(&p, pulse, 0, heard, N);
    play_close(&p);
    for (double f = 20; f < 20001; f *= 1.2589)
        worst = fmax(worst, fabs(response_db(f) - analogue_db(shape, gain_db, q, f / hz)));
    return worst;
}

static void check_bands(const struct tac_variant *v, const double *hz, size_t count)
{
    static const struct {
        int shape;
        double q, within[3]; /* for 6, 12 and 24 dB */
    } band[] = {
        {0, 0.4, {0.15, 0.25, 0.55}},    {0, 0.7071, {0.15, 0.32, 0.7}},
        {0, 2, {0.18, 0.36, 0.75}},      {0, 8, {0.13, 0.26, 0.65}},
        {1, 0.5, {0.12, 0.16, 0.25}},    {1, 0.7071, {0.12, 0.16, 0.25}},
        {1, 1, {0.12, 0.16, 0.25}},      {2, 0.5, {0.12, 0.16, 0.25}},
        {2, 0.7071, {0.12, 0.16, 0.25}}, {2, 1, {0.12, 0.16, 0.25}},
    };
    for (size_t b = 0; b < sizeof band / sizeof *band; b++)
        for (size_t k = 0; k < count; k++)
            for (int level = 0; level < 6; level++) {
                double gain = (level & 1 ? -6 : 6) * (1 << level / 2);
                double off = worst_db(v, band[b].shape, gain, band[b].q, hz[k]);
                CHECK_MSG(off <= band[b].within[level / 2],
                          "%s shape %d, q %g, %g dB, %g Hz: %.2f dB off", v->name, band[b].shape,
                          band[b].q, gain, hz[k], off);
            }
}

static void bands_are_the_analogue_ones(void)
{
    static const double few[] = {9000}, many[] = {150, 700, 3000, 5000, 8000, 12000, 16000, 20000};
    EACH_VARIANT(v)
    check_bands(v, few, 1);
    check_bands(tac_blocks_variant_for(TAC_BLOCK_LANES_MAX), many, sizeof many / sizeof *many);
}

/* Extremes of the ranges: finite, and right where there is no doubt. */
static void odd_bands_are_no_surprise(void)
{
    static const double q[] = {0.1, 4}, hz[] = {60, 22000};
    EACH_EXTREME(v)
    for (int shape = 0; shape < 3; shape++)
        for (int k = 0; k < 8; k++) {
            double gain = k & 4 ? -36 : 36, f0 = hz[k & 1];
            double off = 0;
            worst_db(v, shape, gain, q[k >> 1 & 1], f0);
            for (double f = f0 < 100 ? 1000 : 20; f < (f0 < 100 ? 20000 : 100); f *= 1.5)
                off = fmax(off,
                           fabs(response_db(f) - analogue_db(shape, gain, q[k >> 1 & 1], f / f0)));
            CHECK_MSG(off < 0.5, "%s shape %d, q %g, %g dB, %g Hz: %.2f dB off", v->name, shape,
                      q[k >> 1 & 1], gain, f0, off);
        }
}

static void a_cut_undoes_a_boost(void)
{
    static const double hz[] = {60, 1000, 9000, 18000};
    EACH_VARIANT(v)
    for (int shape = 0; shape < 3; shape++)
        for (size_t k = 0; k < 4; k++) {
            struct play boost, cut;
            double error = 0, power = 0;
            uint32_t seed = 1;
            for (int i = 0; i < N; i++) {
                seed = seed * 1664525u + 1013904223u;
                pulse[i] = (float)(int32_t)seed / 2147483648.0f;
            }
            open_band(&boost, v, shape, 15, 1.3, hz[k]);
            open_band(&cut, v, shape, -15, 1.3, hz[k]);
            play_run(&boost, pulse, 0, boosted, N);
            play_run(&cut, boosted, 0, heard, N);
            for (int i = 0; i < N; i++) {
                error += pow((double)heard[i] - (double)pulse[i], 2);
                power += pow((double)pulse[i], 2);
            }
            CHECK_MSG(10 * log10(error / power) < -105, "%s shape %d, %g Hz: %.1f dB", v->name,
                      shape, hz[k], 10 * log10(error / power));
            memset(pulse, 0, sizeof pulse);
            play_close(&boost);
            play_close(&cut);
        }
}

static void no_gain_changes_nothing(void)
{
    EACH_VARIANT(v)
    for (int shape = 0; shape < 3; shape++)
        CHECK_MSG(worst_db(v, shape, 0, 3, 6000) < 1e-4, "%s shape %d", v->name, shape);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(bands_are_the_analogue_ones);
    TEST(odd_bands_are_no_surprise);
    TEST(a_cut_undoes_a_boost);
    TEST(no_gain_changes_nothing);
    return test_end();
}
