/* SPDX-License-Identifier: MIT
 * report_text.c - the report for a terminal: what happened, why, how sure, what to do, what could
 * not be seen. */
#include "doctor/evidence.h"
#include "doctor/places.h"
#include "doctor/rule.h"

#include <string.h>

enum { WIDTH = 80 };

#define SMALL 0.005 /* share below which a cause that decided no miss is only counted */

/* Words wrapped to the width behind a label column. */
static void add_wrapped(struct tac_text *text, const char *label, const char *words, size_t indent)
{
    tac_text_addf(text, "%-*s", (int)indent, label);
    size_t column = indent;
    for (const char *s = words; *s;) {
        size_t n = strcspn(s, " ");
        if (column > indent && column + 1 + n > WIDTH) {
            tac_text_addf(text, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            tac_text_add(text, " ");
            column++;
        }
        tac_text_add_n(text, s, n);
        column += n;
        s += n;
        s += strspn(s, " ");
    }
    tac_text_add(text, "\n");
}

static void add_sources(const struct tac_diagnosis *d, struct tac_text *text)
{
    char a[16], b[16], c[16];
    for (size_t i = 0; i < d->sources_count; i++) {
        const struct tac_source_summary *s = &d->sources[i];
        if (!s->cycles)
            continue;
        tac_text_addf(text, "  %s: %zu cycle%s", s->name, s->cycles, s->cycles == 1 ? "" : "s");
        if (s->period_ns)
            tac_text_addf(text, s->is_regular ? " every %s" : ", each with %s",
                          tac_text_duration((double)s->period_ns, a, sizeof a));
        tac_text_addf(text, "; in time they take %s, the longest took %s\n",
                      tac_text_duration((double)s->nominal_ns, b, sizeof b),
                      tac_text_duration((double)s->longest_ns, c, sizeof c));
        if (s->thread && s->prio < TAC_PRIO_NORMAL)
            tac_text_addf(text, "    on thread %s, of real-time priority %d\n", s->thread,
                          TAC_PRIO_NORMAL - 1 - s->prio);
        else if (s->thread && s->prio != TAC_PRIO_UNKNOWN)
            tac_text_addf(text,
                          "    on thread %s, which is not real-time: it waits its turn like any "
                          "other\n",
                          s->thread);
        if (s->period_ns && s->nominal_ns * 10 > s->period_ns * 7)
            tac_text_addf(text,
                          "    little headroom: the usual cycle fills %.0f %% of its period\n",
                          100.0 * (double)s->nominal_ns / (double)s->period_ns);
        if (s->without_deadline)
            tac_text_addf(text, "    %zu of them have no deadline and are not judged\n",
                          s->without_deadline);
        if (s->unfinished)
            tac_text_addf(text, "    %zu of them had not ended when the recording did\n",
                          s->unfinished);
    }
}

static void add_summary(const struct tac_diagnosis *d, struct tac_text *text)
{
    char worst[16];
    tac_text_addf(text, "%s: %zu cycle%s, ", d->name, d->judged, d->judged == 1 ? "" : "s");
    if (d->cycles == 0)
        tac_text_add(text, "so there is nothing to judge\n");
    else if (d->missed == 0)
        tac_text_add(text, "no deadline missed\n");
    else
        tac_text_addf(text, "%zu deadline%s missed (%.3g %%), the worst by %s\n", d->missed,
                      d->missed == 1 ? "" : "s", 100.0 * (double)d->missed / (double)d->judged,
                      tac_text_duration((double)d->worst_ns, worst, sizeof worst));
    add_sources(d, text);
}

/* With brackets around it; of what claims nothing, 0, there is nothing to be sure of. */
static const char *sureness(double confidence)
{
    return confidence >= 0.95  ? " (certain)"
           : confidence >= 0.8 ? " (likely)"
           : confidence > 0    ? " (possible)"
                               : "";
}

static const struct tac_verdict *verdict_of(const struct tac_miss *m, const struct tac_rule *rule)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->verdict[i].rule == rule)
            return &m->verdict[i];
    return &m->verdict[0];
}

/* "late by 812 us: 771 us waiting for the heap's lock (...); 41 us page faults" */
static void add_sentence(const struct tac_miss *m, const struct tac_rule *first,
                         struct tac_text *text)
{
    struct tac_text line = {0};
    char late[16], part[16];
    const struct tac_verdict *v = verdict_of(m, first);
    tac_text_addf(&line, "cycle %u was late by %s: %s %s (%s)", m->cycle,
                  tac_text_duration((double)m->late_ns, late, sizeof late),
                  tac_text_duration((double)v->ns, part, sizeof part), v->rule->title, v->text);
    for (unsigned i = 0, listed = 0; i < m->count && listed < 2; i++) {
        if (&m->verdict[i] == v || m->verdict[i].ns * 50 < m->late_ns)
            continue;
        tac_text_addf(&line, "%s %s %s", listed++ ? "," : "; then",
                      tac_text_duration((double)m->verdict[i].ns, part, sizeof part),
                      m->verdict[i].rule->title);
    }
    add_wrapped(text, "    worst", tac_text_string(&line), 12);
    tac_text_fini(&line);
}

enum { FRAMES = 24, FRAMES_SHOWN = 5, HAZARDS_SHOWN = 12 };

/* Who is to blame, and the way there. */
static void add_place(const struct tac_diagnosis *d, uint32_t place, struct tac_text *text)
{
    struct tac_frame frame[FRAMES];
    size_t n = tac_places_frames(d->places, place, frame, FRAMES);
    size_t at = tac_places_blame(frame, n);
    char words[256];
    if (at >= n)
        return;
    struct tac_text line = {0};
    const struct tac_place *p = &d->places->place[place];
    tac_text_addf(&line, "%s %s %s", tac_frame_text(&frame[at], words, sizeof words),
                  p->kind == TAC_SIGHT_LOCK ? "took" : "called", p->what);
    for (size_t i = at + 1, shown = 0; i < n && shown < FRAMES_SHOWN; i++)
        if (!frame[i].is_ours && *frame[i].function)
            tac_text_addf(&line, "%s %s", shown++ ? " <" : ", by way of",
                          tac_frame_text(&frame[i], words, sizeof words));
    add_wrapped(text, "    from", tac_text_string(&line), 12);
    tac_text_fini(&line);
}

/* How often, in words that need no reckoning. */
static void add_frequency(const struct tac_diagnosis *d, const struct tac_cause *c,
                          struct tac_text *text)
{
    double minutes = (double)(d->capture->end_ns - d->capture->begin_ns) / 6e10;
    size_t roots = c->misses - c->carried;
    tac_text_addf(text, ", %zu of %zu misses", c->misses, d->missed);
    if (c->carried)
        tac_text_addf(text, " (%zu only because the cycle before was late)", c->carried);
    if (minutes > 0.01 && roots)
        tac_text_addf(text, ", %.*f a minute", (double)roots < minutes ? 2 : 0,
                      (double)roots / minutes);
}

static void add_cause(const struct tac_diagnosis *d, const struct tac_cause *c,
                      struct tac_text *text)
{
    char lost[16];
    struct tac_text line = {0};
    tac_text_addf(&line, "%s%s: %s lost", c->rule->title, sureness(c->confidence),
                  tac_text_duration((double)c->lost_ns, lost, sizeof lost));
    if (c->misses)
        add_frequency(d, c, &line);
    char share[16];
    snprintf(share, sizeof share, "  %5.1f %%", 100 * c->share);
    tac_text_add(text, "\n");
    add_wrapped(text, share, tac_text_string(&line), 12);
    tac_text_fini(&line);
    add_sentence(&d->misses[c->worst], c->rule, text);
    if (c->place != TAC_CAPTURE_NONE)
        add_place(d, c->place, text);
    char sampled[256];
    if (*tac_cause_sampled(d, c->rule, sampled, sizeof sampled))
        add_wrapped(text, "    where", sampled, 12);
    if (c->share >= 0.05 || c->misses) {
        add_wrapped(text, "    means", c->rule->means, 12);
        add_wrapped(text, "    do", c->rule->advice, 12);
    }
}

static void add_memory(const struct tac_diagnosis *d, struct tac_text *text)
{
    const struct tac_memory_summary *m = &d->memory;
    char a[16], b[16];
    if (!(d->has & TAC_HAS_MEMORY))
        return;
    tac_text_addf(
        text, "\nMemory functions in cycles: %llu calls, %s in all, the longest single one %s\n",
        (unsigned long long)m->cycle_calls, tac_text_duration((double)m->cycle_ns, a, sizeof a),
        tac_text_duration((double)m->cycle_worst_ns, b, sizeof b));
    if (m->failed)
        tac_text_addf(text, "  %llu allocations were refused\n", (unsigned long long)m->failed);
    for (size_t i = 0; i < d->capture->meta_count; i++)
        if (!strncmp(d->capture->meta[i].key, "heap.", 5))
            tac_text_addf(text, "  %s: %s\n", d->capture->meta[i].key + 5,
                          d->capture->meta[i].value);
}

static void add_hazards(const struct tac_diagnosis *d, struct tac_text *text)
{
    static const char *const grade[] = {"note", "warning", "serious"};
    char worst[16];
    if (!d->hazards_count)
        return;
    tac_text_add(text, "\nCalls inside cycles that can make them late, even where they did not:\n");
    for (size_t i = 0; i < d->hazards_count && i < HAZARDS_SHOWN; i++) {
        const struct tac_hazard *h = &d->hazards[i];
        tac_text_addf(text, "  %-8s %-22s %8zu in %zu cycles, worst %s\n", grade[h->grade], h->what,
                      h->count, h->cycles,
                      tac_text_duration((double)h->worst_ns, worst, sizeof worst));
        struct tac_frame frame[FRAMES];
        size_t n = tac_places_frames(d->places, h->place, frame, FRAMES);
        size_t at = tac_places_blame(frame, n);
        char words[256];
        if (at < n)
            tac_text_addf(text, "           by %s\n",
                          tac_frame_text(&frame[at], words, sizeof words));
    }
    if (d->hazards_count > HAZARDS_SHOWN)
        tac_text_addf(text, "  and %zu more, which --json and --html list\n",
                      d->hazards_count - HAZARDS_SHOWN);
}

static void add_evidence(const struct tac_diagnosis *d, struct tac_text *text)
{
    tac_text_add(text, "\nEvidence in the recording:\n");
    bool blind = false;
    for (const struct tac_evidence_kind *e = tac_evidence_kinds; e->bit; e++) {
        if (d->has & e->bit)
            add_wrapped(text, "  yes", e->sees, 8);
        else
            blind = true;
    }
    if (blind)
        tac_text_add(text, "Not in it, so this could not be seen:\n");
    for (const struct tac_evidence_kind *e = tac_evidence_kinds; e->bit; e++)
        if (!(d->has & e->bit))
            add_wrapped(text, "  no", e->misses, 8);
    struct tac_text problems = {0};
    tac_evidence_problems(d->capture, &problems);
    if (problems.length)
        add_wrapped(text, "  note", tac_text_string(&problems), 8);
    tac_text_fini(&problems);
}

void tac_report_text(const struct tac_diagnosis *diagnosis, struct tac_text *text)
{
    add_summary(diagnosis, text);
    size_t small = 0;
    for (size_t i = 0; i < diagnosis->causes_count; i++) {
        if (diagnosis->causes[i].misses || diagnosis->causes[i].share >= SMALL)
            add_cause(diagnosis, &diagnosis->causes[i], text);
        else
            small++;
    }
    if (small)
        tac_text_addf(text,
                      "\n  and %zu more cause%s, each below %g %% and never the largest part\n",
                      small, small == 1 ? "" : "s", SMALL * 100);
    add_memory(diagnosis, text);
    add_hazards(diagnosis, text);
    add_evidence(diagnosis, text);
}
