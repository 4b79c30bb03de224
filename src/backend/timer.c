/* SPDX-License-Identifier: MIT
 * timer.c - a sound card made of a clock: cycles at absolute times, no device.
 *
 * How     Cycle k is due at start + k * frames / rate, computed from k, so that rounding does not
 *         add up. The thread sleeps until then with clock_nanosleep(TIMER_ABSTIME); the deadline of
 *         a cycle is when the next one is due. A cycle that begins late is still run, until one
 *         would begin after its whole successor's deadline and a millisecond late: then all up to
 *         the present are skipped and counted, as a card would drop them. Cycles shorter than it
 *         takes to wake come in bunches so.
 * Threads the backend's own under SCHED_FIFO where permitted. Real-time: the only system call is
 *         the sleep. With inputs, they are silence. */
#include "backend/backend_cycle.h"
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_NS = 1000000 };

extern const struct tac_backend tac_backend_timer; /* below */

struct timer {
    struct tac_backend_stream base;
    struct tac_backend_config config;
    struct tac_cycle_runner runner;
    pthread_t thread;
    bool running, realtime, locked;
    _Atomic bool stop;
};

static int timer_open(const struct tac_backend_config *config,
                      struct tac_backend_stream **ret_stream, struct tac_error *err)
{
    if (config->device)
        return tac_error_set(err, -EINVAL, config->device, 0, 0,
                             "the timer has no devices; another backend may (tactus play --list)");
    struct timer *t = calloc(1, sizeof *t);
    if (!t)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    int code = tac_cycle_open(&t->runner, config, err);
    if (code < 0) {
        free(t);
        return code;
    }
    t->config = *config;
    t->base = (struct tac_backend_stream){.backend = &tac_backend_timer,
                                          .rate_hz = config->rate_hz,
                                          .frames = config->frames,
                                          .inputs = config->inputs,
                                          .outputs = config->outputs};
    *ret_stream = &t->base;
    return 0;
}

/* When cycle k is due, relative to the first. */
static uint64_t due(const struct timer *t, uint64_t k)
{
    return (uint64_t)((double)k * t->config.frames * (double)TAC_NS_PER_S / t->config.rate_hz);
}

/* For the beginning of a cycle. Returns how many are to be skipped from this on. */
static uint64_t wait_until(const struct timer *t, uint64_t begin)
{
    uint64_t now = tac_clock_ns(), most = due(t, 2);
    if (now < begin) {
        tac_clock_sleep_until(begin);
        now = tac_clock_ns();
    }
    if (now <= begin + most || now <= begin + KEPT_NS)
        return 0;
    return (uint64_t)((double)(now - begin) * t->config.rate_hz /
                      ((double)t->config.frames * (double)TAC_NS_PER_S));
}

static void *timer_run(void *user)
{
    struct timer *t = user;
    tac_cycle_enter(&t->runner);
    uint64_t start = tac_clock_ns() + 1000000;
    for (uint64_t k = 0; !atomic_load_explicit(&t->stop, memory_order_acquire); k++) {
        uint64_t begin = start + due(t, k), deadline = start + due(t, k + 1);
        uint64_t missed = wait_until(t, begin);
        if (missed) {
            atomic_fetch_add_explicit(&t->runner.counts.skipped, missed, memory_order_relaxed);
            k += missed - 1;
            continue;
        }
        tac_cycle_run(&t->runner, t->config.frames, begin, deadline);
    }
    return NULL;
}

static int timer_start(struct tac_backend_stream *stream, struct tac_error *err)
{
    struct timer *t = (struct timer *)stream;
    if (t->running)
        return 0;
    atomic_store(&t->stop, false);
    t->locked = t->locked || tac_cycle_lock_process();
    int code = tac_cycle_spawn(&t->config, "tactus-audio", timer_run, t, &t->thread, &t->realtime,
                               t->base.notice, err);
    t->running = code >= 0;
    if (code >= 0 && !t->locked && !t->base.notice[0])
        snprintf(t->base.notice, sizeof t->base.notice,
                 "memory is not locked: raise the memlock limit in /etc/security/limits.d");
    return code;
}

static int timer_stop(struct tac_backend_stream *stream)
{
    struct timer *t = (struct timer *)stream;
    if (!t->running)
        return 0;
    atomic_store_explicit(&t->stop, true, memory_order_release);
    pthread_join(t->thread, NULL);
    t->running = false;
    return 0;
}

static void timer_close(struct tac_backend_stream *stream)
{
    struct timer *t = (struct timer *)stream;
    if (!t)
        return;
    timer_stop(stream);
    tac_cycle_close(&t->runner);
    free(t);
}

static void timer_stats(struct tac_backend_stream *stream, struct tac_backend_stats *ret_stats)
{
    struct timer *t = (struct timer *)stream;
    *ret_stats = (struct tac_backend_stats){.realtime = t->realtime, .locked = t->locked};
    tac_cycle_stats(&t->runner, ret_stats);
}

TAC_BACKEND(timer) = {
    .name = "timer",
    .doc = "A clock instead of a card: cycles at exact times, what is played is not heard.",
    .realtime = true,
    .open = timer_open,
    .start = timer_start,
    .stop = timer_stop,
    .close = timer_close,
    .stats = timer_stats,
};
