/* SPDX-License-Identifier: MIT
 * wav_writer.c - a ring of interleaved frames between the audio thread and a writing thread.
 *
 * How         The file is opened at once, so that what cannot be written is refused, but a file
 *             that was there keeps its content until the first frame comes: a patch that is only
 *             checked, or a player that cannot start, destroys nothing. One that we made and never
 *             wrote to is taken away again.
 *
 * Invariants  I1 written <= pushed, pushed - written <= capacity (free-running frame counts).
 *             I2 only the audio thread changes pushed, only the helper changes written.
 *
 * Threads     push: audio; the helper reads and writes the file; open and close: control. */
#include "engine/wav_writer.h"

#include "base/bits.h"
#include "base/clock.h"
#include "base/region.h"
#include "base/sound_words.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sndfile.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLL_NS = 20000000 };

struct tac_wav_writer {
    struct tac_region region;
    float *frame; /* [capacity][channels] */
    uint64_t capacity;
    uint32_t channels;
    _Atomic uint64_t pushed, written, dropped;
    _Atomic bool stop, failed;
    int fd;       /* until file has it */
    bool is_ours; /* nobody had a file of that name before */
    SF_INFO info;
    SNDFILE *file; /* NULL until the first frame is written */
    pthread_t helper;
    char path[TAC_ERROR_FILE_MAX], problem[128];
};

static void fail(struct tac_wav_writer *w)
{
    tac_sound_words(sf_error(w->file), sf_strerror(w->file), w->problem, sizeof w->problem);
    atomic_store(&w->failed, true);
}

/* From here on the file is the recording. RF64 where WAV ends, at 4 GiB: three hours in stereo. */
static void begin(struct tac_wav_writer *w)
{
    (void)!ftruncate(w->fd, 0); // not possible for a pipe, nor needed
    w->info.format = SF_FORMAT_RF64 | SF_FORMAT_FLOAT;
    w->file = sf_open_fd(w->fd, SFM_WRITE, &w->info, SF_TRUE);
    if (!w->file) {
        fail(w);
        return;
    }
    w->fd = -1;
    sf_command(w->file, SFC_RF64_AUTO_DOWNGRADE, NULL, SF_TRUE);
    sf_command(w->file, SFC_SET_UPDATE_HEADER_AUTO, NULL, SF_TRUE);
}

/* Write all that is there; contiguous runs, at most two a call. */
static void drain(struct tac_wav_writer *w)
{
    uint64_t written = atomic_load_explicit(&w->written, memory_order_relaxed);
    /* pairs with the release in tac_wav_writer_push */
    uint64_t pushed = atomic_load_explicit(&w->pushed, memory_order_acquire);
    while (written < pushed) {
        uint64_t at = written & (w->capacity - 1);
        uint64_t run = pushed - written < w->capacity - at ? pushed - written : w->capacity - at;
        if (!w->file && !atomic_load(&w->failed))
            begin(w);
        if (!atomic_load(&w->failed)) {
            sf_count_t n = sf_writef_float(w->file, w->frame + at * w->channels, (sf_count_t)run);
            if (n != (sf_count_t)run)
                fail(w);
        }
        written += run;
        /* pairs with the acquire in tac_wav_writer_push */
        atomic_store_explicit(&w->written, written, memory_order_release);
    }
}

static void *help(void *argument)
{
    struct tac_wav_writer *w = argument;
    bool last = false;
    while (!last) {
        last = atomic_load(&w->stop);
        drain(w);
        if (!last)
            tac_clock_sleep_until(tac_clock_ns() + POLL_NS);
    }
    return NULL;
}

/* Without a reader a pipe is refused, not waited for. */
static int open_path(struct tac_wav_writer *w, struct tac_error *err)
{
    const int how = O_WRONLY | O_CLOEXEC | O_NONBLOCK;
    w->fd = open(w->path, how | O_CREAT | O_EXCL, 0666);
    w->is_ours = w->fd >= 0;
    if (w->fd < 0 && errno == EEXIST)
        w->fd = open(w->path, how);
    if (w->fd < 0)
        return tac_error_set(err, -errno, w->path, 0, 0, "cannot be written: %s",
                             errno == ENXIO ? "nobody reads from it" : strerror(errno));
    fcntl(w->fd, F_SETFL, O_WRONLY);
    return 0;
}

static int start(struct tac_wav_writer *w, double rate_hz, struct tac_error *err)
{
    w->info.samplerate = (int)(rate_hz + 0.5);
    w->info.channels = (int)w->channels;
    int code = open_path(w, err);
    if (code < 0)
        return code;
    w->capacity = tac_power_of_two_ceil((uint64_t)(2 * rate_hz));
    size_t bytes = (size_t)w->capacity * w->channels * sizeof(float);
    int r = tac_region_open(bytes, TAC_REGION_TRY_LOCK, &w->region);
    if (r < 0)
        return tac_error_set(err, r, w->path, 0, 0, "no memory for the ring before the file");
    w->frame = w->region.base;
    r = -pthread_create(&w->helper, NULL, help, w);
    return r < 0 ? tac_error_set(err, r, w->path, 0, 0, "no thread to write it: %s", strerror(-r))
                 : 0;
}

static void drop(struct tac_wav_writer *w)
{
    if (w->file)
        sf_close(w->file);
    if (w->fd >= 0)
        close(w->fd);
    if (!w->file && w->is_ours)
        unlink(w->path);
    tac_region_close(&w->region);
    free(w);
}

int tac_wav_writer_open(const char *path, double rate_hz, uint32_t channels,
                        struct tac_wav_writer **ret_writer, struct tac_error *err)
{
    struct tac_wav_writer *w = calloc(1, sizeof *w);
    if (!w)
        return tac_error_set(err, -ENOMEM, path, 0, 0, "no memory");
    w->fd = -1;
    strncpy(w->path, path, sizeof w->path - 1);
    w->channels = channels;
    int r = start(w, rate_hz, err);
    if (r < 0) {
        drop(w);
        return r;
    }
    *ret_writer = w;
    return 0;
}

void tac_wav_writer_push(struct tac_wav_writer *w, const float *const *planar, uint32_t frames)
{
    uint64_t pushed = atomic_load_explicit(&w->pushed, memory_order_relaxed);
    /* pairs with the release in drain */
    uint64_t written = atomic_load_explicit(&w->written, memory_order_acquire);
    if (frames > w->capacity - (pushed - written)) {
        atomic_fetch_add_explicit(&w->dropped, frames, memory_order_relaxed);
        return;
    }
    for (uint32_t i = 0; i < frames; i++) {
        float *out = w->frame + ((pushed + i) & (w->capacity - 1)) * w->channels;
        for (uint32_t c = 0; c < w->channels; c++)
            out[c] = planar[c][i];
    }
    /* pairs with the acquire in drain */
    atomic_store_explicit(&w->pushed, pushed + frames, memory_order_release);
}

uint64_t tac_wav_writer_room(const struct tac_wav_writer *w)
{
    /* pairs with the release in drain */
    return w->capacity - (atomic_load_explicit(&w->pushed, memory_order_relaxed) -
                          atomic_load_explicit(&w->written, memory_order_acquire));
}

int tac_wav_writer_close(struct tac_wav_writer *w, struct tac_error *err)
{
    if (!w)
        return 0;
    atomic_store(&w->stop, true);
    pthread_join(w->helper, NULL);
    int r = 0;
    if (atomic_load(&w->failed))
        r = tac_error_set(err, -EIO, w->path, 0, 0, "writing stopped: %s; what was written is kept",
                          w->problem);
    drop(w);
    return r;
}

uint64_t tac_wav_writer_dropped(const struct tac_wav_writer *w)
{
    return atomic_load_explicit(&w->dropped, memory_order_relaxed);
}
