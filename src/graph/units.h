/* SPDX-License-Identifier: MIT
 * units.h - numbers with units as a person writes them: "400 Hz", "-6 dB", "20 ms", "A4".
 *
 * Threads: any. Not real-time (strtod). */
#ifndef TAC_GRAPH_UNITS_H
#define TAC_GRAPH_UNITS_H

#include "tactus/block.h"

/* Parse text as a value of that unit. Results are in the unit of enum tac_unit: "1.2 kHz" is 1200,
 * "20 ms" 0.02, "50 %" 0.5, "50 cents" 0.5. A time may be given in beats of tempo_bpm, a pitch as a
 * note name. A unit that is not NONE has to be written, but for 0, beats, bpm and pitches.
 * Returns 0, or with one sentence in why: -TAC_E_SYNTAX (no number), -TAC_E_UNIT. */
int tac_units_parse(const char *text, enum tac_unit unit, double tempo_bpm, double *ret_value,
                    char why[160]);

/* "Hz", "s", "dB" ...; "" for none. */
const char *tac_units_name(enum tac_unit unit);

/* An example of the unit for messages: "400 Hz". */
const char *tac_units_example(enum tac_unit unit);

/* "A4", "C#3", "Eb-1" as a MIDI note number; false when it is not one. */
_Bool tac_units_note(const char *text, double *ret_semitones);

#endif
