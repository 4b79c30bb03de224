/* SPDX-License-Identifier: MIT
 * perfetto_stacks.c - call stacks as interned data: frames with function, file and line where they
 * are known, and with mapping, build-id and offset in any case, so that they can be named later.
 *
 * Frames and mappings are written once; each stack is an instant that names its own. They have a
 * packet sequence of their own, so that losses of a thread do not make them unreadable. */
#include "capture/export/perfetto.h"

#include <stdlib.h>

enum {
    INTERNED_STRING_FUNCTION = 5,
    INTERNED_FRAME = 6,
    INTERNED_CALLSTACK = 7,
    INTERNED_BUILD_ID = 16,
    INTERNED_PATH = 17,
    INTERNED_SOURCE = 18,
    INTERNED_MAPPING = 19
};
enum { STATE_CLEARED = 1, STATE_NEEDED = 2 };

struct mapping {
    uint64_t start;
    const char *path;
};

static void intern_string(struct tac_perfetto *o, uint32_t field, uint64_t iid, const void *text,
                          size_t n)
{
    size_t at = tac_proto_begin(&o->p, field);
    tac_proto_uint(&o->p, 1, iid);
    tac_proto_bytes(&o->p, 2, text, n);
    tac_proto_end(&o->p, at);
}

static uint64_t intern_text(struct tac_perfetto *o, uint32_t field, const char *text)
{
    intern_string(o, field, ++o->strings, text, strnlen(text, 255));
    return o->strings;
}

/* The build-id's own bytes. */
static uint64_t intern_build_id(struct tac_perfetto *o, const char *hex)
{
    unsigned char bytes[64];
    size_t n = 0;
    for (unsigned byte; n < sizeof bytes && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        bytes[n] = (unsigned char)byte;
    intern_string(o, INTERNED_BUILD_ID, ++o->strings, bytes, n);
    return o->strings;
}

static uint64_t intern_mapping(struct tac_perfetto *o, const struct tac_capture_module *m)
{
    const struct mapping *known = o->mappings.data;
    for (size_t i = 0; i < o->mappings.count; i++)
        if (known[i].start == m->start && known[i].path == m->path)
            return i + 1;
    struct mapping *added = tac_list_add(&o->mappings, sizeof *added);
    if (!added)
        return 0;
    *added = (struct mapping){m->start, m->path};
    uint64_t build_id = *m->build_id ? intern_build_id(o, m->build_id) : 0;
    uint64_t path = intern_text(o, INTERNED_PATH, m->path);
    size_t at = tac_proto_begin(&o->p, INTERNED_MAPPING);
    tac_proto_uint(&o->p, 1, o->mappings.count);
    if (build_id)
        tac_proto_uint(&o->p, 2, build_id);
    tac_proto_uint(&o->p, 4, m->start);
    tac_proto_uint(&o->p, 5, m->end);
    tac_proto_uint(&o->p, 7, path);
    tac_proto_uint(&o->p, 8, m->offset);
    tac_proto_end(&o->p, at);
    return o->mappings.count;
}

static void intern_frame(struct tac_perfetto *o, uint64_t iid, uint64_t address)
{
    const struct tac_capture_module *m = tac_capture_module_of(o->c, address);
    const struct tac_symbol *s =
        o->frames_of.symbols ? tac_symbols_find(o->frames_of.symbols, address, TAC_SYMBOL_RETURN)
                             : NULL;
    uint64_t mapping = m ? intern_mapping(o, m) : 0;
    uint64_t function =
        s && *s->function ? intern_text(o, INTERNED_STRING_FUNCTION, s->function) : 0;
    uint64_t source = s && s->line ? intern_text(o, INTERNED_SOURCE, s->file) : 0;
    size_t at = tac_proto_begin(&o->p, INTERNED_FRAME);
    tac_proto_uint(&o->p, 1, iid);
    if (function)
        tac_proto_uint(&o->p, 2, function);
    if (mapping) {
        tac_proto_uint(&o->p, 3, mapping);
        tac_proto_uint(&o->p, 4, address - m->start + m->offset);
    }
    if (source) {
        tac_proto_uint(&o->p, 5, source);
        tac_proto_uint(&o->p, 6, s->line);
    }
    tac_proto_end(&o->p, at);
}

/* The number of a frame, which is written when it is new. */
static uint64_t frame_of(struct tac_perfetto *o, uint64_t address)
{
    uint32_t number = tac_idmap_get(&o->frames, address);
    if (!number) {
        number = o->frames.count + 1;
        o->failed = !tac_idmap_put(&o->frames, address, number) || o->failed;
        intern_frame(o, number, address);
    }
    return number;
}

static void intern_stack(struct tac_perfetto *o, const struct tac_event *e, uint32_t count)
{
    uint64_t pc[TAC_STACK_MAX], frame[TAC_STACK_MAX];
    memcpy(pc, e->data, count * sizeof *pc);
    size_t interned = tac_proto_begin(&o->p, PACKET_INTERNED);
    for (uint32_t i = 0; i < count; i++)
        frame[i] = frame_of(o, pc[i]);
    size_t at = tac_proto_begin(&o->p, INTERNED_CALLSTACK);
    tac_proto_uint(&o->p, 1, ++o->callstacks);
    for (uint32_t i = count; i > 0; i--) /* the outermost first */
        tac_proto_uint(&o->p, 2, frame[i - 1]);
    tac_proto_end(&o->p, at);
    tac_proto_end(&o->p, interned);
}

void tac_perfetto_stack(struct tac_perfetto *o, const struct tac_event *e)
{
    uint32_t count = (uint32_t)(e->payload & 0x3f);
    count = count < TAC_STACK_MAX ? count : TAC_STACK_MAX;
    o->failed = !tac_frames_symbols(&o->frames_of, o->c) || o->failed;
    uint64_t track = tac_perfetto_track(o, THREAD, e->thread);
    tac_perfetto_packet(o, e->ns, SEQUENCE_STACKS);
    tac_proto_uint(&o->p, PACKET_FLAGS,
                   o->callstacks ? STATE_NEEDED : STATE_CLEARED | STATE_NEEDED);
    intern_stack(o, e, count);
    size_t at = tac_proto_begin(&o->p, PACKET_EVENT);
    tac_proto_uint(&o->p, EVENT_TYPE, INSTANT);
    tac_proto_uint(&o->p, EVENT_TRACK, track);
    tac_proto_string(&o->p, EVENT_NAME, "stack");
    tac_proto_uint(&o->p, EVENT_CALLSTACK_IID, o->callstacks);
    tac_perfetto_event_end(o, at);
}

/* One frame with its names in it: kernel addresses mean nothing elsewhere. */
static void plain_frame(struct tac_perfetto *o, const struct tac_event *e, uint32_t i)
{
    char text[160];
    const struct tac_symbol *s;
    size_t at = tac_proto_begin(&o->p, 1);
    tac_proto_string(&o->p, 1, tac_frames_name(&o->frames_of, o->c, e, i, text, sizeof text, &s));
    if (s && s->line) {
        tac_proto_string(&o->p, 2, s->file);
        tac_proto_uint(&o->p, 3, s->line);
    }
    tac_proto_end(&o->p, at);
}

void tac_perfetto_kernel_stack(struct tac_perfetto *o, const struct tac_event *e)
{
    uint32_t thread = tac_capture_thread_of(o->c, e->stack->tid, e->ns);
    uint64_t track = thread != TAC_CAPTURE_NONE ? tac_perfetto_uuid(OFF_CPU, thread)
                                                : tac_perfetto_uuid(CPU, e->stack->cpu);
    bool is_kernel = e->stack->kind == TAC_STACK_KERNEL;
    size_t at = tac_perfetto_event(o, e->ns, INSTANT, track);
    tac_proto_string(&o->p, EVENT_NAME, is_kernel ? "kernel stack" : "stack");
    tac_perfetto_annotate(o, "tid", e->stack->tid);
    size_t inner = tac_proto_begin(&o->p, EVENT_CALLSTACK);
    uint32_t count = e->stack->count < TAC_STACK_MAX ? e->stack->count : TAC_STACK_MAX;
    for (uint32_t i = count; i > 0; i--) /* the outermost first */
        plain_frame(o, e, i - 1);
    tac_proto_end(&o->p, inner);
    tac_perfetto_event_end(o, at);
}

void tac_perfetto_stacks_fini(struct tac_perfetto *o)
{
    o->failed = o->failed || o->frames_of.failed;
    tac_frames_fini(&o->frames_of);
    tac_idmap_fini(&o->frames);
    tac_list_fini(&o->mappings);
}
