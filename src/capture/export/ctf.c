/* SPDX-License-Identifier: MIT
 * ctf.c - a recording as a Common Trace Format 1.8 trace: babeltrace2, Trace Compass.
 *
 * A folder with `metadata` (the text that describes all layouts) and one stream file per thread and
 * per CPU. Each packet says how many events of its stream were discarded until its end; a packet is
 * closed before a gap and another one after it, so that readers can tell where. All fields are
 * aligned to bytes, so a packet is a plain row of numbers and zero-ended strings. Memory: one
 * packet for each stream (ctf_stream.c); files are open only while a packet is written.
 *
 * Source: diamon.org/ctf, version 1.8.3. */
#include "capture/export.h"
#include "capture/export/ctf_stream.h"
#include "capture/export/export_names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Numbers of events within their stream. */
enum {
    THREAD_NAME,
    ZONE_BEGIN,
    ZONE_END,
    ZONE_VALUE,
    ZONE_TEXT,
    PLOT,
    MESSAGE,
    TEXT,
    FLOW,
    MEMORY,
    LOCK_WAIT,
    LOCK_HELD,
    CYCLE_BEGIN,
    CYCLE_END,
    STACK,
    OFF_CPU,
    ON_CPU,
    PAGE_FAULT,
    STACK_OF_THREAD
};
enum {
    SCHED_SWITCH,
    SCHED_WAKING,
    IRQ_ENTRY,
    IRQ_EXIT,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    KERNEL_EVENT,
    STACK_OF_CPU
};

static const char head_text[] =
    "/* CTF 1.8 */\n"
    "typealias integer { size = 8; align = 8; signed = false; } := u8;\n"
    "typealias integer { size = 16; align = 8; signed = false; } := u16;\n"
    "typealias integer { size = 32; align = 8; signed = false; } := u32;\n"
    "typealias integer { size = 64; align = 8; signed = false; } := u64;\n"
    "typealias integer { size = 64; align = 8; signed = false; base = 16; } := x64;\n"
    "typealias integer { size = 32; align = 8; signed = true; } := i32;\n"
    "typealias integer { size = 64; align = 8; signed = true; } := i64;\n"
    "typealias floating_point { exp_dig = 11; mant_dig = 53; align = 8; } := f64;\n"
    "trace {\n major = 1; minor = 8; byte_order = le;\n"
    " packet.header := struct { u32 magic; u32 stream_id; };\n};\n"
    "env { tracer_name = \"tactus\"; };\n"
    "clock { name = monotonic; freq = 1000000000; description = \"CLOCK_MONOTONIC\"; };\n"
    "typealias integer { size = 64; align = 8; signed = false; map = clock.monotonic.value; } := "
    "time;\n";

static const char *const stream_text =
    "stream {\n id = %d;\n event.header := struct { u16 id; time timestamp; };\n"
    " packet.context := struct { time timestamp_begin; time timestamp_end; u64 content_size;\n"
    "  u64 packet_size; u64 events_discarded; u32 %s; u32 %s; };\n};\n";

#define STACK_FIELDS "i32 tid; u8 kernel; string functions; u8 count; x64 ip[count];"
static const struct {
    int stream, id;
    const char *name, *fields;
} events[] = {
    {TAC_CTF_STREAM_THREAD, THREAD_NAME, "thread_name", "string name;"},
    {TAC_CTF_STREAM_THREAD, ZONE_BEGIN, "zone_begin",
     "string name; u32 category; string function; string file; u32 line;"},
    {TAC_CTF_STREAM_THREAD, ZONE_END, "zone_end", "u8 lost;"},
    {TAC_CTF_STREAM_THREAD, ZONE_VALUE, "zone_value", "u64 value;"},
    {TAC_CTF_STREAM_THREAD, ZONE_TEXT, "zone_text", "string text;"},
    {TAC_CTF_STREAM_THREAD, PLOT, "plot", "string name; string unit; f64 value;"},
    {TAC_CTF_STREAM_THREAD, MESSAGE, "message", "string text; u64 value;"},
    {TAC_CTF_STREAM_THREAD, TEXT, "text", "string text;"},
    {TAC_CTF_STREAM_THREAD, FLOW, "flow", "u8 step; u64 flow_id;"},
    {TAC_CTF_STREAM_THREAD, MEMORY, "memory", "u32 op; u64 bytes; x64 ptr; x64 old; u64 duration;"},
    {TAC_CTF_STREAM_THREAD, LOCK_WAIT, "lock_wait", "x64 lock; u32 holder_tid; u64 duration;"},
    {TAC_CTF_STREAM_THREAD, LOCK_HELD, "lock_held", "x64 lock; u8 taken;"},
    {TAC_CTF_STREAM_THREAD, CYCLE_BEGIN, "cycle_begin", "string source; u32 frames; u64 deadline;"},
    {TAC_CTF_STREAM_THREAD, CYCLE_END, "cycle_end", "string source;"},
    {TAC_CTF_STREAM_THREAD, STACK, "stack", "u8 count; x64 ip[count];"},
    {TAC_CTF_STREAM_THREAD, OFF_CPU, "off_cpu", "u8 preempted;"},
    {TAC_CTF_STREAM_THREAD, ON_CPU, "on_cpu", "u8 unused;"},
    {TAC_CTF_STREAM_THREAD, PAGE_FAULT, "page_fault", "x64 address; x64 ip; u8 major;"},
    {TAC_CTF_STREAM_THREAD, STACK_OF_THREAD, "stack_of_thread", STACK_FIELDS},
    {TAC_CTF_STREAM_CPU, SCHED_SWITCH, "sched_switch",
     "string prev_comm; i32 prev_tid; i32 prev_prio; i64 prev_state; string next_comm; "
     "i32 next_tid; i32 next_prio;"},
    {TAC_CTF_STREAM_CPU, SCHED_WAKING, "sched_waking",
     "string comm; i32 tid; i32 prio; i32 target_cpu; i32 waker_tid; u8 from_interrupt;"},
    {TAC_CTF_STREAM_CPU, IRQ_ENTRY, "irq_handler_entry", "i32 irq;"},
    {TAC_CTF_STREAM_CPU, IRQ_EXIT, "irq_handler_exit", "i32 irq;"},
    {TAC_CTF_STREAM_CPU, SOFTIRQ_ENTRY, "softirq_entry", "u32 vec;"},
    {TAC_CTF_STREAM_CPU, SOFTIRQ_EXIT, "softirq_exit", "u32 vec;"},
    {TAC_CTF_STREAM_CPU, KERNEL_EVENT, "kernel_event", "u16 type; i32 tid; x64 a; x64 b;"},
    {TAC_CTF_STREAM_CPU, STACK_OF_CPU, "stack_of_cpu", STACK_FIELDS},
};

static struct tac_ctf_stream *thread_stream(struct tac_ctf *o, uint32_t thread, uint64_t ns)
{
    size_t before = o->streams.count;
    struct tac_ctf_stream *s = tac_ctf_stream_of(o, TAC_CTF_STREAM_THREAD, thread);
    if (s && o->streams.count > before) {
        tac_ctf_event_begin(o, s, THREAD_NAME, ns);
        tac_ctf_put_string(s, o->c->threads[thread & ~TAC_CTF_OF_KERNEL].name);
    }
    return s;
}

/* ---- events ---- */

static void zone(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    const struct tac_capture_site *site = &o->c->sites[e->site];
    tac_ctf_event_begin(o, s, ZONE_BEGIN, e->ns);
    tac_ctf_put_string(s, site->name);
    tac_ctf_put32(s, site->category);
    tac_ctf_put_string(s, site->function);
    tac_ctf_put_string(s, site->file);
    tac_ctf_put32(s, site->line);
    s->zones++;
}

static void zone_end(struct tac_ctf *o, struct tac_ctf_stream *s, uint64_t ns, bool is_lost)
{
    if (!s->zones)
        return;
    s->zones--;
    tac_ctf_event_begin(o, s, ZONE_END, ns);
    tac_ctf_put8(s, is_lost);
}

static void zone_value(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    bool has_text = e->site != TAC_CAPTURE_NONE;
    tac_ctf_event_begin(o, s, has_text ? ZONE_TEXT : ZONE_VALUE, e->ns);
    if (has_text)
        tac_ctf_put_string(s, o->c->sites[e->site].name);
    else
        tac_ctf_put64(s, e->value);
}

static void plot(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    tac_ctf_event_begin(o, s, PLOT, e->ns);
    tac_ctf_put_string(s, o->c->sites[e->site].name);
    tac_ctf_put_string(s, o->c->sites[e->site].unit);
    tac_ctf_put64(s, tac_event_data(e, 0).counter);
}

static void message(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    char text[256] = "";
    if (e->type == TAC_REC_MESSAGE) {
        tac_ctf_event_begin(o, s, MESSAGE, e->ns);
        tac_ctf_put_string(s, o->c->sites[e->site].name);
        tac_ctf_put64(s, tac_event_data(e, 0).counter);
        return;
    }
    memcpy(text, e->data, e->payload & 0xff);
    tac_ctf_event_begin(o, s, TEXT, e->ns);
    tac_ctf_put_string(s, text);
}

static void memory(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    tac_ctf_event_begin(o, s, MEMORY, e->ns);
    tac_ctf_put32(s, e->payload >> 48);
    tac_ctf_put64(s, e->payload & 0xffffffffffffull);
    tac_ctf_put64(s, tac_event_data(e, 0).counter);
    tac_ctf_put64(s, e->type == TAC_REC_REALLOC ? tac_event_data(e, 1).counter : 0);
    tac_ctf_put64(s, e->ns - e->begin_ns);
}

static void lock(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    bool waited = e->type == TAC_REC_LOCK_WAIT;
    tac_ctf_event_begin(o, s, waited ? LOCK_WAIT : LOCK_HELD, e->ns);
    tac_ctf_put64(s, tac_event_data(e, 0).counter);
    if (waited) {
        tac_ctf_put32(s, (uint32_t)e->payload);
        tac_ctf_put64(s, e->ns - e->begin_ns);
    } else {
        tac_ctf_put8(s, e->payload & 1);
    }
}

static void cycle(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    bool begins = e->type == TAC_REC_CYCLE_BEGIN;
    tac_ctf_event_begin(o, s, begins ? CYCLE_BEGIN : CYCLE_END, e->ns);
    tac_ctf_put_string(s, o->c->sources[e->source].name);
    if (begins) {
        tac_ctf_put32(s, (uint32_t)e->payload);
        tac_ctf_put64(s, tac_event_data(e, 0).counter);
    }
}

static void stack(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    uint32_t count = (uint32_t)(e->payload & 0x3f);
    tac_ctf_event_begin(o, s, STACK, e->ns);
    tac_ctf_put8(s, count);
    tac_ctf_put(s, e->data, count * sizeof(uint64_t));
}

/* The packet until here, an empty one if there was none, then count: readers see by two packets
 * that events are missing between them. */
static void gap(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    if (tac_ctf_is_empty(s))
        s->begin_ns = s->last_ns = e->begin_ns > s->last_ns ? e->begin_ns : s->last_ns;
    if (!tac_ctf_is_empty(s) || !s->packets)
        tac_ctf_write_packet(o, s);
    s->discarded += e->gap.dropped + e->gap.suppressed + e->gap.damaged;
    s->last_ns = e->ns > s->last_ns ? e->ns : s->last_ns;
}

static void of_thread(struct tac_ctf *o, const struct tac_event *e, struct tac_ctf_stream *s)
{
    switch (e->type) {
    case TAC_REC_ZONE_BEGIN:
        zone(o, e, s);
        break;
    case TAC_REC_ZONE_END:
        zone_end(o, s, e->ns, false);
        break;
    case TAC_REC_ZONE_VALUE:
        zone_value(o, e, s);
        break;
    case TAC_REC_PLOT:
        plot(o, e, s);
        break;
    case TAC_REC_MESSAGE:
    case TAC_REC_TEXT:
        message(o, e, s);
        break;
    case TAC_REC_FLOW:
        tac_ctf_event_begin(o, s, FLOW, e->ns);
        tac_ctf_put8(s, e->payload >> 48);
        tac_ctf_put64(s, e->payload & 0xffffffffffffull);
        break;
    case TAC_REC_MEMORY:
    case TAC_REC_REALLOC:
        memory(o, e, s);
        break;
    case TAC_REC_LOCK_WAIT:
    case TAC_REC_LOCK_HELD:
        lock(o, e, s);
        break;
    case TAC_REC_CYCLE_BEGIN:
    case TAC_REC_CYCLE_END:
        cycle(o, e, s);
        break;
    case TAC_REC_STACK:
        stack(o, e, s);
        break;
    case TAC_REC_GAP:
        gap(o, e, s);
        break;
    case TAC_EVENT_CUT:
        while (s->zones)
            zone_end(o, s, e->ns, true);
        break;
    default:
        break;
    }
}

/* ---- kernel ---- */

static void put_comm(struct tac_ctf *o, struct tac_ctf_stream *s, uint32_t tid)
{
    const char *name = tac_capture_comm(o->c, tid);
    tac_ctf_put_string(s, tid ? name ? name : "?" : "swapper");
}

static void context_switch(struct tac_ctf *o, struct tac_ctf_stream *s,
                           const struct tac_format_kernel *k)
{
    tac_ctf_event_begin(o, s, SCHED_SWITCH, k->ns);
    put_comm(o, s, k->tid);
    tac_ctf_put32(s, k->tid);
    tac_ctf_put32(s, k->b);
    tac_ctf_put64(s, k->b >> 32);
    put_comm(o, s, (uint32_t)(k->a >> 32));
    tac_ctf_put32(s, k->a >> 32);
    tac_ctf_put32(s, k->a);
}

static void waking(struct tac_ctf *o, struct tac_ctf_stream *s, const struct tac_format_kernel *k)
{
    tac_ctf_event_begin(o, s, SCHED_WAKING, k->ns);
    put_comm(o, s, (uint32_t)(k->a >> 32));
    tac_ctf_put32(s, k->a >> 32);
    tac_ctf_put32(s, k->a);
    tac_ctf_put32(s, k->b >> 32);
    tac_ctf_put32(s, k->tid);
    tac_ctf_put8(s, k->b & 1);
}

static void own_tier(struct tac_ctf *o, const struct tac_format_kernel *k)
{
    uint32_t thread = tac_capture_thread_of(o->c, k->tid, k->ns);
    struct tac_ctf_stream *s =
        thread == TAC_CAPTURE_NONE ? NULL : thread_stream(o, thread | TAC_CTF_OF_KERNEL, k->ns);
    if (!s)
        return;
    bool fault = k->type == TAC_KERNEL_FAULT_MINOR || k->type == TAC_KERNEL_FAULT_MAJOR;
    tac_ctf_event_begin(o, s,
                        fault                       ? PAGE_FAULT
                        : k->type == TAC_KERNEL_OUT ? OFF_CPU
                                                    : ON_CPU,
                        k->ns);
    if (fault) {
        tac_ctf_put64(s, k->a);
        tac_ctf_put64(s, k->b);
    }
    tac_ctf_put8(s, fault ? k->type == TAC_KERNEL_FAULT_MAJOR : k->a);
}

static void kernel(struct tac_ctf *o, const struct tac_format_kernel *k)
{
    static const uint8_t numbered[TAC_KERNEL_TYPES] = {[TAC_KERNEL_IRQ_BEGIN] = IRQ_ENTRY,
                                                       [TAC_KERNEL_IRQ_END] = IRQ_EXIT,
                                                       [TAC_KERNEL_SOFTIRQ_BEGIN] = SOFTIRQ_ENTRY,
                                                       [TAC_KERNEL_SOFTIRQ_END] = SOFTIRQ_EXIT};
    if (k->type == TAC_KERNEL_OUT || k->type == TAC_KERNEL_IN ||
        k->type == TAC_KERNEL_FAULT_MINOR || k->type == TAC_KERNEL_FAULT_MAJOR) {
        own_tier(o, k);
        return;
    }
    struct tac_ctf_stream *s = tac_ctf_stream_of(o, TAC_CTF_STREAM_CPU, k->cpu);
    uint8_t number = k->type < TAC_KERNEL_TYPES ? numbered[k->type] : 0;
    if (!s) {
        return;
    } else if (k->type == TAC_KERNEL_SWITCH) {
        context_switch(o, s, k);
    } else if (k->type == TAC_KERNEL_WAKING) {
        waking(o, s, k);
    } else if (number) {
        tac_ctf_event_begin(o, s, number, k->ns);
        tac_ctf_put32(s, k->a);
    } else if (k->type != TAC_KERNEL_LOST) {
        tac_ctf_event_begin(o, s, KERNEL_EVENT, k->ns);
        tac_ctf_put16(s, k->type);
        tac_ctf_put32(s, k->tid);
        tac_ctf_put64(s, k->a);
        tac_ctf_put64(s, k->b);
    }
}

/* With the CPU's events, or, from the own-process tier, which does not know the CPU, with those
 * that it tells of the thread. */
static void kernel_stack(struct tac_ctf *o, const struct tac_event *e)
{
    const struct tac_format_stack *k = e->stack;
    bool is_of_cpu = k->cpu != 0xffff;
    uint32_t thread = is_of_cpu ? TAC_CAPTURE_NONE : tac_capture_thread_of(o->c, k->tid, e->ns);
    struct tac_ctf_stream *s = is_of_cpu ? tac_ctf_stream_of(o, TAC_CTF_STREAM_CPU, k->cpu)
                               : thread != TAC_CAPTURE_NONE
                                   ? thread_stream(o, thread | TAC_CTF_OF_KERNEL, e->ns)
                                   : NULL;
    char text[256];
    if (!s)
        return;
    tac_frames_line(&o->frames, o->c, e, text, sizeof text);
    tac_ctf_event_begin(o, s, is_of_cpu ? STACK_OF_CPU : STACK_OF_THREAD, e->ns);
    tac_ctf_put32(s, k->tid);
    tac_ctf_put8(s, k->kind == TAC_STACK_KERNEL);
    tac_ctf_put_string(s, text);
    tac_ctf_put8(s, k->count);
    tac_ctf_put(s, e->data, k->count * sizeof(uint64_t));
}

static void event(void *me, const struct tac_capture *c, const struct tac_event *e)
{
    struct tac_ctf *o = me;
    struct tac_ctf_stream *s;
    o->c = c;
    if (e->type == TAC_EVENT_KERNEL) {
        kernel(o, e->kernel);
    } else if (e->type == TAC_EVENT_KERNEL_STACK) {
        kernel_stack(o, e);
    } else if (e->type == TAC_REC_GAP && e->thread == TAC_CAPTURE_NONE) {
        if ((s = tac_ctf_stream_of(o, TAC_CTF_STREAM_CPU, e->gap.cpu)))
            gap(o, e, s);
    } else if (e->thread != TAC_CAPTURE_NONE && (s = thread_stream(o, e->thread, e->ns))) {
        of_thread(o, e, s);
    }
}

/* ---- the folder ---- */

static int write_metadata(int folder)
{
    int fd = openat(folder, "metadata", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        int error = -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    fputs(head_text, file);
    fprintf(file, stream_text, TAC_CTF_STREAM_THREAD, "pid", "tid");
    fprintf(file, stream_text, TAC_CTF_STREAM_CPU, "cpu_id", "unused");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        fprintf(file,
                "event { name = \"%s\"; id = %d; stream_id = %d; fields := struct { %s }; };\n",
                events[i].name, events[i].id, events[i].stream, events[i].fields);
    int error = ferror(file) ? -EIO : 0;
    return fclose(file) && !error ? -errno : error;
}

static int open_folder(const char *path, const struct tac_export_options *options, void **ret_me)
{
    struct tac_ctf *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    o->frames.folders = options->symbols;
    int error = mkdir(path, 0755) ? -errno : 0;
    o->path = error ? NULL : strdup(path);
    o->folder = error ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!error && (o->folder < 0 || !o->path))
        error = o->path ? -errno : -ENOMEM;
    if (!error)
        error = write_metadata(o->folder);
    if (error) {
        if (o->folder >= 0)
            close(o->folder);
        free(o->path);
        free(o);
        return error;
    }
    *ret_me = o;
    return 0;
}

static uint64_t bytes(const void *me)
{
    return ((const struct tac_ctf *)me)->bytes;
}

static int close_folder(void *me, const struct tac_capture *c)
{
    struct tac_ctf *o = me;
    struct tac_ctf_stream **s = o->streams.data;
    o->c = c;
    for (size_t i = 0; i < o->streams.count; i++) {
        if (c && s[i]->n == TAC_CTF_CONTEXT_BYTES &&
            s[i]->discarded) { /* what was lost last must be told */
            tac_ctf_event_begin(o, s[i], s[i]->id == TAC_CTF_STREAM_THREAD ? TEXT : KERNEL_EVENT,
                                s[i]->last_ns);
            if (s[i]->id == TAC_CTF_STREAM_THREAD)
                tac_ctf_put_string(s[i], "events lost before this");
            else
                for (int k = 0; k < 22; k++) /* a kernel_event of type 0 */
                    tac_ctf_put8(s[i], 0);
        }
        if (c && !tac_ctf_is_empty(s[i]))
            tac_ctf_write_packet(o, s[i]);
        free(s[i]);
    }
    if (!o->packets) { /* nothing was exported: leave nothing */
        unlinkat(o->folder, "metadata", 0);
        rmdir(o->path);
    }
    int error = o->error ? o->error : o->streams.failed || o->frames.failed ? -ENOMEM : 0;
    close(o->folder);
    tac_idmap_fini(&o->place);
    tac_list_fini(&o->streams);
    tac_frames_fini(&o->frames);
    free(o->path);
    free(o);
    return error;
}

TAC_EXPORT(ctf) = {
    .name = "ctf",
    .suffix = ".ctf",
    .doc = "Common Trace Format 1.8, a folder: babeltrace2, Trace Compass",
    .open = open_folder,
    .event = event,
    .bytes = bytes,
    .close = close_folder,
};
