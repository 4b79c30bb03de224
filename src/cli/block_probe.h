/* SPDX-License-Identifier: MIT
 * block_probe.h - runs one block on its own and looks at what comes out, for the reference's plots.
 *
 * The one-lane variant at 48 kHz. Settings are text: "cutoff=1000 shape=2". Threads: any, no state.
 */
#ifndef TAC_CLI_BLOCK_PROBE_H
#define TAC_CLI_BLOCK_PROBE_H

#include "dsp/block.h"

#include <stdbool.h>

enum { TAC_PROBE_RATE = 48000 };

struct tac_probe {
    const struct tac_block *block;
    void *state, *memory;
    float *in[TAC_BLOCK_PORTS_MAX], *out[TAC_BLOCK_PORTS_MAX]; /* a chunk each */
    float param[TAC_BLOCK_PARAMS_MAX][16];
    float numbers[TAC_OPTION_NUMBERS_MAX];
};

/* False when memory is short or a setting is not one of the block's. */
bool tac_probe_open(struct tac_probe *probe, const struct tac_block *block, const char *settings);
void tac_probe_close(struct tac_probe *probe);

/* Set a parameter from now on. */
void tac_probe_set(struct tac_probe *probe, int param, float value);

/* Feed frames into the first input (NULL: what it reads at rest), hear an output port. */
void tac_probe_run(struct tac_probe *probe, const float *in, int port, float *out, size_t frames);

/* Index of an output or parameter of that name, or -1. */
int tac_probe_output(const struct tac_block *block, const char *name);
int tac_probe_param(const struct tac_block *block, const char *name);

/* Level in dB of x at a frequency of so many cycles per frame: of an impulse response (flat: no
 * window), or the mean power density over Hann windows of `window` frames. */
double tac_probe_response_db(const float *x, size_t frames, double norm);
double tac_probe_density_db(const float *x, size_t frames, size_t window, double norm);

#endif
