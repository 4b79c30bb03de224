/* SPDX-License-Identifier: MIT
 * pipewire.c - streams of a PipeWire server: one that plays, and one that records when the patch
 * has inputs.
 *
 * How     The server's graph calls us on the data thread of its library, each time for as many
 *         frames as its quantum needs: the number follows the quantum, which may change at any
 * time. What the recording stream brings goes into a ring, from which the playing stream's cycle
 *         takes it; without outputs the recording stream's cycle is the one that computes. Time and
 *         deadline are the graph's clock (io area "position"); frames that its position leaps over
 *         while the sound runs are an xrun. The server resamples where its rate is another.
 *         A server that ends is looked for by a keeper, and everything is made anew.
 * Threads on_play, on_record, on_io, on_thread: the library's data thread, real-time. Other
 * callbacks: the thread of its loop. The rest: control, or the keeper, with the loop locked.
 * Invariants  I1 streams and core are changed with the loop locked only  I2 the ring holds less
 * than RING_FRAMES; what does not fit is dropped and counted as an xrun. Source  The PipeWire API
 * documentation, "Streams" and "Thread loop". */
#include "backend/backend_cycle.h"
#include "backend/keeper.h"
#include "base/clock.h"
#include "base/ring.h"

#include <errno.h>
#include <pipewire/pipewire.h>
#include <spa/param/audio/format-utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RING_FRAMES = 16384, START_SECONDS = 3 };

extern const struct tac_backend tac_backend_pipewire; /* below */

struct pipewire;

/* One direction. */
struct side {
    struct pipewire *owner;
    struct pw_stream *stream;
    struct spa_hook hook;
    const struct spa_io_position *position; /* of the graph; NULL outside of it */
    _Atomic uint64_t expected;              /* position of the next cycle; 0: not known */
    _Atomic enum pw_stream_state state;
    char why[96]; /* what the server says about an error */
};

struct pipewire {
    struct tac_backend_stream base;
    struct tac_backend_config config;
    struct tac_cycle_runner runner;
    struct tac_keeper keeper;
    struct pw_thread_loop *loop;
    struct pw_context *context;
    struct pw_core *core;
    struct spa_hook core_hook;
    struct side play, record;
    struct tac_ring ring; /* frames of base.inputs floats */
    float *ring_data;
    _Atomic bool running; /* from the end of start on */
    bool locked;
    _Atomic pthread_t thread; /* the data thread, when it is prepared; 0: none yet */
};

/* ---- the data thread ---- */

static void enter_thread(struct pipewire *p)
{
    tac_cycle_enter(&p->runner);
    atomic_store_explicit(&p->thread, pthread_self(), memory_order_relaxed);
}

/* A library with several data threads may give the stream another one than was prepared: that is
 * done in its first cycle then, before which nothing was heard. */
static void know_thread(struct pipewire *p)
{
    if (!pthread_equal(atomic_load_explicit(&p->thread, memory_order_relaxed), pthread_self()))
        enter_thread(p);
}

static int on_thread(struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size,
                     void *user)
{
    (void)loop, (void)async, (void)seq, (void)data, (void)size;
    enter_thread(user);
    return 0;
}

static void count_xrun(struct pipewire *p)
{
    atomic_fetch_add_explicit(&p->runner.counts.xruns, 1, memory_order_relaxed);
}

/* When this cycle of the graph began and ends; 0 where there is no clock or no deadline. */
static void look_at_clock(struct side *s, uint64_t *ret_due, uint64_t *ret_deadline)
{
    *ret_due = *ret_deadline = 0;
    know_thread(s->owner);
    if (!s->position)
        return;
    const struct spa_io_clock *clock = &s->position->clock;
    if (s->expected && clock->position > s->expected)
        count_xrun(s->owner);
    s->expected = clock->position + clock->duration;
    if (clock->flags & SPA_IO_CLOCK_FLAG_FREEWHEEL)
        return;
    *ret_due = clock->nsec;
    *ret_deadline = clock->next_nsec;
}

/* Where each channel of a buffer is, and for how many frames. */
static uint32_t planes(struct spa_buffer *buffer, uint32_t channels, float **ret_plane)
{
    uint32_t frames = TAC_BACKEND_FRAMES_MAX * 4;
    for (uint32_t c = 0; c < channels; c++) {
        bool there = c < buffer->n_datas && buffer->datas[c].data;
        ret_plane[c] = there ? buffer->datas[c].data : NULL;
        uint32_t room = there ? buffer->datas[c].maxsize / (uint32_t)sizeof(float) : frames;
        frames = room < frames ? room : frames;
    }
    return frames;
}

/* Take frames that were recorded, oldest first; silence for what is not there. */
static void take_recorded(struct pipewire *p, uint32_t frames)
{
    uint32_t have = tac_ring_used(&p->ring);
    uint32_t n = have < frames ? have : frames;
    for (uint32_t i = 0; i < n; i++) {
        const float *frame = tac_ring_peek(&p->ring);
        for (uint32_t c = 0; c < p->base.inputs; c++)
            p->runner.in_data[c][i] = frame[c];
        tac_ring_pop_n(&p->ring, 1);
    }
    for (uint32_t c = 0; c < p->base.inputs; c++)
        memset(p->runner.in_data[c] + n, 0, (frames - n) * sizeof(float));
}

static void put_played(struct pipewire *p, float **plane, uint32_t at, uint32_t frames)
{
    for (uint32_t c = 0; c < p->base.outputs; c++)
        if (plane[c])
            memcpy(plane[c] + at, p->runner.out[c], frames * sizeof(float));
}

static void on_play(void *user)
{
    struct side *s = user;
    struct pipewire *p = s->owner;
    struct pw_buffer *b = pw_stream_dequeue_buffer(s->stream);
    uint64_t due, deadline;
    if (!b)
        return; // the server has not given back what it has
    float *plane[TAC_BACKEND_CHANNELS_MAX];
    uint32_t frames = planes(b->buffer, p->base.outputs, plane);
    if (b->requested && b->requested < frames)
        frames = (uint32_t)b->requested;
    look_at_clock(s, &due, &deadline);
    for (uint32_t at = 0, n; at < frames; at += n) {
        n = frames - at < p->runner.frames_max ? frames - at : p->runner.frames_max;
        take_recorded(p, n);
        tac_cycle_run(&p->runner, n, due, deadline);
        put_played(p, plane, at, n);
    }
    for (uint32_t c = 0; c < p->base.outputs && c < b->buffer->n_datas; c++) {
        b->buffer->datas[c].chunk->offset = 0;
        b->buffer->datas[c].chunk->stride = sizeof(float);
        b->buffer->datas[c].chunk->size = frames * (uint32_t)sizeof(float);
    }
    b->size = frames;
    pw_stream_queue_buffer(s->stream, b);
}

static void keep_recorded(struct pipewire *p, float *const *plane, uint32_t frames)
{
    float frame[TAC_BACKEND_CHANNELS_MAX];
    for (uint32_t i = 0; i < frames; i++) {
        for (uint32_t c = 0; c < p->base.inputs; c++)
            frame[c] = plane[c] ? plane[c][i] : 0;
        if (!tac_ring_try_push(&p->ring, frame)) {
            count_xrun(p);
            return;
        }
    }
}

static uint32_t recorded_frames(const struct spa_buffer *buffer, uint32_t room)
{
    uint32_t n = buffer->n_datas ? buffer->datas[0].chunk->size / (uint32_t)sizeof(float) : 0;
    return n < room ? n : room;
}

static void on_record(void *user)
{
    struct side *s = user;
    struct pipewire *p = s->owner;
    struct pw_buffer *b = pw_stream_dequeue_buffer(s->stream);
    uint64_t due, deadline;
    if (!b)
        return;
    float *plane[TAC_BACKEND_CHANNELS_MAX];
    uint32_t frames = recorded_frames(b->buffer, planes(b->buffer, p->base.inputs, plane));
    look_at_clock(s, &due, &deadline);
    if (p->base.outputs)
        keep_recorded(p, plane, frames);
    else
        tac_cycle_run_on(&p->runner, (const float *const *)plane, NULL, frames, due, deadline);
    pw_stream_queue_buffer(s->stream, b);
}

static void on_io(void *user, uint32_t id, void *area, uint32_t size)
{
    struct side *s = user;
    if (id != SPA_IO_Position)
        return;
    s->position = area && size >= sizeof *s->position ? area : NULL;
    s->expected = 0;
}

/* ---- the loop's thread ---- */

static void on_state(void *user, enum pw_stream_state old, enum pw_stream_state state,
                     const char *why)
{
    struct side *s = user;
    (void)old;
    snprintf(s->why, sizeof s->why, "%s", why ? why : "no reason given");
    s->state = state;
    s->expected = 0; // a pause is no xrun
    if (state == PW_STREAM_STATE_ERROR && s->owner->running)
        tac_keeper_lost(&s->owner->keeper); // one that start waits for is start's failure
    pw_thread_loop_signal(s->owner->loop, false);
}

static void on_core_error(void *user, uint32_t id, int seq, int code, const char *text)
{
    struct pipewire *p = user;
    (void)seq;
    (void)text;
    if (id == PW_ID_CORE && code == -EPIPE)
        tac_keeper_lost(&p->keeper); // before start, too: the keeper begins with it
    pw_thread_loop_signal(p->loop, false);
}

static const struct pw_core_events core_events = {PW_VERSION_CORE_EVENTS, .error = on_core_error};
static const struct pw_stream_events play_events = {
    PW_VERSION_STREAM_EVENTS, .state_changed = on_state, .io_changed = on_io, .process = on_play};
static const struct pw_stream_events record_events = {
    PW_VERSION_STREAM_EVENTS, .state_changed = on_state, .io_changed = on_io, .process = on_record};

/* ---- control, with the loop locked ---- */

static const struct spa_pod *wanted_format(struct spa_pod_builder *builder, double rate_hz,
                                           uint32_t channels)
{
    struct spa_audio_info_raw info = {
        .format = SPA_AUDIO_FORMAT_F32P, .rate = (uint32_t)(rate_hz + 0.5), .channels = channels};
    if (channels <= 2) {
        info.position[0] = channels == 1 ? SPA_AUDIO_CHANNEL_MONO : SPA_AUDIO_CHANNEL_FL;
        info.position[1] = SPA_AUDIO_CHANNEL_FR;
    } else {
        for (uint32_t c = 0; c < channels; c++)
            info.position[c] = SPA_AUDIO_CHANNEL_AUX0 + c;
    }
    return spa_format_audio_raw_build(builder, SPA_PARAM_EnumFormat, &info);
}

static int add_stream(struct pipewire *p, struct side *s, bool out, struct tac_error *err)
{
    const char *target = out ? p->config.device : p->config.capture;
    const char *name = p->config.name && p->config.name[0] ? p->config.name : "tactus";
    struct pw_properties *props = pw_properties_new(
        PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, out ? "Playback" : "Capture",
        PW_KEY_MEDIA_ROLE, "Music", PW_KEY_NODE_NAME, name, NULL);
    pw_properties_setf(props, PW_KEY_NODE_LATENCY, "%u/%u", p->config.frames,
                       (unsigned)(p->base.rate_hz + 0.5));
    if (target)
        pw_properties_set(props, PW_KEY_TARGET_OBJECT, target);
    s->owner = p;
    s->position = NULL;
    s->expected = 0;
    s->state = PW_STREAM_STATE_UNCONNECTED;
    s->stream = pw_stream_new(p->core, name, props);
    if (!s->stream)
        return tac_error_set(err, -TAC_E_DEVICE, NULL, 0, 0, "no stream: %s", strerror(errno));
    pw_stream_add_listener(s->stream, &s->hook, out ? &play_events : &record_events, s);
    uint8_t room[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(room, sizeof room);
    const struct spa_pod *format =
        wanted_format(&builder, p->base.rate_hz, out ? p->base.outputs : p->base.inputs);
    int code = pw_stream_connect(
        s->stream, out ? PW_DIRECTION_OUTPUT : PW_DIRECTION_INPUT, PW_ID_ANY,
        PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS,
        &format, 1);
    return code < 0 ? tac_error_set(err, -TAC_E_DEVICE, target, 0, 0, "the stream is refused: %s",
                                    strerror(-code))
                    : 0;
}

static void drop_stream(struct side *s)
{
    if (s->stream)
        pw_stream_destroy(s->stream);
    s->stream = NULL;
}

static void leave(struct pipewire *p)
{
    drop_stream(&p->play);
    drop_stream(&p->record);
    if (p->core) {
        spa_hook_remove(&p->core_hook);
        pw_core_disconnect(p->core);
    }
    p->core = NULL;
}

static int join(struct pipewire *p, struct tac_error *err)
{
    p->core = pw_context_connect(p->context, NULL, 0);
    if (!p->core)
        return tac_error_set(
            err, -TAC_E_DEVICE, NULL, 0, 0,
            "there is no PipeWire server to connect to (%s): is it running, and is "
            "XDG_RUNTIME_DIR that of its user?",
            strerror(errno));
    pw_core_add_listener(p->core, &p->core_hook, &core_events, p);
    return 0;
}

static int add_streams(struct pipewire *p, struct tac_error *err)
{
    int code = p->base.inputs ? add_stream(p, &p->record, false, err) : 0;
    if (code >= 0 && p->base.outputs)
        code = add_stream(p, &p->play, true, err);
    return code;
}

/* The side whose cycles compute. */
static struct side *main_side(struct pipewire *p)
{
    return p->base.outputs ? &p->play : &p->record;
}

/* Wait until the streams run; a session manager has to link them, and there may be none. */
static int wait_for_streams(struct pipewire *p, struct tac_error *err)
{
    struct side *s = main_side(p);
    struct timespec until;
    pw_thread_loop_get_time(p->loop, &until, (int64_t)START_SECONDS * SPA_NSEC_PER_SEC);
    while (s->state >= 0 && s->state != PW_STREAM_STATE_STREAMING)
        if (pw_thread_loop_timed_wait_full(p->loop, &until) < 0)
            break;
    if (s->state < 0)
        return tac_error_set(err, -TAC_E_DEVICE, p->config.device, 0, 0,
                             "the PipeWire server refuses the stream: %s (pw-cli ls Node shows the "
                             "devices)",
                             s->why);
    if (s->state != PW_STREAM_STATE_STREAMING)
        snprintf(p->base.notice, sizeof p->base.notice,
                 "nothing is connected to the stream yet: is a session manager (wireplumber) "
                 "running, and is there a device?");
    return 0;
}

/* The keeper's: the server was lost; is it back? */
static int come_back(void *user)
{
    struct pipewire *p = user;
    struct tac_error err;
    pw_thread_loop_lock(p->loop);
    leave(p);
    tac_keeper_forget(&p->keeper);
    int code = join(p, &err);
    if (code >= 0)
        code = add_streams(p, &err);
    if (code >= 0)
        code = wait_for_streams(p, &err);
    if (code >= 0 && main_side(p)->state != PW_STREAM_STATE_STREAMING)
        code = -TAC_E_DEVICE; // a session manager that starts later may pass us by: ask again
    if (code < 0)
        leave(p);
    pw_thread_loop_unlock(p->loop);
    return code < 0 ? -1 : 0;
}

static void pipewire_close(struct tac_backend_stream *stream);

static int make_loop(struct pipewire *p, struct tac_error *err)
{
    p->loop = pw_thread_loop_new("tactus-pipewire", NULL);
    if (p->loop)
        p->context =
            pw_context_new(pw_thread_loop_get_loop(p->loop),
                           pw_properties_new(PW_KEY_CONFIG_NAME, "client-rt.conf", NULL), 0);
    if (!p->context || pw_thread_loop_start(p->loop) < 0)
        return tac_error_set(err, -TAC_E_DEVICE, NULL, 0, 0,
                             "the PipeWire library cannot start: %s", strerror(errno));
    pw_thread_loop_lock(p->loop);
    int code = join(p, err);
    pw_thread_loop_unlock(p->loop);
    return code;
}

static int make_ring(struct pipewire *p, struct tac_error *err)
{
    size_t frame_bytes = (p->base.inputs ? p->base.inputs : 1) * sizeof(float);
    p->ring_data = calloc(RING_FRAMES, frame_bytes);
    if (!p->ring_data)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    tac_ring_init(&p->ring, p->ring_data, RING_FRAMES, (uint32_t)frame_bytes);
    return 0;
}

static int pipewire_open(const struct tac_backend_config *config,
                         struct tac_backend_stream **ret_stream, struct tac_error *err)
{
    if (!config->inputs && !config->outputs)
        return tac_error_set(err, -EINVAL, NULL, 0, 0, "neither inputs nor outputs are wanted");
    struct pipewire *p = calloc(1, sizeof *p);
    if (!p)
        return tac_error_set(err, -ENOMEM, NULL, 0, 0, "out of memory");
    pw_init(NULL, NULL);
    p->config = *config;
    p->base = (struct tac_backend_stream){.backend = &tac_backend_pipewire,
                                          .rate_hz = config->rate_hz,
                                          .frames = config->frames,
                                          .inputs = config->inputs,
                                          .outputs = config->outputs};
    tac_keeper_init(&p->keeper, come_back, NULL, p); // nothing linked: no cycles
    struct tac_backend_config largest = *config;
    largest.frames = TAC_BACKEND_FRAMES_MAX; // the quantum may grow while the sound runs
    int code = tac_cycle_check(config, err);
    if (code >= 0)
        code = tac_cycle_open(&p->runner, &largest, err);
    if (code >= 0)
        code = make_ring(p, err);
    if (code >= 0)
        code = make_loop(p, err);
    if (code < 0) {
        pipewire_close(&p->base);
        return code;
    }
    *ret_stream = &p->base;
    return 0;
}

static void end_streams(struct pipewire *p)
{
    tac_keeper_stop(&p->keeper);
    pw_thread_loop_lock(p->loop);
    p->running = false;
    drop_stream(&p->play);
    drop_stream(&p->record);
    pw_thread_loop_unlock(p->loop);
}

static int pipewire_stop(struct tac_backend_stream *stream)
{
    struct pipewire *p = (struct pipewire *)stream;
    if (p->running)
        end_streams(p);
    return 0;
}

/* The library's data thread outlives streams and servers: once is enough. */
static void prepare_thread(struct pipewire *p)
{
    struct pw_data_loop *loop = pw_context_get_data_loop(p->context);
    if (loop && !atomic_load_explicit(&p->thread, memory_order_relaxed))
        pw_data_loop_invoke(loop, on_thread, 0, NULL, 0, true, p);
}

static int pipewire_start(struct tac_backend_stream *stream, struct tac_error *err)
{
    struct pipewire *p = (struct pipewire *)stream;
    if (p->running)
        return 0;
    p->locked = p->locked || tac_cycle_lock_process();
    prepare_thread(p);
    pw_thread_loop_lock(p->loop);
    int code = add_streams(p, err);
    if (code >= 0)
        code = wait_for_streams(p, err);
    p->running = code >= 0;
    pw_thread_loop_unlock(p->loop);
    if (code >= 0) {
        code = tac_keeper_start(&p->keeper);
        if (code < 0)
            tac_error_set(err, code, NULL, 0, 0, "no thread to watch the server");
    }
    if (code < 0)
        end_streams(p);
    return code;
}

static void pipewire_close(struct tac_backend_stream *stream)
{
    struct pipewire *p = (struct pipewire *)stream;
    if (!p)
        return;
    pipewire_stop(stream);
    if (p->loop) {
        pw_thread_loop_lock(p->loop);
        leave(p);
        pw_thread_loop_unlock(p->loop);
        pw_thread_loop_stop(p->loop);
    }
    if (p->context)
        pw_context_destroy(p->context);
    if (p->loop)
        pw_thread_loop_destroy(p->loop);
    pw_deinit();
    tac_keeper_fini(&p->keeper);
    tac_cycle_close(&p->runner);
    free(p->ring_data);
    free(p);
}

/* The library asks for real-time priority by itself; was it given? */
static bool is_realtime(struct pipewire *p)
{
    struct sched_param param;
    int policy = SCHED_OTHER;
    pthread_t thread = atomic_load_explicit(&p->thread, memory_order_relaxed);
    if (!thread || pthread_getschedparam(thread, &policy, &param))
        return false;
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

static void pipewire_stats(struct tac_backend_stream *stream, struct tac_backend_stats *ret_stats)
{
    struct pipewire *p = (struct pipewire *)stream;
    *ret_stats =
        (struct tac_backend_stats){.realtime = p->running && is_realtime(p),
                                   .locked = p->locked,
                                   .idle = main_side(p)->state != PW_STREAM_STATE_STREAMING,
                                   .away = tac_keeper_is_lost(&p->keeper)};
    tac_cycle_stats(&p->runner, ret_stats);
    ret_stats->losses = tac_keeper_losses(&p->keeper);
}

TAC_BACKEND(pipewire) = {
    .name = "pipewire",
    .doc = "A PipeWire server: a stream to the default device, or to the node named by --device.",
    .realtime = true,
    .open = pipewire_open,
    .start = pipewire_start,
    .stop = pipewire_stop,
    .close = pipewire_close,
    .stats = pipewire_stats,
};
