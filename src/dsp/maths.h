/* SPDX-License-Identifier: MIT
 * maths.h - the elementary functions that blocks share, over tac_v.
 *
 * Polynomials are near-minimax fits (iteratively re-weighted least squares in double precision);
 * each says its range and error. Pure; real-time: yes. */
#ifndef TAC_DSP_MATHS_H
#define TAC_DSP_MATHS_H

#include "dsp/vec.h"
#include "tactus/block.h"

#include <string.h>

/* A phase is 32 bits a turn: adding wraps by itself and never drifts. */

typedef double tac_d __attribute__((vector_size(TAC_LANES * 8)));

/* Increment of a phase per frame at that frequency; limited to 0.499 cycles. Computed in double, so
 * that the pitch is exact to the 2^-32 of the phase. */
TAC_INLINE tac_u tac_phase_step(tac_v hz, double per_hz)
{
    float limit = (float)(0.499 / per_hz);
    tac_v clipped = tac_v_clamp(hz, -limit, limit);
    tac_d turns = __builtin_convertvector(clipped, tac_d) * (per_hz * 4294967296.0);
    return (tac_u) __builtin_convertvector(turns, tac_m);
}

/* [0, 1) */
TAC_INLINE tac_v tac_phase_unit(tac_u phase)
{
    return tac_m_to_float((tac_m)(phase >> 8)) * (1.0f / 16777216.0f);
}

/* sin(t) for |t| <= pi / 2, where t is an angle times (1 + 2.8e-8), the error of 2 pi as a float:
 * error below 4e-9 before rounding. As t + t p(t^2), so that only small terms are rounded twice. */
TAC_INLINE tac_v tac_v_sin_angle(tac_v t)
{
    tac_v u = t * t;
    tac_v p = tac_v_set(2.59080298e-06f);
    p = tac_v_horner(p, u, -0.00019801085f);
    p = tac_v_horner(p, u, 0.00833290257f);
    p = tac_v_horner(p, u, -0.166666463f);
    p = tac_v_horner(p, u, -5.03327371e-08f);
    return tac_v_madd(t, p, t);
}

/* sin(2 pi x) for |x| <= 0.25. */
TAC_INLINE tac_v tac_v_sin_quarter(tac_v x)
{
    return tac_v_sin_angle(x * 6.28318548f);
}

/* A phase folded into a quarter turn, -2^30 .. 2^30, of the same sine: in integers, so no accuracy
 * is lost. */
TAC_INLINE tac_m tac_phase_fold(tac_u phase)
{
    tac_m q = (tac_m)(phase + 0x40000000u);
    return (tac_m)((tac_u)(q ^ (q >> 31)) - 0x40000000u);
}

/* sin(2 pi phase). */
TAC_INLINE tac_v tac_phase_sin(tac_u phase)
{
    return tac_v_sin_angle(tac_m_to_float(tac_phase_fold(phase)) * (6.28318548f / 4294967296.0f));
}

/* What single precision is too coarse for is computed in doubles, by halves of a vector: as many
 * doubles as a register holds. One lane has one half. */
enum { TAC_HALVES = TAC_LANES == 1 ? 1 : 2, TAC_HALF_LANES = TAC_LANES / TAC_HALVES };

typedef double tac_h __attribute__((vector_size(TAC_HALF_LANES * 8)));
typedef float tac_h_floats __attribute__((vector_size(TAC_HALF_LANES * 4)));
typedef int32_t tac_h_ints __attribute__((vector_size(TAC_HALF_LANES * 4)));

TAC_INLINE tac_h tac_h_set(double x)
{
    return x - (tac_h){0};
}

TAC_INLINE tac_h tac_h_of(const tac_v *x, int half)
{
    tac_h_floats part;
    memcpy(&part, (const char *)x + (size_t)half * sizeof part, sizeof part);
    return __builtin_convertvector(part, tac_h);
}

/* A step or phase in turns, times 2^32; -1/2 to 1/2 of one. */
TAC_INLINE tac_h tac_h_of_phase(const tac_u *x, int half)
{
    tac_h_ints part;
    memcpy(&part, (const char *)x + (size_t)half * sizeof part, sizeof part);
    return __builtin_convertvector(part, tac_h);
}

TAC_INLINE void tac_h_put(tac_h x, tac_v *to, int half)
{
    tac_h_floats part = __builtin_convertvector(x, tac_h_floats);
    memcpy((char *)to + (size_t)half * sizeof part, &part, sizeof part);
}

/* a b + c, rounded as tac_v_madd does. */
TAC_INLINE tac_h tac_h_madd(tac_h a, tac_h b, tac_h c)
{
#if TAC_LANES == 16 && defined(__AVX512F__)
    return (tac_h)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif TAC_LANES == 8 && defined(__FMA__)
    return (tac_h)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif TAC_LANES == 4 && defined(__aarch64__)
    return (tac_h)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#elif TAC_LANES == 1 && (defined(__FMA__) || defined(__aarch64__))
    return (tac_h){__builtin_fma(a[0], b[0], c[0])};
#else
    return a * b + c;
#endif
}

/* A step of a polynomial: p x + c. */
TAC_INLINE tac_h tac_h_horner(tac_h p, tac_h x, double c)
{
    return tac_h_madd(p, x, tac_h_set(c));
}

/* sin(t) for |t| <= pi / 2, to 1e-12: the series to the 15th power. */
TAC_INLINE tac_h tac_h_sin_angle(tac_h t)
{
    tac_h u = t * t, p = tac_h_horner(tac_h_set(-1.0 / 1307674368000), u, 1.0 / 6227020800);
    p = tac_h_horner(p, u, -1.0 / 39916800);
    p = tac_h_horner(p, u, 1.0 / 362880);
    p = tac_h_horner(p, u, -1.0 / 5040);
    p = tac_h_horner(p, u, 1.0 / 120);
    p = tac_h_horner(p, u, -1.0 / 6);
    return tac_h_madd(t * u, p, t);
}

/* Rounded as IEEE 754 asks; x >= 0. */
TAC_INLINE tac_h tac_h_sqrt(tac_h x)
{
#if TAC_LANES == 16 && defined(__AVX512F__)
    return (tac_h)_mm512_sqrt_pd((__m512d)x);
#elif TAC_LANES == 8 && defined(__AVX__)
    return (tac_h)_mm256_sqrt_pd((__m256d)x);
#elif TAC_LANES == 4 && defined(__SSE2__)
    return (tac_h)_mm_sqrt_pd((__m128d)x);
#elif TAC_LANES == 4 && defined(__aarch64__)
    return (tac_h)vsqrtq_f64((float64x2_t)x);
#else
    for (int l = 0; l < TAC_HALF_LANES; l++)
        x[l] = __builtin_sqrt(x[l]);
    return x;
#endif
}

/* 2^x for |x| < 126: relative error below 3e-9 before rounding. */
TAC_INLINE tac_v tac_v_exp2(tac_v x)
{
    x = tac_v_clamp(x, -125.0f, 125.0f);
    tac_v whole = tac_v_floor(x);
    tac_v f = x - whole;
    tac_v p = tac_v_set(0.000218892259f);
    p = tac_v_horner(p, f, 0.00123843044f);
    p = tac_v_horner(p, f, 0.00968497622f);
    p = tac_v_horner(p, f, 0.0554802211f);
    p = tac_v_horner(p, f, 0.24023055f);
    p = tac_v_horner(p, f, 0.693146925f);
    p = tac_v_horner(p, f, 1.0f);
    return p * (tac_v)((tac_v_to_int(whole) + 127) << 23);
}

/* MIDI note number -> Hz; 69 is 440 Hz. */
TAC_INLINE tac_v tac_v_pitch_hz(tac_v semitones)
{
    return tac_v_exp2((semitones - 69.0f) * (1.0f / 12.0f)) * 440.0f;
}

/* Semitones -> factor. */
TAC_INLINE tac_v tac_v_semitones(tac_v semitones)
{
    return tac_v_exp2(semitones * (1.0f / 12.0f));
}

/* Decibels -> factor. */
TAC_INLINE tac_v tac_v_db(tac_v db)
{
    return tac_v_exp2(db * 0.166096405f);
}

/* tan(pi x) = n / d for 0 <= x < 0.49: relative error below 6e-8. A polynomial between the zero at
 * 0 and the pole at 1/2; as a ratio, because filters need it under one more division. */
struct tac_ratio {
    tac_v n, d;
};

TAC_INLINE struct tac_ratio tac_v_tan_pi(tac_v x)
{
    tac_v u = x * x;
    tac_v p = tac_v_set(-0.119060695f);
    p = tac_v_horner(p, u, -0.203969344f);
    p = tac_v_horner(p, u, -0.539671421f);
    p = tac_v_horner(p, u, -2.23092628f);
    p = tac_v_horner(p, u, 3.1415925f);
    return (struct tac_ratio){p * x, tac_v_horner(u, tac_v_set(-4), 1)};
}

/* log2(x) for normal x > 0: absolute error below 2e-6. The mantissa is brought to sqrt(1/2) ..
 * sqrt(2) and log2(m) = 2 / ln 2 * atanh((m - 1) / (m + 1)) summed to the 7th power. */
TAC_INLINE tac_v tac_v_log2(tac_v x)
{
    tac_m exponent = ((tac_m)x - 0x3f3504f3) >> 23;
    tac_v m = (tac_v)((tac_u)(tac_m)x - ((tac_u)exponent << 23));
    tac_v t = (m - 1.0f) / (m + 1.0f);
    tac_v y = t * t;
    tac_v p = tac_v_horner(tac_v_set(0.412198583f), y, 0.577078016f);
    p = tac_v_horner(p, y, 0.961796694f);
    p = tac_v_horner(p, y, 2.88539008f);
    return tac_v_madd(t, p, tac_m_to_float(exponent));
}

/* tanh(x) / x = n / d, by the square of x: Lambert's continued fraction cut at degree 7 over 6. */
TAC_INLINE struct tac_ratio tac_v_tanh_by_square(tac_v y)
{
    tac_v a = tac_v_horner(tac_v_set(7.4000074e-6f), y, 0.0027972028f);
    a = tac_v_horner(tac_v_horner(a, y, 0.128205128f), y, 1);
    tac_v b = tac_v_horner(tac_v_set(2.07200207e-4f), y, 0.0233100233f);
    b = tac_v_horner(tac_v_horner(b, y, 0.461538462f), y, 1);
    return (struct tac_ratio){a, b};
}

/* tanh(x) = n / d: absolute error below 2e-5, odd; clamped where the fraction reaches 1.
 * 1 <= d <= 31. */
TAC_INLINE struct tac_ratio tac_v_tanh_ratio(tac_v x)
{
    x = tac_v_clamp(x, -4.97f, 4.97f);
    struct tac_ratio t = tac_v_tanh_by_square(x * x);
    return (struct tac_ratio){x * t.n, t.d};
}

/* tanh(x) / x = n / d, 1 at 0; 0 < n <= d. */
TAC_INLINE struct tac_ratio tac_v_tanh_share(tac_v x)
{
    return tac_v_tanh_by_square(tac_v_min(x * x, tac_v_set(4.97f * 4.97f)));
}

/* tanh(x), never beyond 1. */
TAC_INLINE tac_v tac_v_tanh(tac_v x)
{
    struct tac_ratio t = tac_v_tanh_ratio(x);
    return tac_v_clamp(t.n / t.d, -1.0f, 1.0f);
}

/* Value of a signal at a frame. */
#define TAC_AT(signal, frame) tac_v_load((signal).data + (size_t)(frame) * (signal).stride)

/* The count of what stands still (tac_io.still), or 0: to be kept with what was worked out, and
 * taken before the signals are looked at. */
TAC_INLINE uint64_t tac_still(const struct tac_io *io)
{
    /* acquire: who sees the count sees what it was counted for */
    return io->still ? __atomic_load_n(io->still, __ATOMIC_ACQUIRE) : 0;
}

/* Strides, and values where the stride is 0, are what they were when that count was kept. */
TAC_INLINE int tac_is_still(const struct tac_io *io, uint64_t kept)
{
    return kept && tac_still(io) == kept;
}

/* All lanes of a frame have that value. */
TAC_INLINE int tac_is_same(const float *frame, float value)
{
    return !tac_v_differ(tac_v_load(frame), tac_v_set(value));
}

/* Write a frame, or add to what is there. add is a constant where this is inlined. */
TAC_INLINE void tac_give(float *to, tac_v y, int add)
{
    tac_v_store(to, add ? tac_v_load(to) + y : y);
}

/* Write a frame of an output that perhaps nobody listens to. */
TAC_INLINE void tac_put(const struct tac_io *io, int port, uint32_t frame, tac_v y)
{
    if (io->out[port])
        tac_v_store(io->out[port] + (size_t)frame * TAC_LANES, y);
}

#endif
