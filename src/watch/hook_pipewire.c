/* SPDX-License-Identifier: MIT
 * hook_pipewire.c - the process event of PipeWire streams and filters is their cycle.
 *
 * A program hands over a table of events and a user pointer that all of them get. The table is
 * copied with `process` and `io_changed` replaced by functions of one of 16 slots, each made with
 * its slot built in, so the user pointer stays the program's own and all other events go straight
 * to it. io_changed tells where the graph's clock lies; its next_nsec is the deadline, but for a
 * callback that slept through cycles (pace.h). When the state changes, cycles were not called for.
 *
 * The period is the graph's and known in its cycles alone. So the source is opened by the first
 * cycle of a period, which is not real-time then, as a thread's first is not; a slot remembers the
 * periods that it has seen.
 *
 * Layouts after pipewire/stream.h, pipewire/filter.h and spa/node/io.h (0.3 and 1.x, whose tables
 * only grew at the end and carry a version). */
#include "watch/watch.h"

#include "watch/pace.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    SLOTS = 16,
    EVENTS_MAX = 11,
    STREAM_EVENTS = 9, /* of version 0 */
    STATE_CHANGED = 1, /* of both */
    STREAM_IO_CHANGED = 3,
    STREAM_PROCESS = 7,
    FILTER_EVENTS = 8,
    FILTER_IO_CHANGED = 2,
    FILTER_PROCESS = 6,
    IO_POSITION = 7, /* SPA_IO_Position */
    PERIODS = 4
};

struct events {
    uint32_t version;
    void (*event[EVENTS_MAX])(void);
};

/* struct spa_io_clock, the beginning of struct spa_io_position. */
struct clock {
    uint32_t flags, id;
    char name[64];
    uint64_t nsec;
    uint32_t rate_num, rate_denom;
    uint64_t position, duration;
    int64_t delay;
    double rate_diff;
    uint64_t next_nsec;
};

struct slot {
    void *owner; /* the stream or filter; NULL: free, or being made */
    bool taken;
    struct events events; /* the copy */
    void (*process)(void);
    void (*io_changed)(void);
    void (*state_changed)(void);
    const struct clock *clock; /* NULL: not known */
    uint32_t clock_id;         /* the driver's, of the last cycle */
    struct tac_pace pace;
    char name[32];
    unsigned periods;
    struct {
        uint64_t ns; /* 0: not known */
        int source;
    } period[PERIODS];
};

static struct slot slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t period_ns(const struct clock *clock)
{
    return clock && clock->rate_denom
               ? clock->duration * TAC_NS_PER_S * clock->rate_num / clock->rate_denom
               : 0;
}

/* The source of that period; the first one's for what has no room. */
static int source_of(struct slot *s, uint64_t period_ns)
{
    for (unsigned i = 0; i < s->periods; i++)
        if (s->period[i].ns == period_ns)
            return s->period[i].source;
    if (s->periods == PERIODS)
        return s->period[0].source;
    char name[64];
    snprintf(name, sizeof name, s->periods ? "%.8s (%.2f ms)" : "%s", s->name,
             (double)period_ns / 1e6);
    unsigned i = s->periods++;
    s->period[i].ns = period_ns;
    s->period[i].source = tac_watch_stream_open("pipewire", name, period_ns);
    return s->period[i].source;
}

static uint64_t deadline_ns(struct slot *s, const struct clock *clock, bool is_stream)
{
    uint64_t now = tac_clock_ns(), span = period_ns(clock);
    if (!clock || clock->next_nsec + span <= now || clock->next_nsec > now + 4 * TAC_NS_PER_S) {
        tac_pace_forget(&s->pace);
        return 0;
    }
    if (clock->id != s->clock_id)
        tac_pace_forget(&s->pace); /* another driver */
    s->clock_id = clock->id;
    struct tac_pace_tick tick = {.now_ns = now,
                                 .edge_ns = clock->nsec,
                                 .next_ns = clock->next_nsec,
                                 .period_ns = span,
                                 .position = clock->position,
                                 .frames = clock->duration,
                                 .may_rest = is_stream};
    return tac_pace_begin(&s->pace, &tick);
}

static void process(struct slot *s, bool is_stream, void *data, const void *position)
{
    const struct clock *clock = s->clock ? s->clock : position;
    int source = source_of(s, period_ns(clock));
    bool begun = tac_watch_cycle_begin(source, deadline_ns(s, clock, is_stream),
                                       clock ? (uint32_t)clock->duration : 0);
    if (is_stream)
        ((void (*)(void *))s->process)(data);
    else
        ((void (*)(void *, const void *))s->process)(data, position);
    tac_watch_cycle_end(source, begun);
    tac_pace_end(&s->pace, tac_clock_ns());
}

static void state_changed(struct slot *s, void *data, int was, int is, const char *error)
{
    tac_pace_forget(&s->pace);
    if (s->state_changed)
        ((void (*)(void *, int, int, const char *))s->state_changed)(data, was, is, error);
}

static void stream_io_changed(struct slot *s, void *data, uint32_t id, void *area, uint32_t size)
{
    if (id == IO_POSITION)
        s->clock = size >= sizeof *s->clock ? area : NULL;
    if (s->io_changed)
        ((void (*)(void *, uint32_t, void *, uint32_t))s->io_changed)(data, id, area, size);
}

/* The functions of one slot. */
#define SLOT(i)                                                                                    \
    static void stream_process_##i(void *data)                                                     \
    {                                                                                              \
        process(&slots[i], true, data, NULL);                                                      \
    }                                                                                              \
    static void filter_process_##i(void *data, const void *position)                               \
    {                                                                                              \
        process(&slots[i], false, data, position);                                                 \
    }                                                                                              \
    static void stream_io_##i(void *data, uint32_t id, void *area, uint32_t size)                  \
    {                                                                                              \
        stream_io_changed(&slots[i], data, id, area, size);                                        \
    }                                                                                              \
    static void state_##i(void *data, int was, int is, const char *error)                          \
    {                                                                                              \
        state_changed(&slots[i], data, was, is, error);                                            \
    }
#define SLOT_ENTRY(i) {stream_process_##i, filter_process_##i, stream_io_##i, state_##i},
#define EACH_SLOT(X)                                                                               \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
EACH_SLOT(SLOT)

static const struct {
    void (*stream)(void *);
    void (*filter)(void *, const void *);
    void (*stream_io)(void *, uint32_t, void *, uint32_t);
    void (*state)(void *, int, int, const char *);
} functions[SLOTS] = {EACH_SLOT(SLOT_ENTRY)};

static unsigned take_slot(void)
{
    unsigned i = 0;
    pthread_mutex_lock(&lock);
    while (i < SLOTS && slots[i].taken)
        i++;
    if (i < SLOTS)
        slots[i] = (struct slot){.taken = true};
    pthread_mutex_unlock(&lock);
    return i;
}

/* The slot of a table that hook() gave belongs to a stream or filter; to none: it is free again. */
static void *give_slot(const struct events *events, void *owner)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < SLOTS; i++)
        if (&slots[i].events == events) {
            slots[i].owner = owner;
            slots[i].taken = owner != NULL;
        }
    pthread_mutex_unlock(&lock);
    return owner;
}

/* It is gone, and with it whoever could call. */
static void free_slots(const void *owner)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].taken && slots[i].owner == owner)
            slots[i].taken = false;
    pthread_mutex_unlock(&lock);
}

/* The table to hand on: the copy, or the program's when there is nothing to do. */
static const struct events *hook(const struct events *theirs, bool is_stream, const char *name)
{
    unsigned at = is_stream ? STREAM_PROCESS : FILTER_PROCESS;
    unsigned i = theirs && theirs->event[at] ? take_slot() : SLOTS;
    if (i == SLOTS)
        return theirs;
    struct slot *s = &slots[i];
    unsigned count = (is_stream ? STREAM_EVENTS : FILTER_EVENTS) + theirs->version;
    count = count > EVENTS_MAX ? EVENTS_MAX : count;
    s->events.version = theirs->version;
    memcpy(s->events.event, theirs->event, count * sizeof theirs->event[0]);
    s->process = theirs->event[at];
    s->state_changed = theirs->event[STATE_CHANGED];
    s->events.event[STATE_CHANGED] = (void (*)(void))functions[i].state;
    if (is_stream) {
        s->io_changed = theirs->event[STREAM_IO_CHANGED];
        s->events.event[STREAM_PROCESS] = (void (*)(void))functions[i].stream;
        s->events.event[STREAM_IO_CHANGED] = (void (*)(void))functions[i].stream_io;
    } else {
        s->events.event[FILTER_PROCESS] = (void (*)(void))functions[i].filter;
    }
    snprintf(s->name, sizeof s->name, "%s", name ? name : "?");
    tac_watch_recorder_start();
    return &s->events;
}

void *pw_stream_new_simple(void *loop, const char *name, void *properties,
                           const struct events *events, void *data);
void pw_stream_add_listener(void *stream, void *listener, const struct events *events, void *data);
void *pw_filter_new_simple(void *loop, const char *name, void *properties,
                           const struct events *events, void *data);
void pw_filter_add_listener(void *filter, void *listener, const struct events *events, void *data);
void pw_stream_destroy(void *stream);
void pw_filter_destroy(void *filter);
const char *pw_stream_get_name(void *stream);
const char *pw_filter_get_name(void *filter);

#define PW(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, NULL, "libpipewire-0.3.so.0")

TAC_WATCH_EXPORT void *pw_stream_new_simple(void *loop, const char *name, void *properties,
                                            const struct events *events, void *data)
{
    const struct events *hooked = hook(events, true, name);
    return give_slot(hooked, PW(pw_stream_new_simple)(loop, name, properties, hooked, data));
}

TAC_WATCH_EXPORT void pw_stream_add_listener(void *stream, void *listener,
                                             const struct events *events, void *data)
{
    const struct events *hooked = hook(events, true, PW(pw_stream_get_name)(stream));
    give_slot(hooked, stream);
    PW(pw_stream_add_listener)(stream, listener, hooked, data);
}

TAC_WATCH_EXPORT void *pw_filter_new_simple(void *loop, const char *name, void *properties,
                                            const struct events *events, void *data)
{
    const struct events *hooked = hook(events, false, name);
    return give_slot(hooked, PW(pw_filter_new_simple)(loop, name, properties, hooked, data));
}

TAC_WATCH_EXPORT void pw_filter_add_listener(void *filter, void *listener,
                                             const struct events *events, void *data)
{
    const struct events *hooked = hook(events, false, PW(pw_filter_get_name)(filter));
    give_slot(hooked, filter);
    PW(pw_filter_add_listener)(filter, listener, hooked, data);
}

TAC_WATCH_EXPORT void pw_stream_destroy(void *stream)
{
    PW(pw_stream_destroy)(stream);
    free_slots(stream);
}

TAC_WATCH_EXPORT void pw_filter_destroy(void *filter)
{
    PW(pw_filter_destroy)(filter);
    free_slots(filter);
}
