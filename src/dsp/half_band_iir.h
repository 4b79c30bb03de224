/* SPDX-License-Identifier: MIT
 * half_band_iir.h - a change of rate by two, up and down, that is hardly late: for blocks that are
 * played, and that go round in loops.
 *
 * Equation  H(z) = (A0(z^2) + z^-1 A1(z^2)) / 2, A0 and A1 rows of all-passes
 *           (a + z^-1) / (1 + a z^-1) that run at the lower rate: three products each, up or down.
 * Source    R. Valenzuela, A. Constantinides 1983, "Digital signal processing schemes for efficient
 *           interpolation and decimation", IEE Proceedings G 130(6); coefficients by tables.py.
 * Quality   48 <-> 96 kHz: flat to 20 kHz, below -96 dB from 28 kHz. Not of linear phase: 1.6
 *           frames late at low frequencies, 3.5 at 20 kHz, each way.
 * Pure; real-time: yes. */
#ifndef TAC_DSP_HALF_BAND_IIR_H
#define TAC_DSP_HALF_BAND_IIR_H

#include "dsp/maths.h"
#include "dsp/tables.h"

enum { TAC_ALL_PASSES = TAC_HALF_IIR / 2 };

/* What went into each all-pass of the two rows a frame ago, and what came out of the last. */
struct tac_half_iir {
    tac_v past[2][TAC_ALL_PASSES + 1];
};

TAC_INLINE tac_v tac_half_iir_row(struct tac_half_iir *s, int row, tac_v x)
{
    tac_v *past = s->past[row];
    TAC_UNROLL
    for (int k = 0; k < TAC_ALL_PASSES; k++) {
        tac_v y = tac_v_madd(x - past[k + 1], tac_v_set(tac_half_iir[2 * k + row]), past[k]);
        past[k] = x;
        x = y;
    }
    past[TAC_ALL_PASSES] = x;
    return x;
}

/* One sample to two. */
TAC_INLINE void tac_half_iir_up(struct tac_half_iir *s, tac_v x, tac_v y[2])
{
    y[0] = tac_half_iir_row(s, 0, x);
    y[1] = tac_half_iir_row(s, 1, x);
}

/* Two to one. */
TAC_INLINE tac_v tac_half_iir_down(struct tac_half_iir *s, const tac_v x[2])
{
    return 0.5f * (tac_half_iir_row(s, 0, x[1]) + tac_half_iir_row(s, 1, x[0]));
}

#endif
