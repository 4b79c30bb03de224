/* SPDX-License-Identifier: MIT
 * recorder.c - writes what it hears into a WAV file, and passes it on.
 *
 * Channels of the node are channels of the file. The block hands frames to a ring (struct
 * tac_sink); a thread of the engine writes them. Latency 0. State: a block of frames. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { O_FILE };
enum { RUN = 64 };

struct recorder {
    struct tac_sink *sink;
    uint32_t channels;
    float channel[TAC_LANES][RUN];
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct recorder *s = state;
    (void)memory;
    s->sink = setup->sink;
    s->channels = setup->lanes_used;
}

static void write_run(struct recorder *s, const struct tac_io *io, uint32_t first, uint32_t n)
{
    const struct tac_signal in = io->in[0];
    const float *channel[TAC_LANES];
    for (uint32_t c = 0; c < s->channels; c++) {
        for (uint32_t i = 0; i < n; i++)
            s->channel[c][i] = in.data[(size_t)(first + i) * in.stride + c];
        channel[c] = s->channel[c];
    }
    s->sink->write(s->sink, channel, n);
}

static void process(void *state, const struct tac_io *io)
{
    struct recorder *s = state;
    for (uint32_t i = 0; i < io->frames && s->sink; i += RUN)
        write_run(s, io, i, io->frames - i < RUN ? io->frames - i : RUN);
    for (uint32_t i = 0; i < io->frames; i++)
        tac_put(io, 0, i, TAC_AT(io->in[0], i));
}

TAC_BLOCK(recorder) = {
    .name = "recorder",
    .group = "measure",
    .doc = "Writes what it hears into a WAV file, and passes it on.",
    .about =
        "32-bit float at the engine's rate; with channels: n a file of n channels. Channels "
        "beyond those that one vector of this machine holds go to files of their own, named by "
        "their first channel.",
    .in = {{"in", "the sound", TAC_PORT_SIGNAL, 0}},
    .out = {{"out", "the sound as it came", TAC_PORT_SIGNAL, 0}},
    .option = {[O_FILE] = {"file", "the WAV file; one that is there is written over",
                           TAC_OPTION_RECORDING, 0, 0, 0, NULL}},
    .state_bytes = sizeof(struct recorder),
    .init = init,
    .process = process,
};
