/* SPDX-License-Identifier: MIT
 * half_band.h - a change of rate by two, up and down, for blocks that work at a higher rate.
 *
 * Method   half-band low-passes of 4 pairs - 1 taps (Kaiser windows, 100 dB; src/dsp/tables.py) in
 *          polyphase form: every second tap is 0 and the centre is 1/2, so half the products fall
 *          away. The caller owns the rings (sizes are powers of two, above 2 pairs) and the count.
 * Latency  of a pair of them, up and down: 2 pairs - 1 frames of the lower rate.
 * Pure; real-time: yes. */
#ifndef TAC_DSP_HALF_BAND_H
#define TAC_DSP_HALF_BAND_H

#include "dsp/maths.h"
#include "dsp/tables.h"

struct tac_pair {
    tac_v first, second;
};

/* Two samples for one: the old one and the one half-way to its successor. */
TAC_INLINE struct tac_pair tac_half_band_up(tac_v *ring, uint32_t size, uint32_t at,
                                            const float *taps, uint32_t pairs, tac_v x)
{
    ring[at % size] = x;
    tac_v sum = tac_v_set(0);
    for (uint32_t i = 0; i < pairs; i++)
        sum =
            tac_v_madd(tac_v_set(taps[i]),
                       ring[(at - (pairs - 1 - i)) % size] + ring[(at - (pairs + i)) % size], sum);
    return (struct tac_pair){ring[(at - pairs) % size], sum + sum};
}

TAC_INLINE tac_v tac_half_band_down(tac_v *even, tac_v *odd, uint32_t size, uint32_t at,
                                    const float *taps, uint32_t pairs, struct tac_pair x)
{
    even[at % size] = x.first;
    odd[at % size] = x.second;
    tac_v sum = 0.5f * even[(at - (pairs - 1)) % size];
    for (uint32_t i = 0; i < pairs; i++)
        sum = tac_v_madd(tac_v_set(taps[i]),
                         odd[(at - (pairs - 1 - i)) % size] + odd[(at - (pairs + i)) % size], sum);
    return sum;
}

#endif
