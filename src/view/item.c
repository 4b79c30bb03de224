/* SPDX-License-Identifier: MIT
 * item.c - all that is known of what is pointed at, and the search for a zone: see view.h. */
#include "doctor/places.h"
#include "doctor/rule.h"
#include "tactus/trace.h"
#include "view/view_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MAX = 32 };

struct item {
    const struct tac_view *v;
    struct tac_text *t;
    const char *comma;
};

static struct item begin(const struct tac_view *v, struct tac_text *t, const char *title)
{
    tac_text_add(t, "{\"title\":");
    tac_text_add_json(t, title);
    tac_text_add(t, ",\"rows\":[");
    return (struct item){v, t, ""};
}

static void TAC_PRINTF(3, 4) row(struct item *i, const char *what, const char *format, ...)
{
    char value[600];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    tac_text_addf(i->t, "%s[\"%s\",", i->comma, what);
    tac_text_add_json(i->t, value);
    tac_text_add(i->t, "]");
    i->comma = ",";
}

static void row_time(struct item *i, const char *what, uint64_t ns)
{
    char text[16];
    row(i, what, "%s", tac_text_duration((double)ns, text, sizeof text));
}

static void row_thread(struct item *i, uint32_t thread)
{
    const struct tac_capture_thread *t = &i->v->c->threads[thread];
    row(i, "thread", "%s (%u)", t->name, t->tid);
}

/* The call stack of an event: only its own, not the usual one. */
static void stack(struct item *i, unsigned kind, uint32_t thread, uint64_t begin_ns)
{
    struct tac_frame frame[FRAMES_MAX];
    bool exact = false;
    uint32_t place = tac_places_find(i->v->d->places, kind, NULL, thread, begin_ns, &exact);
    size_t n = exact ? tac_places_frames(i->v->d->places, place, frame, FRAMES_MAX) : 0;
    tac_text_add(i->t, "],\"stack\":[");
    for (size_t k = 0; k < n; k++) {
        char text[300];
        tac_text_add(i->t, k ? "," : "");
        tac_text_add_json(i->t, tac_frame_text(&frame[k], text, sizeof text));
    }
}

static void end(struct item *i, uint64_t begin_ns, uint64_t end_ns)
{
    if (end_ns == TAC_CAPTURE_OPEN)
        end_ns = i->v->c->end_ns;
    tac_text_addf(i->t, "],\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}", tac_view_time(i->v, begin_ns),
                  tac_view_time(i->v, end_ns));
}

static void zone(const struct tac_view *v, uint32_t index, struct tac_text *t)
{
    const struct tac_capture_zone *z = &v->c->zones[index];
    const struct tac_capture_site *site = &v->c->sites[z->site];
    struct item i = begin(v, t, site->name);
    if (z->end_ns == TAC_CAPTURE_OPEN)
        row(&i, "took", "it had not ended when the recording did");
    else
        row_time(&i, "took", z->end_ns - z->begin_ns);
    row_thread(&i, z->thread);
    if (z->parent != TAC_CAPTURE_NONE)
        row(&i, "inside", "%s", v->c->sites[v->c->zones[z->parent].site].name);
    if (z->text != TAC_CAPTURE_NONE)
        row(&i, "text", "%s", v->c->sites[z->text].name);
    if (z->value)
        row(&i, "value", "%" PRIu64, z->value);
    if (*site->function)
        row(&i, "function", "%s", site->function);
    if (*site->file)
        row(&i, "source", "%s:%u", site->file, site->line);
    stack(&i, TAC_SIGHT_CALL, z->thread, z->begin_ns);
    end(&i, z->begin_ns, z->end_ns);
}

static void verdicts(struct item *i, uint32_t cycle)
{
    const struct tac_diagnosis *d = i->v->d;
    const struct tac_miss *m = NULL;
    for (size_t k = 0; k < d->misses_count && !m; k++)
        m = d->misses[k].cycle == cycle ? &d->misses[k] : NULL;
    for (unsigned k = 0; m && k < m->count; k++) {
        char text[16];
        const struct tac_verdict *verdict = &m->verdict[k];
        row(i, k ? "" : "because", "%s %s (%s)",
            tac_text_duration((double)verdict->ns, text, sizeof text), verdict->rule->title,
            verdict->text);
    }
}

static void cycle(const struct tac_view *v, uint32_t index, struct tac_text *t)
{
    const struct tac_capture_cycle *c = &v->c->cycles[index];
    char title[200], text[16];
    snprintf(title, sizeof title, "cycle %u of %s", index, v->c->sources[c->source].name);
    struct item i = begin(v, t, title);
    bool ended = c->end_ns != TAC_CAPTURE_OPEN;
    if (ended)
        row_time(&i, "took", c->end_ns - c->begin_ns);
    else
        row(&i, "took", "it had not ended when the recording did");
    if (tac_capture_late_ns(c))
        row_time(&i, "late by", tac_capture_late_ns(c));
    else if (ended && c->deadline_ns)
        row(&i, "in time", "%s before its deadline",
            tac_text_duration((double)(c->deadline_ns - c->end_ns), text, sizeof text));
    verdicts(&i, index);
    row_thread(&i, c->thread);
    row(&i, "frames", "%u", c->frames);
    if (c->flags & TAC_CYCLE_EVIDENCE) {
        row_time(&i, "CPU time", c->cpu_ns);
        row(&i, "left its CPU", "%u times by itself, %u times not", c->switches_voluntary,
            c->switches_involuntary);
        row(&i, "page faults", "%u, of them %u from disk", c->faults_minor + c->faults_major,
            c->faults_major);
    }
    tac_text_add(t, "],\"stack\":[");
    end(&i, c->begin_ns, c->end_ns);
}

static void memory(const struct tac_view *v, uint32_t index, struct tac_text *t)
{
    const struct tac_capture_memory *m = &v->c->memory[index];
    char text[16];
    struct item i = begin(v, t, tac_places_operation(m->op));
    row_time(&i, "took", m->end_ns - m->begin_ns);
    if (m->bytes)
        row(&i, "size", "%s", tac_text_bytes((double)m->bytes, text, sizeof text));
    row(&i, "block", "%#" PRIx64, m->ptr);
    row_thread(&i, m->thread);
    stack(&i, TAC_SIGHT_MEMORY, m->thread, m->begin_ns);
    end(&i, m->begin_ns, m->end_ns);
}

static void lock(const struct tac_view *v, uint32_t index, struct tac_text *t)
{
    const struct tac_capture_lock *l = &v->c->locks[index];
    char text[300];
    struct item i = begin(v, t, "waited for a lock");
    row_time(&i, "took", l->end_ns - l->begin_ns);
    row(&i, "lock", "%#" PRIx64, l->lock);
    row_thread(&i, l->thread);
    const char *holder = tac_capture_comm(v->c, l->holder_tid);
    if (l->holder_tid)
        row(&i, "held by", "%s (%u)", holder ? holder : "a thread", l->holder_tid);
    if (l->taken_at)
        row(&i, "taken in", "%s", tac_places_text(v->d->places, l->taken_at, text, sizeof text));
    stack(&i, TAC_SIGHT_LOCK, l->thread, l->begin_ns);
    end(&i, l->begin_ns, l->end_ns);
}

static void gap(const struct tac_view *v, uint32_t index, struct tac_text *t)
{
    const struct tac_capture_gap *g = &v->c->gaps[index];
    struct item i = begin(v, t, "events were lost here");
    row(&i, "full buffer", "%" PRIu64, g->dropped);
    row(&i, "beyond the budget", "%" PRIu64, g->suppressed);
    row(&i, "damaged", "%" PRIu64, g->damaged);
    tac_text_add(t, "],\"stack\":[");
    end(&i, g->begin_ns, g->end_ns);
}

void tac_view_item(const struct tac_view *v, char lane, uint32_t index, struct tac_text *t)
{
    const struct tac_capture *c = v->c;
    if (lane == 'z' && index < c->zones_count)
        zone(v, index, t);
    else if (lane == 'y' && index < c->cycles_count)
        cycle(v, index, t);
    else if (lane == 'm' && index < c->memory_count)
        memory(v, index, t);
    else if (lane == 'l' && index < c->locks_count)
        lock(v, index, t);
    else if (lane == 'g' && index < c->gaps_count)
        gap(v, index, t);
    else
        tac_text_add(t, "{\"title\":null}");
}

/* ---- the search ---- */

/* The first zone that matches from place i on, in steps of one; zones_count: there is none. */
static size_t search(const struct tac_capture *c, const bool *matches, size_t i, bool backwards)
{
    while (i < c->zones_count && !matches[c->zones[i].site])
        i = backwards ? i - 1 : i + 1; /* below 0 is beyond the end */
    return i < c->zones_count ? i : c->zones_count;
}

void tac_view_find(const struct tac_view *v, const char *name, uint64_t ns, bool backwards,
                   struct tac_text *t)
{
    const struct tac_capture *c = v->c;
    bool *matches = calloc(c->sites_count + 1, sizeof *matches);
    for (size_t i = 0; matches && i < c->sites_count; i++)
        matches[i] = strcasestr(c->sites[i].name, name) != NULL;
    uint64_t length = c->end_ns - c->begin_ns, at = c->begin_ns + (ns < length ? ns : length);
    size_t from = TAC_CAPTURE_LOWER(c, zones, begin_ns, at + !backwards) - backwards;
    size_t found = matches ? search(c, matches, from, backwards) : c->zones_count;
    free(matches);
    if (found == c->zones_count) {
        tac_text_add(t, "{\"index\":null}");
        return;
    }
    const struct tac_capture_zone *z = &c->zones[found];
    uint64_t end_ns = z->end_ns == TAC_CAPTURE_OPEN ? c->end_ns : z->end_ns;
    tac_text_addf(t, "{\"index\":%zu,\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"thread\":%u}", found,
                  tac_view_time(v, z->begin_ns), tac_view_time(v, end_ns), z->thread);
}
