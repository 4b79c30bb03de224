/* SPDX-License-Identifier: MIT
 * marks.c - see marks.h. */
#include "doctor/marks.h"

#include "doctor/rule.h"

#include <errno.h>
#include <stdlib.h>

static void describe(const struct tac_miss *m, struct tac_text *text)
{
    char late[16], part[16];
    tac_text_addf(text, "late by %s", tac_text_duration((double)m->late_ns, late, sizeof late));
    for (unsigned i = 0; i < m->count; i++)
        tac_text_addf(text, "%s %s %s (%s)", i ? ";" : ":",
                      tac_text_duration((double)m->verdict[i].ns, part, sizeof part),
                      m->verdict[i].rule->title, m->verdict[i].text);
}

int tac_marks_make(const struct tac_diagnosis *d, struct tac_marks *marks)
{
    marks->mark = calloc(d->misses_count + 1, sizeof *marks->mark);
    marks->text = calloc(d->misses_count + 1, sizeof *marks->text);
    if (!marks->mark || !marks->text)
        return -ENOMEM;
    uint64_t before = 0;
    for (size_t i = 0; i < d->misses_count; i++) {
        const struct tac_miss *m = &d->misses[i];
        const struct tac_capture_cycle *c = &d->capture->cycles[m->cycle];
        uint64_t from = c->deadline_ns > before ? c->deadline_ns : before;
        if (from >= c->end_ns)
            continue; /* another source's miss lies over it: spans of a track do not overlap */
        describe(m, &marks->text[marks->count]);
        marks->mark[marks->count] = (struct tac_export_mark){
            .begin_ns = from,
            .end_ns = c->end_ns,
            .track = "verdicts",
            .name = m->verdict[0].rule->title,
            .text = tac_text_string(&marks->text[marks->count]),
        };
        marks->count++;
        before = c->end_ns;
    }
    return 0;
}

void tac_marks_fini(struct tac_marks *marks)
{
    for (size_t i = 0; marks->text && i < marks->count; i++)
        tac_text_fini(&marks->text[i]);
    free(marks->text);
    free(marks->mark);
    *marks = (struct tac_marks){0};
}
