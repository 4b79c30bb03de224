/* SPDX-License-Identifier: MIT
 * perfetto_marks.c - spans that somebody else found out (verdicts) on tracks of their own, one for
 * each name of a track. */
#include "capture/export/perfetto.h"

#include <stdlib.h>

static uint32_t track_named(struct tac_perfetto *o, const char *name)
{
    char **names = o->mark_tracks.data;
    for (size_t i = 0; i < o->mark_tracks.count; i++)
        if (!strcmp(names[i], name))
            return (uint32_t)i;
    char *copy = strdup(name), **slot = copy ? tac_list_add(&o->mark_tracks, sizeof *slot) : NULL;
    if (!slot) {
        free(copy);
        o->failed = true;
        return TAC_CAPTURE_NONE;
    }
    *slot = copy;
    return (uint32_t)o->mark_tracks.count - 1;
}

void tac_perfetto_mark(void *me, const struct tac_capture *c, const struct tac_export_mark *m)
{
    struct tac_perfetto *o = me;
    o->c = c;
    uint32_t track = track_named(o, m->track);
    if (track == TAC_CAPTURE_NONE)
        return;
    uint64_t uuid = tac_perfetto_uuid(MARK, track);
    size_t at = tac_perfetto_event(o, m->begin_ns, SLICE_BEGIN, uuid);
    tac_proto_string(&o->p, EVENT_NAME, m->name);
    if (m->text)
        tac_perfetto_annotate_text(o, "text", m->text);
    tac_perfetto_event_end(o, at);
    tac_perfetto_event_end(o, tac_perfetto_event(o, m->end_ns, SLICE_END, uuid));
}

void tac_perfetto_marks_fini(struct tac_perfetto *o)
{
    char **names = o->mark_tracks.data;
    for (size_t i = 0; i < o->mark_tracks.count; i++)
        free(names[i]);
    tac_list_fini(&o->mark_tracks);
}
