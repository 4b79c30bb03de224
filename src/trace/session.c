/* SPDX-License-Identifier: MIT
 * session.c - start and stop of a recording, and the helper thread between them.
 *
 * The helper has normal priority (SCHED_OTHER, whatever its creator has), all signals blocked, and
 * sleeps on a timed condition; traced threads never wake it. It holds the control mutex during a
 * pass and gives it up while it sleeps. After fork the child has no session. */
#include "trace/session.h"

#include "base/net.h"
#include "trace/source.h"
#include "trace/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { DRAIN_MS = 5, DRAIN_MS_MAX = 1000, GOODBYE_MS = 2000 };
enum { SAMPLES_HZ_MAX = 10000, PULSE_NS = 5000000 };

static_assert(TAC_PACK_BYTES_MAX(TAC_DRAIN_RECORDS) <= TAC_WIRE_BYTES_MAX, "fits a connection");

static struct tac_session *session; /* under the control mutex */
static _Atomic int keep_wanted;
static _Atomic uint32_t categories; /* that shall record, also while nobody listens */
static _Atomic bool is_asleep;      /* a stream on demand that nobody asks for */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void lane_appears(struct tac_lane *lane)
{
    tac_drain_lane_begin(session, lane);
}

static void lane_ends(struct tac_lane *lane)
{
    tac_drain_lane_end(session, lane);
    lane->state = TAC_LANE_FREE;
}

static void set_switches(uint32_t mask, const struct tac_trace_config *config)
{
    atomic_store(&tac_cycle_evidence, config && config->evidence & TAC_EVIDENCE_CLOCK ? 1 : 0);
    atomic_store(&tac_lane_budget, config ? config->events_per_cycle : 0);
    __atomic_store_n(&tac_trace_mask, mask, __ATOMIC_RELEASE);
}

static void fork_child(void)
{
    /* its memory belongs to the parent's story; its descriptors would keep the other end waiting
     * for a recorder that is gone */
    if (session && session->owns_fd)
        close(session->sink.fd);
    if (session)
        tac_wire_leave(session->sink.stream);
    session = NULL;
    tac_drain_leave();
    tac_lane_appears = tac_lane_ends = NULL;
    set_switches(0, NULL);
}

static void stop_at_exit(void)
{
    (void)!tac_trace_stop();
}

static void init(void)
{
    pthread_atfork(NULL, NULL, fork_child);
    atexit(stop_at_exit);
}

static void discard(struct tac_session *s)
{
    if (s->owns_fd)
        close(s->sink.fd);
    tac_wire_close(s->sink.stream);
    for (uint32_t i = 0; i < s->meta_count; i++)
        free(s->meta[i]);
    tac_sink_fini(&s->sink);
    tac_site_table_fini(&s->sites);
    free(s);
}

/* Where the recording goes: what the environment says, before what the program says. */
static const char *target_of(const struct tac_trace_config *config, char *buffer, size_t size)
{
    const char *path = secure_getenv("TACTUS_RECORD");
    path = path && *path ? path : config->path;
    if (path && !strcmp(path, "listen:")) {
        snprintf(buffer, size, "listen:unix:@tactus.%d", (int)getpid());
        path = buffer;
    }
    return path;
}

/* 0 when the variable says nothing. */
static uint32_t number_in(const char *variable, uint32_t most)
{
    const char *text = secure_getenv(variable);
    unsigned long number = text ? strtoul(text, NULL, 10) : 0;
    return number < most ? (uint32_t)number : most;
}

/* Stacks and samples for a program that does not ask for them itself. */
static void take_environment(struct tac_trace_config *config)
{
    uint32_t bytes = number_in("TACTUS_STACKS", TAC_STACK_BYTES_MAX);
    uint32_t samples_hz = number_in("TACTUS_SAMPLES", SAMPLES_HZ_MAX);
    if (bytes) {
        config->evidence |= TAC_EVIDENCE_PERF | TAC_EVIDENCE_STACKS;
        config->stack_bytes = bytes;
    }
    if (samples_hz) {
        config->evidence |= TAC_EVIDENCE_PERF;
        config->samples_hz = samples_hz;
    }
}

static struct tac_perf_config perf_of(const struct tac_trace_config *config)
{
    uint32_t bytes = (config->stack_bytes + 7) & ~7u;
    return (struct tac_perf_config){
        .stacks = tac_perf_stacks((config->evidence & TAC_EVIDENCE_STACKS) != 0, bytes),
        .copy_bytes = bytes,
        .sample_ns = config->samples_hz ? (uint32_t)(TAC_NS_PER_S / config->samples_hz) : 0,
        .pulse_ns = tac_facts_is_virtual() ? PULSE_NS : 0};
}

static void remember_meta(struct tac_session *s, const char *line)
{
    char *copy = s->sink.stream && s->meta_count < TAC_META_MAX ? strdup(line) : NULL;
    if (copy)
        s->meta[s->meta_count++] = copy;
}

static int open_stream(struct tac_session *s, const char *address)
{
    const char *token = s->config.token ? s->config.token : secure_getenv("TACTUS_TOKEN");
    int error = tac_wire_open(address, token, s->config.stream_bytes, &s->sink.stream);
    if (error)
        return error;
    for (const char *const *line = s->config.meta; line && *line; line++)
        remember_meta(s, *line);
    s->config.meta = (const char *const *)s->meta;
    return 0;
}

/* fd >= 0, or -1 and a stream, or -errno. */
static int open_target(struct tac_session *s)
{
    char buffer[64];
    const char *path = target_of(&s->config, buffer, sizeof buffer);
    int error = 0;
    s->sink.fd = s->config.fd;
    if (path && tac_net_is_address(path)) {
        s->sink.fd = -1;
        error = open_stream(s, path);
    } else if (path) {
        s->sink.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
        s->owns_fd = s->sink.fd >= 0;
        error = s->owns_fd ? 0 : -errno;
    }
    return error;
}

static int open_session(const struct tac_trace_config *config, struct tac_session **ret_session)
{
    struct tac_session *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->config = *config;
    s->config.drain_ms = config->drain_ms ? config->drain_ms : DRAIN_MS;
    take_environment(&s->config);
    s->perf = perf_of(&s->config);
    int error = tac_site_table_init(&s->sites);
    if (!error)
        error = tac_sink_init(&s->sink, -1, (uint64_t)config->flight_s * TAC_NS_PER_S,
                              config->flight_bytes);
    if (!error)
        error = open_target(s);
    if (error) {
        discard(s);
        return error;
    }
    *ret_session = s;
    return 0;
}

/* Header, then the lanes that are registered already, their rings emptied of what is older. */
static void write_opening(struct tac_session *s)
{
    tac_facts_write(s);
    tac_drain_clock(s);
    s->first = s->last;
    tac_facts_write_modules(s);
    s->unregistered_base = atomic_load(&tac_lane_unregistered);
    uint32_t count = atomic_load(&tac_lanes_count);
    for (uint32_t i = 0; i < count; i++) {
        struct tac_lane *lane = tac_lanes[i];
        if (lane->state != TAC_LANE_LIVE)
            continue;
        atomic_store(&lane->tail, __atomic_load_n(&lane->ring.head, __ATOMIC_ACQUIRE));
        tac_drain_lane_begin(s, lane);
    }
    tac_facts_write_perf(s);
    tac_facts_write_blind(s);
}

static void wait_for_work(struct tac_session *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)s->config.drain_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    tac_control_wait(&s->wake, &until);
}

/* Everything anew: the other end of the stream has nothing of this recording, or not all. */
static void restart(struct tac_session *s)
{
    s->stored = s->dropped_ended = s->suppressed_ended = s->lost_kernel_untold = s->lost_stacks = 0;
    tac_site_table_clear(&s->sites);
    s->sources_announced = 0;
    write_opening(s);
}

static void serve_stream(struct tac_session *s)
{
    struct tac_wire *stream = s->sink.stream;
    if (!stream)
        return;
    tac_wire_pump(stream);
    if (tac_wire_takes_restart(stream))
        restart(s);
    bool asleep = !tac_wire_is_wanted(stream);
    if (asleep != atomic_load(&is_asleep)) {
        atomic_store(&is_asleep, asleep);
        __atomic_store_n(&tac_trace_mask, asleep ? 0 : atomic_load(&categories), __ATOMIC_RELEASE);
    }
}

static void keep_if_wanted(struct tac_session *s)
{
    if (atomic_exchange(&keep_wanted, 0))
        tac_sink_keep(&s->sink, tac_clock_ns());
}

static void *help(void *arg)
{
    struct tac_session *s = arg;
    tac_trace_lane_here = &tac_lane_silent.ring;
    prctl(PR_SET_NAME, "tactus-trace");
    tac_control_lock();
    char tid[16]; /* who wakes up every few milliseconds: a reader tells a frozen program by it */
    snprintf(tid, sizeof tid, "%ld", (long)gettid());
    tac_facts_write_line(s, "helper_tid", tid);
    tac_refuge_init(&s->refuge);
    while (!s->stopping) {
        if (tac_drain_clock_if_due(s)) {
            s->refuge.is_stale = true; /* threads are bound, and made real-time, at any time */
            tac_facts_check_modules(s);
        }
        if (s->refuge.is_stale)
            tac_refuge_look(&s->refuge);
        bool busy = tac_drain_all(s);
        serve_stream(s);
        keep_if_wanted(s);
        (void)tac_sink_go_on(&s->sink);
        if (busy) {
            tac_control_unlock();
            sched_yield();
            tac_control_lock();
        } else if (!s->stopping) {
            wait_for_work(s);
        }
    }
    tac_control_unlock();
    return NULL;
}

static int start_helper(struct tac_session *s)
{
    pthread_attr_t attr;
    pthread_condattr_t cond;
    struct sched_param param = {0};
    sigset_t all, before;
    pthread_condattr_init(&cond);
    pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &cond);
    pthread_condattr_destroy(&cond);
    pthread_attr_init(&attr);
    pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attr, SCHED_OTHER);
    pthread_attr_setschedparam(&attr, &param);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&s->helper, &attr, help, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -error;
}

int tac_trace_start(const struct tac_trace_config *config)
{
    const char *elsewhere = secure_getenv("TACTUS_RECORD");
    if (!config || (!config->path && config->fd < 0 && !(elsewhere && *elsewhere)) ||
        config->drain_ms > DRAIN_MS_MAX || config->flight_s > 3600 ||
        config->stack_bytes > TAC_STACK_BYTES_MAX || config->samples_hz > SAMPLES_HZ_MAX ||
        (config->flight_bytes && config->flight_bytes < 65536))
        return -EINVAL;
    pthread_once(&once, init);
    struct tac_session *s = NULL;
    tac_control_lock();
    int error = session ? -TAC_E_BUSY : open_session(config, &s);
    if (!error) {
        write_opening(s);
        error = s->sink.error ? s->sink.error : start_helper(s);
        if (error)
            discard(s);
    }
    if (!error) {
        s->config.meta = s->sink.stream ? (const char *const *)s->meta : NULL;
        s->config.path = s->config.token = NULL;
        session = s;
        atomic_store(&keep_wanted, 0); /* of the time before */
        tac_lane_appears = lane_appears;
        tac_lane_ends = lane_ends;
        atomic_store(&categories, config->categories ? config->categories : TAC_TRACE_ALL);
        atomic_store(&is_asleep, s->sink.stream && !tac_wire_is_wanted(s->sink.stream));
        set_switches(atomic_load(&is_asleep) ? 0 : atomic_load(&categories), config);
    }
    tac_control_unlock();
    return error;
}

static void sum_stats(const struct tac_session *s, struct tac_trace_stats *t)
{
    *t = (struct tac_trace_stats){
        .stored = s->stored,
        .dropped = s->dropped_ended,
        .suppressed = s->suppressed_ended,
        .unregistered = atomic_load(&tac_lane_unregistered) - s->unregistered_base,
        .bytes = s->sink.stream ? tac_wire_sent(s->sink.stream) : s->sink.bytes};
    uint32_t count = atomic_load(&tac_lanes_count);
    for (uint32_t i = 0; i < count; i++)
        if (tac_lanes[i]->state == TAC_LANE_LIVE) {
            t->threads++;
            t->stored += tac_drain_waiting(tac_lanes[i]);
            t->dropped += tac_drain_dropped(tac_lanes[i]);
            t->suppressed += tac_drain_suppressed(tac_lanes[i]);
        }
}

/* What was to be kept and waits for room in the stream. Other threads register and end meanwhile,
 * and fork. */
static void send_kept(struct tac_session *s, uint64_t until_ns)
{
    const struct timespec nap = {0, 5000000};
    while (!tac_sink_go_on(&s->sink) && tac_clock_ns() < until_ns) {
        tac_wire_pump(s->sink.stream);
        tac_control_unlock();
        nanosleep(&nap, NULL);
        tac_control_lock();
    }
}

static void write_closing(struct tac_session *s, uint64_t until_ns)
{
    struct tac_trace_stats t;
    keep_if_wanted(s);
    send_kept(s, until_ns);
    (void)tac_drain_clock_if_due(s);
    tac_drain_all(s);
    send_kept(s, until_ns);
    s->sink.ends = true;
    tac_drain_clock(s);
    tac_facts_write_modules(s);
    uint32_t count = atomic_load(&tac_lanes_count);
    sum_stats(s, &t);
    for (uint32_t i = 0; i < count; i++)
        if (tac_lanes[i]->state == TAC_LANE_LIVE) {
            tac_lanes[i]->end_counter = tac_trace_counter();
            tac_drain_lane_end(s, tac_lanes[i]);
        }
    tac_facts_write_untold(s);
    struct tac_format_end body = {tac_trace_counter(), s->stored, t.dropped, t.suppressed,
                                  t.unregistered};
    struct tac_format_chunk chunk = {.kind = TAC_CHUNK_END, .count = 1};
    tac_sink_put(&s->sink, &chunk, &body, sizeof body);
}

int tac_trace_stop(void)
{
    tac_control_lock();
    struct tac_session *s = session;
    if (!s || s->stopping) {
        tac_control_unlock();
        return -ENOENT;
    }
    set_switches(0, NULL);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    tac_control_unlock();
    pthread_join(s->helper, NULL);
    uint64_t until_ns = tac_clock_ns() + (uint64_t)GOODBYE_MS * 1000000;
    tac_control_lock();
    write_closing(s, until_ns);
    session = NULL;
    tac_lane_appears = tac_lane_ends = NULL;
    tac_control_unlock();
    int error = s->sink.error;
    if (s->sink.stream && !tac_wire_finish(s->sink.stream, until_ns))
        error = -ETIMEDOUT;
    pthread_cond_destroy(&s->wake);
    discard(s);
    return error;
}

int tac_trace_is_on(void)
{
    return __atomic_load_n(&tac_trace_mask, __ATOMIC_RELAXED) != 0;
}

void tac_trace_set_categories(uint32_t mask)
{
    atomic_store_explicit(&categories, mask, memory_order_relaxed);
    if (!atomic_load_explicit(&is_asleep, memory_order_relaxed))
        __atomic_store_n(&tac_trace_mask, mask, __ATOMIC_RELAXED);
}

void tac_trace_keep(void)
{
    atomic_store_explicit(&keep_wanted, 1, memory_order_relaxed);
}

int tac_trace_meta(const char *key, const char *value)
{
    if (!key || !*key || strchr(key, '=') || !value)
        return -EINVAL;
    tac_control_lock();
    int result = session ? 0 : -ENOENT;
    if (session) {
        char line[1024];
        tac_facts_write_line(session, key, value);
        snprintf(line, sizeof line, "%s=%s", key, value);
        remember_meta(session, line);
    }
    tac_control_unlock();
    return result;
}

void tac_trace_get_stats(struct tac_trace_stats *ret_stats)
{
    tac_control_lock();
    if (session)
        sum_stats(session, ret_stats);
    else
        *ret_stats = (struct tac_trace_stats){0};
    tac_control_unlock();
}
