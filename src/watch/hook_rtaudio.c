/* SPDX-License-Identifier: MIT
 * hook_rtaudio.c - the stream callback of RtAudio (4 to 6, from C++ or through its C interface,
 * which stands on the same function).
 *
 * The functions are members of a C++ class, named here as the compiler names them; `this` is their
 * first argument. On ALSA the device tells the deadline (tac_watch_covered()), on JACK the cycle of
 * JACK counts, elsewhere the deadline is one buffer after the begin. Declared after RtAudio.h. */
#include "watch/watch.h"

#include "base/clock.h"

#include <pthread.h>

typedef int (*callback_function)(void *out, void *in, unsigned frames, double time, unsigned status,
                                 void *user);

#define STREAM_PARAMETERS                                                                          \
    void *self, void *out, void *in, unsigned long format, unsigned rate_hz, unsigned *frames,     \
        callback_function callback, void *user, void *options
/* RtAudioErrorType from version 6 on, nothing before: what is not there is not looked at. */
unsigned tac_rtaudio_open_5(STREAM_PARAMETERS, void *error_callback) __asm__(
    "_ZN7RtAudio10openStreamEPNS_16StreamParametersES1_mjPjPFiPvS3_jdjS3_ES3_PNS_13StreamOptionsE"
    "PFvN12RtAudioError4TypeERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEE");
unsigned tac_rtaudio_open_6(STREAM_PARAMETERS) __asm__(
    "_ZN7RtAudio10openStreamEPNS_16StreamParametersES1_mjPjPFiPvS3_jdjS3_ES3_PNS_13StreamOptionsE");

#define NAME_6                                                                                     \
    "_ZN7RtAudio10openStreamEPNS_16StreamParametersES1_mjPjPFiPvS3_jdjS3_ES3_PNS_13StreamOptionsE"
#define NAME_5                                                                                     \
    NAME_6 "PFvN12RtAudioError4TypeERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEE"

enum { STREAMS_MAX = 16 };

struct stream {
    void *self; /* the RtAudio object, which has one stream; NULL: free */
    callback_function callback;
    void *user;
    unsigned rate_hz;
    int source;
};

static struct stream streams[STREAMS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct stream *find(const void *self)
{
    for (int i = 0; i < STREAMS_MAX; i++)
        if (streams[i].self == self)
            return &streams[i];
    return NULL;
}

static struct stream *take(void *self, unsigned rate_hz, const unsigned *frames,
                           callback_function callback, void *user)
{
    pthread_mutex_lock(&lock);
    struct stream *s = find(self);
    s = s ? s : find(NULL);
    if (s && rate_hz) {
        uint64_t period_ns = frames ? *frames * TAC_NS_PER_S / rate_hz : 0;
        int source = tac_watch_stream_open("rtaudio", "callback", period_ns);
        *s = (struct stream){self, callback, user, rate_hz, source};
    }
    pthread_mutex_unlock(&lock);
    return rate_hz ? s : NULL;
}

static int call_back(void *out, void *in, unsigned frames, double time, unsigned status, void *user)
{
    struct stream *s = user;
    uint64_t deadline = tac_watch_covered(tac_watch_thread());
    if (!deadline)
        deadline = tac_clock_ns() + frames * TAC_NS_PER_S / s->rate_hz;
    bool begun = tac_watch_cycle_begin(s->source, deadline, frames);
    int r = s->callback(out, in, frames, time, status, s->user);
    tac_watch_cycle_end(s->source, begun);
    return r;
}

TAC_WATCH_EXPORT unsigned tac_rtaudio_open_5(STREAM_PARAMETERS, void *error_callback)
{
    struct stream *s = callback ? take(self, rate_hz, frames, callback, user) : NULL;
    return TAC_WATCH_REAL_AS(__typeof__(&tac_rtaudio_open_5), NAME_5, NULL, "librtaudio.so.6")(
        self, out, in, format, rate_hz, frames, s ? call_back : callback, s ? (void *)s : user,
        options, error_callback);
}

TAC_WATCH_EXPORT unsigned tac_rtaudio_open_6(STREAM_PARAMETERS)
{
    struct stream *s = callback ? take(self, rate_hz, frames, callback, user) : NULL;
    return TAC_WATCH_REAL_AS(__typeof__(&tac_rtaudio_open_6), NAME_6, NULL, "librtaudio.so.7")(
        self, out, in, format, rate_hz, frames, s ? call_back : callback, s ? (void *)s : user,
        options);
}
