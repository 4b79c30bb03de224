/* SPDX-License-Identifier: MIT
 * jack.c - a client of a JACK server: a port for each channel.
 *
 * How     The server calls process on the thread that its library made; the cycle's time and its
 *         deadline are the server's own (jack_get_cycle_times). Rate and period are the server's;
 *         a period that changes while the sound runs is followed. While the server freewheels there
 *         is no deadline. Latency: what the ports of one side have, plus config.latency_frames, is
 *         told to the other side.
 *         A server that ends, or that stops calling us, is looked for by a keeper, and everything
 *         is made anew when it is back, our connections too. Which server: JACK_DEFAULT_SERVER, as
 *         for every JACK program.
 *
 * Threads process: the JACK library's, real-time. Others: control, and the keeper's while the
 *         server is away; I1: client and ports are changed by the keeper's thread only between a
 *         loss and the return, and by control only while the keeper does not run.
 * Source  The JACK Audio Connection Kit API documentation, "Callbacks" and "Managing latency". */
#include "backend/backend_cycle.h"
#include "backend/keeper.h"
#include "base/clock.h"

#include <errno.h>
#include <jack/jack.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct tac_backend tac_backend_jack; /* below */

/* A port that one of ours was connected to. */
struct link {
    struct link *next;
    bool out;
    uint32_t channel;
    char theirs[];
};

struct jack {
    struct tac_backend_stream base;
    struct tac_backend_config config;
    struct tac_cycle_runner runner;
    struct tac_keeper keeper;
    pthread_mutex_t lock; /* while the keeper changes the client, or another tells it something */
    jack_client_t *client;
    _Atomic uint32_t latency_frames;
    jack_port_t *in[TAC_BACKEND_CHANNELS_MAX], *out[TAC_BACKEND_CHANNELS_MAX];
    struct link *links; /* what a connection that was lost had */
    int64_t offset_ns;  /* CLOCK_MONOTONIC minus the server's clock */
    bool running, locked;
    _Atomic bool freewheel, realtime, done;
    _Atomic int error;
};

/* The library would print to standard error; what went wrong comes back as codes. */
static void keep_quiet(const char *text)
{
    (void)text;
}

static void be_quiet(void)
{
    jack_set_error_function(keep_quiet);
    jack_set_info_function(keep_quiet);
}

static jack_client_t *reach(const char *as, struct tac_error *err)
{
    jack_status_t status;
    char fit[32]; // a name may be longer than the server takes, a colon ends it
    be_quiet();
    snprintf(fit, sizeof fit, "%.*s", (int)strcspn(as ? as : "", ":"), as ? as : "");
    jack_client_t *client = jack_client_open(fit[0] ? fit : "tactus", JackNoStartServer, &status);
    if (!client) {
        const char *name = getenv("JACK_DEFAULT_SERVER");
        tac_error_set(
            err, -TAC_E_DEVICE, NULL, 0, 0,
            "there is no JACK server '%s' to connect to: start one (jackd -d alsa), or name "
            "it in JACK_DEFAULT_SERVER",
            name ? name : "default");
    }
    return client;
}

static int jack_ask(struct tac_backend_config *config, struct tac_error *err)
{
    jack_client_t *client = reach("tactus-ask", err);
    if (!client)
        return -TAC_E_DEVICE;
    if (config->rate_hz == 0)
        config->rate_hz = jack_get_sample_rate(client);
    if (config->frames == 0)
        config->frames = jack_get_buffer_size(client);
    jack_client_close(client);
    return 0;
}

/* ---- called by the server ---- */

static uint64_t on_our_clock(const struct jack *j, jack_time_t us)
{
    return us ? (uint64_t)((int64_t)us * 1000 + j->offset_ns) : 0;
}

static int on_process(jack_nframes_t frames, void *user)
{
    struct jack *j = user;
    const float *in[TAC_BACKEND_CHANNELS_MAX];
    float *out[TAC_BACKEND_CHANNELS_MAX];
    jack_nframes_t first;
    jack_time_t now = 0, next = 0;
    float period_us;
    for (uint32_t c = 0; c < j->base.inputs; c++)
        in[c] = jack_port_get_buffer(j->in[c], frames);
    for (uint32_t c = 0; c < j->base.outputs; c++)
        out[c] = jack_port_get_buffer(j->out[c], frames);
    if (jack_get_cycle_times(j->client, &first, &now, &next, &period_us) != 0 ||
        atomic_load_explicit(&j->freewheel, memory_order_relaxed))
        now = next = 0;
    tac_cycle_run_on(&j->runner, in, out, frames, on_our_clock(j, now), on_our_clock(j, next));
    return 0;
}

static void on_thread(void *user)
{
    struct jack *j = user;
    tac_cycle_enter(&j->runner);
}

static void on_freewheel(int starting, void *user)
{
    struct jack *j = user;
    atomic_store_explicit(&j->freewheel, starting != 0, memory_order_relaxed);
}

static int on_xrun(void *user)
{
    struct jack *j = user;
    atomic_fetch_add_explicit(&j->runner.counts.xruns, 1, memory_order_relaxed);
    return 0;
}

static void on_shutdown(jack_status_t status, const char *reason, void *user)
{
    struct jack *j = user;
    (void)status;
    (void)reason;
    tac_keeper_lost(&j->keeper);
}

static void widen(jack_latency_range_t *range, jack_port_t *port, jack_latency_callback_mode_t mode)
{
    jack_latency_range_t r;
    jack_port_get_latency_range(port, mode, &r);
    range->min = r.min < range->min ? r.min : range->min;
    range->max = r.max > range->max ? r.max : range->max;
}

/* What one side has, plus our own, is what the other side must be told. */
static void on_latency(jack_latency_callback_mode_t mode, void *user)
{
    struct jack *j = user;
    bool capture = mode == JackCaptureLatency;
    jack_port_t **from = capture ? j->in : j->out, **to = capture ? j->out : j->in;
    uint32_t n_from = capture ? j->base.inputs : j->base.outputs;
    uint32_t n_to = capture ? j->base.outputs : j->base.inputs;
    jack_latency_range_t range = {.min = n_from ? UINT32_MAX : 0, .max = 0};
    for (uint32_t c = 0; c < n_from; c++)
        widen(&range, from[c], mode);
    uint32_t own = atomic_load_explicit(&j->latency_frames, memory_order_relaxed);
    range.min += own;
    range.max += own;
    for (uint32_t c = 0; c < n_to; c++)
        jack_port_set_latency_range(to[c], mode, &range);
}

/* ---- control ---- */

static int add_ports(struct jack *j, bool out, struct tac_error *err)
{
    jack_port_t **port = out ? j->out : j->in;
    uint32_t n = out ? j->base.outputs : j->base.inputs;
    char name[32];
    for (uint32_t c = 0; c < n; c++) {
        snprintf(name, sizeof name, out ? "out_%u" : "in_%u", c + 1);
        port[c] = jack_port_register(j->client, name, JACK_DEFAULT_AUDIO_TYPE,
                                     out ? JackPortIsOutput : JackPortIsInput, 0);
        if (!port[c])
            return tac_error_set(err, -TAC_E_DEVICE, NULL, 0, 0,
                                 "the JACK server has no room for port %s (jackd -p sets how many)",
                                 name);
    }
    return 0;
}

static int set_callbacks(struct jack *j)
{
    jack_on_info_shutdown(j->client, on_shutdown, j);
    return jack_set_thread_init_callback(j->client, on_thread, j) ||
           jack_set_process_callback(j->client, on_process, j) ||
           jack_set_freewheel_callback(j->client, on_freewheel, j) ||
           jack_set_xrun_callback(j->client, on_xrun, j) ||
           jack_set_latency_callback(j->client, on_latency, j);
}

static void leave(struct jack *j)
{
    if (j->client)
        jack_client_close(j->client);
    j->client = NULL;
}

/* Become a client with ports; the rate must be the one that process was made for. */
static int join(struct jack *j, struct tac_error *err)
{
    j->client = reach(j->config.name, err);
    if (!j->client)
        return -TAC_E_DEVICE;
    int code = 0;
    double rate_hz = jack_get_sample_rate(j->client);
    if (rate_hz != j->base.rate_hz)
        code = tac_error_set(err, -TAC_E_RANGE, NULL, 0, 0,
                             "the JACK server runs at %g Hz, not %g: leave --rate out", rate_hz,
                             j->base.rate_hz);
    else if (set_callbacks(j))
        code = tac_error_set(err, -TAC_E_DEVICE, NULL, 0, 0, "the JACK server takes no callbacks");
    if (code >= 0)
        code = add_ports(j, false, err);
    if (code >= 0)
        code = add_ports(j, true, err);
    j->base.frames = jack_get_buffer_size(j->client);
    j->offset_ns = (int64_t)tac_clock_ns() - (int64_t)jack_get_time() * 1000;
    if (code < 0)
        leave(j);
    return code;
}

/* Connect one side to the ports that match; how many of ours found one. */
static uint32_t connect_side(struct jack *j, bool out, const char *pattern)
{
    jack_port_t **port = out ? j->out : j->in;
    uint32_t n = out ? j->base.outputs : j->base.inputs, done = 0;
    unsigned long flags = (out ? JackPortIsInput : JackPortIsOutput) |
                          (pattern ? 0ul : (unsigned long)JackPortIsPhysical);
    const char **theirs = jack_get_ports(j->client, pattern, JACK_DEFAULT_AUDIO_TYPE, flags);
    for (; theirs && done < n && theirs[done]; done++) {
        const char *ours = jack_port_name(port[done]);
        jack_connect(j->client, out ? ours : theirs[done], out ? theirs[done] : ours);
    }
    jack_free(theirs);
    return done;
}

static int connect_all(struct jack *j, struct tac_error *err)
{
    const char *device = j->config.device,
               *capture = j->config.capture ? j->config.capture : device;
    if (device && !strcmp(device, "none"))
        return 0;
    uint32_t out = j->base.outputs ? connect_side(j, true, device) : 0;
    uint32_t in = j->base.inputs ? connect_side(j, false, capture) : 0;
    if (device && j->base.outputs && !out)
        return tac_error_set(err, -TAC_E_DEVICE, device, 0, 0,
                             "no port of that name takes sound (tactus play --list shows them)");
    if (out < j->base.outputs || in < j->base.inputs)
        snprintf(j->base.notice, sizeof j->base.notice,
                 "%u of %u outputs and %u of %u inputs found a port to connect to", out,
                 j->base.outputs, in, j->base.inputs);
    return 0;
}

static void forget_links(struct jack *j)
{
    for (struct link *l = j->links, *next; l; l = next) {
        next = l->next;
        free(l);
    }
    j->links = NULL;
}

static void remember_port(struct jack *j, bool out, uint32_t channel)
{
    const jack_port_t *port = (out ? j->out : j->in)[channel];
    const char **theirs = port ? jack_port_get_all_connections(j->client, port) : NULL;
    for (const char **name = theirs; name && *name; name++) {
        size_t bytes = strlen(*name) + 1;
        struct link *l = malloc(sizeof *l + bytes);
        if (!l)
            break;
        l->next = j->links;
        l->out = out;
        l->channel = channel;
        memcpy(l->theirs, *name, bytes);
        j->links = l;
    }
    jack_free(theirs);
}

/* What our ports are connected to; also when the server is gone, as its tables are still there. */
static void remember_links(struct jack *j)
{
    if (!j->client)
        return; // an attempt that failed; what is known is still so
    forget_links(j);
    for (uint32_t c = 0; c < j->base.outputs; c++)
        remember_port(j, true, c);
    for (uint32_t c = 0; c < j->base.inputs; c++)
        remember_port(j, false, c);
}

/* Connect as it was; false when nothing of that is there. */
static bool restore_links(struct jack *j)
{
    bool any = false;
    for (const struct link *l = j->links; l; l = l->next) {
        const char *ours = jack_port_name((l->out ? j->out : j->in)[l->channel]);
        any |= jack_connect(j->client, l->out ? ours : l->theirs, l->out ? l->theirs : ours) == 0;
    }
    return any;
}

static int go(struct jack *j, struct tac_error *err)
{
    if (jack_activate(j->client))
        return tac_error_set(err, -TAC_E_DEVICE, NULL, 0, 0, "the JACK server does not let us in");
    atomic_store(&j->realtime, jack_is_realtime(j->client) != 0);
    return restore_links(j) ? 0 : connect_all(j, err);
}

static int join_again(struct jack *j)
{
    struct tac_error err;
    remember_links(j);
    leave(j);
    tac_keeper_forget(&j->keeper);
    int code = join(j, &err);
    if (code >= 0)
        code = go(j, &err);
    if (code >= 0)
        return 0;
    leave(j);
    if (code != -TAC_E_RANGE)
        return -1;
    atomic_store(&j->error, code); // it came back at another rate
    atomic_store(&j->done, true);
    return 1;
}

/* The keeper's: the server was lost; is it back? */
static int come_back(void *user)
{
    struct jack *j = user;
    pthread_mutex_lock(&j->lock);
    int code = join_again(j);
    pthread_mutex_unlock(&j->lock);
    return code;
}

/* The server asks for it again by on_latency, for all that hang on us. */
static void jack_relate(struct tac_backend_stream *stream, uint32_t latency_frames)
{
    struct jack *j = (struct jack *)stream;
    atomic_store_explicit(&j->latency_frames, latency_frames, memory_order_relaxed);
    pthread_mutex_lock(&j->lock);
    if (j->client && j->running && !tac_keeper_is_lost(&j->keeper))
        jack_recompute_total_latencies(j->client);
    pthread_mutex_unlock(&j->lock);
}

static uint64_t count_cycles(void *user)
{
    struct jack *j = user;
    return atomic_load_explicit(&j->runner.counts.cycles, memory_order_relaxed);
}

static void jack_close(struct tac_backend_stream *stream);

static int jack_open(const struct tac_backend_config *config,
                     struct tac_backend_stream **ret_stream, struct tac_error *err)
{
    struct jack *j = calloc(1, sizeof *j);
    if (!j)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    j->config = *config;
    atomic_init(&j->latency_frames, config->latency_frames);
    pthread_mutex_init(&j->lock, NULL);
    j->base = (struct tac_backend_stream){.backend = &tac_backend_jack,
                                          .rate_hz = config->rate_hz,
                                          .inputs = config->inputs,
                                          .outputs = config->outputs};
    tac_keeper_init(&j->keeper, come_back, count_cycles, j);
    struct tac_backend_config largest = *config;
    largest.frames = TAC_BACKEND_FRAMES_MAX; // the period may grow while the sound runs
    int code = tac_cycle_open(&j->runner, &largest, err);
    if (code >= 0)
        code = join(j, err);
    if (code < 0) {
        jack_close(&j->base);
        return code;
    }
    *ret_stream = &j->base;
    return 0;
}

/* No cycle runs, and nobody changes the client, when it returns. */
static void silence(struct jack *j)
{
    tac_keeper_stop(&j->keeper);
    if (j->client)
        jack_deactivate(j->client);
    j->running = false;
}

static int jack_stop(struct tac_backend_stream *stream)
{
    struct jack *j = (struct jack *)stream;
    if (!j->running)
        return 0;
    silence(j);
    return atomic_load(&j->error);
}

static int jack_start(struct tac_backend_stream *stream, struct tac_error *err)
{
    struct jack *j = (struct jack *)stream;
    if (j->running)
        return 0;
    j->locked = j->locked || tac_cycle_lock_process();
    int code = go(j, err);
    j->running = code >= 0;
    if (code >= 0) {
        code = tac_keeper_start(&j->keeper);
        if (code < 0)
            tac_error_set(err, code, NULL, 0, 0, "no thread to watch the server");
    }
    if (code < 0)
        silence(j);
    else if (!atomic_load(&j->realtime))
        snprintf(j->base.notice, sizeof j->base.notice,
                 "the JACK server runs without real-time priority (start it with -R): expect late "
                 "cycles");
    return code;
}

static void jack_close(struct tac_backend_stream *stream)
{
    struct jack *j = (struct jack *)stream;
    if (!j)
        return;
    jack_stop(stream);
    leave(j);
    forget_links(j);
    tac_keeper_fini(&j->keeper);
    tac_cycle_close(&j->runner);
    free(j);
}

static void jack_stats(struct tac_backend_stream *stream, struct tac_backend_stats *ret_stats)
{
    struct jack *j = (struct jack *)stream;
    bool away = tac_keeper_is_lost(&j->keeper);
    *ret_stats = (struct tac_backend_stats){.realtime = atomic_load(&j->realtime),
                                            .locked = j->locked,
                                            .away = away,
                                            .done = atomic_load(&j->done),
                                            .error = atomic_load(&j->error)};
    tac_cycle_stats(&j->runner, ret_stats);
    ret_stats->losses = tac_keeper_losses(&j->keeper);
}

/* The clients whose ports take sound, each once. */
static int jack_list(void (*each)(void *user, const char *device, const char *doc), void *user)
{
    struct tac_error err;
    jack_client_t *client = reach("tactus-list", &err);
    if (!client)
        return -TAC_E_DEVICE;
    const char **ports = jack_get_ports(client, NULL, JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput);
    char last[256] = "";
    for (const char **port = ports; port && *port; port++) {
        size_t n = strcspn(*port, ":") + 1;
        if (n < sizeof last && strncmp(last, *port, n) != 0) {
            snprintf(last, sizeof last, "%.*s", (int)n, *port);
            each(user, last, "a JACK client that takes sound");
        }
    }
    jack_free(ports);
    jack_client_close(client);
    return 0;
}

TAC_BACKEND(jack) = {
    .name = "jack",
    .doc = "A JACK server: a port for each channel, connected to the card or to --device.",
    .realtime = true,
    .ask = jack_ask,
    .open = jack_open,
    .start = jack_start,
    .stop = jack_stop,
    .close = jack_close,
    .stats = jack_stats,
    .relate = jack_relate,
    .list = jack_list,
};
