/* SPDX-License-Identifier: MIT
 * perfetto.c - a capture as Perfetto trace packets.
 *
 * Tracks: one per thread with its zones, messages and flows; below it, where there is something to
 * show, memory operations, lock waits, and the times off the CPU; one per cycle source; one per
 * plot; kernel events as ftrace bundles, from which the viewer makes CPU lanes and thread states. A
 * gap is a slice "events lost" and the packet after it says previous_packet_dropped. Field numbers:
 * protos/perfetto/trace of the Perfetto project. */
#include "capture/export.h"

#include "capture/proto.h"

#include <errno.h>
#include <stdlib.h>

enum { /* TracePacket */
       PACKET_FTRACE = 1,
       PACKET_TIME = 8,
       PACKET_SEQUENCE = 10,
       PACKET_EVENT = 11,
       PACKET_DROPPED = 42,
       PACKET_TRACK = 60,
       /* TrackDescriptor */
       TRACK_UUID = 1,
       TRACK_NAME = 2,
       TRACK_PROCESS = 3,
       TRACK_THREAD = 4,
       TRACK_PARENT = 5,
       TRACK_COUNTER = 8,
       /* TrackEvent */
       EVENT_ANNOTATION = 4,
       EVENT_TYPE = 9,
       EVENT_TRACK = 11,
       EVENT_CATEGORY = 22,
       EVENT_NAME = 23,
       EVENT_SOURCE = 33,
       EVENT_DOUBLE = 44,
       EVENT_FLOW = 47,
       EVENT_FLOW_END = 48,
};

enum { SLICE_BEGIN = 1, SLICE_END = 2, INSTANT = 3, COUNTER = 4 };

/* A track's uuid: what it shows, and of which thread, source or site. */
enum kind { PROCESS = 1, THREAD, MEMORY, LOCKS, OFF_CPU, LOSS, SOURCE, PLOT };

struct out {
    const struct tac_capture *c;
    FILE *file;
    struct tac_proto p;
    bool dropped; /* the next packet follows a gap */
};

static uint64_t uuid(enum kind kind, uint64_t index)
{
    return (uint64_t)kind << 32 | index;
}

static void packet_begin(struct out *o, uint64_t ns)
{
    o->p.n = 0;
    if (ns)
        tac_proto_uint(&o->p, PACKET_TIME, ns + o->c->boot_offset_ns);
    tac_proto_uint(&o->p, PACKET_SEQUENCE, 1);
    if (o->dropped)
        tac_proto_uint(&o->p, PACKET_DROPPED, 1);
    o->dropped = false;
}

static void packet_end(struct out *o)
{
    unsigned char head[16];
    struct tac_proto length = {0};
    tac_proto_varint(&length, o->p.n);
    head[0] = 1 << 3 | 2; /* Trace.packet */
    memcpy(head + 1, length.bytes, length.n);
    fwrite(head, 1, 1 + length.n, o->file);
    fwrite(o->p.bytes, 1, o->p.n, o->file);
}

static size_t event_begin(struct out *o, uint64_t ns, int type, uint64_t track)
{
    packet_begin(o, ns);
    size_t at = tac_proto_begin(&o->p, PACKET_EVENT);
    tac_proto_uint(&o->p, EVENT_TYPE, (uint64_t)type);
    tac_proto_uint(&o->p, EVENT_TRACK, track);
    return at;
}

static void event_end(struct out *o, size_t at)
{
    tac_proto_end(&o->p, at);
    packet_end(o);
}

static void annotate_uint(struct out *o, const char *name, uint64_t value)
{
    size_t at = tac_proto_begin(&o->p, EVENT_ANNOTATION);
    tac_proto_string(&o->p, 10, name);
    tac_proto_uint(&o->p, 3, value);
    tac_proto_end(&o->p, at);
}

static void slice_end(struct out *o, uint64_t ns, uint64_t track)
{
    if (ns != TAC_CAPTURE_OPEN)
        event_end(o, event_begin(o, ns, SLICE_END, track));
}

/* ---- tracks ------------------------------------------------------------------------------------
 */

static size_t track_begin(struct out *o, uint64_t id, uint64_t parent, const char *name)
{
    packet_begin(o, 0);
    size_t at = tac_proto_begin(&o->p, PACKET_TRACK);
    tac_proto_uint(&o->p, TRACK_UUID, id);
    if (parent)
        tac_proto_uint(&o->p, TRACK_PARENT, parent);
    if (name)
        tac_proto_string(&o->p, TRACK_NAME, name);
    return at;
}

static void track_end(struct out *o, size_t at)
{
    tac_proto_end(&o->p, at);
    packet_end(o);
}

static void write_process(struct out *o)
{
    const char *name = tac_capture_meta(o->c, "program");
    size_t at = track_begin(o, uuid(PROCESS, 0), 0, NULL);
    size_t inner = tac_proto_begin(&o->p, TRACK_PROCESS);
    tac_proto_uint(&o->p, 1, o->c->threads_count ? o->c->threads[0].pid : 1);
    tac_proto_string(&o->p, 6, name ? name : "program");
    tac_proto_end(&o->p, inner);
    track_end(o, at);
}

static void write_thread(struct out *o, size_t i)
{
    const struct tac_capture_thread *t = &o->c->threads[i];
    size_t at = track_begin(o, uuid(THREAD, i), 0, NULL);
    size_t inner = tac_proto_begin(&o->p, TRACK_THREAD);
    tac_proto_uint(&o->p, 1, t->pid);
    tac_proto_uint(&o->p, 2, t->tid);
    tac_proto_string(&o->p, 5, t->name);
    tac_proto_end(&o->p, inner);
    track_end(o, at);
    track_end(o, track_begin(o, uuid(MEMORY, i), uuid(THREAD, i), "memory operations"));
    track_end(o, track_begin(o, uuid(LOCKS, i), uuid(THREAD, i), "waits for locks"));
    track_end(o, track_begin(o, uuid(OFF_CPU, i), uuid(THREAD, i), "off the CPU"));
    track_end(o, track_begin(o, uuid(LOSS, i), uuid(THREAD, i), "events lost"));
}

/* Plots of equal site are one track. */
static void write_counter_track(struct out *o, size_t site)
{
    const struct tac_capture_site *s = &o->c->sites[site];
    size_t at = track_begin(o, uuid(PLOT, site), uuid(PROCESS, 0), s->name);
    size_t inner = tac_proto_begin(&o->p, TRACK_COUNTER);
    if (!strcmp(s->unit, "B"))
        tac_proto_uint(&o->p, 3, 3); /* UNIT_SIZE_BYTES */
    else if (*s->unit)
        tac_proto_string(&o->p, 6, s->unit);
    tac_proto_end(&o->p, inner);
    track_end(o, at);
}

static int write_tracks(struct out *o)
{
    bool *seen = calloc(o->c->sites_count + 1, sizeof *seen);
    if (!seen)
        return -ENOMEM;
    write_process(o);
    for (size_t i = 0; i < o->c->threads_count; i++)
        write_thread(o, i);
    for (size_t i = 0; i < o->c->sources_count; i++)
        track_end(o, track_begin(o, uuid(SOURCE, i), uuid(PROCESS, 0), o->c->sources[i].name));
    for (size_t i = 0; i < o->c->plots_count; i++)
        if (!seen[o->c->plots[i].site]) {
            seen[o->c->plots[i].site] = true;
            write_counter_track(o, o->c->plots[i].site);
        }
    free(seen);
    return 0;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static const char *category_name(uint32_t category)
{
    static const char *const name[] = {"app",  "cycle", "node", "task",   "memory",
                                       "lock", "call",  "plot", "control"};
    return category < sizeof name / sizeof *name ? name[category] : "user";
}

static void write_zone_begin(struct out *o, const struct tac_capture_zone *z)
{
    const struct tac_capture_site *s = &o->c->sites[z->site];
    size_t at = event_begin(o, z->begin_ns, SLICE_BEGIN, uuid(THREAD, z->thread));
    tac_proto_string(&o->p, EVENT_CATEGORY, category_name(s->category));
    tac_proto_string(&o->p, EVENT_NAME, s->name);
    if (z->value)
        annotate_uint(o, "value", z->value);
    if (*s->file) {
        size_t inner = tac_proto_begin(&o->p, EVENT_SOURCE);
        tac_proto_string(&o->p, 2, s->file);
        tac_proto_string(&o->p, 3, s->function);
        tac_proto_uint(&o->p, 4, s->line);
        tac_proto_end(&o->p, inner);
    }
    event_end(o, at);
}

/* Begins and ends of a thread in the order in which they happened: a zone ends before the next one
 * that is not inside it begins. */
static int write_zones_of(struct out *o, uint32_t thread)
{
    uint32_t *stack = malloc((o->c->zones_count + 1) * sizeof *stack);
    size_t depth = 0;
    if (!stack)
        return -ENOMEM;
    for (size_t i = 0; i <= o->c->zones_count; i++) {
        const struct tac_capture_zone *z = i < o->c->zones_count ? &o->c->zones[i] : NULL;
        if (z && z->thread != thread)
            continue;
        while (depth && (!z || stack[depth - 1] != z->parent))
            slice_end(o, o->c->zones[stack[--depth]].end_ns, uuid(THREAD, thread));
        if (z) {
            write_zone_begin(o, z);
            stack[depth++] = (uint32_t)i;
        }
    }
    free(stack);
    return 0;
}

static void write_slice(struct out *o, uint64_t begin, uint64_t end, uint64_t track,
                        const char *name, const char *what, uint64_t value)
{
    size_t at = event_begin(o, begin, SLICE_BEGIN, track);
    tac_proto_string(&o->p, EVENT_NAME, name);
    if (what)
        annotate_uint(o, what, value);
    event_end(o, at);
    slice_end(o, end, track);
}

static void write_cycles(struct out *o)
{
    for (size_t i = 0; i < o->c->cycles_count; i++) {
        const struct tac_capture_cycle *k = &o->c->cycles[i];
        uint64_t late = tac_capture_late_ns(k);
        write_slice(o, k->begin_ns, k->end_ns, uuid(SOURCE, k->source), late ? "missed" : "cycle",
                    late ? "late ns" : "frames", late ? late : k->frames);
    }
}

static void write_memory(struct out *o)
{
    static const char *const name[] = {"alloc",    "free",     "realloc",
                                       "pool get", "pool put", "refused"};
    for (size_t i = 0; i < o->c->memory_count; i++) {
        const struct tac_capture_memory *m = &o->c->memory[i];
        write_slice(o, m->begin_ns, m->end_ns, uuid(MEMORY, m->thread),
                    m->op < sizeof name / sizeof *name ? name[m->op] : "memory", "bytes", m->bytes);
    }
}

static void write_locks(struct out *o)
{
    for (size_t i = 0; i < o->c->locks_count; i++) {
        const struct tac_capture_lock *l = &o->c->locks[i];
        const char *holder = tac_capture_comm(o->c, l->holder_tid);
        char name[96];
        snprintf(name, sizeof name, "lock held by %.64s",
                 l->holder_tid && holder ? holder : "somebody");
        write_slice(o, l->begin_ns, l->end_ns, uuid(LOCKS, l->thread), name, "lock", l->lock);
    }
}

static void write_plots(struct out *o)
{
    for (size_t i = 0; i < o->c->plots_count; i++) {
        const struct tac_capture_plot *p = &o->c->plots[i];
        size_t at = event_begin(o, p->ns, COUNTER, uuid(PLOT, p->site));
        tac_proto_double(&o->p, EVENT_DOUBLE, p->value);
        event_end(o, at);
    }
}

static void write_messages(struct out *o)
{
    for (size_t i = 0; i < o->c->messages_count; i++) {
        const struct tac_capture_message *m = &o->c->messages[i];
        size_t at = event_begin(o, m->ns, INSTANT, uuid(THREAD, m->thread));
        tac_proto_string(&o->p, EVENT_NAME, m->text);
        annotate_uint(o, "value", m->value);
        event_end(o, at);
    }
    for (size_t i = 0; i < o->c->flows_count; i++) {
        const struct tac_capture_flow *f = &o->c->flows[i];
        size_t at = event_begin(o, f->ns, INSTANT, uuid(THREAD, f->thread));
        tac_proto_string(&o->p, EVENT_NAME, "flow");
        tac_proto_fixed64(&o->p, f->step == 2 ? EVENT_FLOW_END : EVENT_FLOW, f->id + 1);
        event_end(o, at);
    }
}

static void write_gaps(struct out *o)
{
    for (size_t i = 0; i < o->c->gaps_count; i++) {
        const struct tac_capture_gap *g = &o->c->gaps[i];
        if (g->thread == TAC_CAPTURE_NONE)
            continue;
        write_slice(o, g->begin_ns, g->end_ns, uuid(LOSS, g->thread), "events lost", "events",
                    g->dropped + g->suppressed);
        o->dropped = true;
    }
}

/* ---- kernel ------------------------------------------------------------------------------------
 */

static void write_name(struct out *o, uint32_t field, uint32_t tid)
{
    const char *name = tac_capture_comm(o->c, tid);
    tac_proto_string(&o->p, field, tid ? name ? name : "?" : "swapper");
}

static void write_switch(struct out *o, const struct tac_capture_kernel *k)
{
    size_t at = tac_proto_begin(&o->p, 4);
    write_name(o, 1, k->tid);
    tac_proto_uint(&o->p, 2, k->tid);
    tac_proto_uint(&o->p, 3, k->b & 0xffffffff);
    tac_proto_uint(&o->p, 4, k->b >> 32);
    write_name(o, 5, (uint32_t)(k->a >> 32));
    tac_proto_uint(&o->p, 6, k->a >> 32);
    tac_proto_uint(&o->p, 7, k->a & 0xffffffff);
    tac_proto_end(&o->p, at);
}

static void write_waking(struct out *o, const struct tac_capture_kernel *k)
{
    size_t at = tac_proto_begin(&o->p, 20);
    write_name(o, 1, (uint32_t)(k->a >> 32));
    tac_proto_uint(&o->p, 2, k->a >> 32);
    tac_proto_uint(&o->p, 3, k->a & 0xffffffff);
    tac_proto_uint(&o->p, 4, 1);
    tac_proto_uint(&o->p, 5, k->b >> 32);
    tac_proto_end(&o->p, at);
}

/* The number of an event with one number in FtraceEvent, or 0. */
static uint32_t simple_field(uint16_t type)
{
    switch (type) {
    case TAC_KERNEL_IRQ_BEGIN:
        return 36;
    case TAC_KERNEL_IRQ_END:
        return 37;
    case TAC_KERNEL_SOFTIRQ_BEGIN:
        return 24;
    case TAC_KERNEL_SOFTIRQ_END:
        return 25;
    default:
        return 0;
    }
}

/* A bundle with one event. */
static void write_ftrace(struct out *o, const struct tac_capture_kernel *k)
{
    uint32_t simple = simple_field(k->type);
    if (k->type != TAC_KERNEL_SWITCH && k->type != TAC_KERNEL_WAKING && !simple)
        return;
    packet_begin(o, k->ns);
    size_t bundle = tac_proto_begin(&o->p, PACKET_FTRACE);
    tac_proto_uint(&o->p, 1, k->cpu);
    size_t event = tac_proto_begin(&o->p, 2);
    tac_proto_uint(&o->p, 1, k->ns + o->c->boot_offset_ns);
    tac_proto_uint(&o->p, 2, k->tid);
    if (k->type == TAC_KERNEL_SWITCH) {
        write_switch(o, k);
    } else if (k->type == TAC_KERNEL_WAKING) {
        write_waking(o, k);
    } else {
        size_t at = tac_proto_begin(&o->p, simple);
        tac_proto_uint(&o->p, 1, k->a);
        tac_proto_end(&o->p, at);
    }
    tac_proto_end(&o->p, event);
    tac_proto_end(&o->p, bundle);
    packet_end(o);
}

/* The own-process tier: from each "out" to the next "in" of the thread. */
static void write_off_cpu(struct out *o, size_t i)
{
    const struct tac_capture_kernel *k = &o->c->kernel[i];
    uint32_t thread = tac_capture_thread_of(o->c, k->tid, k->ns);
    if (thread == TAC_CAPTURE_NONE)
        return;
    if (k->type == TAC_KERNEL_OUT) {
        size_t at = event_begin(o, k->ns, SLICE_BEGIN, uuid(OFF_CPU, thread));
        tac_proto_string(&o->p, EVENT_NAME, k->a ? "pre-empted" : "sleeping");
        event_end(o, at);
    } else if (k->type == TAC_KERNEL_IN) {
        slice_end(o, k->ns, uuid(OFF_CPU, thread));
    } else if (k->type == TAC_KERNEL_FAULT_MINOR || k->type == TAC_KERNEL_FAULT_MAJOR) {
        size_t at = event_begin(o, k->ns, INSTANT, uuid(OFF_CPU, thread));
        tac_proto_string(&o->p, EVENT_NAME,
                         k->type == TAC_KERNEL_FAULT_MINOR ? "page fault" : "major page fault");
        annotate_uint(o, "address", k->a);
        event_end(o, at);
    }
}

int tac_export_perfetto(const struct tac_capture *capture, FILE *file)
{
    struct out *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    o->c = capture;
    o->file = file;
    int error = write_tracks(o);
    for (uint32_t i = 0; i < capture->threads_count && !error; i++)
        error = write_zones_of(o, i);
    write_cycles(o);
    write_memory(o);
    write_locks(o);
    write_plots(o);
    write_messages(o);
    write_gaps(o);
    for (size_t i = 0; i < capture->kernel_count; i++) {
        write_ftrace(o, &capture->kernel[i]);
        write_off_cpu(o, i);
    }
    free(o);
    if (!error && (fflush(file) || ferror(file)))
        error = errno ? -errno : -EIO;
    return error;
}
