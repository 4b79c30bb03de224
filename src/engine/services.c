/* SPDX-License-Identifier: MIT
 * services.c - opens the files of a node; see services.h.
 *
 * A recording is a WAV file behind a ring (wav_writer.h). Offline nothing may be lost, so there the
 * caller waits for the writer where the ring is full; in real time it drops and counts. */
#include "engine/services.h"

#include "base/clock.h"
#include "engine/instrument.h"
#include "engine/midi_file.h"
#include "engine/stream.h"
#include "engine/wav_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_NS = 1000000 };

struct tac_service {
    struct tac_service *next;
    struct tac_song *song;
    struct tac_instrument *instrument; /* of an instrument; in the vault */
    char *path;
    double rate_hz;
    /* of a recording */
    struct tac_sink sink;
    struct tac_wav_writer *writer;
    struct tac_disk *disk;
};

static struct tac_service *new_service(struct tac_node *node)
{
    struct tac_service *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->disk = node->batch->disk;
    s->next = node->batch->services;
    node->batch->services = s;
    return s;
}

void tac_services_close(struct tac_service *list)
{
    while (list) {
        struct tac_service *s = list;
        list = s->next;
        (void)!tac_wav_writer_close(s->writer, NULL);
        free(s->song);
        free(s->path);
        free(s);
    }
}

static void record(struct tac_sink *sink, const float *const *channel, uint32_t frames)
{
    struct tac_service *s =
        (struct tac_service *)(void *)((char *)sink - offsetof(struct tac_service, sink));
    while (tac_disk_is_offline(s->disk) && tac_wav_writer_room(s->writer) < frames)
        tac_clock_sleep_until(tac_clock_ns() + WAIT_NS);
    if (tac_wav_writer_room(s->writer) < frames)
        tac_disk_add_underruns(s->disk, frames);
    tac_wav_writer_push(s->writer, channel, frames);
}

/* Channels beyond those of one bank go to files of their own, named by their first channel. */
static int open_recording(struct tac_node *node, const char *path, const struct tac_node_build *how,
                          struct tac_setup *setup, struct tac_error *err)
{
    char name[TAC_ERROR_FILE_MAX];
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    int stem = dot ? (int)(dot - path) : (int)strlen(path);
    if (setup->lane_first)
        snprintf(name, sizeof name, "%.*s-%u%s", stem, path, setup->lane_first + 1, dot ? dot : "");
    else
        snprintf(name, sizeof name, "%s", path);
    struct tac_service *s = new_service(node);
    if (!s)
        return -ENOMEM;
    s->sink.write = record;
    struct tac_error why = {0};
    int code = tac_wav_writer_open(name, how->rate_hz, setup->lanes_used, &s->writer, &why);
    if (code < 0)
        return tac_error_set(err, code, NULL, 0, 0, "%s: %s", name, why.text);
    setup->sink = &s->sink;
    return 0;
}

static int open_song(struct tac_node *node, const char *path, struct tac_setup *setup,
                     struct tac_error *err)
{
    struct tac_service *s = new_service(node);
    int code = s ? tac_midi_file_load(path, &s->song, err) : -ENOMEM;
    if (code >= 0)
        setup->song = s->song;
    return code;
}

/* Each bank reads the file on its own, so that banks need not run in step. */
static int open_stream(struct tac_node *node, const char *path, const struct tac_node_build *how,
                       bool looping, struct tac_setup *setup, struct tac_error *err)
{
    struct tac_batch *batch = node->batch;
    struct tac_file_stream *stream;
    int code =
        tac_stream_open(batch->disk, &batch->vault, path, how->rate_hz, looping, &stream, err);
    if (code < 0)
        return code;
    tac_stream_link(stream, &batch->streams);
    setup->stream = tac_stream_interface(stream);
    return 0;
}

static int open_samples(struct tac_node *node, const char *path, const struct tac_node_build *how,
                        bool looping, struct tac_setup *setup, struct tac_error *err)
{
    struct tac_batch *batch = node->batch;
    struct tac_file_stream *first = NULL, *stream;
    for (uint32_t lane = 0; lane < setup->lanes_used; lane++) {
        int code = tac_sample_open(batch->disk, &batch->vault, path, how->rate_hz, looping, first,
                                   &stream, err);
        if (code < 0)
            return code;
        tac_stream_link(stream, &batch->streams);
        first = first ? first : stream;
        setup->sample[lane] = tac_stream_interface(stream);
    }
    return 0;
}

/* All banks, and all nodes that are built together, share what is loaded. */
static int open_instrument(struct tac_node *node, const char *path,
                           const struct tac_node_build *how, struct tac_setup *setup,
                           struct tac_error *err)
{
    for (struct tac_service *s = node->batch->services; s; s = s->next)
        if (s->instrument && s->rate_hz == how->rate_hz && !strcmp(s->path, path)) {
            setup->instrument = s->instrument;
            return 0;
        }
    struct tac_service *s = new_service(node);
    if (!s || !(s->path = strdup(path)))
        return -ENOMEM;
    s->rate_hz = how->rate_hz;
    int code = tac_instrument_load(&node->batch->vault, path, how->rate_hz, &s->instrument, err);
    if (code >= 0)
        setup->instrument = s->instrument;
    return code;
}

static bool is_looping(const struct tac_block *block, const struct tac_graph_node *n)
{
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && block->option[i].name; i++)
        if (!strcmp(block->option[i].name, "loop"))
            return n->option[i] != 0;
    return false;
}

int tac_services_open(struct tac_node *node, const struct tac_graph_node *n,
                      const struct tac_node_build *how, struct tac_setup *setup,
                      struct tac_error *err)
{
    bool looping = is_looping(node->block, n);
    int code = 0;
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && node->block->option[i].name && code >= 0; i++) {
        if (!n->file[i])
            continue;
        switch (node->block->option[i].kind) {
        case TAC_OPTION_SAMPLE:
            code = tac_instrument_is_one(n->file[i])
                       ? open_instrument(node, n->file[i], how, setup, err)
                       : open_samples(node, n->file[i], how, looping, setup, err);
            break;
        case TAC_OPTION_SONG:
            code = open_song(node, n->file[i], setup, err);
            break;
        case TAC_OPTION_RECORDING:
            code = open_recording(node, n->file[i], how, setup, err);
            break;
        default:
            code = open_stream(node, n->file[i], how, looping, setup, err);
        }
    }
    return code;
}
