/* SPDX-License-Identifier: MIT
 * fake_jack.c - a stand-in for libjack: one client whose process callback is called CYCLES times on
 * a thread of its own when it is activated. */
#include "fake_jack.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct _jack_client {
    char name[32];
    int (*process)(uint32_t, void *);
    void *argument;
    void (*init)(void *);
    void *init_argument;
    int (*size_changed)(uint32_t, void *);
    void *size_argument;
    uint32_t frames;
};

static struct _jack_client the_client;
static uint64_t next_us;

jack_client_t *fake_jack_open(const char *name)
{
    the_client.frames = FAKE_JACK_FRAMES;
    strncpy(the_client.name, name, sizeof the_client.name - 1);
    return &the_client;
}

int jack_set_process_callback(jack_client_t *c, int (*process)(uint32_t, void *), void *argument)
{
    c->process = process;
    c->argument = argument;
    return 0;
}

int jack_set_thread_init_callback(jack_client_t *c, void (*init)(void *), void *argument)
{
    c->init = init;
    c->init_argument = argument;
    return 0;
}

int jack_set_buffer_size_callback(jack_client_t *c, int (*changed)(uint32_t, void *),
                                  void *argument)
{
    c->size_changed = changed;
    c->size_argument = argument;
    return 0;
}

uint32_t jack_get_buffer_size(jack_client_t *c)
{
    return c->frames;
}

uint32_t jack_get_sample_rate(jack_client_t *c)
{
    (void)c;
    return 48000;
}

char *jack_get_client_name(jack_client_t *c)
{
    return c->name;
}

int jack_get_cycle_times(const jack_client_t *c, uint32_t *frames, uint64_t *now, uint64_t *next,
                         float *period)
{
    (void)c;
    *frames = 0;
    *now = next_us - 1000;
    *next = next_us;
    *period = FAKE_JACK_PERIOD_US;
    return 0;
}

static void *run(void *argument)
{
    jack_client_t *c = argument;
    if (c->init)
        c->init(c->init_argument);
    for (int i = 0; i < FAKE_JACK_CYCLES; i++) {
        struct timespec now, rest = {0, 1000000};
        if (i == FAKE_JACK_CYCLES / 2 && c->size_changed)
            c->size_changed(c->frames *= 2, c->size_argument);
        clock_gettime(CLOCK_MONOTONIC, &now);
        next_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + 1000;
        c->process(c->frames, c->argument);
        nanosleep(&rest, NULL);
    }
    return NULL;
}

int fake_jack_play(jack_client_t *c)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, run, c) || pthread_join(thread, NULL);
}
