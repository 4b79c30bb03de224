/* SPDX-License-Identifier: MIT
 * spectrum.h - a plain FFT in double, and the alias-to-signal ratio of a periodic wave. */
#ifndef TAC_TEST_SPECTRUM_H
#define TAC_TEST_SPECTRUM_H

#include <math.h>
#include <stddef.h>

enum { SPECTRUM = 1 << 16 };

/* In place, decimation in time; n a power of two. */
static inline void spectrum_fft(double *re, double *im, size_t n)
{
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j) {
            double t = re[i];
            re[i] = re[j];
            re[j] = t;
            t = im[i];
            im[i] = im[j];
            im[j] = t;
        }
    }
    for (size_t half = 1; half < n; half *= 2)
        for (size_t k = 0; k < half; k++) {
            double c = cos(M_PI * (double)k / (double)half);
            double s = -sin(M_PI * (double)k / (double)half);
            for (size_t i = k; i < n; i += 2 * half) {
                double a = re[i + half] * c - im[i + half] * s;
                double b = re[i + half] * s + im[i + half] * c;
                re[i + half] = re[i] - a;
                im[i + half] = im[i] - b;
                re[i] += a;
                im[i] += b;
            }
        }
}

/* x has SPECTRUM frames and exactly `periods` (odd) periods of a wave. Energy below 20 kHz that
 * lies on no harmonic, over the energy that does, in dB. */
static inline double spectrum_alias_db(const float *x, size_t periods)
{
    static double re[SPECTRUM], im[SPECTRUM];
    for (size_t i = 0; i < SPECTRUM; i++) {
        re[i] = (double)x[i];
        im[i] = 0;
    }
    spectrum_fft(re, im, SPECTRUM);
    double harmonic = 0, other = 0;
    for (size_t k = SPECTRUM * 20 / 48000; k < SPECTRUM / 48 * 20; k++) {
        double power = re[k] * re[k] + im[k] * im[k];
        if (k % periods == 0)
            harmonic += power;
        else
            other += power;
    }
    return 10 * log10(other / harmonic);
}

#endif
