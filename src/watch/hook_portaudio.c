/* SPDX-License-Identifier: MIT
 * hook_portaudio.c - the stream callback of PortAudio, and its blocking reads and writes.
 *
 * On ALSA the device tells the deadline (tac_watch_covered()). On JACK, whose cycle is open
 * already, that one counts. Elsewhere the deadline is one buffer after the begin. What is wrapped
 * is declared here after portaudio.h (V19). */
#include "watch/watch.h"

#include "base/clock.h"

#include <pthread.h>

typedef int (*callback_function)(const void *in, void *out, unsigned long frames, const void *time,
                                 unsigned long flags, void *user);

int Pa_OpenStream(void **ret_stream, const void *in, const void *out, double rate_hz,
                  unsigned long frames, unsigned long flags, callback_function callback,
                  void *user);
int Pa_OpenDefaultStream(void **ret_stream, int in, int out, unsigned long format, double rate_hz,
                         unsigned long frames, callback_function callback, void *user);
int Pa_WriteStream(void *stream, const void *buffer, unsigned long frames);
int Pa_ReadStream(void *stream, void *buffer, unsigned long frames);
int Pa_StopStream(void *stream);
int Pa_AbortStream(void *stream);
int Pa_CloseStream(void *stream);

#define PA(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, NULL, "libportaudio.so.2")

enum { STREAMS_MAX = 16 };

struct stream {
    bool used;
    void *stream; /* PortAudio's; NULL until it is open */
    callback_function callback;
    void *user;
    double rate_hz;
    int source;
    bool begun; /* blocking: a cycle is open, on that thread: */
    struct tac_watch_thread *thread;
};

static struct stream streams[STREAMS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct stream *find(const void *stream)
{
    for (int i = 0; stream && i < STREAMS_MAX; i++)
        if (streams[i].stream == stream)
            return &streams[i];
    return NULL;
}

static struct stream *take(double rate_hz, unsigned long frames, callback_function callback,
                           void *user)
{
    struct stream *s = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < STREAMS_MAX && !s; i++)
        if (!streams[i].used)
            s = &streams[i];
    if (s && rate_hz > 0) {
        uint64_t period_ns = (uint64_t)((double)frames * 1e9 / rate_hz);
        int source =
            tac_watch_stream_open("portaudio", callback ? "callback" : "blocking", period_ns);
        *s = (struct stream){
            .used = true, .callback = callback, .user = user, .rate_hz = rate_hz, .source = source};
    }
    pthread_mutex_unlock(&lock);
    return s;
}

static void opened(struct stream *s, int error, void *const *stream)
{
    if (!s)
        return;
    s->stream = error ? NULL : *stream;
    s->used = !error;
}

static uint64_t deadline_ns(const struct stream *s, unsigned long frames)
{
    return tac_clock_ns() + (uint64_t)((double)frames * 1e9 / s->rate_hz);
}

static int call_back(const void *in, void *out, unsigned long frames, const void *time,
                     unsigned long flags, void *user)
{
    struct stream *s = user;
    uint64_t deadline = tac_watch_covered(tac_watch_thread());
    bool begun = tac_watch_cycle_begin(s->source, deadline ? deadline : deadline_ns(s, frames),
                                       (uint32_t)frames);
    int r = s->callback(in, out, frames, time, flags, s->user);
    tac_watch_cycle_end(s->source, begun);
    return r;
}

TAC_WATCH_EXPORT int Pa_OpenStream(void **ret_stream, const void *in, const void *out,
                                   double rate_hz, unsigned long frames, unsigned long flags,
                                   callback_function callback, void *user)
{
    struct stream *s = take(rate_hz, frames, callback, user);
    bool hook = s && callback;
    int r = PA(Pa_OpenStream)(ret_stream, in, out, rate_hz, frames, flags,
                              hook ? call_back : callback, hook ? (void *)s : user);
    opened(s, r, ret_stream);
    return r;
}

TAC_WATCH_EXPORT int Pa_OpenDefaultStream(void **ret_stream, int in, int out, unsigned long format,
                                          double rate_hz, unsigned long frames,
                                          callback_function callback, void *user)
{
    struct stream *s = take(rate_hz, frames, callback, user);
    bool hook = s && callback;
    int r = PA(Pa_OpenDefaultStream)(ret_stream, in, out, format, rate_hz, frames,
                                     hook ? call_back : callback, hook ? (void *)s : user);
    opened(s, r, ret_stream);
    return r;
}

/* Blocking: from the return of one transfer to the next; the device below has no cycles then. */
#define TRANSFER(call)                                                                             \
    struct stream *s = find(stream);                                                               \
    if (s)                                                                                         \
        tac_watch_cycle_end(s->source, s->begun);                                                  \
    int r = call;                                                                                  \
    if (s) {                                                                                       \
        s->thread = tac_watch_thread();                                                            \
        uint64_t deadline = tac_watch_covered(s->thread);                                          \
        s->begun = tac_watch_cycle_begin(s->source, deadline ? deadline : deadline_ns(s, frames),  \
                                         (uint32_t)frames);                                        \
    }                                                                                              \
    return r;

TAC_WATCH_EXPORT int Pa_WriteStream(void *stream, const void *buffer, unsigned long frames){
    TRANSFER(PA(Pa_WriteStream)(stream, buffer, frames))}

TAC_WATCH_EXPORT int Pa_ReadStream(void *stream, void *buffer, unsigned long frames)
{
    TRANSFER(PA(Pa_ReadStream)(stream, buffer, frames))
}

/* No cycle until the next transfer. Another thread leaves it to that of the cycle. */
static void rest(struct stream *s)
{
    if (!s || !s->begun || s->thread != tac_watch_thread())
        return;
    tac_watch_cycle_end(s->source, true);
    s->begun = false;
}

TAC_WATCH_EXPORT int Pa_StopStream(void *stream)
{
    rest(find(stream));
    return PA(Pa_StopStream)(stream);
}

TAC_WATCH_EXPORT int Pa_AbortStream(void *stream)
{
    rest(find(stream));
    return PA(Pa_AbortStream)(stream);
}

TAC_WATCH_EXPORT int Pa_CloseStream(void *stream)
{
    struct stream *s = find(stream);
    rest(s);
    int r = PA(Pa_CloseStream)(stream);
    if (s)
        *s = (struct stream){.used = false};
    return r;
}
