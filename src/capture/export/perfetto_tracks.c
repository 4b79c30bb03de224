/* SPDX-License-Identifier: MIT
 * perfetto_tracks.c - what everything in a Perfetto trace is written with: packets, tracks, and the
 * begin and end of an event.
 *
 * Tracks: one per thread with its zones, messages, flows and call stacks; below it, where there is
 * something to show, memory operations, lock waits, times off the CPU and lost events; one per
 * cycle source; one per plot; one per name of marks. A track is described before its first event.
 * Times are shifted to CLOCK_BOOTTIME, which that format takes as its default. Behind a loss the
 * next packet of the thread's sequence says previous_packet_dropped. */
#include "capture/export/perfetto.h"

/* ---- packets ---- */

void tac_perfetto_packet(struct tac_perfetto *o, uint64_t ns, uint32_t sequence)
{
    o->p.n = 0;
    if (ns)
        tac_proto_uint(&o->p, PACKET_TIME, ns + o->c->boot_offset_ns);
    tac_proto_uint(&o->p, PACKET_SEQUENCE, sequence);
}

void tac_perfetto_packet_end(struct tac_perfetto *o)
{
    unsigned char head[11] = {1 << 3 | 2}; /* Trace.packet */
    size_t n = 1;
    for (size_t length = o->p.n; n == 1 || length; length >>= 7)
        head[n++] = (unsigned char)((length & 127) | (length > 127 ? 128 : 0));
    fwrite(head, 1, n, o->file);
    fwrite(o->p.bytes, 1, o->p.n, o->file);
}

void tac_perfetto_annotate(struct tac_perfetto *o, const char *name, uint64_t value)
{
    size_t at = tac_proto_begin(&o->p, EVENT_ANNOTATION);
    tac_proto_string(&o->p, 10, name);
    tac_proto_uint(&o->p, 3, value);
    tac_proto_end(&o->p, at);
}

void tac_perfetto_annotate_text(struct tac_perfetto *o, const char *name, const char *text)
{
    size_t at = tac_proto_begin(&o->p, EVENT_ANNOTATION);
    tac_proto_string(&o->p, 10, name);
    tac_proto_string(&o->p, 6, text);
    tac_proto_end(&o->p, at);
}

/* ---- tracks ---- */

static size_t track_begin(struct tac_perfetto *o, uint64_t id, uint64_t parent, const char *name)
{
    tac_perfetto_packet(o, 0, SEQUENCE);
    size_t at = tac_proto_begin(&o->p, PACKET_TRACK);
    tac_proto_uint(&o->p, TRACK_UUID, id);
    if (parent)
        tac_proto_uint(&o->p, TRACK_PARENT, parent);
    if (name)
        tac_proto_string(&o->p, TRACK_NAME, name);
    return at;
}

static void track_end(struct tac_perfetto *o, size_t at)
{
    tac_proto_end(&o->p, at);
    tac_perfetto_packet_end(o);
}

static void describe(struct tac_perfetto *o, uint64_t uuid);

uint64_t tac_perfetto_track(struct tac_perfetto *o, enum tac_perfetto_kind kind, uint32_t index)
{
    uint64_t uuid = tac_perfetto_uuid(kind, index);
    if (!tac_idmap_get(&o->seen, uuid)) {
        o->failed = !tac_idmap_put(&o->seen, uuid, 1) || o->failed;
        describe(o, uuid);
    }
    return uuid;
}

static void describe_process(struct tac_perfetto *o, uint32_t pid)
{
    const char *name = tac_capture_meta(o->c, "program");
    size_t at = track_begin(o, tac_perfetto_uuid(PROCESS, pid), 0, NULL);
    size_t inner = tac_proto_begin(&o->p, TRACK_PROCESS);
    tac_proto_uint(&o->p, 1, pid);
    tac_proto_string(&o->p, 6, name ? name : "program");
    tac_proto_end(&o->p, inner);
    track_end(o, at);
}

static uint32_t process(const struct tac_perfetto *o)
{
    return o->c->threads_count ? o->c->threads[0].pid : 0;
}

static void describe_thread(struct tac_perfetto *o, uint32_t i)
{
    const struct tac_capture_thread *t = &o->c->threads[i];
    tac_perfetto_track(o, PROCESS, t->pid);
    size_t at = track_begin(o, tac_perfetto_uuid(THREAD, i), 0, NULL);
    size_t inner = tac_proto_begin(&o->p, TRACK_THREAD);
    tac_proto_uint(&o->p, 1, t->pid);
    tac_proto_uint(&o->p, 2, t->tid);
    tac_proto_string(&o->p, 5, t->name);
    tac_proto_end(&o->p, inner);
    track_end(o, at);
}

/* Plots of equal site are one track. */
static void describe_plot(struct tac_perfetto *o, uint32_t site)
{
    const struct tac_capture_site *s = &o->c->sites[site];
    uint64_t parent = tac_perfetto_track(o, PROCESS, process(o));
    size_t at = track_begin(o, tac_perfetto_uuid(PLOT, site), parent, s->name);
    size_t inner = tac_proto_begin(&o->p, TRACK_COUNTER);
    if (!strcmp(s->unit, "B"))
        tac_proto_uint(&o->p, 3, 3); /* UNIT_SIZE_BYTES */
    else if (*s->unit)
        tac_proto_string(&o->p, 6, s->unit);
    tac_proto_end(&o->p, inner);
    track_end(o, at);
}

static void describe_below(struct tac_perfetto *o, uint64_t uuid, uint64_t parent, const char *name)
{
    track_end(o, track_begin(o, uuid, parent, name));
}

static void describe(struct tac_perfetto *o, uint64_t uuid)
{
    uint32_t kind = (uint32_t)(uuid >> 32), i = (uint32_t)uuid;
    static const char *const below[] = {[MEMORY] = "memory operations",
                                        [LOCKS] = "waits for locks",
                                        [OFF_CPU] = "off the CPU",
                                        [LOSS] = "events lost"};
    char name[64];
    switch (kind) {
    case PROCESS:
        describe_process(o, i);
        break;
    case THREAD:
        describe_thread(o, i);
        break;
    case SOURCE:
        describe_below(o, uuid, tac_perfetto_track(o, PROCESS, process(o)), o->c->sources[i].name);
        break;
    case PLOT:
        describe_plot(o, i);
        break;
    case CPU:
        snprintf(name, sizeof name, "kernel events, CPU %u", i);
        describe_below(o, uuid, 0, name);
        break;
    case MARK:
        describe_below(o, uuid, 0, ((char **)o->mark_tracks.data)[i]);
        break;
    default:
        describe_below(o, uuid, tac_perfetto_track(o, THREAD, i), below[kind]);
        break;
    }
}

/* ---- events ---- */

size_t tac_perfetto_event(struct tac_perfetto *o, uint64_t ns, int type, uint64_t track)
{
    uint32_t kind = (uint32_t)(track >> 32), i = (uint32_t)track;
    tac_perfetto_track(o, (enum tac_perfetto_kind)kind, i);
    bool of_thread = kind >= THREAD && kind <= LOSS;
    bool *dropped = of_thread && i < o->dropped.count ? (bool *)o->dropped.data + i : NULL;
    tac_perfetto_packet(o, ns, of_thread ? SEQUENCE_THREAD + i : SEQUENCE);
    if (dropped && *dropped) {
        tac_proto_uint(&o->p, PACKET_DROPPED, 1);
        *dropped = false;
    }
    size_t at = tac_proto_begin(&o->p, PACKET_EVENT);
    tac_proto_uint(&o->p, EVENT_TYPE, (uint64_t)type);
    tac_proto_uint(&o->p, EVENT_TRACK, track);
    return at;
}

void tac_perfetto_event_end(struct tac_perfetto *o, size_t at)
{
    tac_proto_end(&o->p, at);
    tac_perfetto_packet_end(o);
}

void tac_perfetto_dropped(struct tac_perfetto *o, uint32_t thread)
{
    while (o->dropped.count <= thread && !o->dropped.failed)
        tac_list_add(&o->dropped, sizeof(bool));
    if (thread < o->dropped.count)
        ((bool *)o->dropped.data)[thread] = true;
}

void tac_perfetto_tracks_fini(struct tac_perfetto *o)
{
    tac_list_fini(&o->dropped);
    tac_idmap_fini(&o->seen);
}
