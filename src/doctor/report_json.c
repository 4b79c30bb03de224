/* SPDX-License-Identifier: MIT
 * report_json.c - the diagnosis for other programs; the schema stands in docs/verdicts.md. */
#include "doctor/evidence.h"
#include "doctor/listed.h"
#include "doctor/places.h"
#include "doctor/rule.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PLACES_MAX = 500, FRAMES_MAX = 24 };

static void add_place_of(uint32_t place, struct tac_text *t)
{
    if (place < PLACES_MAX)
        tac_text_addf(t, ",\"place\":%u", place);
    else
        tac_text_add(t, ",\"place\":null");
}

static void add_sources(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_add(t, "\"sources\":[");
    for (size_t i = 0; i < d->sources_count; i++) {
        const struct tac_source_summary *s = &d->sources[i];
        tac_text_addf(t, "%s{\"name\":", i ? "," : "");
        tac_text_add_json(t, s->name);
        tac_text_addf(t,
                      ",\"period_ns\":%" PRIu64
                      ",\"cycles\":%zu,\"missed\":%zu,\"worst_ns\":%" PRIu64
                      ",\"nominal_ns\":%" PRIu64 ",\"longest_ns\":%" PRIu64
                      ",\"without_deadline\":%zu,\"unfinished\":%zu}",
                      s->period_ns, s->cycles, s->missed, s->worst_ns, s->nominal_ns, s->longest_ns,
                      s->without_deadline, s->unfinished);
    }
    tac_text_add(t, "]");
}

static void add_causes(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_add(t, "\"causes\":[");
    for (size_t i = 0; i < d->causes_count; i++) {
        const struct tac_cause *c = &d->causes[i];
        tac_text_addf(t,
                      "%s{\"rule\":\"%s\",\"blame\":\"%s\",\"share\":%.6f,\"lost_ns\":%" PRIu64
                      ",\"misses\":%zu,\"carried\":%zu,\"worst_ns\":%" PRIu64
                      ",\"confidence\":%.3f,\"title\":",
                      i ? "," : "", c->rule->name, tac_blame_name(c->rule->blame), c->share,
                      c->lost_ns, c->misses, c->carried, c->worst_ns, c->confidence);
        tac_text_add_json(t, c->rule->title);
        tac_text_add(t, ",\"advice\":");
        tac_text_add_json(t, c->rule->advice);
        char sampled[256];
        tac_text_add(t, ",\"sampled\":");
        tac_text_add_json(t, tac_cause_sampled(d, c->rule, sampled, sizeof sampled));
        add_place_of(c->place, t);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

static void add_verdicts(const struct tac_miss *m, struct tac_text *t)
{
    tac_text_add(t, "\"verdicts\":[");
    for (unsigned k = 0; k < m->count; k++) {
        const struct tac_verdict *v = &m->verdict[k];
        tac_text_addf(t,
                      "%s{\"rule\":\"%s\",\"ns\":%" PRIu64 ",\"carried_ns\":%" PRIu64
                      ",\"confidence\":%.2f,\"text\":",
                      k ? "," : "", v->rule->name, v->ns, v->carried_ns, v->confidence);
        tac_text_add_json(t, v->text);
        add_place_of(v->place, t);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

static void add_miss(const struct tac_diagnosis *d, const struct tac_miss *m, struct tac_text *t)
{
    const struct tac_capture *cap = d->capture;
    const struct tac_capture_cycle *c = &cap->cycles[m->cycle];
    tac_text_addf(t, "{\"cycle\":%u,\"source\":", m->cycle);
    tac_text_add_json(t, c->source < d->sources_count ? d->sources[c->source].name : "");
    tac_text_add(t, ",\"thread\":");
    tac_text_add_json(t, c->thread < cap->threads_count ? cap->threads[c->thread].name : "");
    tac_text_addf(t,
                  ",\"begin_ns\":%" PRIu64 ",\"deadline_ns\":%" PRIu64 ",\"end_ns\":%" PRIu64
                  ",\"late_ns\":%" PRIu64 ",\"carried_ns\":%" PRIu64 ",\"root\":%u,",
                  c->begin_ns, c->deadline_ns, c->end_ns, m->late_ns, m->carried_ns,
                  d->misses[m->root].cycle);
    add_verdicts(m, t);
    tac_text_add(t, "}");
}

static void add_misses(const struct tac_diagnosis *d, struct tac_text *t)
{
    bool *listed;
    size_t count, added = 0;
    if (tac_listed_new(d, &listed, &count) < 0) {
        t->failed = true;
        return;
    }
    tac_text_addf(t, "\"misses_listed\":%zu,\"misses\":[", count);
    for (size_t i = 0; i < d->misses_count; i++) {
        if (!listed[i])
            continue;
        tac_text_add(t, added++ ? "," : "");
        add_miss(d, &d->misses[i], t);
    }
    tac_text_add(t, "]");
    free(listed);
}

static void add_evidence(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_add(t, "\"evidence\":{");
    for (const struct tac_evidence_kind *e = tac_evidence_kinds; e->bit; e++)
        tac_text_addf(t, "%s\"%s\":%s", e == tac_evidence_kinds ? "" : ",", e->name,
                      d->has & e->bit ? "true" : "false");
    tac_text_add(t, "},\"problems\":");
    struct tac_text problems = {0};
    tac_evidence_problems(d->capture, &problems);
    tac_text_add_json(t, tac_text_string(&problems));
    tac_text_fini(&problems);
}

static void add_memory(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_addf(t,
                  "\"memory\":{\"calls\":%" PRIu64 ",\"cycle_calls\":%" PRIu64
                  ",\"cycle_ns\":%" PRIu64 ",\"cycle_worst_ns\":%" PRIu64 ",\"failed\":%" PRIu64
                  "}",
                  d->memory.calls, d->memory.cycle_calls, d->memory.cycle_ns,
                  d->memory.cycle_worst_ns, d->memory.failed);
}

static void add_hazards(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_add(t, "\"hazards\":[");
    for (size_t i = 0; i < d->hazards_count; i++) {
        const struct tac_hazard *h = &d->hazards[i];
        tac_text_addf(t, "%s{\"what\":", i ? "," : "");
        tac_text_add_json(t, h->what);
        tac_text_addf(t, ",\"count\":%zu,\"cycles\":%zu,\"worst_ns\":%" PRIu64 ",\"grade\":%d",
                      h->count, h->cycles, h->worst_ns, h->grade);
        add_place_of(h->place, t);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]");
}

static void add_frame(const struct tac_frame *f, struct tac_text *t)
{
    tac_text_add(t, "{\"module\":");
    tac_text_add_json(t, f->module);
    tac_text_add(t, ",\"function\":");
    tac_text_add_json(t, f->function);
    tac_text_add(t, ",\"file\":");
    tac_text_add_json(t, f->file);
    tac_text_addf(t, ",\"line\":%u}", f->line);
}

static const char *kind_of(const struct tac_place *p)
{
    return p->kind == TAC_SIGHT_MEMORY ? "memory" : p->kind == TAC_SIGHT_LOCK ? "lock" : "call";
}

static void add_places(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_add(t, "\"places\":[");
    for (uint32_t i = 0; i < d->places->count && i < PLACES_MAX; i++) {
        const struct tac_place *p = &d->places->place[i];
        struct tac_frame frame[FRAMES_MAX];
        size_t n = tac_places_frames(d->places, i, frame, FRAMES_MAX);
        size_t blame = tac_places_blame(frame, n);
        tac_text_add(t, i ? ",{\"what\":" : "{\"what\":");
        tac_text_add_json(t, p->what);
        tac_text_addf(t, ",\"kind\":\"%s\",\"seen\":%zu,\"in_cycles\":%zu,\"worst_ns\":%" PRIu64,
                      kind_of(p), p->seen, p->in_cycles, p->worst_ns);
        if (blame < n)
            tac_text_addf(t, ",\"blame\":%zu,\"frames\":[", blame);
        else
            tac_text_add(t, ",\"blame\":null,\"frames\":[");
        for (size_t k = 0; k < n; k++) {
            tac_text_add(t, k ? "," : "");
            add_frame(&frame[k], t);
        }
        tac_text_add(t, "]}");
    }
    tac_text_add(t, "]");
}

static void add_run(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_add(t, "{\"name\":");
    tac_text_add_json(t, d->name);
    tac_text_addf(t, ",\"cycles\":%zu,\"judged\":%zu,\"missed\":%zu,\"worst_ns\":%" PRIu64 ",",
                  d->cycles, d->judged, d->missed, d->worst_ns);
    static void (*const part[])(const struct tac_diagnosis *, struct tac_text *) = {
        add_sources, add_causes, add_misses, add_memory, add_hazards, add_places, add_evidence};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        tac_text_add(t, i ? "," : "");
        part[i](d, t);
    }
    tac_text_add(t, "}");
}

void tac_report_json(const struct tac_diagnosis *const *runs, size_t count, const char *setup,
                     struct tac_text *text)
{
    tac_text_add(text, "{\"format\":\"tactus-doctor\",\"version\":1,\"headline\":");
    struct tac_text headline = {0};
    tac_report_headline(runs, count, &headline);
    tac_text_add_json(text, tac_text_string(&headline));
    tac_text_fini(&headline);
    tac_text_addf(text, ",\"setup\":%s,\"runs\":[", setup ? setup : "null");
    for (size_t i = 0; i < count; i++) {
        tac_text_add(text, i ? "," : "");
        add_run(runs[i], text);
    }
    tac_text_add(text, "]}\n");
}
