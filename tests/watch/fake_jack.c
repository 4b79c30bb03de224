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
static uint64_t edge_us; /* the cycle under way began */
static uint32_t position;

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
    *frames = position;
    *now = edge_us;
    *next = edge_us + 1000;
    *period = FAKE_JACK_PERIOD_US * (float)(c->frames / FAKE_JACK_FRAMES);
    return 0;
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The server's cycles go on while the client is not there; it comes in the middle of one. */
static void sleep_through(const jack_client_t *c)
{
    struct timespec rest = {0, 12000000};
    uint64_t before_us = edge_us, period_us = c->frames * 1000000 / 48000;
    nanosleep(&rest, NULL);
    edge_us = now_us() - period_us / 4;
    position += (uint32_t)((edge_us - before_us) / period_us) * c->frames;
}

static void begin_cycle(const jack_client_t *c, int i)
{
    struct timespec rest = {0, i == FAKE_JACK_SERVER_SLEEPS ? 12000000 : 1000000};
    nanosleep(&rest, NULL);
    edge_us = now_us();
    position += c->frames;
    if (i == FAKE_JACK_CLIENT_SLEEPS)
        sleep_through(c);
}

static void *run(void *argument)
{
    jack_client_t *c = argument;
    if (c->init)
        c->init(c->init_argument);
    for (int i = 0; i < FAKE_JACK_CYCLES; i++) {
        if (i == FAKE_JACK_CYCLES / 2 && c->size_changed)
            c->size_changed(c->frames *= 2, c->size_argument);
        begin_cycle(c, i);
        c->process(c->frames, c->argument);
    }
    return NULL;
}

int fake_jack_play(jack_client_t *c)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, run, c) || pthread_join(thread, NULL);
}
