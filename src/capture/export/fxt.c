/* SPDX-License-Identifier: MIT
 * fxt.c - a recording in Fuchsia's trace format: Tracy's importer, Perfetto, magic-trace's viewer.
 *
 * Everything is rows of 64-bit words; a record's first word says its type and length. Strings of
 * fixed storage (names of sites) go to the string table once, others stand inline; so do threads
 * beyond the table's 255. Zones are durations, cycles are asynchronous spans, kernel switches are
 * scheduling records. A gap is the record "buffer filled up" and an instant that says how much.
 *
 * Source: fuchsia.dev, "Fuchsia trace format", version 1. */
#include "capture/export.h"
#include "capture/export/export_names.h"
#include "capture/idmap.h"
#include "capture/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { METADATA, INIT, STRING, THREAD, EVENT, OBJECT = 7, SCHEDULING = 8 };
enum {
    INSTANT,
    COUNTER,
    BEGIN,
    END,
    COMPLETE,
    ASYNC_BEGIN,
    ASYNC_END = 7,
    FLOW_BEGIN,
    FLOW_STEP,
    FLOW_END
};
enum { ARG_INT32 = 1, ARG_UINT64 = 4, ARG_DOUBLE = 5, ARG_STRING = 6, ARG_KOID = 8 };
enum { WORDS = 1024, STRINGS_MAX = 32000, THREADS_MAX = 255, INLINE_MAX = 255 };

struct thread {
    struct tac_open_zones zones;
    uint32_t cycles;
};

struct fxt {
    FILE *file;
    const struct tac_capture *c;
    struct tac_idmap strings, threads, named;
    struct tac_list state; /* struct thread */
    struct tac_frames frames;
    uint64_t word[WORDS]; /* the record that is being made; [0] comes at its end */
    size_t n;
    uint32_t arguments;
    bool failed;
};

/* ---- records ---- */

static void add(struct fxt *o, uint64_t word)
{
    if (o->n < WORDS)
        o->word[o->n++] = word;
}

static void add_bytes(struct fxt *o, const char *bytes, size_t n)
{
    for (size_t at = 0; at < n; at += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, n - at < 8 ? n - at : 8);
        add(o, word);
    }
}

static void begin(struct fxt *o)
{
    o->n = 1;
    o->arguments = 0;
}

static void end(struct fxt *o, uint64_t type, uint64_t rest)
{
    o->word[0] = type | (uint64_t)o->n << 4 | rest;
    fwrite(o->word, 8, o->n, o->file);
}

static void record(struct fxt *o, const uint64_t *words, size_t n)
{
    fwrite(words, 8, n, o->file);
}

/* The reference of a string that stays where it is; it goes to the table when it is new. To be
 * called before the record that needs it is begun. */
static uint64_t string(struct fxt *o, const char *text)
{
    uint64_t id = (uint64_t)(uintptr_t)text, words[1 + INLINE_MAX / 8 + 1] = {0};
    uint32_t number = tac_idmap_get(&o->strings, id);
    size_t length = strlen(text), n;
    if (!length)
        return 0;
    if (number || o->strings.count >= STRINGS_MAX)
        return number;
    number = o->strings.count + 1;
    o->failed = !tac_idmap_put(&o->strings, id, number) || o->failed;
    length = length < INLINE_MAX ? length : INLINE_MAX;
    n = 1 + (length + 7) / 8;
    words[0] = STRING | n << 4 | (uint64_t)number << 16 | (uint64_t)length << 32;
    memcpy(words + 1, text, length);
    record(o, words, n);
    return number;
}

/* Its bytes follow in the record by add_bytes. */
static uint64_t inline_string(size_t length)
{
    return length ? 0x8000u | length : 0;
}

static void argument(struct fxt *o, uint64_t type, uint64_t name, uint64_t value)
{
    add(o, type | 2u << 4 | name << 16);
    add(o, value);
    o->arguments++;
}

static void argument_int32(struct fxt *o, uint64_t name, int32_t value)
{
    add(o, ARG_INT32 | 1u << 4 | name << 16 | (uint64_t)(uint32_t)value << 32);
    o->arguments++;
}

/* ---- threads ---- */

static void name_object(struct fxt *o, uint64_t type, uint64_t koid, const char *text, uint64_t pid)
{
    uint64_t process = string(o, "process");
    size_t length = strnlen(text, INLINE_MAX);
    begin(o);
    add(o, koid);
    add_bytes(o, text, length);
    if (type == 2)
        argument(o, ARG_KOID, process, pid);
    end(o, OBJECT, type << 16 | inline_string(length) << 24 | (uint64_t)o->arguments << 40);
}

/* The index of a thread in the table, 0 when that is full. */
static uint32_t thread_index(struct fxt *o, uint32_t i)
{
    const struct tac_capture_thread *t = &o->c->threads[i];
    uint32_t number = tac_idmap_get(&o->threads, i);
    if (number)
        return number <= THREADS_MAX ? number : 0;
    number = o->threads.count + 1;
    o->failed = !tac_idmap_put(&o->threads, i, number) || o->failed;
    if (number <= THREADS_MAX)
        record(o, (uint64_t[]){THREAD | 3u << 4 | (uint64_t)number << 16, t->pid, t->tid}, 3);
    if (number == 1) {
        const char *program = tac_capture_meta(o->c, "program");
        name_object(o, 1, t->pid, program ? program : "program", 0);
    }
    name_object(o, 2, t->tid, t->name, t->pid);
    if (!tac_idmap_get(&o->named, t->tid))
        o->failed = !tac_idmap_put(&o->named, t->tid, 1) || o->failed;
    return number <= THREADS_MAX ? number : 0;
}

/* ---- events of threads ---- */

struct head {
    uint64_t thread, category, name;
    uint32_t index; /* of the thread, for the inline form */
};

/* The references of an event, and its record begun. */
static struct head event_begin(struct fxt *o, uint32_t thread, uint64_t ns, const char *category,
                               const char *name)
{
    struct head h = {thread_index(o, thread), string(o, category), string(o, name), thread};
    const struct tac_capture_thread *t = &o->c->threads[thread];
    begin(o);
    add(o, ns);
    if (!h.thread) {
        add(o, t->pid);
        add(o, t->tid);
    }
    if (!h.name && *name) { /* the table is full */
        size_t length = strnlen(name, INLINE_MAX);
        h.name = inline_string(length);
        add_bytes(o, name, length);
    }
    return h;
}

static void event_end(struct fxt *o, const struct head *h, uint64_t type)
{
    end(o, EVENT,
        type << 16 | (uint64_t)o->arguments << 20 | h->thread << 24 | h->category << 32 |
            h->name << 48);
}

static struct thread *state_of(struct fxt *o, uint32_t thread)
{
    while (o->state.count <= thread && !o->state.failed)
        tac_list_add(&o->state, sizeof(struct thread));
    return thread < o->state.count ? (struct thread *)o->state.data + thread : NULL;
}

static void zone_begin(struct fxt *o, const struct tac_event *e, struct thread *t)
{
    const struct tac_capture_site *s = &o->c->sites[e->site];
    struct head h = event_begin(o, e->thread, e->ns, tac_export_category(s->category), s->name);
    event_end(o, &h, BEGIN);
    tac_open_zones_begin(&t->zones);
}

static void zone_end(struct fxt *o, uint32_t thread, uint64_t ns, struct thread *t)
{
    struct tac_zone_said said;
    if (!tac_open_zones_end(&t->zones, &said))
        return;
    uint64_t value_name = string(o, "value"), text_name = string(o, "text");
    uint64_t text_value =
        said.text < o->c->sites_count ? string(o, o->c->sites[said.text].name) : 0;
    struct head h = event_begin(o, thread, ns, "", "");
    if (said.value)
        argument(o, ARG_UINT64, value_name, said.value);
    if (text_value) {
        add(o, ARG_STRING | 1u << 4 | text_name << 16 | text_value << 32);
        o->arguments++;
    }
    event_end(o, &h, END);
}

/* Asynchronous, for cycles may lie across zones. They nest on a thread, so its number of open ones
 * and the source make an id. */
static void cycle(struct fxt *o, const struct tac_event *e, struct thread *t)
{
    bool begins = e->type == TAC_REC_CYCLE_BEGIN;
    if (!begins && !t->cycles)
        return;
    uint64_t frames = string(o, "frames"), deadline = string(o, "deadline ns");
    struct head h = event_begin(o, e->thread, e->ns, "cycle", o->c->sources[e->source].name);
    if (begins) {
        argument(o, ARG_UINT64, frames, (uint32_t)e->payload);
        argument(o, ARG_UINT64, deadline, tac_event_data(e, 0).counter);
    }
    add(o, (uint64_t)e->thread << 32 | (uint64_t)e->source << 16 | 1);
    event_end(o, &h, begins ? ASYNC_BEGIN : ASYNC_END);
    t->cycles += begins ? 1 : (uint32_t)-1;
}

static void complete(struct fxt *o, const struct tac_event *e, const char *category,
                     const char *name, const char *what, uint64_t value)
{
    uint64_t argument_name = string(o, what);
    struct head h = event_begin(o, e->thread, e->begin_ns, category, name);
    argument(o, ARG_UINT64, argument_name, value);
    add(o, e->ns);
    event_end(o, &h, COMPLETE);
}

static void instant(struct fxt *o, const struct tac_event *e, const char *name, const char *what,
                    uint64_t value)
{
    uint64_t argument_name = string(o, what);
    struct head h = event_begin(o, e->thread, e->ns, "app", name);
    argument(o, ARG_UINT64, argument_name, value);
    event_end(o, &h, INSTANT);
}

static void text(struct fxt *o, const struct tac_event *e)
{
    size_t n = e->payload & 0xff;
    struct head h = event_begin(o, e->thread, e->ns, "app", "");
    h.name = inline_string(n);
    add_bytes(o, (const char *)e->data, n);
    event_end(o, &h, INSTANT);
}

static void plot(struct fxt *o, const struct tac_event *e)
{
    const struct tac_capture_site *s = &o->c->sites[e->site];
    uint64_t unit = string(o, *s->unit ? s->unit : "value"), bits = tac_event_data(e, 0).counter;
    struct head h = event_begin(o, e->thread, e->ns, "plot", s->name);
    argument(o, ARG_DOUBLE, unit, bits);
    add(o, e->site);
    event_end(o, &h, COUNTER);
}

static void flow(struct fxt *o, const struct tac_event *e)
{
    static const uint64_t type[] = {FLOW_BEGIN, FLOW_STEP, FLOW_END};
    uint64_t step = e->payload >> 48;
    struct head h = event_begin(o, e->thread, e->ns, "app", "flow");
    add(o, e->payload & 0xffffffffffffull);
    event_end(o, &h, type[step < 3 ? step : 1]);
}

static void gap(struct fxt *o, const struct tac_event *e)
{
    const uint64_t provider = 1;
    record(o, (uint64_t[]){METADATA | 1u << 4 | 3u << 16 | provider << 20}, 1);
    if (e->thread == TAC_CAPTURE_NONE)
        return;
    complete(o, e, "loss", "events lost", "events",
             e->gap.dropped + e->gap.suppressed + e->gap.damaged);
}

static void cut(struct fxt *o, const struct tac_event *e, struct thread *t)
{
    while (t->zones.count)
        zone_end(o, e->thread, e->ns, t);
    t->cycles = 0;
}

/* ---- kernel ---- */

static void name_tid(struct fxt *o, uint64_t tid)
{
    const char *name = tid ? tac_capture_comm(o->c, (uint32_t)tid) : NULL;
    if (!name || tac_idmap_get(&o->named, tid))
        return;
    o->failed = !tac_idmap_put(&o->named, tid, 1) || o->failed;
    name_object(o, 2, tid, name, tid);
}

/* The kernel's priorities (0 highest) become weights (higher is more); idle is what it must be. */
static int32_t weight(uint64_t tid, uint32_t priority)
{
    return tid ? 140 - (int32_t)(priority < 140 ? priority : 140) : INT32_MIN;
}

static void context_switch(struct fxt *o, const struct tac_format_kernel *k)
{
    uint64_t state = k->b >> 32, next = k->a >> 32;
    uint64_t runnable = !(state & 0xff) ? 1 : 3; /* pre-empted (R, R+), or blocked */
    name_tid(o, k->tid);
    name_tid(o, next);
    uint64_t incoming = string(o, "incoming_weight"), outgoing = string(o, "outgoing_weight");
    begin(o);
    add(o, k->ns);
    add(o, k->tid);
    add(o, next);
    argument_int32(o, incoming, weight(next, (uint32_t)k->a));
    argument_int32(o, outgoing, weight(k->tid, (uint32_t)k->b));
    end(o, SCHEDULING,
        (uint64_t)o->arguments << 16 | (uint64_t)k->cpu << 20 | runnable << 36 | 1ull << 60);
}

static void wake_up(struct fxt *o, const struct tac_format_kernel *k)
{
    uint64_t target = k->a >> 32;
    name_tid(o, target);
    uint64_t name = string(o, "weight");
    begin(o);
    add(o, k->ns);
    add(o, target);
    argument_int32(o, name, weight(target, (uint32_t)k->a));
    end(o, SCHEDULING, (uint64_t)o->arguments << 16 | (k->b >> 32 & 0xffff) << 20 | 2ull << 60);
}

/* The own-process tier, as events of the thread. */
static void own_tier(struct fxt *o, const struct tac_format_kernel *k)
{
    static const char *const name[] = {[TAC_KERNEL_OUT] = "left the CPU",
                                       [TAC_KERNEL_IN] = "back on the CPU",
                                       [TAC_KERNEL_FAULT_MINOR] = "page fault",
                                       [TAC_KERNEL_FAULT_MAJOR] = "major page fault"};
    uint32_t thread = tac_capture_thread_of(o->c, k->tid, k->ns);
    struct tac_event e = {.thread = thread, .ns = k->ns};
    if (thread != TAC_CAPTURE_NONE)
        instant(o, &e, name[k->type], k->type == TAC_KERNEL_OUT ? "pre-empted" : "address", k->a);
}

/* A stack of a thread of the program, as an instant with its functions; the format has no frames.
 */
static void kernel_stack(struct fxt *o, const struct tac_event *e)
{
    uint32_t thread = tac_capture_thread_of(o->c, e->stack->tid, e->ns);
    char text[INLINE_MAX + 1];
    if (thread == TAC_CAPTURE_NONE)
        return;
    size_t n = tac_frames_line(&o->frames, o->c, e, text, sizeof text);
    uint64_t name = string(o, "functions");
    struct head h = event_begin(o, thread, e->ns, "stack",
                                e->stack->kind == TAC_STACK_KERNEL ? "kernel stack" : "stack");
    add(o, ARG_STRING | (1 + (n + 7) / 8) << 4 | name << 16 | inline_string(n) << 32);
    add_bytes(o, text, n);
    o->arguments++;
    event_end(o, &h, INSTANT);
}

static void kernel(struct fxt *o, const struct tac_format_kernel *k)
{
    if (k->type == TAC_KERNEL_SWITCH)
        context_switch(o, k);
    else if (k->type == TAC_KERNEL_WAKING)
        wake_up(o, k);
    else if (k->type == TAC_KERNEL_OUT || k->type == TAC_KERNEL_IN ||
             k->type == TAC_KERNEL_FAULT_MINOR || k->type == TAC_KERNEL_FAULT_MAJOR)
        own_tier(o, k);
}

/* ---- */

static void moment(struct fxt *o, const struct tac_event *e)
{
    uint64_t high = e->payload >> 48, low = e->payload & 0xffffffffffffull;
    switch (e->type) {
    case TAC_REC_PLOT:
        plot(o, e);
        break;
    case TAC_REC_MESSAGE:
        instant(o, e, o->c->sites[e->site].name, "value", tac_event_data(e, 0).counter);
        break;
    case TAC_REC_TEXT:
        text(o, e);
        break;
    case TAC_REC_FLOW:
        flow(o, e);
        break;
    case TAC_REC_MEMORY:
    case TAC_REC_REALLOC:
        complete(o, e, "memory", tac_export_memory_op(high), "bytes", low);
        break;
    case TAC_REC_LOCK_WAIT:
        complete(o, e, "lock", "wait for a lock", "holder tid", (uint32_t)e->payload);
        break;
    default:
        break;
    }
}

static void of_thread(struct fxt *o, const struct tac_event *e, struct thread *t)
{
    switch (e->type) {
    case TAC_REC_ZONE_BEGIN:
        zone_begin(o, e, t);
        break;
    case TAC_REC_ZONE_END:
        zone_end(o, e->thread, e->ns, t);
        break;
    case TAC_REC_ZONE_VALUE:
        tac_open_zones_say(&t->zones, e);
        break;
    case TAC_REC_CYCLE_BEGIN:
    case TAC_REC_CYCLE_END:
        cycle(o, e, t);
        break;
    case TAC_EVENT_CUT:
        cut(o, e, t);
        break;
    default:
        moment(o, e);
        break;
    }
}

static void event(void *me, const struct tac_capture *c, const struct tac_event *e)
{
    struct fxt *o = me;
    o->c = c;
    if (e->type == TAC_EVENT_KERNEL) {
        kernel(o, e->kernel);
    } else if (e->type == TAC_EVENT_KERNEL_STACK) {
        kernel_stack(o, e);
    } else if (e->type == TAC_REC_GAP) {
        gap(o, e);
    } else if (e->thread != TAC_CAPTURE_NONE) {
        struct thread *t = state_of(o, e->thread);
        if (t)
            of_thread(o, e, t);
    }
}

static int open_file(const char *path, const struct tac_export_options *options, void **ret_me)
{
    static const char provider[] = "tactus";
    struct fxt *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    o->frames.folders = options->symbols;
    o->file = fopen(path, "wbe");
    if (!o->file) {
        int error = -errno;
        free(o);
        return error;
    }
    uint64_t name = 0;
    memcpy(&name, provider, sizeof provider - 1);
    record(o,
           (uint64_t[]){0x0016547846040010ull,
                        METADATA | 2u << 4 | 1u << 16 | 1u << 20 | 6ull << 52, name,
                        METADATA | 1u << 4 | 2u << 16 | 1u << 20, INIT | 2u << 4, 1000000000},
           6);
    *ret_me = o;
    return 0;
}

static uint64_t bytes(const void *me)
{
    return tac_export_written(((const struct fxt *)me)->file);
}

static int close_file(void *me, const struct tac_capture *c)
{
    struct fxt *o = me;
    (void)c;
    int error = o->failed || o->state.failed || o->frames.failed ? -ENOMEM
                : ferror(o->file)                                ? -EIO
                                                                 : 0;
    if (fclose(o->file) && !error)
        error = -errno;
    tac_idmap_fini(&o->strings);
    tac_idmap_fini(&o->threads);
    tac_idmap_fini(&o->named);
    tac_list_fini(&o->state);
    tac_frames_fini(&o->frames);
    free(o);
    return error;
}

TAC_EXPORT(fxt) = {
    .name = "fxt",
    .suffix = ".fxt",
    .doc = "Fuchsia's trace format: Tracy's import-fuchsia, Perfetto",
    .open = open_file,
    .event = event,
    .bytes = bytes,
    .close = close_file,
};
