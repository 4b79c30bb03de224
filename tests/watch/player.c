/* SPDX-License-Identifier: MIT
 * player.c - plays through (a stand-in for) JACK whose functions it looks up by name. */
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
