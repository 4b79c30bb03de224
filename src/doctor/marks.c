/* SPDX-License-Identifier: MIT
 * marks.c - see marks.h. */
#include "doctor/marks.h"

#include "doctor/rule.h"

static void describe(const struct tac_miss *m, struct tac_text *text)
{
    char late[16], part[16];
    tac_text_addf(text, "late by %s", tac_text_duration((double)m->late_ns, late, sizeof late));
    for (unsigned i = 0; i < m->count; i++)
        tac_text_addf(text, "%s %s %s (%s)", i ? ";" : ":",
                      tac_text_duration((double)m->verdict[i].ns, part, sizeof part),
                      m->verdict[i].rule->title, m->verdict[i].text);
}

void tac_marks_give(struct tac_marks *marks, const struct tac_diagnosis *d, uint64_t from_ns,
                    uint64_t to_ns)
{
    for (size_t i = 0; i < d->misses_count; i++) {
        const struct tac_miss *m = &d->misses[i];
        const struct tac_capture_cycle *c = &d->capture->cycles[m->cycle];
        uint64_t from = c->deadline_ns > marks->before_ns ? c->deadline_ns : marks->before_ns;
        if (c->end_ns < from_ns || c->end_ns >= to_ns)
            continue;
        if (from >= c->end_ns)
            continue; /* another source's miss lies over it: spans of a track do not overlap */
        struct tac_text text = {0};
        describe(m, &text);
        struct tac_export_mark mark = {.begin_ns = from,
                                       .end_ns = c->end_ns,
                                       .track = "verdicts",
                                       .name = m->verdict[0].rule->title,
                                       .text = tac_text_string(&text)};
        marks->take(marks->me, d->capture, &mark);
        tac_text_fini(&text);
        marks->before_ns = c->end_ns;
    }
}
