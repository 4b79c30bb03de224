/* SPDX-License-Identifier: MIT
 * perfetto_kernel.c - kernel events of the whole machine as ftrace bundles, from which the viewer
 * makes CPU lanes, thread states (R, R+, S, D) and wakers; what has no place there becomes instants
 * on a track of the CPU.
 *
 * A bundle holds events of one CPU in a row; it goes out when another CPU comes or it is full. */
#include "capture/export/perfetto.h"

enum { BUNDLE_BYTES = 3000 };

static void write_name(struct tac_perfetto *o, uint32_t field, uint32_t tid)
{
    const char *name = tac_capture_comm(o->c, tid);
    tac_proto_string(&o->bundle, field, tid ? name ? name : "?" : "swapper");
}

static void write_switch(struct tac_perfetto *o, const struct tac_format_kernel *k)
{
    struct tac_proto *p = &o->bundle;
    size_t at = tac_proto_begin(p, 4);
    write_name(o, 1, k->tid);
    tac_proto_uint(p, 2, k->tid);
    tac_proto_uint(p, 3, k->b & 0xffffffff);
    tac_proto_uint(p, 4, k->b >> 32);
    write_name(o, 5, (uint32_t)(k->a >> 32));
    tac_proto_uint(p, 6, k->a >> 32);
    tac_proto_uint(p, 7, k->a & 0xffffffff);
    tac_proto_end(p, at);
}

static void write_waking(struct tac_perfetto *o, const struct tac_format_kernel *k)
{
    struct tac_proto *p = &o->bundle;
    size_t at = tac_proto_begin(p, 20);
    write_name(o, 1, (uint32_t)(k->a >> 32));
    tac_proto_uint(p, 2, k->a >> 32);
    tac_proto_uint(p, 3, k->a & 0xffffffff);
    tac_proto_uint(p, 4, 1);
    tac_proto_uint(p, 5, k->b >> 32);
    tac_proto_end(p, at);
}

/* The number of an event with one number, or none, in FtraceEvent; 0: it has no place there. */
static uint32_t simple_field(uint16_t type)
{
    static const uint8_t field[TAC_KERNEL_TYPES] = {
        [TAC_KERNEL_IRQ_BEGIN] = 36,     [TAC_KERNEL_IRQ_END] = 37,
        [TAC_KERNEL_SOFTIRQ_BEGIN] = 24, [TAC_KERNEL_SOFTIRQ_END] = 25,
        [TAC_KERNEL_RECLAIM_BEGIN] = 46, [TAC_KERNEL_RECLAIM_END] = 47,
        [TAC_KERNEL_COMPACT_BEGIN] = 99, [TAC_KERNEL_COMPACT_END] = 103,
    };
    return type < TAC_KERNEL_TYPES ? field[type] : 0;
}

static void write_simple(struct tac_perfetto *o, const struct tac_format_kernel *k, uint32_t field)
{
    size_t at = tac_proto_begin(&o->bundle, field);
    if (field < 46)
        tac_proto_uint(&o->bundle, 1, k->a);
    tac_proto_end(&o->bundle, at);
}

static const char *name_of(uint16_t type)
{
    static const char *const name[TAC_KERNEL_TYPES] = {
        [TAC_KERNEL_FAULT] = "page fault",
        [TAC_KERNEL_MIGRATE] = "migrate",
        [TAC_KERNEL_FORK] = "fork",
        [TAC_KERNEL_MMAP_WAIT] = "mmap lock: wait",
        [TAC_KERNEL_MMAP_GOT] = "mmap lock: got",
        [TAC_KERNEL_MMAP_RELEASE] = "mmap lock: released",
        [TAC_KERNEL_PAGES] = "pages in one piece",
        [TAC_KERNEL_SIGNAL] = "signal",
        [TAC_KERNEL_IPI] = "interrupt of another core",
        [TAC_KERNEL_KSWAPD] = "kswapd is woken",
        [TAC_KERNEL_BLOCK_ISSUE] = "disk request",
        [TAC_KERNEL_BLOCK_DONE] = "disk request done",
        [TAC_KERNEL_PRIORITY] = "priority inherited",
        [TAC_KERNEL_EXIT] = "exit",
        [TAC_KERNEL_EXEC] = "exec",
        [TAC_KERNEL_FAULT_PROTECTED] = "write to a read-only page",
        [TAC_KERNEL_SAMPLE] = "sample",
        [TAC_KERNEL_PULSE] = "pulse",
    };
    return type < TAC_KERNEL_TYPES ? name[type] : NULL;
}

void tac_perfetto_kernel_flush(struct tac_perfetto *o)
{
    if (!o->bundle.n)
        return;
    tac_perfetto_packet(o, 0, SEQUENCE_KERNEL);
    tac_proto_bytes(&o->p, PACKET_FTRACE, o->bundle.bytes, o->bundle.n);
    tac_perfetto_packet_end(o);
    o->bundle.n = 0;
}

static void open_bundle(struct tac_perfetto *o, uint32_t cpu)
{
    if (o->bundle.n && (cpu != o->bundle_cpu || o->bundle.n > BUNDLE_BYTES || o->bundle_lost))
        tac_perfetto_kernel_flush(o);
    if (o->bundle.n)
        return;
    o->bundle_cpu = cpu;
    tac_proto_uint(&o->bundle, 1, cpu);
    if (o->bundle_lost)
        tac_proto_uint(&o->bundle, 3, 1); /* lost_events */
    o->bundle_lost = false;
}

static void write_ftrace(struct tac_perfetto *o, const struct tac_format_kernel *k, uint32_t simple)
{
    open_bundle(o, k->cpu);
    size_t at = tac_proto_begin(&o->bundle, 2);
    tac_proto_uint(&o->bundle, 1, k->ns + o->c->boot_offset_ns);
    tac_proto_uint(&o->bundle, 2, k->tid);
    if (k->type == TAC_KERNEL_SWITCH)
        write_switch(o, k);
    else if (k->type == TAC_KERNEL_WAKING)
        write_waking(o, k);
    else
        write_simple(o, k, simple);
    tac_proto_end(&o->bundle, at);
}

/* Where in its program a thread of the system met a page fault. */
static void annotate_place(struct tac_perfetto *o, const struct tac_format_kernel *k)
{
    uint32_t pid = tac_capture_pid_of(o->c, k->tid);
    char text[200];
    if (tac_capture_module_in(o->c, pid, k->b) && tac_frames_symbols(&o->frames_of, o->c))
        tac_perfetto_annotate_text(
            o, "at",
            tac_symbol_text(tac_symbols_find_in(o->frames_of.symbols, pid, k->b, TAC_SYMBOL_EXACT),
                            text, sizeof text));
}

/* RUNTIME is left out: the viewer takes it from the switches. */
void tac_perfetto_kernel(struct tac_perfetto *o, const struct tac_format_kernel *k)
{
    uint32_t simple = simple_field(k->type);
    const char *name = name_of(k->type);
    if (k->type == TAC_KERNEL_SWITCH || k->type == TAC_KERNEL_WAKING || simple) {
        write_ftrace(o, k, simple);
    } else if (name) {
        size_t at = tac_perfetto_event(o, k->ns, INSTANT, tac_perfetto_uuid(CPU, k->cpu));
        tac_proto_string(&o->p, EVENT_NAME, name);
        tac_perfetto_annotate(o, "tid", k->tid);
        tac_perfetto_annotate(o, "a", k->a);
        tac_perfetto_annotate(o, "b", k->b);
        if (k->type == TAC_KERNEL_FAULT || k->type == TAC_KERNEL_SAMPLE)
            annotate_place(o, k);
        tac_perfetto_event_end(o, at);
    }
}

void tac_perfetto_kernel_lost(struct tac_perfetto *o, const struct tac_capture_gap *gap)
{
    o->bundle_lost = true;
    size_t at = tac_perfetto_event(o, gap->begin_ns, INSTANT, tac_perfetto_uuid(CPU, gap->cpu));
    tac_proto_string(&o->p, EVENT_NAME, "kernel events lost");
    tac_perfetto_annotate(o, "events", gap->dropped);
    tac_perfetto_event_end(o, at);
}
