/* SPDX-License-Identifier: MIT
 * perfetto.h - the parts of the Perfetto exporter: the events of threads (perfetto.c), of the
 * kernel (perfetto_kernel.c), call stacks (perfetto_stacks.c), marks (perfetto_marks.c), and the
 * packets and tracks that all of them write (perfetto_tracks.c). Internal to capture.
 *
 * Field numbers: protos/perfetto/trace of the Perfetto project. */
#ifndef TAC_CAPTURE_PERFETTO_H
#define TAC_CAPTURE_PERFETTO_H

#include "capture/export.h"
#include "capture/export/export_names.h"
#include "capture/idmap.h"
#include "capture/list.h"
#include "capture/proto.h"
#include "capture/symbols.h"

#include <stdio.h>

enum { /* TracePacket */
       PACKET_FTRACE = 1,
       PACKET_TIME = 8,
       PACKET_SEQUENCE = 10,
       PACKET_EVENT = 11,
       PACKET_INTERNED = 12,
       PACKET_FLAGS = 13,
       PACKET_DROPPED = 42,
       PACKET_SYSTEM = 45,
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
       EVENT_CALLSTACK = 55,
       EVENT_CALLSTACK_IID = 56,
};

enum { SLICE_BEGIN = 1, SLICE_END = 2, INSTANT = 3, COUNTER = 4 };

/* A track's uuid: what it shows, and of which thread, source, site, CPU or process. */
enum tac_perfetto_kind {
    PROCESS = 1,
    THREAD,
    MEMORY,
    LOCKS,
    OFF_CPU,
    LOSS,
    SOURCE,
    PLOT,
    CPU,
    MARK
};

/* Packet sequences: one of all that stands for itself, one of the kernel's, one of interned stacks,
 * and one a thread, which tells of the packets that are missing before it. */
enum { SEQUENCE = 1, SEQUENCE_STACKS = 2, SEQUENCE_KERNEL = 3, SEQUENCE_THREAD = 16 };

struct tac_perfetto {
    FILE *file;
    const struct tac_capture *c; /* during an event */
    struct tac_proto p;
    struct tac_list threads; /* struct thread of perfetto.c */
    bool has_system, failed;
    /* perfetto_tracks.c */
    struct tac_idmap seen;       /* uuids of tracks that are described */
    struct tac_list dropped;     /* bool, a thread: its next packet says that some are missing */
    struct tac_list mark_tracks; /* char *: names, of perfetto_marks.c */
    /* perfetto_kernel.c */
    struct tac_proto bundle; /* the FtraceEventBundle that is being filled */
    uint32_t bundle_cpu;
    bool bundle_lost; /* events are missing before the next one */
    /* perfetto_stacks.c */
    struct tac_frames frames_of;
    struct tac_idmap frames;  /* by address */
    struct tac_list mappings; /* struct mapping of perfetto_stacks.c */
    uint64_t callstacks, strings;
};

static inline uint64_t tac_perfetto_uuid(enum tac_perfetto_kind kind, uint64_t index)
{
    return (uint64_t)kind << 32 | index;
}

/* A track's uuid; it is described first when it is new. */
uint64_t tac_perfetto_track(struct tac_perfetto *o, enum tac_perfetto_kind kind, uint32_t index);
void tac_perfetto_packet(struct tac_perfetto *o, uint64_t ns, uint32_t sequence);
void tac_perfetto_packet_end(struct tac_perfetto *o);
/* Begin an event on a track (described here too). */
size_t tac_perfetto_event(struct tac_perfetto *o, uint64_t ns, int type, uint64_t track);
void tac_perfetto_event_end(struct tac_perfetto *o, size_t at);
void tac_perfetto_annotate(struct tac_perfetto *o, const char *name, uint64_t value);
void tac_perfetto_annotate_text(struct tac_perfetto *o, const char *name, const char *text);
/* Events of the thread are missing before the next one. */
void tac_perfetto_dropped(struct tac_perfetto *o, uint32_t thread);
void tac_perfetto_tracks_fini(struct tac_perfetto *o);

void tac_perfetto_kernel(struct tac_perfetto *o, const struct tac_format_kernel *k);
void tac_perfetto_kernel_lost(struct tac_perfetto *o, const struct tac_capture_gap *gap);
void tac_perfetto_kernel_flush(struct tac_perfetto *o);

void tac_perfetto_stack(struct tac_perfetto *o, const struct tac_event *e);
void tac_perfetto_kernel_stack(struct tac_perfetto *o, const struct tac_event *e);
void tac_perfetto_stacks_fini(struct tac_perfetto *o);

void tac_perfetto_mark(void *me, const struct tac_capture *c, const struct tac_export_mark *mark);
void tac_perfetto_marks_fini(struct tac_perfetto *o);

#endif
