/* SPDX-License-Identifier: MIT
 * file.c - plays into a sound file and from one, as fast as it can.
 *
 * The format follows from the name: .wav (32-bit float, RF64 when it grows beyond 4 GiB), .flac (24
 * bit), .aiff, .caf, .ogg. The header is written anew every ten seconds of sound, so that what was
 * produced is good whenever the program ends (FLAC and Ogg have none that can be). A write that
 * fails ends the stream and is reported by stats; what was written before stays, and the file is
 * whole (sound_sink.h). It is finished when the stream is stopped, which then cannot be started
 * again.
 * Threads the backend's own, of normal priority. Not real-time: nobody waits for it. */
#include "backend/backend_cycle.h"
#include "backend/sound_sink.h"
#include "base/sound_words.h"

#include <errno.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern const struct tac_backend tac_backend_file; /* below */

struct file {
    struct tac_backend_stream base;
    struct tac_backend_config config;
    struct tac_cycle_runner runner;
    struct tac_sound_sink *out;
    SNDFILE *in;
    float *frames; /* interleaved */
    pthread_t thread;
    bool running, ended;
    uint64_t since_header;
    _Atomic bool stop, done;
    _Atomic int error;
};

static const struct {
    const char *suffix;
    int format;
} formats[] = {
    {".wav", SF_FORMAT_RF64 | SF_FORMAT_FLOAT},  {".flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24},
    {".aiff", SF_FORMAT_AIFF | SF_FORMAT_FLOAT}, {".aif", SF_FORMAT_AIFF | SF_FORMAT_FLOAT},
    {".caf", SF_FORMAT_CAF | SF_FORMAT_FLOAT},   {".ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
};

static int format_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof formats / sizeof *formats; i++)
        if (!strcasecmp(formats[i].suffix, dot))
            return formats[i].format;
    return 0;
}

static int open_out(struct file *f, const struct tac_backend_config *c, struct tac_error *err)
{
    if (!c->device)
        return 0;
    SF_INFO info = {
        .samplerate = (int)c->rate_hz, .channels = (int)c->outputs, .format = format_of(c->device)};
    if (!info.format)
        return tac_error_set(err, -TAC_E_UNKNOWN, c->device, 0, 0,
                             "the name should end with .wav, .flac, .aiff, .caf or .ogg");
    if (!sf_format_check(&info))
        return tac_error_set(err, -TAC_E_RANGE, c->device, 0, 0,
                             "this kind of file cannot hold %u channels at %g Hz; .wav can",
                             c->outputs, c->rate_hz);
    return tac_sound_sink_open(c->device, &info, &f->out, err);
}

static int open_in(struct file *f, const struct tac_backend_config *c, struct tac_error *err)
{
    if (!c->capture)
        return 0;
    SF_INFO info = {0};
    f->in = sf_open(c->capture, SFM_READ, &info);
    if (!f->in) {
        char why[96];
        return tac_error_set(err, -EIO, c->capture, 0, 0, "cannot be read: %s",
                             tac_sound_words(sf_error(NULL), sf_strerror(NULL), why, sizeof why));
    }
    if (info.channels != (int)c->inputs || info.samplerate != (int)c->rate_hz)
        return tac_error_set(err, -TAC_E_RANGE, c->capture, 0, 0,
                             "has %d channels at %d Hz; %u channels at %g Hz are wanted",
                             info.channels, info.samplerate, c->inputs, c->rate_hz);
    return 0;
}

static void file_close(struct tac_backend_stream *stream);

static int file_open(const struct tac_backend_config *config,
                     struct tac_backend_stream **ret_stream, struct tac_error *err)
{
    struct file *f = calloc(1, sizeof *f);
    if (!f)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    f->config = *config;
    f->base = (struct tac_backend_stream){.backend = &tac_backend_file,
                                          .rate_hz = config->rate_hz,
                                          .frames = config->frames,
                                          .inputs = config->inputs,
                                          .outputs = config->outputs};
    int code = tac_cycle_open(&f->runner, config, err);
    if (code >= 0) {
        uint32_t widest = config->inputs > config->outputs ? config->inputs : config->outputs;
        f->frames = calloc((size_t)config->frames * (widest + 1), sizeof(float));
        code = f->frames ? 0 : tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    }
    if (code >= 0)
        code = open_in(f, config, err);
    if (code >= 0)
        code = open_out(f, config, err);
    if (code < 0) {
        file_close(&f->base);
        return code;
    }
    *ret_stream = &f->base;
    return 0;
}

/* Frames of input for the cycle; 0 at the end of the file. */
static uint32_t read_input(struct file *f, uint32_t frames)
{
    if (!f->in)
        return frames;
    sf_count_t got = sf_readf_float(f->in, f->frames, frames);
    for (uint32_t c = 0; c < f->base.inputs; c++)
        for (sf_count_t i = 0; i < got; i++)
            f->runner.in_data[c][i] = f->frames[i * f->base.inputs + c];
    return got > 0 ? (uint32_t)got : 0;
}

static bool write_output(struct file *f, uint32_t frames)
{
    if (!f->out)
        return true;
    for (uint32_t c = 0; c < f->base.outputs; c++)
        for (uint32_t i = 0; i < frames; i++)
            f->frames[i * f->base.outputs + c] = f->runner.out[c][i];
    int code = tac_sound_sink_write(f->out, f->frames, frames);
    if (code < 0) {
        atomic_store(&f->error, code);
        return false;
    }
    f->since_header += frames;
    if ((double)f->since_header >= f->config.rate_hz * 10) {
        tac_sound_sink_update(f->out);
        f->since_header = 0;
    }
    return true;
}

static uint32_t next_frames(const struct file *f)
{
    uint64_t done = atomic_load_explicit(&f->runner.counts.frames, memory_order_relaxed);
    uint64_t left = f->config.frames_end ? f->config.frames_end - done : f->config.frames;
    return left < f->config.frames ? (uint32_t)left : f->config.frames;
}

static void *file_run(void *user)
{
    struct file *f = user;
    tac_cycle_enter(&f->runner);
    while (!atomic_load_explicit(&f->stop, memory_order_acquire)) {
        uint32_t frames = next_frames(f);
        frames = frames ? read_input(f, frames) : 0;
        if (!frames)
            break;
        tac_cycle_run(&f->runner, frames, 0, 0);
        if (!write_output(f, frames))
            break;
    }
    atomic_store_explicit(&f->done, true, memory_order_release);
    return NULL;
}

static int file_start(struct tac_backend_stream *stream, struct tac_error *err)
{
    struct file *f = (struct file *)stream;
    if (f->running)
        return 0;
    if (f->ended)
        return tac_error_set(err, -EINVAL, f->config.device, 0, 0,
                             "is finished; it would have to be opened anew");
    atomic_store(&f->stop, false);
    bool realtime;
    struct tac_backend_config config = f->config;
    config.priority = -1;
    int code = tac_cycle_spawn(&config, "tactus-file", file_run, f, &f->thread, &realtime,
                               f->base.notice, err);
    f->running = code >= 0;
    return code;
}

/* What the encoder still held may fail, too. */
static void finish(struct file *f)
{
    bool whole = true;
    int code = tac_sound_sink_close(f->out, &whole);
    f->out = NULL;
    if (code < 0 && !atomic_load(&f->error))
        atomic_store(&f->error, code);
    if (!whole)
        snprintf(f->base.notice, sizeof f->base.notice, "the file is cut off");
}

static int file_stop(struct tac_backend_stream *stream)
{
    struct file *f = (struct file *)stream;
    if (f->running) {
        atomic_store_explicit(&f->stop, true, memory_order_release);
        pthread_join(f->thread, NULL);
        f->running = false;
        f->ended = true;
        finish(f);
    }
    return atomic_load(&f->error);
}

static void file_close(struct tac_backend_stream *stream)
{
    struct file *f = (struct file *)stream;
    if (!f)
        return;
    file_stop(stream);
    finish(f);
    if (f->in)
        sf_close(f->in);
    tac_cycle_close(&f->runner);
    free(f->frames);
    free(f);
}

static void file_stats(struct tac_backend_stream *stream, struct tac_backend_stats *ret_stats)
{
    struct file *f = (struct file *)stream;
    *ret_stats =
        (struct tac_backend_stats){.done = atomic_load(&f->done), .error = atomic_load(&f->error)};
    tac_cycle_stats(&f->runner, ret_stats);
}

TAC_BACKEND(file) = {
    .name = "file",
    .doc = "A sound file instead of a card, as fast as it can.",
    .realtime = false,
    .open = file_open,
    .start = file_start,
    .stop = file_stop,
    .close = file_close,
    .stats = file_stats,
};
