/* SPDX-License-Identifier: MIT
 * oscillator.h - the parameters that saw, sine and osc share: frequency, pitch on top, level.
 *
 * A block puts TAC_OSC_PARAMS first in its list; its own parameters begin at OSC_PARAMS. Pure;
 * real-time: yes. */
#ifndef TAC_DSP_OSCILLATOR_H
#define TAC_DSP_OSCILLATOR_H

#include "dsp/maths.h"

enum { OSC_FREQUENCY, OSC_PITCH, OSC_LEVEL, OSC_PARAMS };

/* clang-format off */
#define TAC_OSC_PARAMS                                                                             \
    [OSC_FREQUENCY] = {"frequency", "frequency", TAC_UNIT_HZ, 0, 24000, 440, TAC_CURVE_LINEAR,     \
                       NULL},                                                                      \
    [OSC_PITCH] = {"pitch", "semitones added to the frequency", TAC_UNIT_SEMITONES, -136, 136, 0,  \
                   TAC_CURVE_LINEAR, NULL},                                                        \
    [OSC_LEVEL] = {"level", "amplitude", TAC_UNIT_PERCENT, 0, 4, 1, TAC_CURVE_LINEAR, NULL}
/* clang-format on */

TAC_INLINE tac_v tac_osc_hz(const struct tac_io *io, uint32_t i)
{
    return TAC_AT(io->param[OSC_FREQUENCY], i) * tac_v_semitones(TAC_AT(io->param[OSC_PITCH], i));
}

/* What a step was computed from, so that it is computed when that changes and not in every call:
 * with short calls it would be half of the work. 0 Hz and note 0 have the step 0. */
struct tac_osc_known {
    tac_v hz, pitch;
};

/* Frequency and pitch in frame i are what is known. */
TAC_INLINE int tac_osc_is_known(const struct tac_osc_known *known, const struct tac_io *io,
                                uint32_t i)
{
    tac_v hz = TAC_AT(io->param[OSC_FREQUENCY], i), pitch = TAC_AT(io->param[OSC_PITCH], i);
    return !(tac_v_differ(hz, known->hz) | tac_v_differ(pitch, known->pitch));
}

/* True when they are not; they are then. */
TAC_INLINE int tac_osc_is_new(struct tac_osc_known *known, const struct tac_io *io, uint32_t i)
{
    int is_new = !tac_osc_is_known(known, io, i);
    known->hz = TAC_AT(io->param[OSC_FREQUENCY], i);
    known->pitch = TAC_AT(io->param[OSC_PITCH], i);
    return is_new;
}

TAC_INLINE int tac_osc_is_moving(const struct tac_io *io)
{
    return io->param[OSC_FREQUENCY].stride || io->param[OSC_PITCH].stride;
}

#endif
