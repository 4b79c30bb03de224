/* SPDX-License-Identifier: MIT
 * vec.h - tac_v: a vector of TAC_LANES floats, the word that all DSP code is written in.
 *
 * How     GCC vector extensions: + - * / and comparisons work on tac_v as on float, and the
 *         compiler picks the instructions of the variant that this file is compiled for
 *         (src/dsp/meson.build lists the variants; each passes -DTAC_LANES=n -DTAC_VARIANT=name).
 *         Comparisons give tac_m, a mask of all-ones or all-zeros lanes.
 * Threads pure. Real-time: yes, all of it. */
#ifndef TAC_DSP_VEC_H
#define TAC_DSP_VEC_H

#include "base/sanitized.h"

#include <stdint.h>
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef TAC_LANES
#error "vec.h is for code that is compiled per variant: TAC_LANES must be set"
#endif

typedef float tac_v __attribute__((vector_size(TAC_LANES * 4)));
typedef int32_t tac_m __attribute__((vector_size(TAC_LANES * 4)));
typedef uint32_t tac_u __attribute__((vector_size(TAC_LANES * 4)));

/* In front of a loop whose rounds do not depend on each other through memory. clang has no word for
 * it that is silent where it does not vectorize; it checks at run time. */
#ifdef __clang__
#define TAC_IVDEP
#else
#define TAC_IVDEP _Pragma("GCC ivdep")
#endif

/* In front of a loop over banks or lines that shall become straight code. */
#if TAC_SANITIZED
#define TAC_UNROLL
#elif defined(__clang__)
#define TAC_UNROLL _Pragma("unroll")
#else
#define TAC_UNROLL _Pragma("GCC unroll 8")
#endif

#define TAC_INLINE TAC_ALWAYS_INLINE

TAC_INLINE tac_v tac_v_set(float x)
{
    return x - (tac_v){0};
}

/* Aligned to the vector, as all signals are. Vectors alias floats and nothing else, so a store does
 * not make the compiler forget the pointers of the block. */
TAC_INLINE tac_v tac_v_load(const float *p)
{
    return *(const tac_v *)(const void *)p;
}

TAC_INLINE void tac_v_store(float *p, tac_v v)
{
    *(tac_v *)(void *)p = v;
}

/* mask ? a : b, lane by lane. */
TAC_INLINE tac_v tac_v_select(tac_m mask, tac_v a, tac_v b)
{
    return (tac_v)((mask & (tac_m)a) | (~mask & (tac_m)b));
}

/* a < b ? a : b, so b where either is not a number. The compiler may not turn the comparison into
 * the one instruction that does just this, as it must respect the sign of zero; we need not. */
TAC_INLINE tac_v tac_v_min(tac_v a, tac_v b)
{
#if TAC_LANES == 16 && defined(__AVX512F__)
    return (tac_v)_mm512_min_ps((__m512)a, (__m512)b);
#elif TAC_LANES == 8 && defined(__AVX__)
    return (tac_v)_mm256_min_ps((__m256)a, (__m256)b);
#elif TAC_LANES == 4 && defined(__SSE2__)
    return (tac_v)_mm_min_ps((__m128)a, (__m128)b);
#elif TAC_LANES == 1 && defined(__SSE2__)
    return (tac_v){_mm_cvtss_f32(_mm_min_ss(_mm_set_ss(a[0]), _mm_set_ss(b[0])))};
#else
    return tac_v_select(a < b, a, b);
#endif
}

TAC_INLINE tac_v tac_v_max(tac_v a, tac_v b)
{
#if TAC_LANES == 16 && defined(__AVX512F__)
    return (tac_v)_mm512_max_ps((__m512)a, (__m512)b);
#elif TAC_LANES == 8 && defined(__AVX__)
    return (tac_v)_mm256_max_ps((__m256)a, (__m256)b);
#elif TAC_LANES == 4 && defined(__SSE2__)
    return (tac_v)_mm_max_ps((__m128)a, (__m128)b);
#elif TAC_LANES == 1 && defined(__SSE2__)
    return (tac_v){_mm_cvtss_f32(_mm_max_ss(_mm_set_ss(a[0]), _mm_set_ss(b[0])))};
#else
    return tac_v_select(a > b, a, b);
#endif
}

TAC_INLINE tac_v tac_v_clamp(tac_v x, float low, float high)
{
    return tac_v_min(tac_v_max(x, tac_v_set(low)), tac_v_set(high));
}

/* a b + c, rounded once where the variant has an instruction for it, else twice. Compilers are told
 * to contract nothing by themselves (-ffp-contract=off), so what has which bits stands in the
 * source, and every compiler gives the same for one instruction set. */
TAC_INLINE tac_v tac_v_madd(tac_v a, tac_v b, tac_v c)
{
#if TAC_LANES == 16 && defined(__AVX512F__)
    return (tac_v)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif TAC_LANES == 8 && defined(__FMA__)
    return (tac_v)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif TAC_LANES == 4 && defined(__aarch64__)
    return (tac_v)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif TAC_LANES == 1 && (defined(__FMA__) || defined(__aarch64__))
    return (tac_v){__builtin_fmaf(a[0], b[0], c[0])};
#else
    return a * b + c;
#endif
}

/* c - a b, rounded likewise. */
TAC_INLINE tac_v tac_v_nmadd(tac_v a, tac_v b, tac_v c)
{
    return tac_v_madd(-a, b, c);
}

/* A step of a polynomial: p x + c. */
TAC_INLINE tac_v tac_v_horner(tac_v p, tac_v x, float c)
{
    return tac_v_madd(p, x, tac_v_set(c));
}

/* The same for one number. */
TAC_INLINE float tac_madd(float a, float b, float c)
{
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* Rounded as IEEE 754 asks, so the same everywhere; x >= 0. */
TAC_INLINE tac_v tac_v_sqrt(tac_v x)
{
#if TAC_LANES == 16 && defined(__AVX512F__)
    return (tac_v)_mm512_sqrt_ps((__m512)x);
#elif TAC_LANES == 8 && defined(__AVX__)
    return (tac_v)_mm256_sqrt_ps((__m256)x);
#elif TAC_LANES == 4 && defined(__SSE2__)
    return (tac_v)_mm_sqrt_ps((__m128)x);
#elif TAC_LANES == 4 && defined(__aarch64__)
    return (tac_v)vsqrtq_f32((float32x4_t)x);
#else
    for (int l = 0; l < TAC_LANES; l++)
        x[l] = __builtin_sqrtf(x[l]);
    return x;
#endif
}

TAC_INLINE tac_v tac_v_abs(tac_v x)
{
    return (tac_v)((tac_m)x & 0x7fffffff);
}

/* size with the sign of x; size >= 0. */
TAC_INLINE tac_v tac_v_signed(tac_v size, tac_v x)
{
    return (tac_v)((tac_m)size | ((tac_m)x & (int32_t)0x80000000));
}

TAC_INLINE tac_m tac_v_to_int(tac_v x) /* towards zero; |x| < 2^31 */
{
    return __builtin_convertvector(x, tac_m);
}

TAC_INLINE tac_v tac_m_to_float(tac_m x)
{
    return __builtin_convertvector(x, tac_v);
}

/* Largest whole number <= x, for |x| < 2^31. */
TAC_INLINE tac_v tac_v_floor(tac_v x)
{
    tac_v t = tac_m_to_float(tac_v_to_int(x));
    return t - tac_v_select(t > x, tac_v_set(1), tac_v_set(0));
}

/* Bit l is set where lane l of the mask is. */
TAC_INLINE uint32_t tac_m_bits(tac_m mask)
{
#if TAC_LANES == 16 && defined(__AVX512DQ__)
    return (uint32_t)_mm512_movepi32_mask((__m512i)mask);
#elif TAC_LANES == 8 && defined(__AVX__)
    return (uint32_t)_mm256_movemask_ps((__m256)mask);
#elif TAC_LANES == 4 && defined(__SSE2__)
    return (uint32_t)_mm_movemask_ps((__m128)mask);
#else
    uint32_t bits = 0;
    for (uint32_t i = 0; i < TAC_LANES; i++)
        bits |= mask[i] ? 1u << i : 0u;
    return bits;
#endif
}

/* True when any lane of the mask is set. */
TAC_INLINE int tac_m_any(tac_m mask)
{
    return tac_m_bits(mask) != 0;
}

/* True when a and b differ in any lane, as they always do where one is not a number. */
TAC_INLINE int tac_v_differ(tac_v a, tac_v b)
{
#if TAC_LANES == 16 && defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NEQ_UQ) != 0;
#else
    return tac_m_any((tac_m)(a != b));
#endif
}

#endif
