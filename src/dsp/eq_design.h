/* SPDX-License-Identifier: MIT
 * eq_design.h - the bands of eq.c: digital filters of second order that have the size of the
 * analogue ones.
 *
 * Equation  with X = tan^2(w / 2), the squared size of a digital filter of second order is a ratio
 *           of quadratic polynomials in X; with Y = (f / f0)^2 that of the analogue band is one in
 *           Y. The bilinear transform takes X for Y, and bends what lies in the upper octaves.
 * Peak      analogue (s^2 + s A / Q + 1) / (s^2 + s / (A Q) + 1), A = 10^(gain / 40), G = A^4. Size
 *           1 at 0 Hz, and at f0 the gain and a top: that leaves, with x = X / X(f0),
 *             N = (1 - x)^2 + G (u x + v x^2),  D = (1 - x)^2 + u x + v x^2.
 *           It equals the analogue band at a frequency if
 *             u + v x = (y / x) ((1 - x) / (1 - y))^2 / (A Q)^2,
 *           asked for at the lower edge of the band and near 20.5 kHz: two linear equations.
 * Shelf     analogue A (s^2 + s sqrt(A) / Q + A) / (A s^2 + s sqrt(A) / Q + 1). The poles are the
 *           analogue ones, z = exp(s / fs); the numerator has the right size at 0 Hz, near f0 and
 *           at 21 kHz.
 *           Boosts only: of them, u, v and what stands under roots are never negative.
 * Source    sizes that are asked for: S. Orfanidis 1997, "Digital parametric equalizer design with
 *           prescribed Nyquist-frequency gain", JAES 45(6). Poles by exp and sizes at three
 *           frequencies: M. Vicanek 2016, "Matched second order digital filters". The form in u and
 *           v and the choice of the frequencies are ours: who meets the analogue band at half the
 *           sample rate pays with twice the error below 20 kHz.
 * Quality   in eq.c. No filter of second order does better than 0.14 dB for a peak of 12 dB at 10
 *           kHz with Q 0.7 (found by minimax fits over all coefficients).
 * Pure; real-time: yes. */
#ifndef TAC_DSP_EQ_DESIGN_H
#define TAC_DSP_EQ_DESIGN_H

#include "dsp/svf_core.h"

/* p0 + p1 s + p2 s^2 */
struct tac_eq_poly {
    tac_v p0, p1, p2;
};

/* top / bottom in s = tan(w / 2) / g. */
struct tac_eq_boost {
    struct tac_eq_poly top, bottom;
    tac_v g;
};

/* tan(w / 2) at norm = f / fs. */
TAC_INLINE tac_v tac_eq_tan(tac_v norm)
{
    struct tac_ratio t = tac_v_tan_pi(norm);
    return t.n / t.d;
}

/* The polynomial whose squared size at x = tan^2 / g^2 is 1 + q1 x + p2^2 x^2. Its middle is what
 * is left of q1 + 2 p2. */
TAC_INLINE struct tac_eq_poly tac_eq_root(tac_v middle, tac_v p2)
{
    return (struct tac_eq_poly){tac_v_set(1), tac_v_sqrt(tac_v_max(middle, tac_v_set(0))), p2};
}

/* (y / x) ((1 - x) / (1 - y))^2 */
TAC_INLINE tac_v tac_eq_bend(tac_v x, tac_v y)
{
    tac_v r = (1.0f - x) / (1.0f - y);
    return y / x * r * r;
}

/* norm = f0 / fs up to 0.49; octaves = log2 A >= 0. */
TAC_INLINE struct tac_eq_boost tac_eq_peak(tac_v norm, tac_v octaves, tac_v q)
{
    tac_v half = 0.5f / q, edge = tac_v_sqrt(tac_v_madd(half, half, tac_v_set(1))) - half;
    /* 20.5 kHz of 48, and above f0 where that is near. */
    tac_v rise = tac_v_clamp((norm - 0.3125f) * 0.7f, 0, 0.0708f) + 0.427083f;
    tac_v high = tac_v_select(norm < 0.484f, rise, tac_v_set(0.498f));
    tac_v t = tac_eq_tan(norm), low_t = tac_eq_tan(norm * edge) / t, high_t = tac_eq_tan(high) / t;
    tac_v low_x = low_t * low_t, high_x = high_t * high_t, high_y = high / norm;
    tac_v a = tac_v_exp2(octaves), aq = q * a, c = 1.0f / (aq * aq), g = a * a * a * a;
    tac_v low = tac_eq_bend(low_x, edge * edge), top = tac_eq_bend(high_x, high_y * high_y);
    tac_v slope = (top - low) / (high_x - low_x);
    tac_v v = tac_v_max(c * slope, tac_v_set(0)), u = tac_v_max(c * low - v * low_x, tac_v_set(0));
    tac_v n2 = tac_v_sqrt(tac_v_madd(g, v, tac_v_set(1))), d2 = tac_v_sqrt(v + 1.0f);
    /* -2 + 2 p2, without losing what is small. */
    tac_v n1 = 2.0f * g * v / (1.0f + n2), d1 = 2.0f * v / (1.0f + d2);
    return (struct tac_eq_boost){tac_eq_root(tac_v_madd(g, u, n1), n2), tac_eq_root(u + d1, d2), t};
}

/* Half of exp(x) - exp(-x), 0 <= x < 16. */
TAC_INLINE tac_v tac_eq_sinh(tac_v x)
{
    tac_v y = x * x, e = tac_v_exp2(x * 1.44269504f);
    tac_v p = tac_v_horner(tac_v_set(1.98412698e-4f), y, 8.33333333e-3f);
    p = tac_v_horner(tac_v_horner(p, y, 0.166666667f), y, 1);
    return tac_v_select(x < 0.5f, x * p, 0.5f * (e - 1.0f / e));
}

/* The analogue shelf's squared size at y. */
TAC_INLINE tac_v tac_eq_shelf_size(tac_v a, tac_v r2, tac_v y)
{
    tac_v n = a - y, d = tac_v_nmadd(a, y, tac_v_set(1));
    return a * a * tac_v_madd(n, n, r2 * y) / tac_v_madd(d, d, r2 * y);
}

/* Poles at the corner over sqrt(A), damped by 1 / 2 Q: tanh of half of them is, in size, g, and the
 * sum of both is k g. sine2: of half the angle, negative where both are real. */
TAC_INLINE tac_v tac_eq_poles(tac_v norm, tac_v root, tac_v q, tac_v *ret_k)
{
    tac_v damp = 0.5f / q, way = norm / root * 3.14159265f,
          rest = tac_v_nmadd(damp, damp, tac_v_set(1));
    tac_v angle = way * tac_v_sqrt(tac_v_abs(rest)), sh = tac_eq_sinh(way * damp);
    tac_v turned = tac_v_sin_angle(tac_v_min(angle, tac_v_set(1.5707963f)));
    tac_v real = tac_eq_sinh(angle);
    tac_v sine2 = tac_v_select(rest < 0.0f, -real * real, turned * turned);
    tac_v sh2 = sh * sh, per = 1.0f / (1.0f + sh2 - sine2);
    tac_v g = tac_v_sqrt((sh2 + sine2) * per);
    *ret_k = 2.0f * sh * tac_v_sqrt(1.0f + sh2) * per / g;
    return g;
}

TAC_INLINE struct tac_eq_boost tac_eq_low_shelf(tac_v norm, tac_v octaves, tac_v q)
{
    tac_v root = tac_v_exp2(octaves * 0.5f), a = root * root, k;
    tac_v g = tac_eq_poles(norm, root, q, &k), per_g2 = 1.0f / (g * g);
    /* Near the corner, but not too near to 21 kHz of 48. */
    tac_v near = norm / tac_v_sqrt(root);
    near = tac_v_min(near, tac_v_madd(near, tac_v_set(0.3f), tac_v_set(0.7f * 14 / 48)));
    tac_v x[2], e[2], at[2] = {near, tac_v_set(0.4375f)};
    TAC_UNROLL
    for (int i = 0; i < 2; i++) {
        tac_v t = tac_eq_tan(at[i]), y = at[i] / norm, d;
        x[i] = t * t * per_g2;
        d = (1.0f - x[i]) * (1.0f - x[i]) + k * k * x[i];
        e[i] = (tac_eq_shelf_size(a, root * root / (q * q), y * y) * d - a * a * a * a) / x[i];
    }
    tac_v p2 = tac_v_max((e[1] - e[0]) / (x[1] - x[0]), tac_v_set(1e-6f));
    tac_v n0 = a * a, n2 = tac_v_sqrt(p2), middle = tac_v_nmadd(p2, x[0], e[0]) + 2.0f * n0 * n2;
    struct tac_eq_poly top = tac_eq_root(middle, n2);
    top.p0 = n0;
    return (struct tac_eq_boost){top, {tac_v_set(1), k, tac_v_set(1)}, g};
}

#endif
