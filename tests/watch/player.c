/* SPDX-License-Identifier: MIT
 * player.c - plays through (a stand-in for) JACK whose functions it looks up by name, and is a
 * stand-in for RtAudio 6 (a stream is played to its end when it is opened), for an ALSA device
 * whose buffer is always half full, and for blocking streams of PortAudio. */
#include "fake_jack.h"

#include <dlfcn.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int player_play(void *library);

static int process(uint32_t frames, void *argument)
{
    *(uint32_t *)argument += frames;
    free(malloc(5432));
    return 0;
}

int player_play(void *library)
{
    jack_client_t *(*open_client)(const char *) = NULL;
    int (*play)(jack_client_t *) = NULL;
    int (*set)(jack_client_t *, int (*)(uint32_t, void *), void *) = NULL;
    uint32_t frames = 0;
    if (!library)
        return 1;
    *(void **)&open_client = dlsym(library, "fake_jack_open");
    *(void **)&play = dlsym(library, "fake_jack_play");
    *(void **)&set = dlsym(library, "jack_set_process_callback");
    if (!open_client || !play || !set || dlsym(library, "jack_no_such_function"))
        return 1;
    jack_client_t *c = open_client("player");
    return set(c, process, &frames) || play(c) || !frames;
}

enum { STREAM_CYCLES = 15, STREAM_FRAMES = 128 };

typedef int (*stream_callback)(void *out, void *in, unsigned frames, double time, unsigned status,
                               void *user);
__attribute__((visibility("default"))) unsigned
open_stream(void *self, void *out, void *in, unsigned long format, unsigned rate_hz,
            unsigned *frames, stream_callback callback, void *user,
            void *options) __asm__("_ZN7RtAudio10openStreamEPNS_16StreamParametersES1_mjPjPFiPvS3_"
                                   "jdjS3_ES3_PNS_"
                                   "13StreamOptionsE");

unsigned open_stream(void *self, void *out, void *in, unsigned long format, unsigned rate_hz,
                     unsigned *frames, stream_callback callback, void *user, void *options)
{
    unsigned bad = !self || in || options || format != 16 || rate_hz != 48000;
    for (int i = 0; i < STREAM_CYCLES; i++)
        bad += callback(out, NULL, *frames, i, 0, user) != 0;
    return bad;
}

#define STAND_IN __attribute__((visibility("default")))

STAND_IN int snd_pcm_set_params(int *pcm, int format, int access, unsigned channels,
                                unsigned rate_hz, int soft_resample, unsigned latency_us);
STAND_IN int snd_pcm_get_params(int *pcm, unsigned long *ret_buffer, unsigned long *ret_period);
STAND_IN int snd_pcm_stream(int *pcm);
STAND_IN int snd_pcm_state(int *pcm);
STAND_IN const char *snd_pcm_name(int *pcm);
STAND_IN long snd_pcm_avail_update(int *pcm);
STAND_IN long snd_pcm_writei(int *pcm, const void *buffer, unsigned long frames);
STAND_IN long snd_pcm_mmap_writei(int *pcm, const void *buffer, unsigned long frames);
STAND_IN int snd_pcm_pause(int *pcm, int enable);
STAND_IN int snd_pcm_drop(int *pcm);
STAND_IN int snd_pcm_close(int *pcm);

enum { PCM_BUFFER = 960, PCM_RUNS = 3 };

int snd_pcm_set_params(int *pcm, int format, int access, unsigned channels, unsigned rate_hz,
                       int soft_resample, unsigned latency_us)
{
    *pcm = PCM_RUNS;
    return format || access || soft_resample || latency_us || channels != 2 || rate_hz != 48000;
}

int snd_pcm_get_params(int *pcm, unsigned long *ret_buffer, unsigned long *ret_period)
{
    *ret_buffer = PCM_BUFFER;
    *ret_period = PCM_BUFFER / 4;
    return *pcm != PCM_RUNS;
}

int snd_pcm_stream(int *pcm)
{
    return *pcm != PCM_RUNS;
}

int snd_pcm_state(int *pcm)
{
    return *pcm;
}

const char *snd_pcm_name(int *pcm)
{
    return *pcm == PCM_RUNS ? "stand-in" : NULL;
}

long snd_pcm_avail_update(int *pcm)
{
    return *pcm == PCM_RUNS ? PCM_BUFFER / 2 : -1;
}

long snd_pcm_writei(int *pcm, const void *buffer, unsigned long frames)
{
    return buffer && *pcm == PCM_RUNS ? (long)frames : -1;
}

long snd_pcm_mmap_writei(int *pcm, const void *buffer, unsigned long frames)
{
    return snd_pcm_writei(pcm, buffer, frames);
}

int snd_pcm_pause(int *pcm, int enable)
{
    *pcm = PCM_RUNS + (enable != 0);
    return 0;
}

int snd_pcm_drop(int *pcm)
{
    return *pcm != PCM_RUNS;
}

int snd_pcm_close(int *pcm)
{
    return *pcm != PCM_RUNS;
}

STAND_IN int Pa_OpenStream(void **ret_stream, const void *in, const void *out, double rate_hz,
                           unsigned long frames, unsigned long flags, const void *callback,
                           void *user);
STAND_IN int Pa_WriteStream(void *stream, const void *buffer, unsigned long frames);
STAND_IN int Pa_StopStream(void *stream);
STAND_IN int Pa_AbortStream(void *stream);

int Pa_OpenStream(void **ret_stream, const void *in, const void *out, double rate_hz,
                  unsigned long frames, unsigned long flags, const void *callback, void *user)
{
    static int stream;
    *ret_stream = &stream;
    return in || !out || rate_hz < 1 || !frames || flags || callback || user;
}

int Pa_WriteStream(void *stream, const void *buffer, unsigned long frames)
{
    return !stream || !buffer || !frames;
}

int Pa_StopStream(void *stream)
{
    return !stream;
}

int Pa_AbortStream(void *stream)
{
    return !stream;
}
