/* SPDX-License-Identifier: MIT
 * hook_jack.c - the process callback, or the loop of jack_cycle_wait and jack_cycle_signal, of a
 * JACK client is its cycle; the server says until when.
 *
 * When the server changes its period, a source of the new period is opened: the server calls the
 * buffer-size callback, ours first, between two cycles.
 *
 * What is wrapped is declared here after jack.h (JACK API, stable since 2002; jack_get_cycle_times
 * since 2012). JACK's microseconds are CLOCK_MONOTONIC's in jackd2 and in PipeWire's libjack; a
 * server that counts from elsewhere gives a time outside the next periods (as does jackd2 for some
 * seconds after it was late itself), and then the deadline is the begin plus one period. A client
 * that slept through cycles is late: pace.h. In freewheel mode time is not kept, and there is no
 * deadline. */
#include "watch/watch.h"

#include "watch/pace.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>

typedef uint32_t jack_nframes_t;
typedef struct _jack_client jack_client_t;
typedef int (*process_function)(jack_nframes_t frames, void *argument);
typedef void (*thread_init_function)(void *argument);
typedef void *(*thread_function)(void *argument);
typedef int (*size_function)(jack_nframes_t frames, void *argument);
typedef void (*freewheel_function)(int starting, void *argument);

int jack_set_process_callback(jack_client_t *client, process_function process, void *argument);
int jack_set_thread_init_callback(jack_client_t *client, thread_init_function init, void *argument);
int jack_set_process_thread(jack_client_t *client, thread_function function, void *argument);
int jack_set_buffer_size_callback(jack_client_t *client, size_function changed, void *argument);
int jack_set_freewheel_callback(jack_client_t *client, freewheel_function changed, void *argument);
int jack_activate(jack_client_t *client);
int jack_deactivate(jack_client_t *client);
jack_nframes_t jack_cycle_wait(jack_client_t *client);
void jack_cycle_signal(jack_client_t *client, int status);
int jack_client_close(jack_client_t *client);
jack_nframes_t jack_get_buffer_size(jack_client_t *client);
jack_nframes_t jack_get_sample_rate(jack_client_t *client);
char *jack_get_client_name(jack_client_t *client);
int jack_get_cycle_times(const jack_client_t *client, jack_nframes_t *ret_frames,
                         uint64_t *ret_now_us, uint64_t *ret_next_us, float *ret_period_us);

#define JACK(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, NULL, "libjack.so.0")

enum { CLIENTS_MAX = 32 };

struct client {
    jack_client_t *jack; /* NULL: free */
    process_function process;
    void *argument;
    thread_init_function init;
    void *init_argument;
    size_function size_changed;
    void *size_argument;
    freewheel_function freewheel_changed;
    void *freewheel_argument;
    _Atomic bool freewheels;
    struct tac_pace pace;
    jack_nframes_t frames; /* of a period */
    uint64_t period_ns;
    _Atomic int source;
    int loop_source; /* of the cycle that is open in the loop */
    bool in_loop;    /* a cycle of the cycle_wait loop is open */
};

static struct client clients[CLIENTS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct client *find(const jack_client_t *jack)
{
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].jack == jack)
            return &clients[i];
    return NULL;
}

static void init_thread(void *argument)
{
    struct client *c = argument;
    tac_watch_thread_register(NULL);
    if (c->init)
        c->init(c->init_argument);
}

static void open_source(struct client *c, jack_client_t *jack, jack_nframes_t frames, bool first)
{
    char name[64];
    jack_nframes_t rate = JACK(jack_get_sample_rate)(jack);
    snprintf(name, sizeof name, first ? "%s" : "%.12s (%u frames)",
             JACK(jack_get_client_name)(jack), (unsigned)frames);
    c->frames = frames;
    c->period_ns = rate ? frames * TAC_NS_PER_S / rate : 0;
    c->source = tac_watch_stream_open("jack", name, c->period_ns);
}

static int change_size(jack_nframes_t frames, void *argument)
{
    struct client *c = argument;
    if (frames != c->frames) {
        open_source(c, c->jack, frames, false);
        tac_pace_forget(&c->pace);
    }
    return c->size_changed ? c->size_changed(frames, c->size_argument) : 0;
}

static void change_freewheel(int starting, void *argument)
{
    struct client *c = argument;
    c->freewheels = starting != 0;
    tac_pace_forget(&c->pace);
    if (c->freewheel_changed)
        c->freewheel_changed(starting, c->freewheel_argument);
}

/* The slot of the client, made when it is new; NULL when there are too many. */
static struct client *take(jack_client_t *jack)
{
    pthread_mutex_lock(&lock);
    struct client *c = find(jack);
    if (!c && (c = find(NULL))) {
        *c = (struct client){.source = -1};
        open_source(c, jack, JACK(jack_get_buffer_size)(jack), true);
        c->jack = jack;
        if (JACK(jack_set_thread_init_callback))
            JACK(jack_set_thread_init_callback)(jack, init_thread, c);
        if (JACK(jack_set_buffer_size_callback))
            JACK(jack_set_buffer_size_callback)(jack, change_size, c);
        if (JACK(jack_set_freewheel_callback))
            JACK(jack_set_freewheel_callback)(jack, change_freewheel, c);
    }
    pthread_mutex_unlock(&lock);
    return c;
}

static uint64_t deadline_ns(struct client *c)
{
    uint64_t now = tac_clock_ns(), edge_us = 0, next_us = 0, span = c->period_ns;
    jack_nframes_t position = 0;
    float period_us; /* the server's guess */
    if (c->freewheels)
        return 0;
    if (!JACK(jack_get_cycle_times) ||
        JACK(jack_get_cycle_times)(c->jack, &position, &edge_us, &next_us, &period_us)) {
        tac_pace_forget(&c->pace);
        return now + span;
    }
    bool is_ours = next_us * 1000 + span > now && next_us * 1000 < now + 4 * span;
    struct tac_pace_tick tick = {.now_ns = now,
                                 .edge_ns = is_ours ? edge_us * 1000 : 0,
                                 .next_ns = is_ours ? next_us * 1000 : now + span,
                                 .period_ns = span,
                                 .frames = c->frames};
    /* the position has 32 bits */
    tick.position = c->pace.position + (position - (jack_nframes_t)c->pace.position);
    return tac_pace_begin(&c->pace, &tick);
}

static int process(jack_nframes_t frames, void *argument)
{
    struct client *c = argument;
    int source = c->source;
    bool begun = tac_watch_cycle_begin(source, deadline_ns(c), frames);
    int r = c->process(frames, c->argument);
    tac_watch_cycle_end(source, begun);
    tac_pace_end(&c->pace, tac_clock_ns());
    return r;
}

TAC_WATCH_EXPORT int jack_set_process_callback(jack_client_t *jack, process_function function,
                                               void *argument)
{
    __typeof__(&jack_set_process_callback) real = JACK(jack_set_process_callback);
    struct client *c = real && function ? take(jack) : NULL;
    if (!c)
        return real ? real(jack, function, argument) : -1;
    c->process = function;
    c->argument = argument;
    return real(jack, process, c);
}

/* Ours stands in the place of theirs, which it calls. */
#define WRAP_CALLBACK(name, type, theirs, theirs_argument, ours)                                   \
    TAC_WATCH_EXPORT int name(jack_client_t *jack, type function, void *argument)                  \
    {                                                                                              \
        __typeof__(&name) real = JACK(name);                                                       \
        struct client *c = real ? take(jack) : NULL;                                               \
        if (!c)                                                                                    \
            return real ? real(jack, function, argument) : -1;                                     \
        c->theirs_argument = argument;                                                             \
        c->theirs = function;                                                                      \
        return real(jack, ours, c);                                                                \
    }
WRAP_CALLBACK(jack_set_thread_init_callback, thread_init_function, init, init_argument, init_thread)
WRAP_CALLBACK(jack_set_buffer_size_callback, size_function, size_changed, size_argument,
              change_size)
WRAP_CALLBACK(jack_set_freewheel_callback, freewheel_function, freewheel_changed,
              freewheel_argument, change_freewheel)

/* Between the two there are no cycles, and none are lost. */
#define WRAP_ACTIVE(name)                                                                          \
    TAC_WATCH_EXPORT int name(jack_client_t *jack)                                                 \
    {                                                                                              \
        struct client *c = find(jack);                                                             \
        if (c)                                                                                     \
            tac_pace_forget(&c->pace);                                                             \
        return JACK(name)(jack);                                                                   \
    }
WRAP_ACTIVE(jack_activate)
WRAP_ACTIVE(jack_deactivate)

TAC_WATCH_EXPORT int jack_set_process_thread(jack_client_t *jack, thread_function function,
                                             void *argument)
{
    __typeof__(&jack_set_process_thread) real = JACK(jack_set_process_thread);
    if (real)
        take(jack);
    return real ? real(jack, function, argument) : -1;
}

TAC_WATCH_EXPORT jack_nframes_t jack_cycle_wait(jack_client_t *jack)
{
    struct client *c = find(jack);
    jack_nframes_t frames = JACK(jack_cycle_wait)(jack);
    if (c && !c->in_loop) {
        c->loop_source = c->source;
        c->in_loop = tac_watch_cycle_begin(c->loop_source, deadline_ns(c), frames);
    }
    return frames;
}

TAC_WATCH_EXPORT void jack_cycle_signal(jack_client_t *jack, int status)
{
    struct client *c = find(jack);
    if (c) {
        tac_watch_cycle_end(c->loop_source, c->in_loop);
        c->in_loop = false;
        tac_pace_end(&c->pace, tac_clock_ns());
    }
    JACK(jack_cycle_signal)(jack, status);
}

TAC_WATCH_EXPORT int jack_client_close(jack_client_t *jack)
{
    int r = JACK(jack_client_close)(jack);
    pthread_mutex_lock(&lock);
    struct client *c = find(jack);
    if (c)
        c->jack = NULL;
    pthread_mutex_unlock(&lock);
    return r;
}
