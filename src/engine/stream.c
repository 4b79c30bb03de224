/* SPDX-License-Identifier: MIT
 * stream.c - the helper thread and the streams it fills; see stream.h.
 *
 * Invariants
 *   I1  the ring is filled by one thread at a time: by the opener before the stream is on the list,
 *       by the helper (under disk->lock) after, or offline by the reader.
 *   I2  ended is set after the last frame was pushed, so a reader that finds the ring empty after
 *       having seen ended has read all.
 *   I3  a sample's reader counts its wishes to start again in asked; the filler answers the latest
 * in answered, after it has set start to the place in the ring where the new frames begin. What
 *       lies before is thrown away by the reader, who takes nothing until the answer is there.
 * The helper is an ordinary thread: it may wait for the disk; the audio thread never waits for it.
 */
#include "engine/stream.h"

#include "base/clock.h"
#include "base/ring.h"
#include "engine/sound_file.h"

#include <errno.h>
#include <pthread.h>
#include <samplerate.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_FRAMES = 1 << 16, /* 1.4 s at 48 kHz */
    READ_FRAMES = 2048,
    OUT_FRAMES = 4096,
    SAMPLE_RING_FRAMES = 1 << 15,
    POLL_NS = 10000000,
};

struct tac_file_stream {
    struct tac_stream base;
    struct tac_disk *disk;
    struct tac_ring ring;
    _Atomic bool ended; /* nothing more will be pushed */
    SNDFILE *file;
    SRC_STATE *converter; /* NULL: the rates agree */
    SRC_DATA convert;
    bool looping, file_ended;
    uint32_t skip; /* frames that lie in the head already */
    _Atomic uint32_t asked, answered, start;
    bool aligned; /* the reader stands at or behind start */
    float *read_buffer, *out_buffer;
    struct tac_file_stream *next_linked; /* in the batch */
    struct tac_file_stream *next_served; /* by the disk */
};

struct tac_disk {
    bool offline;
    _Atomic bool stop;
    _Atomic uint64_t underruns;
    pthread_t thread;
    pthread_mutex_t lock; /* guards served and, while a stream is on it, its producer side */
    struct tac_file_stream *served;
};

static void push_frames(struct tac_file_stream *s, const float *frames, uint32_t count)
{
    uint32_t first = s->skip < count ? s->skip : count;
    s->skip -= first;
    for (uint32_t i = first; i < count; i++)
        tac_ring_try_push(&s->ring, frames + (size_t)i * s->base.channels);
}

/* Up to READ_FRAMES of the file into read_buffer, from the beginning again when looping. A file
 * without a single frame ends even when looping. */
static uint32_t read_file(struct tac_file_stream *s)
{
    sf_count_t got = sf_readf_float(s->file, s->read_buffer, READ_FRAMES);
    if (got <= 0 && s->looping && sf_seek(s->file, 0, SEEK_SET) == 0)
        got = sf_readf_float(s->file, s->read_buffer, READ_FRAMES);
    s->file_ended = got <= 0;
    return got > 0 ? (uint32_t)got : 0;
}

static void convert_step(struct tac_file_stream *s)
{
    if (!s->convert.input_frames && !s->file_ended) {
        s->convert.input_frames = read_file(s);
        s->convert.data_in = s->read_buffer;
    }
    s->convert.end_of_input = s->file_ended;
    s->convert.data_out = s->out_buffer;
    s->convert.output_frames = OUT_FRAMES;
    if (src_process(s->converter, &s->convert)) {
        atomic_store_explicit(&s->ended, true, memory_order_release);
        return;
    }
    s->convert.data_in += s->convert.input_frames_used * s->base.channels;
    s->convert.input_frames -= s->convert.input_frames_used;
    push_frames(s, s->out_buffer, (uint32_t)s->convert.output_frames_gen);
    if (s->file_ended && !s->convert.output_frames_gen)
        atomic_store_explicit(&s->ended, true, memory_order_release);
}

/* Push some frames; the ring has room for OUT_FRAMES. */
static void fill_step(struct tac_file_stream *s)
{
    if (s->converter) {
        convert_step(s);
        return;
    }
    push_frames(s, s->read_buffer, read_file(s));
    if (s->file_ended)
        atomic_store_explicit(&s->ended, true, memory_order_release);
}

static void turn_back(struct tac_file_stream *s, uint32_t asked)
{
    s->file_ended = sf_seek(s->file, 0, SEEK_SET) < 0;
    if (s->converter)
        src_reset(s->converter);
    s->convert.input_frames = 0;
    s->skip = s->base.head_frames;
    atomic_store_explicit(&s->ended, false, memory_order_relaxed);
    atomic_store_explicit(&s->start, atomic_load_explicit(&s->ring.head, memory_order_relaxed),
                          memory_order_relaxed);
    /* pairs with the acquire in is_answered */
    atomic_store_explicit(&s->answered, asked, memory_order_release);
}

static void fill(struct tac_file_stream *s, uint32_t wanted)
{
    uint32_t asked = atomic_load_explicit(&s->asked, memory_order_relaxed);
    if (asked != atomic_load_explicit(&s->answered, memory_order_relaxed) && s->file)
        turn_back(s, asked);
    uint32_t room = s->ring.mask + 1;
    while (!atomic_load_explicit(&s->ended, memory_order_relaxed)) {
        uint32_t free_frames = tac_ring_free(&s->ring);
        if (free_frames < OUT_FRAMES || room - free_frames >= wanted)
            return;
        fill_step(s);
    }
}

static uint32_t take(struct tac_file_stream *s, float *out, uint32_t frames)
{
    uint32_t used = tac_ring_used(&s->ring);
    uint32_t count = used < frames ? used : frames;
    if (!count)
        return 0;
    uint32_t tail = atomic_load_explicit(&s->ring.tail, memory_order_relaxed) & s->ring.mask;
    uint32_t part = s->ring.mask + 1 - tail < count ? s->ring.mask + 1 - tail : count;
    size_t bytes = s->ring.item_bytes;
    memcpy(out, s->ring.items + tail * bytes, part * bytes);
    memcpy(out + (size_t)part * s->base.channels, s->ring.items, (count - part) * bytes);
    tac_ring_pop_n(&s->ring, count);
    return count;
}

/* Reader: throw away what is older than the latest wish; true when what it wished is there. */
static bool is_answered(struct tac_file_stream *s)
{
    /* before the look at answered: what comes into the ring after the answer is not to be lost, and
     * the tail must not pass start */
    uint32_t old = tac_ring_used(&s->ring);
    /* pairs with the release in turn_back */
    if (atomic_load_explicit(&s->answered, memory_order_acquire) !=
        atomic_load_explicit(&s->asked, memory_order_relaxed)) {
        tac_ring_pop_n(&s->ring, old);
        return false;
    }
    if (!s->aligned) {
        uint32_t tail = atomic_load_explicit(&s->ring.tail, memory_order_relaxed);
        tac_ring_pop_n(&s->ring, atomic_load_explicit(&s->start, memory_order_relaxed) - tail);
        s->aligned = true;
    }
    return true;
}

static void stream_restart(struct tac_stream *self)
{
    struct tac_file_stream *s = (struct tac_file_stream *)self;
    if (!s->file)
        return;
    s->aligned = false;
    tac_ring_pop_n(&s->ring, tac_ring_used(&s->ring));
    atomic_fetch_add_explicit(&s->asked, 1, memory_order_relaxed);
}

static uint32_t stream_read(struct tac_stream *self, float *out, uint32_t frames)
{
    struct tac_file_stream *s = (struct tac_file_stream *)self;
    if (s->disk->offline)
        fill(s, frames);
    if (!is_answered(s)) {
        atomic_fetch_add_explicit(&s->disk->underruns, frames, memory_order_relaxed);
        return 0;
    }
    /* pairs with the release stores above: seen ended, then the ring holds the rest (I2) */
    bool ended = atomic_load_explicit(&s->ended, memory_order_acquire);
    uint32_t count = take(s, out, frames);
    if (count < frames && !ended)
        atomic_fetch_add_explicit(&s->disk->underruns, frames - count, memory_order_relaxed);
    return count;
}

static bool stream_at_end(struct tac_stream *self)
{
    struct tac_file_stream *s = (struct tac_file_stream *)self;
    if (s->disk->offline)
        fill(s, 1);
    if (!is_answered(s))
        return false;
    return atomic_load_explicit(&s->ended, memory_order_acquire) && !tac_ring_used(&s->ring);
}

static void *serve(void *user)
{
    struct tac_disk *disk = user;
    pthread_setname_np(pthread_self(), "tactus-disk");
    while (!atomic_load_explicit(&disk->stop, memory_order_acquire)) {
        pthread_mutex_lock(&disk->lock);
        for (struct tac_file_stream *s = disk->served; s; s = s->next_served)
            fill(s, RING_FRAMES);
        pthread_mutex_unlock(&disk->lock);
        tac_clock_sleep_until(tac_clock_ns() + POLL_NS);
    }
    return NULL;
}

int tac_disk_new(bool offline, struct tac_disk **ret_disk)
{
    struct tac_disk *disk = calloc(1, sizeof *disk);
    if (!disk)
        return -ENOMEM;
    disk->offline = offline;
    pthread_mutex_init(&disk->lock, NULL);
    int code = offline ? 0 : pthread_create(&disk->thread, NULL, serve, disk);
    if (code) {
        free(disk);
        return -code;
    }
    *ret_disk = disk;
    return 0;
}

void tac_disk_free(struct tac_disk *disk)
{
    if (!disk)
        return;
    if (!disk->offline) {
        atomic_store_explicit(&disk->stop, true, memory_order_release);
        pthread_join(disk->thread, NULL);
    }
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

void tac_disk_add_underruns(struct tac_disk *disk, uint64_t frames)
{
    atomic_fetch_add_explicit(&disk->underruns, frames, memory_order_relaxed);
}

bool tac_disk_is_offline(const struct tac_disk *disk)
{
    return disk->offline;
}

uint64_t tac_disk_underruns(const struct tac_disk *disk)
{
    return atomic_load_explicit(&disk->underruns, memory_order_relaxed);
}

static void close_file(struct tac_file_stream *s)
{
    if (s->converter)
        src_delete(s->converter);
    if (s->file)
        sf_close(s->file);
    s->converter = NULL;
    s->file = NULL;
}

static void close_stream(struct tac_file_stream *s)
{
    close_file(s);
    free(s->read_buffer);
    free(s->out_buffer);
    free(s);
}

static int open_file(struct tac_file_stream *s, const char *path, double rate_hz,
                     struct tac_error *err)
{
    SF_INFO info;
    int code = tac_sound_file_open(path, &s->file, &info, err);
    if (code < 0)
        return code;
    s->base.channels = (uint32_t)info.channels;
    double ratio = rate_hz / info.samplerate;
    s->base.length_frames = (uint64_t)((double)info.frames * ratio);
    if (ratio == 1)
        return 0;
    int failed;
    /* Of two channels, in real time, 0.8 % of a core, and 3.6 % (docs/benchmarks.md). */
    int quality = s->disk->offline ? SRC_SINC_BEST_QUALITY : SRC_SINC_MEDIUM_QUALITY;
    s->converter = src_new(quality, info.channels, &failed);
    s->convert.src_ratio = ratio;
    if (!s->converter || !src_is_valid_ratio(ratio))
        return tac_error_set(err, -TAC_E_RANGE, NULL, 0, 0, "%s: its rate cannot be converted",
                             path);
    return 0;
}

static int take_buffers(struct tac_file_stream *s, struct tac_vault *vault, uint32_t ring_frames)
{
    size_t frame_bytes = s->base.channels * sizeof(float);
    void *items = tac_vault_take(vault, ring_frames * frame_bytes);
    s->read_buffer = malloc(READ_FRAMES * frame_bytes);
    s->out_buffer = malloc(OUT_FRAMES * frame_bytes);
    if (!items || !s->read_buffer || !s->out_buffer)
        return -ENOMEM;
    tac_ring_init(&s->ring, items, ring_frames, (uint32_t)frame_bytes);
    return 0;
}

static struct tac_file_stream *new_stream(struct tac_disk *disk, bool looping)
{
    struct tac_file_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->disk = disk;
    s->looping = looping;
    s->aligned = true;
    s->base.read = stream_read;
    s->base.at_end = stream_at_end;
    s->base.restart = stream_restart;
    return s;
}

static void serve_from_now_on(struct tac_file_stream *s)
{
    if (s->disk->offline)
        return;
    pthread_mutex_lock(&s->disk->lock);
    s->next_served = s->disk->served;
    s->disk->served = s;
    pthread_mutex_unlock(&s->disk->lock);
}

int tac_stream_open(struct tac_disk *disk, struct tac_vault *vault, const char *path,
                    double rate_hz, bool looping, struct tac_file_stream **ret_stream,
                    struct tac_error *err)
{
    struct tac_file_stream *s = new_stream(disk, looping);
    if (!s)
        return -ENOMEM;
    int code = open_file(s, path, rate_hz, err);
    if (code >= 0)
        code = take_buffers(s, vault, disk->offline ? RING_FRAMES / 4 : RING_FRAMES);
    if (code < 0) {
        close_stream(s);
        return code;
    }
    fill(s, RING_FRAMES);
    serve_from_now_on(s);
    *ret_stream = s;
    return 0;
}

/* The first frames of the file go through the ring into memory of their own. */
static int take_head(struct tac_file_stream *s, struct tac_vault *vault, uint32_t frames)
{
    float *head = tac_vault_take(vault, (size_t)frames * s->base.channels * sizeof(float));
    if (!head)
        return -ENOMEM;
    uint32_t got = 0;
    for (uint32_t n = 1; got < frames && n; got += n) {
        fill(s, OUT_FRAMES);
        n = take(s, head + (size_t)got * s->base.channels, frames - got);
    }
    s->base.head = head;
    s->base.head_frames = got;
    return 0;
}

/* Nothing is left to be read behind the head. */
static bool is_all_head(const struct tac_file_stream *s, double rate_hz)
{
    return !s->looping && s->base.head_frames < (uint32_t)(rate_hz / 2);
}

int tac_sample_open(struct tac_disk *disk, struct tac_vault *vault, const char *path,
                    double rate_hz, bool looping, const struct tac_file_stream *sibling,
                    struct tac_file_stream **ret_stream, struct tac_error *err)
{
    struct tac_file_stream *s = new_stream(disk, looping);
    if (!s)
        return -ENOMEM;
    int code = 0;
    if (!sibling || sibling->file) {
        code = open_file(s, path, rate_hz, err);
        if (code >= 0)
            code = take_buffers(s, vault, SAMPLE_RING_FRAMES);
    }
    if (code >= 0 && !sibling)
        code = take_head(s, vault, (uint32_t)(rate_hz / 2));
    if (code < 0) {
        close_stream(s);
        return code;
    }
    if (sibling) {
        s->base.head = sibling->base.head;
        s->base.head_frames = sibling->base.head_frames;
        s->base.channels = sibling->base.channels;
        s->base.length_frames = sibling->base.length_frames;
        s->skip = s->base.head_frames;
    }
    if (is_all_head(s, rate_hz)) {
        close_file(s);
        atomic_store_explicit(&s->ended, true, memory_order_relaxed);
    } else {
        fill(s, SAMPLE_RING_FRAMES);
        serve_from_now_on(s);
    }
    *ret_stream = s;
    return 0;
}

struct tac_stream *tac_stream_interface(struct tac_file_stream *stream)
{
    return &stream->base;
}

void tac_stream_link(struct tac_file_stream *stream, struct tac_file_stream **list)
{
    stream->next_linked = *list;
    *list = stream;
}

void tac_streams_close(struct tac_disk *disk, struct tac_file_stream *list)
{
    while (list) {
        struct tac_file_stream *s = list;
        list = s->next_linked;
        pthread_mutex_lock(&disk->lock);
        struct tac_file_stream **at = &disk->served;
        while (*at && *at != s)
            at = &(*at)->next_served;
        if (*at)
            *at = s->next_served;
        pthread_mutex_unlock(&disk->lock);
        close_stream(s);
    }
}
