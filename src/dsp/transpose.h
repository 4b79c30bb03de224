/* SPDX-License-Identifier: MIT
 * transpose.h - rows of lanes to rows of frames: a square of TAC_LANES by TAC_LANES floats.
 *
 * How     each of log2(lanes) rounds interleaves row i with row i + lanes / 2; the rounds together
 *         move the bits of an element's column to those of its row (the perfect shuffle: H. Stone
 *         1971, "Parallel processing with the perfect shuffle", IEEE Trans. Computers 20(2)).
 * Cost    lanes x log2(lanes) shuffles. Pure; real-time: yes. */
#ifndef TAC_DSP_TRANSPOSE_H
#define TAC_DSP_TRANSPOSE_H

#include "dsp/vec.h"

/* a0 b0 a1 b1 ... of the first and of the second halves. */
TAC_INLINE void tac_v_interleave(tac_v a, tac_v b, tac_v *ret_low, tac_v *ret_high)
{
#if TAC_LANES == 16
    *ret_low =
        __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *ret_high =
        __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif TAC_LANES == 8
    *ret_low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    *ret_high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif TAC_LANES == 4
    *ret_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    *ret_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    *ret_low = a;
    *ret_high = b;
#endif
}

/* row[i] lane k and row[k] lane i change places. */
TAC_INLINE void tac_v_transpose(tac_v row[TAC_LANES])
{
    tac_v next[TAC_LANES];
    for (int round = 1; round < TAC_LANES; round *= 2) {
        TAC_UNROLL
        for (int i = 0; i < TAC_LANES / 2; i++)
            tac_v_interleave(row[i], row[i + TAC_LANES / 2], &next[2 * i], &next[2 * i + 1]);
        TAC_UNROLL
        for (int i = 0; i < TAC_LANES; i++)
            row[i] = next[i];
    }
}

#endif
