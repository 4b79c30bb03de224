/* SPDX-License-Identifier: MIT
 * report_html.c - the page: data as JSON, drawn by page.js; nothing is loaded from anywhere.
 *
 * The size of the page is bounded: the strip has at most STRIP_MAX bars (a bar is one cycle, or the
 * worst of several), timelines are given for the worst misses and one of each cause, and each of
 * them is cut to the longest pieces. */
#include "doctor/curve.h"
#include "doctor/evidence.h"
#include "doctor/listed.h"
#include "doctor/report_page.h"
#include "doctor/rule.h"
#include "doctor/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STRIP_MAX = 3000 };

/* ---- the strip of all cycles ---- */

struct bar {
    size_t cycle; /* the worst of the bar */
    double load;  /* time from release to end, of the time to the deadline */
    bool judged;
};

static double load_of(const struct tac_diagnosis *d, size_t i)
{
    const struct tac_capture_cycle *c = &d->capture->cycles[i];
    double taken = 0;
    for (int a = 0; a < TAC_ACCOUNTS; a++)
        taken += (double)d->cycle_account[i][a];
    double allowed = taken - (double)tac_capture_late_ns(c);
    if (c->end_ns <= c->deadline_ns)
        allowed = taken + (double)(c->deadline_ns - c->end_ns);
    return allowed > 0 ? taken / allowed : 0;
}

static struct bar bar_of(const struct tac_diagnosis *d, size_t from, size_t to)
{
    struct bar bar = {.cycle = from};
    for (size_t i = from; i < to; i++) {
        if (d->cycle_verdict[i] == TAC_CYCLE_NOT_JUDGED)
            continue;
        double load = load_of(d, i);
        if (!bar.judged || load > bar.load)
            bar = (struct bar){i, load, true};
    }
    return bar;
}

static void add_strip(const struct tac_diagnosis *d, struct tac_text *t)
{
    size_t each = d->cycles / STRIP_MAX + 1;
    tac_text_addf(t, "\"each\":%zu,\"strip\":[", each);
    for (size_t i = 0; i < d->cycles; i += each) {
        struct bar b = bar_of(d, i, i + each < d->cycles ? i + each : d->cycles);
        tac_text_addf(t, "%s[%zu,%d,%.3f]", i ? "," : "", b.cycle,
                      b.judged ? d->cycle_verdict[b.cycle] : TAC_CYCLE_NOT_JUDGED, b.load);
    }
    tac_text_add(t, "]");
}

/* ---- timelines of the worst ---- */

static int add_timelines(const struct tac_diagnosis *d, struct tac_text *t)
{
    size_t list[TAC_DRAWN_MAX], count = tac_listed_drawn(d, list);
    int r = 0;
    tac_text_add(t, "\"timelines\":[");
    for (size_t i = 0; i < count && r == 0; i++) {
        tac_text_add(t, i ? "," : "");
        r = tac_timeline_add(d, list[i], t);
    }
    tac_text_add(t, "]");
    return r;
}

/* ---- the memory curve ---- */

static int add_curve(const struct tac_diagnosis *d, struct tac_text *t)
{
    if (!d->capture->memory_count) {
        tac_text_add(t, "\"curve\":null");
        return 0;
    }
    struct tac_curve *curve = malloc(sizeof *curve);
    int r = curve ? tac_curve_make(d->capture, curve) : -ENOMEM;
    if (r == 0) {
        tac_text_addf(
            t,
            "\"curve\":{\"step\":%.6f,\"plotted\":%u,\"lossy\":%u,\"peak\":%" PRIu64 ",\"bytes\":[",
            (double)curve->step_ns / 1e9, curve->plotted, curve->lossy, curve->peak_bytes);
        for (int i = 0; i < TAC_CURVE_POINTS; i++)
            tac_text_addf(t, "%s%" PRIu64, i ? "," : "", curve->high_bytes[i]);
        tac_text_add(t, "],\"blocks\":[");
        for (int i = 0; i < TAC_CURVE_POINTS; i++)
            tac_text_addf(t, "%s%" PRIu64, i ? "," : "", curve->blocks[i]);
        tac_text_add(t, "]}");
    }
    free(curve);
    return r;
}

static void add_meta(const struct tac_diagnosis *d, struct tac_text *t)
{
    tac_text_add(t, "\"meta\":[");
    for (size_t i = 0; i < d->capture->meta_count; i++) {
        tac_text_add(t, i ? ",[" : "[");
        tac_text_add_json(t, d->capture->meta[i].key);
        tac_text_add(t, ",");
        tac_text_add_json(t, d->capture->meta[i].value);
        tac_text_add(t, "]");
    }
    tac_text_add(t, "]");
}

static void add_rules(struct tac_text *t)
{
    tac_text_add(t, "\"rules\":[");
    for (size_t i = 0; i < tac_rules_count; i++) {
        const struct tac_rule *r = tac_rules[i];
        tac_text_addf(t, "%s{\"name\":\"%s\",\"blame\":%d,\"title\":", i ? "," : "", r->name,
                      r->blame);
        tac_text_add_json(t, r->title);
        tac_text_add(t, ",\"means\":");
        tac_text_add_json(t, r->means);
        tac_text_add(t, ",\"advice\":");
        tac_text_add_json(t, r->advice);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "],\"accounts\":[");
    for (int a = 0; a < TAC_ACCOUNTS; a++)
        tac_text_addf(t, "%s\"%s\"", a ? "," : "", tac_account_name((enum tac_account)a));
    tac_text_add(t, "],\"evidence\":[");
    for (const struct tac_evidence_kind *e = tac_evidence_kinds; e->bit; e++) {
        tac_text_addf(t, "%s[\"%s\",", e == tac_evidence_kinds ? "" : ",", e->name);
        tac_text_add_json(t, e->sees);
        tac_text_add(t, ",");
        tac_text_add_json(t, e->misses);
        tac_text_add(t, "]");
    }
    tac_text_add(t, "]");
}

static int add_pictures(const struct tac_diagnosis *const *runs, size_t count, struct tac_text *t)
{
    int r = 0;
    tac_text_add(t, "{");
    add_rules(t);
    tac_text_add(t, ",\"pictures\":[");
    for (size_t i = 0; i < count && r == 0; i++) {
        tac_text_add(t, i ? ",{" : "{");
        add_strip(runs[i], t);
        tac_text_add(t, ",");
        add_meta(runs[i], t);
        tac_text_add(t, ",");
        r = add_timelines(runs[i], t);
        tac_text_add(t, ",");
        r = r ? r : add_curve(runs[i], t);
        tac_text_add(t, "}");
    }
    tac_text_add(t, "]}");
    return r;
}

/* JSON inside a script element must not hold the characters that could end it. */
static void put_json(const char *json, FILE *file)
{
    for (const char *s = json; *s; s++)
        if (*s == '<')
            fputs("\\u003c", file);
        else
            putc(*s, file);
}

static void put_page(const char *report, const char *pictures, FILE *file)
{
    const char *page = tac_page_html;
    for (const char *mark; (mark = strstr(page, "@@")); page = strstr(mark + 2, "@@") + 2) {
        fwrite(page, 1, (size_t)(mark - page), file);
        if (!strncmp(mark, "@@STYLE", 7)) {
            fputs(tac_shared_css, file);
            fputs(tac_page_css, file);
        } else if (!strncmp(mark, "@@SCRIPT", 8)) {
            fputs(tac_shared_js, file);
            fputs(tac_page_js, file);
        } else if (!strncmp(mark, "@@REPORT", 8))
            put_json(report, file);
        else if (!strncmp(mark, "@@PICTURES", 10))
            put_json(pictures, file);
    }
    fputs(page, file);
}

int tac_report_html(const struct tac_diagnosis *const *runs, size_t count, const char *setup,
                    FILE *file)
{
    struct tac_text report = {0}, pictures = {0};
    tac_report_json(runs, count, setup, &report);
    int r = add_pictures(runs, count, &pictures);
    if (r == 0 && (report.failed || pictures.failed))
        r = -ENOMEM;
    if (r == 0) {
        errno = 0;
        put_page(tac_text_string(&report), tac_text_string(&pictures), file);
        if (fflush(file) || ferror(file))
            r = errno ? -errno : -EIO;
    }
    tac_text_fini(&report);
    tac_text_fini(&pictures);
    return r;
}
