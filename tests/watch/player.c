/* SPDX-License-Identifier: MIT
 * player.c - plays through (a stand-in for) JACK whose functions it looks up by name, and is a
 * stand-in for RtAudio 6: a stream is played to its end when it is opened. */
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
