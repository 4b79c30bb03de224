/* SPDX-License-Identifier: MIT
 * plugin.c - a plug-in that plays through (a stand-in for) JACK; it allocates in its callback. */
#include "fake_jack.h"

#include <stdlib.h>

__attribute__((visibility("default"))) int plugin_play(void);

static int inits;

static int sizes;

static int change_size(uint32_t frames, void *argument)
{
    sizes += frames == 2 * FAKE_JACK_FRAMES && argument == &sizes;
    return 0;
}

static int process(uint32_t frames, void *argument)
{
    *(uint32_t *)argument += frames;
    free(malloc(4321));
    return 0;
}

static void init(void *argument)
{
    inits += argument == &inits;
}

int plugin_play(void)
{
    uint32_t frames = 0;
    jack_client_t *c = fake_jack_open("plugin");
    if (jack_set_thread_init_callback(c, init, &inits) ||
        jack_set_buffer_size_callback(c, change_size, &sizes) ||
        jack_set_process_callback(c, process, &frames) || fake_jack_play(c))
        return 1;
    return frames != FAKE_JACK_FRAMES * FAKE_JACK_CYCLES / 2 * 3 || inits != 1 || sizes != 1;
}
