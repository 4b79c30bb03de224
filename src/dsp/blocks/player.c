/* SPDX-License-Identifier: MIT
 * player.c - plays a sound file.
 *
 * The engine opens the file, converts its rate and keeps a stream filled from a helper thread; this
 * block takes frames from the stream. Lane i of the node hears channel i of the file; a file with
 * fewer channels repeats its last one. An under-run gives silence.
 * Latency  0. State: a pointer and a block of interleaved frames. */
#include "dsp/block.h"
#include "dsp/maths.h"

enum { P_LEVEL };
enum { O_FILE, O_LOOP };
enum { RUN_FRAMES = 64, CHANNELS_MAX = 64 };

static const char *const yes_no[] = {"no", "yes", NULL};

struct player {
    struct tac_stream *stream;
    uint32_t lane_first;
    float frame[RUN_FRAMES * CHANNELS_MAX];
};

static void init(void *state, const struct tac_setup *setup, void *memory)
{
    struct player *s = state;
    (void)memory;
    s->stream = setup->stream;
    s->lane_first = setup->lane_first;
}

static void play_run(struct player *s, const struct tac_io *io, uint32_t first, uint32_t n)
{
    uint32_t channels = s->stream ? s->stream->channels : 0;
    uint32_t got =
        channels && channels <= CHANNELS_MAX ? s->stream->read(s->stream, s->frame, n) : 0;
    for (uint32_t i = 0; i < n; i++) {
        float *out = io->out[0] + (size_t)(first + i) * TAC_LANES;
        const struct tac_signal level = io->param[P_LEVEL];
        for (uint32_t l = 0; l < TAC_LANES; l++) {
            uint32_t c = s->lane_first + l < channels ? s->lane_first + l : channels - 1;
            out[l] = i < got ? s->frame[i * channels + c] : 0;
        }
        tac_v_store(out, tac_v_load(out) * TAC_AT(level, first + i));
    }
}

static void process(void *state, const struct tac_io *io)
{
    for (uint32_t i = 0; i < io->frames; i += RUN_FRAMES)
        play_run(state, io, i, io->frames - i < RUN_FRAMES ? io->frames - i : RUN_FRAMES);
}

TAC_BLOCK(player) = {
    .name = "player",
    .group = "source",
    .doc = "Plays a sound file from disk.",
    .about =
        "WAV, FLAC, AIFF, OGG and whatever else libsndfile reads; converted to the engine's rate "
        "while it is read.",
    .out = {{"out", "the sound; with channels: n, channel i of the file on lane i", TAC_PORT_SIGNAL,
             0}},
    .param = {[P_LEVEL] = {"level", "amplitude", TAC_UNIT_PERCENT, 0, 4, 1, TAC_CURVE_LINEAR,
                           NULL}},
    .option = {[O_FILE] = {"file", "the sound file", TAC_OPTION_FILE, 0, 0, 0, NULL},
               [O_LOOP] = {"loop", "start again at the end", TAC_OPTION_CHOICE, 0, 1, 0, yes_no}},
    .state_bytes = sizeof(struct player),
    .init = init,
    .process = process,
};
