/* SPDX-License-Identifier: MIT
 * alsa.c - plays and records through any ALSA PCM, by name.
 *
 * How     The thread sleeps in poll() on the device's descriptors and one of its own, by which stop
 *         wakes it. When a block fits (and, with inputs, is there) it reads, computes, writes. A
 *         cycle is due when the block became possible; its deadline is when the device runs dry;
 *         one that is dry all the time (null, file) has no clock, and no deadline.
 *         An xrun is counted, and the device is filled with silence and started again. A device
 *         that fails, or does not answer for SILENT_NS, is lost: it is closed, and opened again
 *         as it was as soon as that works (a plug that was pulled out is put back). PCMs that take
 *         everything at once (null, file) are held to the clock.
 * Threads the backend's own under SCHED_FIFO where permitted. Real-time: system calls are those of
 *         the device, and poll; while the device is lost nothing is real-time, and it is opened
 *         on this thread. */
#include "backend/alsa_pcm.h"
#include "backend/backend_cycle.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLLS_MAX = 16, POLL_MS = 200, RETRY_MS = 500, WINDOW_NS = 100000000 };
#define SILENT_NS 3000000000ull

extern const struct tac_backend tac_backend_alsa; /* below */

struct alsa {
    struct tac_backend_stream base;
    struct tac_backend_config config;
    struct tac_cycle_runner runner;
    struct tac_alsa_pcm play, capture;
    pthread_t thread;
    bool running, realtime, locked;
    bool clocked; /* some block has been waited for: the device runs by a clock */
    int wake;     /* eventfd: stop */
    uint64_t window_ns, window_frames; /* since the pace was last looked at */
    _Atomic bool stop, away;
};

/* The library would print to standard error; what went wrong comes back as codes. */
static void keep_quiet(const char *file, int line, const char *function, int code,
                       const char *format, ...)
{
    (void)file;
    (void)line;
    (void)function;
    (void)code;
    (void)format;
}

static int open_pcms(struct alsa *a, const struct tac_backend_config *c, struct tac_error *err)
{
    const char *device = c->device ? c->device : "default";
    int code = 0;
    if (!c->outputs && !c->inputs)
        return tac_error_set(err, -EINVAL, device, 0, 0, "neither inputs nor outputs are wanted");
    if (c->outputs)
        code = tac_alsa_pcm_open(&a->play, device, SND_PCM_STREAM_PLAYBACK, c->outputs, c->rate_hz,
                                 c->frames, err);
    if (code >= 0 && c->inputs)
        code = tac_alsa_pcm_open(&a->capture, c->capture ? c->capture : device,
                                 SND_PCM_STREAM_CAPTURE, c->inputs, c->rate_hz, c->frames, err);
    return code;
}

static void close_pcms(struct alsa *a)
{
    tac_alsa_pcm_close(&a->play);
    tac_alsa_pcm_close(&a->capture);
}

static int alsa_ask(struct tac_backend_config *config, struct tac_error *err)
{
    if (config->rate_hz != 0)
        return 0;
    snd_lib_error_set_handler(keep_quiet);
    return tac_alsa_pcm_rate(config->device ? config->device : "default", &config->rate_hz, err);
}

static void alsa_close(struct tac_backend_stream *stream);

static int alsa_open(const struct tac_backend_config *config,
                     struct tac_backend_stream **ret_stream, struct tac_error *err)
{
    struct alsa *a = calloc(1, sizeof *a);
    if (!a)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    snd_lib_error_set_handler(keep_quiet);
    a->config = *config;
    a->base = (struct tac_backend_stream){.backend = &tac_backend_alsa,
                                          .rate_hz = config->rate_hz,
                                          .frames = config->frames,
                                          .inputs = config->inputs,
                                          .outputs = config->outputs};
    a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = a->wake < 0 ? tac_error_set(err, -errno, NULL, 0, 0, "no event descriptor") : 0;
    if (code >= 0)
        code = tac_cycle_open(&a->runner, config, err);
    if (code >= 0)
        code = open_pcms(a, config, err);
    if (code < 0) {
        alsa_close(&a->base);
        return code;
    }
    *ret_stream = &a->base;
    return 0;
}

/* ---- the audio thread ---- */

static int fill_with_silence(struct alsa *a)
{
    int code = 0;
    for (uint32_t n = a->play.buffer_frames / a->base.frames; n && code == 0; n--)
        code = tac_alsa_pcm_put(&a->play, NULL, 0);
    return code;
}

static int set_going(struct alsa *a)
{
    bool linked = a->play.pcm && a->capture.pcm && snd_pcm_link(a->play.pcm, a->capture.pcm) == 0;
    int code = a->play.pcm ? snd_pcm_prepare(a->play.pcm) : 0;
    if (code >= 0 && a->capture.pcm && !linked)
        code = snd_pcm_prepare(a->capture.pcm);
    if (code >= 0 && a->play.pcm)
        code = fill_with_silence(a);
    if (code >= 0 && a->capture.pcm && !linked)
        code = snd_pcm_start(a->capture.pcm);
    if (code >= 0 && a->play.pcm && snd_pcm_state(a->play.pcm) != SND_PCM_STATE_RUNNING)
        code = snd_pcm_start(a->play.pcm);
    return code;
}

static void stop_device(struct alsa *a)
{
    if (a->play.pcm && a->capture.pcm)
        snd_pcm_unlink(a->play.pcm);
    if (a->play.pcm)
        snd_pcm_drop(a->play.pcm);
    if (a->capture.pcm)
        snd_pcm_drop(a->capture.pcm);
}

/* Start over after an error of the device; negative when that is not possible. */
static int recover(struct alsa *a, int code)
{
    if (code != -EPIPE && code != -ESTRPIPE && code != -EINTR)
        return code;
    atomic_fetch_add_explicit(&a->runner.counts.xruns, code != -EINTR, memory_order_relaxed);
    stop_device(a);
    return set_going(a);
}

/* Blocks that may be moved now, 0 or more; negative: error. */
static snd_pcm_sframes_t avail(const struct tac_alsa_pcm *p)
{
    return p->pcm ? snd_pcm_avail_update(p->pcm) : (snd_pcm_sframes_t)p->frames;
}

static bool is_ready(snd_pcm_sframes_t n, const struct tac_alsa_pcm *p)
{
    return n >= (snd_pcm_sframes_t)p->frames;
}

static int add_polls(const struct tac_alsa_pcm *p, struct pollfd *polls, int n)
{
    int got = p->pcm ? snd_pcm_poll_descriptors(p->pcm, polls + n, (unsigned)(POLLS_MAX - n)) : 0;
    return got > 0 ? n + got : n;
}

/* Sleep until the direction that is not ready moves, or stop is asked for. */
static void sleep_for(struct alsa *a, const struct tac_alsa_pcm *p)
{
    struct pollfd polls[POLLS_MAX] = {{.fd = a->wake, .events = POLLIN}};
    int n = add_polls(p, polls, 1);
    poll(polls, (nfds_t)n, POLL_MS);
    unsigned short events;
    if (n > 1) // plug-ins take the wake-up off their descriptor here
        snd_pcm_poll_descriptors_revents(p->pcm, polls + 1, (unsigned)(n - 1), &events);
}

/* 1: a block can be moved; 0: not yet; negative: error. *ret_slack: frames until it runs dry. */
static int wait_for_block(struct alsa *a, snd_pcm_sframes_t *ret_slack)
{
    snd_pcm_sframes_t play = avail(&a->play), capture = avail(&a->capture);
    if (play < 0 || capture < 0)
        return (int)(play < 0 ? play : capture);
    if (!is_ready(play, &a->play)) {
        sleep_for(a, &a->play);
        return 0;
    }
    if (!is_ready(capture, &a->capture)) {
        sleep_for(a, &a->capture);
        return 0;
    }
    const struct tac_alsa_pcm *p = a->play.pcm ? &a->play : &a->capture;
    *ret_slack = (snd_pcm_sframes_t)p->buffer_frames - (a->play.pcm ? play : capture);
    a->clocked = a->clocked || *ret_slack > 0;
    return 1;
}

static uint64_t frames_ns(const struct alsa *a, uint64_t frames)
{
    return (uint64_t)((double)frames * 1e9 / a->base.rate_hz);
}

/* A device cannot be twice as fast as the clock; a PCM that is has none, and is made to wait. */
static void keep_pace(struct alsa *a)
{
    a->window_frames += a->base.frames;
    uint64_t wanted_ns = frames_ns(a, a->window_frames);
    if (wanted_ns < WINDOW_NS)
        return;
    if (tac_clock_ns() - a->window_ns < wanted_ns / 2)
        tac_clock_sleep_until(a->window_ns + wanted_ns);
    a->window_ns = tac_clock_ns();
    a->window_frames = 0;
}

static int run_block(struct alsa *a, snd_pcm_sframes_t slack)
{
    int code = 0;
    uint64_t now = tac_clock_ns();
    if (a->capture.pcm)
        code = tac_alsa_pcm_get(&a->capture, a->runner.in_data, a->base.inputs);
    if (code < 0)
        return code;
    uint64_t deadline = now + frames_ns(a, slack > 0 ? (uint64_t)slack : 0);
    tac_cycle_run(&a->runner, a->base.frames, now, a->clocked ? deadline : 0);
    return a->play.pcm ? tac_alsa_pcm_put(&a->play, a->runner.out, a->base.outputs) : 0;
}

static bool is_stopped(const struct alsa *a)
{
    return atomic_load_explicit(&a->stop, memory_order_acquire);
}

/* Play until the device fails or stop is asked for. */
static int play_on(struct alsa *a)
{
    int code = set_going(a);
    uint64_t last = a->window_ns = tac_clock_ns();
    a->window_frames = 0;
    a->clocked = false;
    while (code >= 0 && !is_stopped(a)) {
        snd_pcm_sframes_t slack = 0;
        code = wait_for_block(a, &slack);
        if (code > 0) {
            code = run_block(a, slack);
            keep_pace(a);
            last = tac_clock_ns();
        }
        if (code < 0)
            code = recover(a, code);
        if (tac_clock_ns() - last > SILENT_NS)
            code = -TAC_E_DEVICE;
    }
    return code;
}

/* The device is lost: open it again, and again, until that works or stop is asked for. */
static void look_for_device(struct alsa *a)
{
    struct tac_error err;
    struct pollfd wake = {.fd = a->wake, .events = POLLIN};
    atomic_fetch_add_explicit(&a->runner.counts.losses, 1, memory_order_relaxed);
    atomic_store_explicit(&a->away, true, memory_order_relaxed);
    do {
        close_pcms(a);
        poll(&wake, 1, RETRY_MS);
    } while (!is_stopped(a) && open_pcms(a, &a->config, &err) < 0);
    atomic_store_explicit(&a->away, false, memory_order_relaxed);
}

static void *alsa_run(void *user)
{
    struct alsa *a = user;
    tac_cycle_enter(&a->runner);
    while (!is_stopped(a))
        if (play_on(a) < 0)
            look_for_device(a);
    stop_device(a);
    return NULL;
}

/* ---- control ---- */

static int alsa_start(struct tac_backend_stream *stream, struct tac_error *err)
{
    struct alsa *a = (struct alsa *)stream;
    if (a->running)
        return 0;
    atomic_store(&a->stop, false);
    a->locked = a->locked || tac_cycle_lock_process();
    int code = tac_cycle_spawn(&a->config, "tactus-audio", alsa_run, a, &a->thread, &a->realtime,
                               a->base.notice, err);
    a->running = code >= 0;
    return code;
}

static int alsa_stop(struct tac_backend_stream *stream)
{
    struct alsa *a = (struct alsa *)stream;
    uint64_t one = 1;
    if (!a->running)
        return 0;
    atomic_store_explicit(&a->stop, true, memory_order_release);
    if (write(a->wake, &one, sizeof one) < 0)
        errno = 0; // the thread looks by itself after POLL_MS
    pthread_join(a->thread, NULL);
    a->running = false;
    if (read(a->wake, &one, sizeof one) < 0)
        errno = 0;
    return 0;
}

static void alsa_close(struct tac_backend_stream *stream)
{
    struct alsa *a = (struct alsa *)stream;
    if (!a)
        return;
    alsa_stop(stream);
    close_pcms(a);
    tac_cycle_close(&a->runner);
    if (a->wake >= 0)
        close(a->wake);
    free(a);
}

static void alsa_stats(struct tac_backend_stream *stream, struct tac_backend_stats *ret_stats)
{
    struct alsa *a = (struct alsa *)stream;
    *ret_stats = (struct tac_backend_stats){
        .realtime = a->realtime, .locked = a->locked, .away = atomic_load(&a->away)};
    tac_cycle_stats(&a->runner, ret_stats);
}

static int alsa_list(void (*each)(void *user, const char *device, const char *doc), void *user)
{
    void **hints;
    int code = snd_device_name_hint(-1, "pcm", &hints);
    if (code < 0)
        return code;
    for (void **hint = hints; *hint; hint++) {
        char *name = snd_device_name_get_hint(*hint, "NAME");
        char *doc = snd_device_name_get_hint(*hint, "DESC");
        if (doc && strchr(doc, '\n'))
            *strchr(doc, '\n') = 0;
        if (name)
            each(user, name, doc ? doc : "");
        free(name);
        free(doc);
    }
    snd_device_name_free_hint(hints);
    return 0;
}

TAC_BACKEND(alsa) = {
    .name = "alsa",
    .doc = "Any ALSA device, by the name of its PCM (default, hw:0, plughw:1, plug:...).",
    .realtime = true,
    .ask = alsa_ask,
    .open = alsa_open,
    .start = alsa_start,
    .stop = alsa_stop,
    .close = alsa_close,
    .stats = alsa_stats,
    .list = alsa_list,
};
