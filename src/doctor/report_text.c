/* SPDX-License-Identifier: MIT
 * report_text.c - the report for a terminal: what happened, why, how sure, what to do, what could
 * not be seen. */
#include "doctor/evidence.h"
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
        tac_text_addf(text, "  %s: %zu cycles", s->name, s->cycles);
        if (s->period_ns)
            tac_text_addf(text, " every %s", tac_text_duration((double)s->period_ns, a, sizeof a));
        tac_text_addf(text, "; in time they take %s, the longest took %s\n",
                      tac_text_duration((double)s->nominal_ns, b, sizeof b),
                      tac_text_duration((double)s->longest_ns, c, sizeof c));
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
    tac_text_addf(text, "%s: %zu cycles, ", d->name, d->judged);
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

static const char *sureness(double confidence)
{
    return confidence >= 0.95 ? "certain" : confidence >= 0.8 ? "likely" : "possible";
}

static const struct tac_verdict *verdict_of(const struct tac_miss *m, const struct tac_rule *rule)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->verdict[i].rule == rule)
            return &m->verdict[i];
    return &m->verdict[0];
}

static void add_example(const struct tac_diagnosis *d, const struct tac_cause *c,
                        struct tac_text *text)
{
    const struct tac_miss *m = &d->misses[c->worst];
    const struct tac_verdict *v = verdict_of(m, c->rule);
    struct tac_text line = {0};
    char late[16], part[16], other[16];
    tac_text_addf(&line, "cycle %u, late by %s", m->cycle,
                  tac_text_duration((double)m->late_ns, late, sizeof late));
    if (v->ns < m->late_ns)
        tac_text_addf(&line, ", of which %s", tac_text_duration((double)v->ns, part, sizeof part));
    tac_text_addf(&line, ": %s", v->text);
    const struct tac_verdict *second = m->count > 1 ? &m->verdict[v == &m->verdict[0]] : NULL;
    if (second)
        tac_text_addf(&line, "; next: %s, %s", second->rule->title,
                      tac_text_duration((double)second->ns, other, sizeof other));
    add_wrapped(text, "    worst", tac_text_string(&line), 12);
    tac_text_fini(&line);
}

static void add_cause(const struct tac_diagnosis *d, const struct tac_cause *c,
                      struct tac_text *text)
{
    char lost[16];
    tac_text_addf(text, "\n  %5.1f %%  %s (%s): %s lost", 100 * c->share, c->rule->title,
                  sureness(c->confidence),
                  tac_text_duration((double)c->lost_ns, lost, sizeof lost));
    if (c->misses)
        tac_text_addf(text, ", verdict of %zu miss%s", c->misses, c->misses == 1 ? "" : "es");
    if (c->carried)
        tac_text_addf(text, ", %zu of them carried over", c->carried);
    tac_text_add(text, "\n");
    add_example(d, c, text);
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
    for (size_t i = 0; i < d->hazards_count && i < 12; i++) {
        const struct tac_hazard *h = &d->hazards[i];
        tac_text_addf(text, "  %-8s %-22s %8zu in %zu cycles, worst %s\n", grade[h->grade], h->what,
                      h->count, h->cycles,
                      tac_text_duration((double)h->worst_ns, worst, sizeof worst));
    }
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
