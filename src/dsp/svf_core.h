/* SPDX-License-Identifier: MIT
 * svf_core.h - the trapezoidal state-variable filter that svf.c and eq.c are made of.
 *
 * Equation  with g = tan(pi fc / fs), k = 1 / Q, a1 = 1 / (1 + g (g + k)), a2 = g a1, a3 = g a2 and
 *           the states halved:
 *             e = x - 2 s2,  s1' = s1 - (2 - 2 a1) s1 + a2 e,  s2' = s2 + 2 a2 s1 + a3 e
 *             band v1 = s1 + s1',  low v2 = s2 + s2',  high x - k v1 - v2
 *           g comes as n / d, so that one division serves all three coefficients.
 * Source    Andrew Simper 2013, "Solving the continuous SVF equations using trapezoidal integration
 *           and equivalent currents" (Cytomic technical paper); halving the states is ours, it
 *           leaves six operations a frame for the low-pass.
 * Pure; real-time: yes. */
#ifndef TAC_DSP_SVF_CORE_H
#define TAC_DSP_SVF_CORE_H

#include "dsp/maths.h"

struct tac_svf {
    tac_v s1, s2; /* halves */
};

struct tac_svf_tuning {
    tac_v loss, a2, twice_a2, a3; /* loss = 2 - 2 a1: exact where it is small */
};

struct tac_svf_bands {
    tac_v band, low; /* v1, v2 */
};

/* g as a ratio, above 0. */
TAC_INLINE struct tac_svf_tuning tac_svf_tune_to(struct tac_ratio g, tac_v k)
{
    tac_v n = g.n, d = g.d;
    tac_v lossy = n * tac_v_madd(k, d, n), d2 = d * d;
    tac_v r = 1.0f / (d2 + lossy);
    struct tac_svf_tuning t;
    t.loss = (lossy + lossy) * r;
    t.a2 = n * d * r;
    t.twice_a2 = t.a2 + t.a2;
    t.a3 = n * n * r;
    return t;
}

TAC_INLINE struct tac_svf_tuning tac_svf_tune(tac_v hz, float per_hz, tac_v k)
{
    return tac_svf_tune_to(tac_v_tan_pi(tac_v_clamp(hz * per_hz, 1e-5f, 0.49f)), k);
}

/* The same with nothing but the results rounded: for what stands still, as a sharp filter shows a
 * corner that is off by 1e-7. With s = sin(pi fc / fs), c = cos, a1 = c^2 / (1 + k s c). */
TAC_INLINE struct tac_svf_tuning tac_svf_tune_exact(tac_v hz, double per_hz, tac_v k)
{
    tac_v clipped = tac_v_clamp(hz, (float)(1e-5 / per_hz), (float)(0.49 / per_hz));
    struct tac_svf_tuning t;
    TAC_UNROLL
    for (int half = 0; half < TAC_HALVES; half++) {
        tac_h s = tac_h_sin_angle(tac_h_of(&clipped, half) * (3.141592653589793 * per_hz));
        tac_h s2 = s * s, sc = s * tac_h_sqrt(1.0 - s2), ksc = tac_h_of(&k, half) * sc;
        tac_h r = 1.0 / (1.0 + ksc);
        tac_h_put(2.0 * r * (ksc + s2), &t.loss, half);
        tac_h_put(sc * r, &t.a2, half);
        tac_h_put(s2 * r, &t.a3, half);
    }
    t.twice_a2 = t.a2 + t.a2;
    return t;
}

TAC_INLINE struct tac_svf_bands tac_svf_step(struct tac_svf *s, const struct tac_svf_tuning *t,
                                             tac_v x)
{
    tac_v e = tac_v_nmadd(tac_v_set(2), s->s2, x); /* on the way from frame to frame: short */
    tac_v s1 = tac_v_madd(t->a2, e, tac_v_nmadd(t->loss, s->s1, s->s1));
    tac_v s2 = tac_v_madd(t->a3, e, tac_v_madd(t->twice_a2, s->s1, s->s2));
    struct tac_svf_bands y = {s->s1 + s1, s->s2 + s2};
    s->s1 = s1;
    s->s2 = s2;
    return y;
}

#endif
