/* SPDX-License-Identifier: MIT
 * voices.h - gives notes to voices: pitch, gate and velocity signals, a lane for each voice.
 *
 * How     Notes come in lists with frame times. A slice without a note, a pending gate or a glide
 *         leaves the signals as they are: one row that holds for the whole slice (stride 0), so
 *         steady voices cost nothing here. Else every frame gets its row.
 *         A voice that is struck while its gate is up has the gate down for one frame, so that
 *         envelopes see the edge. Unison voices of a note lie side by side, detuned evenly.
 * Threads build: control. The rest: the audio thread. Cost: bounded by notes x voices. */
#ifndef TAC_ENGINE_VOICES_H
#define TAC_ENGINE_VOICES_H

#include "engine/vault.h"
#include "graph/graph.h"

struct tac_voices;

int tac_voices_build(struct tac_vault *vault, const struct tac_graph_section *section,
                     double rate_hz, struct tac_voices **ret_voices);

/* Events of one slice. Lists are merged by frame; at the same frame in the order of the lists. */
struct tac_voices_input {
    const struct tac_notes *const *lists;
    uint32_t count, frames;
    float glide_s, detune_semitones;
};

/* Where the signals go: out[o] of a bank is float[frames][lanes]. */
struct tac_voices_output {
    float *const *out; /* [banks][TAC_VOICES_OUTS] */
    uint32_t bank_lanes, banks;
};

/* Compute a slice. Returns true when rows were written for every frame (stride lanes), false when
 * row 0 holds for all (stride 0). */
bool tac_voices_run(struct tac_voices *voices, const struct tac_voices_input *in,
                    const struct tac_voices_output *out);

/* From now on so many voices at most, 1 .. count; the others are released. */
void tac_voices_limit(struct tac_voices *voices, uint32_t limit);
uint32_t tac_voices_limit_now(const struct tac_voices *voices);

/* The signals go to other memory from now on, where nothing stands yet. */
void tac_voices_renew(struct tac_voices *voices);

struct tac_voices_count {
    uint64_t notes, stolen, dropped;
    uint32_t active;
};
void tac_voices_count(const struct tac_voices *voices, struct tac_voices_count *ret_count);

#endif
