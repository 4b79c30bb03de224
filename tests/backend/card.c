/* SPDX-License-Identifier: MIT
 * card.c - a sound card for tests, as an ALSA plug-in: `type tactus_card page FILE`.
 *
 * How     The position of the hardware is the clock's: frames = time since start * rate. A timerfd
 *         is the descriptor to poll. Played frames are looked at as they are handed over, recorded
 *         ones are a ramp. Source: the ALSA library's documentation of "External I/O plugins".
 * Threads those of the caller. */
#include "card.h"

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct card {
    snd_pcm_ioplug_t io;
    struct card_page *page;
    uint64_t start_ns;
    uint64_t moved;    /* frames handed over since prepare */
    uint64_t position; /* of the hardware, since start */
    uint32_t last;     /* step of the ramp that was played last, 0: silence */
    uint32_t next;     /* step of the ramp to record */
    snd_pcm_format_t format;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int set_timer(struct card *c, uint64_t every_ns)
{
    struct timespec t = {.tv_sec = (time_t)(every_ns / 1000000000u),
                         .tv_nsec = (long)(every_ns % 1000000000u)};
    struct itimerspec timer = {t, t};
    return timerfd_settime(c->io.poll_fd, 0, &timer, NULL) < 0 ? -errno : 0;
}

static int card_start(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;
    if (c->page->gone)
        return -ENODEV;
    c->start_ns = now_ns();
    return set_timer(c, io->period_size * 1000000000ull / io->rate / 2);
}

static int card_stop(snd_pcm_ioplug_t *io)
{
    return set_timer(io->private_data, 0);
}

static int card_prepare(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;
    c->moved = c->position = 0;
    c->last = 0;
    c->next = 0;
    return c->page->gone ? -ENODEV : 0;
}

static bool ran_over(const struct card *c)
{
    if (c->io.stream == SND_PCM_STREAM_PLAYBACK)
        return c->position > c->moved;
    return c->position > c->moved + c->io.buffer_size;
}

static snd_pcm_sframes_t card_pointer(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;
    if (c->page->gone)
        return -ENODEV;
    if (io->state != SND_PCM_STATE_RUNNING && io->state != SND_PCM_STATE_DRAINING)
        return (snd_pcm_sframes_t)(c->position % io->buffer_size);
    if (!c->page->stuck)
        c->position = (now_ns() - c->start_ns) * io->rate / 1000000000u;
    if (c->page->xrun) {
        c->page->xrun--;
        return -EPIPE;
    }
    return ran_over(c) ? -EPIPE : (snd_pcm_sframes_t)(c->position % io->buffer_size);
}

/* One sample as 1/8192ths, whatever the format. */
static int32_t get_step(snd_pcm_format_t format, const void *at)
{
    if (format == SND_PCM_FORMAT_S16)
        return *(const int16_t *)at / 4;
    if (format == SND_PCM_FORMAT_S32)
        return *(const int32_t *)at / (1 << 18);
    return (int32_t)(*(const float *)at * 8192);
}

static void put_step(snd_pcm_format_t format, void *at, int32_t step)
{
    if (format == SND_PCM_FORMAT_S16)
        *(int16_t *)at = (int16_t)(step * 4);
    else if (format == SND_PCM_FORMAT_S32)
        *(int32_t *)at = step * (1 << 18);
    else
        *(float *)at = (float)step / 8192;
}

static void look(struct card *c, int32_t step)
{
    uint32_t expected = c->last % CARD_RAMP + 1;
    if (step == 0)
        c->page->silent++;
    else if (c->last && (uint32_t)step != expected)
        c->page->breaks++;
    c->last = (uint32_t)step;
}

static snd_pcm_sframes_t card_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                       snd_pcm_uframes_t offset, snd_pcm_uframes_t frames)
{
    struct card *c = io->private_data;
    if (c->page->gone)
        return -ENODEV;
    bool plays = io->stream == SND_PCM_STREAM_PLAYBACK;
    for (snd_pcm_uframes_t i = 0; i < frames; i++) {
        char *at = (char *)areas[0].addr + (areas[0].first + (offset + i) * areas[0].step) / 8;
        if (plays) {
            look(c, get_step(c->format, at));
        } else {
            put_step(c->format, at, (int32_t)(c->next + 1));
            c->next = (c->next + 1) % CARD_RAMP;
        }
    }
    c->moved += frames;
    *(plays ? &c->page->played : &c->page->recorded) += frames;
    return (snd_pcm_sframes_t)frames;
}

static int card_revents(snd_pcm_ioplug_t *io, struct pollfd *fds, unsigned n,
                        unsigned short *revents)
{
    uint64_t count;
    struct card *c = io->private_data;
    if (n != 1 || read(io->poll_fd, &count, sizeof count) < 0)
        errno = 0; // not yet
    *revents = c->page->gone ? POLLERR : io->stream == SND_PCM_STREAM_PLAYBACK ? POLLOUT : POLLIN;
    (void)fds;
    return 0;
}

static int card_hw_params(snd_pcm_ioplug_t *io, snd_pcm_hw_params_t *params)
{
    (void)params;
    ((struct card *)io->private_data)->format = io->format;
    return 0;
}

static int card_close(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;
    close(io->poll_fd);
    munmap(c->page, sizeof *c->page);
    free(c);
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = card_start,
    .stop = card_stop,
    .pointer = card_pointer,
    .transfer = card_transfer,
    .close = card_close,
    .hw_params = card_hw_params,
    .prepare = card_prepare,
    .poll_revents = card_revents,
};

static int restrict_to(snd_pcm_ioplug_t *io, const struct card_page *page)
{
    unsigned ways[2] = {
        page->planar ? SND_PCM_ACCESS_RW_NONINTERLEAVED : SND_PCM_ACCESS_MMAP_INTERLEAVED,
        page->planar ? SND_PCM_ACCESS_MMAP_NONINTERLEAVED : SND_PCM_ACCESS_RW_INTERLEAVED};
    unsigned format = page->format;
    int code = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, ways);
    if (code >= 0)
        code = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, &format);
    if (code >= 0)
        code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, page->channels,
                                               page->channels);
    if (code >= 0)
        code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, page->rate_hz,
                                               page->rate_hz);
    if (code >= 0)
        code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 1 << 16);
    if (code >= 0)
        code = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 64);
    return code;
}

static struct card_page *map_page(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *page = mmap(NULL, sizeof(struct card_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

static int card_open(snd_pcm_t **ret_pcm, const char *name, struct card_page *page,
                     snd_pcm_stream_t stream, int mode)
{
    struct card *c = calloc(1, sizeof *c);
    if (!c || page->gone) {
        free(c);
        return -ENODEV;
    }
    c->page = page;
    c->page->opens++;
    c->io = (snd_pcm_ioplug_t){.version = SND_PCM_IOPLUG_VERSION,
                               .name = "a card for tests",
                               .callback = &callbacks,
                               .private_data = c,
                               .mmap_rw = 1,
                               .poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
                               .poll_events = POLLIN};
    int code = snd_pcm_ioplug_create(&c->io, name, stream, mode);
    if (code >= 0)
        code = restrict_to(&c->io, page);
    if (code >= 0)
        *ret_pcm = c->io.pcm;
    return code;
}

#pragma GCC visibility push(default)
SND_PCM_PLUGIN_DEFINE_FUNC(tactus_card);
SND_PCM_PLUGIN_DEFINE_FUNC(tactus_card)
{
    snd_config_iterator_t i, next;
    const char *path = NULL;
    (void)root;
    snd_config_for_each(i, next, conf)
    {
        const char *id;
        snd_config_t *entry = snd_config_iterator_entry(i);
        if (snd_config_get_id(entry, &id) >= 0 && !strcmp(id, "page"))
            snd_config_get_string(entry, &path);
    }
    struct card_page *page = path ? map_page(path) : NULL;
    if (!page)
        return -ENODEV;
    int code = card_open(pcmp, name, page, stream, mode);
    if (code < 0)
        munmap(page, sizeof *page);
    return code;
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wextra-semi"
#pragma GCC diagnostic ignored "-Wmissing-variable-declarations"
SND_PCM_PLUGIN_SYMBOL(tactus_card)
#pragma GCC diagnostic pop
#pragma GCC visibility pop
