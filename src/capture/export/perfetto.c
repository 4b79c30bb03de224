/* SPDX-License-Identifier: MIT
 * perfetto.c - a recording as Perfetto trace packets: the events of threads.
 *
 * Kernel events are ftrace bundles, from which the viewer makes CPU lanes, thread states and
 * wakers. Where events are missing, zones that are open end, and a slice says how many are lost.
 * What an event is written with is in perfetto_tracks.c. */
#include "capture/export/perfetto.h"

#include <errno.h>
#include <stdlib.h>

enum { CYCLES = 8 };

struct pending_cycle {
    uint64_t begin_ns, deadline_ns;
    uint32_t source, frames;
};

/* What is going on on one thread. */
struct thread {
    struct tac_open_zones zones;
    struct pending_cycle cycle[CYCLES];
    uint32_t cycles;
    bool off_cpu;
};

/* ---- of a thread ---- */

static void slice(struct tac_perfetto *o, uint64_t begin, uint64_t end, uint64_t track,
                  const char *name, const char *what, uint64_t value)
{
    size_t at = tac_perfetto_event(o, begin, SLICE_BEGIN, track);
    tac_proto_string(&o->p, EVENT_NAME, name);
    if (what)
        tac_perfetto_annotate(o, what, value);
    tac_perfetto_event_end(o, at);
    if (end != TAC_CAPTURE_OPEN)
        tac_perfetto_event_end(o, tac_perfetto_event(o, end, SLICE_END, track));
}

static void zone_begin(struct tac_perfetto *o, const struct tac_event *e, struct thread *t)
{
    const struct tac_capture_site *s = &o->c->sites[e->site];
    size_t at = tac_perfetto_event(o, e->ns, SLICE_BEGIN, tac_perfetto_uuid(THREAD, e->thread));
    tac_proto_string(&o->p, EVENT_CATEGORY, tac_export_category(s->category));
    tac_proto_string(&o->p, EVENT_NAME, s->name);
    if (*s->file) {
        size_t inner = tac_proto_begin(&o->p, EVENT_SOURCE);
        tac_proto_string(&o->p, 2, s->file);
        tac_proto_string(&o->p, 3, s->function);
        tac_proto_uint(&o->p, 4, s->line);
        tac_proto_end(&o->p, inner);
    }
    tac_perfetto_event_end(o, at);
    tac_open_zones_begin(&t->zones);
}

/* What was said of a zone while it was open stands at its end; the viewer puts both together. */
static void zone_end(struct tac_perfetto *o, uint64_t ns, uint32_t thread, struct thread *t,
                     bool is_cut)
{
    struct tac_zone_said z;
    if (!tac_open_zones_end(&t->zones, &z))
        return;
    size_t at = tac_perfetto_event(o, ns, SLICE_END, tac_perfetto_uuid(THREAD, thread));
    if (z.value)
        tac_perfetto_annotate(o, "value", z.value);
    if (z.text < o->c->sites_count)
        tac_perfetto_annotate_text(o, "text", o->c->sites[z.text].name);
    if (is_cut)
        tac_perfetto_annotate(o, "end lost", 1);
    tac_perfetto_event_end(o, at);
}

static void cycle_begin(const struct tac_event *e, struct thread *t)
{
    if (t->cycles < CYCLES)
        t->cycle[t->cycles++] = (struct pending_cycle){e->ns, tac_event_data(e, 0).counter,
                                                       e->source, (uint32_t)e->payload};
}

static void write_cycle(struct tac_perfetto *o, const struct pending_cycle *k, uint64_t end)
{
    uint64_t late = k->deadline_ns && end != TAC_CAPTURE_OPEN && end > k->deadline_ns
                        ? end - k->deadline_ns
                        : 0;
    slice(o, k->begin_ns, end, tac_perfetto_uuid(SOURCE, k->source), late ? "missed" : "cycle",
          late ? "late ns" : "frames", late ? late : k->frames);
}

static void cycle_end(struct tac_perfetto *o, const struct tac_event *e, struct thread *t)
{
    uint32_t i = t->cycles;
    while (i && t->cycle[i - 1].source != e->source)
        i--;
    if (!i)
        return;
    write_cycle(o, &t->cycle[i - 1], e->ns);
    t->cycles = i - 1;
}

static void cut(struct tac_perfetto *o, const struct tac_event *e, struct thread *t)
{
    while (t->zones.count)
        zone_end(o, e->ns, e->thread, t, true);
    while (t->cycles) {
        const struct pending_cycle *k = &t->cycle[--t->cycles];
        write_cycle(o, k, e->ns > k->begin_ns ? e->ns : k->begin_ns);
    }
}

static void memory(struct tac_perfetto *o, const struct tac_event *e)
{
    uint64_t track = tac_perfetto_uuid(MEMORY, e->thread);
    size_t at = tac_perfetto_event(o, e->begin_ns, SLICE_BEGIN, track);
    tac_proto_string(&o->p, EVENT_NAME, tac_export_memory_op(e->payload >> 48));
    tac_perfetto_annotate(o, "bytes", e->payload & 0xffffffffffffull);
    tac_perfetto_annotate(o, "address", tac_event_data(e, 0).counter);
    if (e->type == TAC_REC_REALLOC)
        tac_perfetto_annotate(o, "before", tac_event_data(e, 1).counter);
    tac_perfetto_event_end(o, at);
    tac_perfetto_event_end(o, tac_perfetto_event(o, e->ns, SLICE_END, track));
}

static void lock_wait(struct tac_perfetto *o, const struct tac_event *e)
{
    const char *holder = tac_capture_comm(o->c, (uint32_t)e->payload);
    char name[96];
    snprintf(name, sizeof name, "lock held by %.64s",
             (uint32_t)e->payload && holder ? holder : "somebody");
    slice(o, e->begin_ns, e->ns, tac_perfetto_uuid(LOCKS, e->thread), name, "lock",
          tac_event_data(e, 0).counter);
}

static void instant(struct tac_perfetto *o, const struct tac_event *e, const char *name,
                    const char *what, uint64_t value)
{
    size_t at = tac_perfetto_event(o, e->ns, INSTANT, tac_perfetto_uuid(THREAD, e->thread));
    tac_proto_string(&o->p, EVENT_NAME, name);
    tac_perfetto_annotate(o, what, value);
    tac_perfetto_event_end(o, at);
}

static void text(struct tac_perfetto *o, const struct tac_event *e)
{
    char name[TAC_TEXT_BYTES_MAX + 16];
    size_t n = e->payload & 0xff;
    memcpy(name, e->data, n);
    name[n] = 0;
    instant(o, e, name, "bytes", n);
}

static void flow(struct tac_perfetto *o, const struct tac_event *e)
{
    size_t at = tac_perfetto_event(o, e->ns, INSTANT, tac_perfetto_uuid(THREAD, e->thread));
    tac_proto_string(&o->p, EVENT_NAME, "flow");
    /* 0 is no id there */
    tac_proto_fixed64(&o->p, e->payload >> 48 == 2 ? EVENT_FLOW_END : EVENT_FLOW,
                      (e->payload & 0xffffffffffffull) + 1);
    tac_perfetto_event_end(o, at);
}

static void plot(struct tac_perfetto *o, const struct tac_event *e)
{
    size_t at = tac_perfetto_event(o, e->ns, COUNTER, tac_perfetto_uuid(PLOT, e->site));
    tac_proto_double(&o->p, EVENT_DOUBLE, tac_event_plot(e));
    tac_perfetto_event_end(o, at);
}

static void gap(struct tac_perfetto *o, const struct tac_event *e)
{
    uint64_t n = e->gap.dropped + e->gap.suppressed + e->gap.damaged;
    slice(o, e->begin_ns, e->ns, tac_perfetto_uuid(LOSS, e->thread), "events lost", "events", n);
    tac_perfetto_dropped(o, e->thread);
}

/* The own-process tier: from each "out" to the next "in" of the thread. */
static void off_cpu(struct tac_perfetto *o, const struct tac_format_kernel *k)
{
    uint32_t thread = tac_capture_thread_of(o->c, k->tid, k->ns);
    struct thread *t = thread < o->threads.count ? (struct thread *)o->threads.data + thread : NULL;
    if (!t)
        return;
    uint64_t track = tac_perfetto_uuid(OFF_CPU, thread);
    if (k->type == TAC_KERNEL_OUT && !t->off_cpu) {
        slice(o, k->ns, TAC_CAPTURE_OPEN, track, k->a ? "pre-empted" : "sleeping", NULL, 0);
        t->off_cpu = true;
    } else if (k->type == TAC_KERNEL_IN && t->off_cpu) {
        tac_perfetto_event_end(o, tac_perfetto_event(o, k->ns, SLICE_END, track));
        t->off_cpu = false;
    } else if (k->type == TAC_KERNEL_FAULT_MINOR || k->type == TAC_KERNEL_FAULT_MAJOR) {
        size_t at = tac_perfetto_event(o, k->ns, INSTANT, track);
        tac_proto_string(&o->p, EVENT_NAME,
                         k->type == TAC_KERNEL_FAULT_MINOR ? "page fault" : "major page fault");
        tac_perfetto_annotate(o, "address", k->a);
        tac_perfetto_annotate(o, "instruction", k->b);
        tac_perfetto_event_end(o, at);
    }
}

static void of_thread(struct tac_perfetto *o, const struct tac_event *e, struct thread *t)
{
    switch (e->type) {
    case TAC_REC_ZONE_BEGIN:
        zone_begin(o, e, t);
        break;
    case TAC_REC_ZONE_END:
        zone_end(o, e->ns, e->thread, t, false);
        break;
    case TAC_REC_ZONE_VALUE:
        tac_open_zones_say(&t->zones, e);
        break;
    case TAC_REC_CYCLE_BEGIN:
        cycle_begin(e, t);
        break;
    case TAC_REC_CYCLE_END:
        cycle_end(o, e, t);
        break;
    case TAC_EVENT_CUT:
        cut(o, e, t);
        break;
    case TAC_REC_GAP:
        gap(o, e);
        break;
    default:
        break;
    }
}

static void moment(struct tac_perfetto *o, const struct tac_event *e)
{
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
        memory(o, e);
        break;
    case TAC_REC_LOCK_WAIT:
        lock_wait(o, e);
        break;
    case TAC_REC_LOCK_HELD:
        instant(o, e, e->payload & 1 ? "lock taken" : "lock given back", "lock",
                tac_event_data(e, 0).counter);
        break;
    case TAC_REC_STACK:
        tac_perfetto_stack(o, e);
        break;
    default:
        break;
    }
}

static struct thread *thread_of(struct tac_perfetto *o, uint32_t i)
{
    while (o->threads.count <= i && !o->threads.failed)
        tac_list_add(&o->threads, sizeof(struct thread));
    return i < o->threads.count ? (struct thread *)o->threads.data + i : NULL;
}

/* The kernel's release: by it the viewer knows what the states of a switch mean. */
static void write_system(struct tac_perfetto *o)
{
    const char *kernel = tac_capture_meta(o->c, "kernel");
    const char *machine = tac_capture_meta(o->c, "machine");
    char release[128];
    if (o->has_system || !kernel)
        return;
    o->has_system = true;
    snprintf(release, sizeof release, "%.*s", (int)strcspn(kernel, " "), kernel);
    tac_perfetto_packet(o, 0, SEQUENCE);
    size_t at = tac_proto_begin(&o->p, PACKET_SYSTEM);
    size_t inner = tac_proto_begin(&o->p, 1); /* utsname */
    tac_proto_string(&o->p, 1, "Linux");
    tac_proto_string(&o->p, 3, release);
    tac_proto_string(&o->p, 4, machine ? machine : "");
    tac_proto_end(&o->p, inner);
    tac_proto_end(&o->p, at);
    tac_perfetto_packet_end(o);
}

static void event(void *me, const struct tac_capture *c, const struct tac_event *e)
{
    struct tac_perfetto *o = me;
    o->c = c;
    write_system(o);
    if (e->type == TAC_EVENT_KERNEL) {
        if (e->kernel->type == TAC_KERNEL_OUT || e->kernel->type == TAC_KERNEL_IN ||
            e->kernel->type == TAC_KERNEL_FAULT_MINOR || e->kernel->type == TAC_KERNEL_FAULT_MAJOR)
            off_cpu(o, e->kernel);
        else
            tac_perfetto_kernel(o, e->kernel);
    } else if (e->type == TAC_EVENT_KERNEL_STACK) {
        tac_perfetto_kernel_stack(o, e);
    } else if (e->thread == TAC_CAPTURE_NONE) {
        tac_perfetto_kernel_lost(o, &e->gap);
    } else {
        struct thread *t = thread_of(o, e->thread);
        if (t)
            of_thread(o, e, t);
        moment(o, e);
    }
}

static int open_file(const char *path, const struct tac_export_options *options, void **ret_me)
{
    struct tac_perfetto *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    o->frames_of.folders = options->symbols;
    o->file = fopen(path, "wbe");
    if (!o->file) {
        int error = -errno;
        free(o);
        return error;
    }
    *ret_me = o;
    return 0;
}

/* Cycles that had not ended are shown without an end; zones are open anyway. */
static void write_rest(struct tac_perfetto *o)
{
    struct thread *t = o->threads.data;
    for (size_t i = 0; i < o->threads.count; i++)
        while (t[i].cycles)
            write_cycle(o, &t[i].cycle[--t[i].cycles], TAC_CAPTURE_OPEN);
}

static uint64_t bytes(const void *me)
{
    return tac_export_written(((const struct tac_perfetto *)me)->file);
}

static int close_file(void *me, const struct tac_capture *c)
{
    struct tac_perfetto *o = me;
    o->c = c;
    if (c) {
        tac_perfetto_kernel_flush(o);
        write_rest(o);
    }
    int error = o->failed || o->threads.failed || o->dropped.failed ? -ENOMEM
                : ferror(o->file)                                   ? -EIO
                                                                    : 0;
    if (fclose(o->file) && !error)
        error = -errno;
    tac_perfetto_stacks_fini(o);
    tac_perfetto_marks_fini(o);
    tac_perfetto_tracks_fini(o);
    tac_list_fini(&o->threads);
    free(o);
    return error;
}

TAC_EXPORT(perfetto) = {
    .name = "perfetto",
    .suffix = ".pftrace",
    .doc = "Perfetto's protobuf: ui.perfetto.dev, trace_processor",
    .open = open_file,
    .event = event,
    .mark = tac_perfetto_mark,
    .bytes = bytes,
    .close = close_file,
};
