/* SPDX-License-Identifier: MIT
 * voices.h - gives notes to voices: pitch, gate and velocity signals, a lane for each voice.
 *
 * How     Notes come in lists with frame times. A slice without a note, a pending gate or a glide
 *         leaves the signals as they are: one row that holds for the whole slice (stride 0), so
 *         steady voices cost nothing here. Else every frame gets its row.
 *         A voice that is struck while its gate is up has the gate down for one frame, so that
 *         envelopes see the edge. Unison voices of a note lie side by side, detuned evenly.
 * Steal   A voice that gives way fades out first (TAC_STEAL_FADE_MS), with all that it does; then
 *         the new note strikes, late by as much, and fades in. The factors go to where the
 *         section's signals leave it, before they are summed. A note that ends before it struck
 *         lasts as long as it was held. QUIETEST goes by the levels there, see tac_voices_hear().
 * Threads build: control. The rest: the audio thread. Cost: bounded by notes x voices. */
#ifndef TAC_ENGINE_VOICES_H
#define TAC_ENGINE_VOICES_H

#include "engine/vault.h"
#include "graph/graph.h"

#define TAC_STEAL_FADE_MS (4.0 / 3) /* 64 frames at 48 kHz */

struct tac_voices;

int tac_voices_build(struct tac_vault *vault, const struct tac_graph_section *section,
                     double rate_hz, struct tac_voices **ret_voices);

/* Events of one slice. Lists are merged by frame; at the same frame in the order of the lists. */
struct tac_voices_input {
    const struct tac_notes *const *lists;
    uint32_t count, frames;
    float glide_s, detune_semitones;
};

/* Where the signals go: out[o] of a bank is float[frames][lanes], and so is fade. */
struct tac_voices_output {
    float *const *out;  /* [banks][TAC_VOICES_OUTS] */
    float *const *fade; /* [banks] */
    uint32_t bank_lanes, banks;
};

/* Compute a slice. True when rows were written for every frame (stride lanes), false when row 0
 * holds for all (stride 0). *ret_fades: some voice fades, and fade has a row for every frame. */
bool tac_voices_run(struct tac_voices *voices, const struct tac_voices_input *in,
                    const struct tac_voices_output *out, bool *ret_fades);

/* How loud lanes [first, first + lanes) were in a slice, as peaks; several signals of a lane count
 * as the loudest. Then, once: the slice ends, and with it a window when complete. Levels are those
 * of whole windows, so it does not matter where slices end; they fall by half in 14 ms. */
void tac_voices_hear(struct tac_voices *voices, uint32_t first, uint32_t lanes, const float *peak);
void tac_voices_heard(struct tac_voices *voices, bool complete);

/* From now on so many voices at most, 1 .. count; the others are released. */
void tac_voices_limit(struct tac_voices *voices, uint32_t limit);
uint32_t tac_voices_limit_now(const struct tac_voices *voices);

/* No voice of these lanes has a note, waits for one, fades or glides: as long as none is struck
 * their signals stand still, gates down. And in which frame of the slice that was computed last the
 * first of them was struck; UINT32_MAX: in none. */
bool tac_voices_are_idle(const struct tac_voices *voices, uint32_t first, uint32_t lanes);
uint32_t tac_voices_struck(const struct tac_voices *voices, uint32_t first, uint32_t lanes);

/* The signals go to other memory from now on, where nothing stands yet. */
void tac_voices_renew(struct tac_voices *voices);

/* The next slice writes row 0 anew, even if nothing moves. */
bool tac_voices_are_stale(const struct tac_voices *voices);

struct tac_voices_count {
    uint64_t notes, stolen, dropped;
    uint32_t active;
};
void tac_voices_count(const struct tac_voices *voices, struct tac_voices_count *ret_count);

#endif
