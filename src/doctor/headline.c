/* SPDX-License-Identifier: MIT
 * headline.c - one honest sentence on how runs compare, and one on the main cause of the first.
 *
 * Two runs differ when the 95 % intervals of their miss rates do not overlap (Wilson's score
 * interval: E. B. Wilson 1927, JASA 22:209-212). Misses come in clusters, so a chain of
 * carried-over misses counts as one. Anything less is called no difference. The same is asked of
 * the misses of the first run's main cause alone: what else makes cycles late on a busy machine
 * hides that one cause is gone. Nothing is said of it where one of the runs might not have seen it,
 * or have called it otherwise. */
#include "doctor/rule.h"

#include <math.h>
#include <string.h>

struct rate {
    double low, high, share;
    size_t roots;
};

/* rule NULL: of all causes. */
static struct rate rate_of(const struct tac_diagnosis *d, const struct tac_rule *rule)
{
    struct rate r = {0};
    for (size_t i = 0; i < d->misses_count; i++) {
        const struct tac_miss *m = &d->misses[i];
        r.roots += m->root == i && (!rule || (m->count && m->verdict[0].rule == rule));
    }
    double n = d->judged ? (double)d->judged : 1, p = (double)r.roots / n, z = 1.96;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    r.low = middle - half;
    r.high = middle + half;
    r.share = p;
    return r;
}

static void add_run(const struct tac_diagnosis *d, struct tac_text *text)
{
    char worst[16];
    if (!d->missed)
        tac_text_addf(text, "%s missed none of %zu deadlines", d->name, d->judged);
    else
        tac_text_addf(text, "%s missed %zu of %zu deadlines (worst by %s)", d->name, d->missed,
                      d->judged, tac_text_duration((double)d->worst_ns, worst, sizeof worst));
}

static bool are_apart(struct rate x, struct rate y)
{
    return x.high < y.low || y.high < x.low;
}

static size_t misses_of(const struct tac_diagnosis *d, const struct tac_rule *rule)
{
    for (size_t i = 0; i < d->causes_count; i++)
        if (d->causes[i].rule == rule)
            return d->causes[i].misses;
    return 0;
}

/* Evidence that is in a recording, or not, whatever the program did. The rest (waits for locks,
 * faults) may be missing because there was none: then it matters to the rules that need it. */
static bool would_both_tell(const struct tac_diagnosis *a, const struct tac_diagnosis *b,
                            const struct tac_rule *rule)
{
    const unsigned always =
        TAC_HAS_CLOCK | TAC_HAS_MEMORY | TAC_HAS_SWITCHES | TAC_HAS_SCHED | TAC_HAS_IRQ;
    return !((a->has ^ b->has) & always) && !(rule->needs & ~(a->has & b->has));
}

static void compare_main_cause(const struct tac_diagnosis *a, const struct tac_diagnosis *b,
                               struct tac_text *text)
{
    const struct tac_rule *rule = a->causes_count ? a->causes[0].rule : NULL;
    if (!rule || !would_both_tell(a, b, rule) || !are_apart(rate_of(a, rule), rate_of(b, rule)))
        return;
    size_t before = misses_of(a, rule), after = misses_of(b, rule);
    tac_text_addf(text, " %zu late cycle%s of %s and ", before, before == 1 ? "" : "s", a->name);
    if (after)
        tac_text_addf(text, "%zu", after);
    else
        tac_text_add(text, "none");
    tac_text_addf(text, " of %s come%s from %s: that is not chance.", b->name,
                  before + after == 1 ? "s" : "", rule->title);
}

static void compare(const struct tac_diagnosis *a, const struct tac_diagnosis *b,
                    struct tac_text *text)
{
    struct rate x = rate_of(a, NULL), y = rate_of(b, NULL);
    if (a->missed == 0 && b->missed == 0) {
        tac_text_addf(text, "No difference: neither %s nor %s missed a deadline.", a->name,
                      b->name);
        return;
    }
    bool differ = are_apart(x, y);
    tac_text_add(text, differ ? "" : "No clear difference: ");
    add_run(a, text);
    tac_text_add(text, ", ");
    add_run(b, text);
    tac_text_add(text, differ ? "." : "; that may be chance.");
    compare_main_cause(a, b, text);
}

void tac_report_headline(const struct tac_diagnosis *const *runs, size_t count,
                         struct tac_text *text)
{
    char worst[16];
    if (count == 0)
        return;
    if (count == 1) {
        const struct tac_diagnosis *d = runs[0];
        if (!d->judged)
            tac_text_addf(text, "%s has no cycle with a deadline.", d->name);
        else if (!d->missed)
            tac_text_addf(text, "All %zu deadlines were met.", d->judged);
        else
            tac_text_addf(text,
                          "%zu of %zu deadlines were missed, the worst by %s; %.0f %% of the lost "
                          "time went to: %s.",
                          d->missed, d->judged,
                          tac_text_duration((double)d->worst_ns, worst, sizeof worst),
                          100 * d->causes[0].share, d->causes[0].rule->title);
        return;
    }
    size_t start = text->length;
    for (size_t i = 1; i < count; i++) {
        tac_text_add(text, i > 1 ? " " : "");
        compare(runs[0], runs[i], text);
    }
    if (text->length > start && text->data[start] >= 'a' && text->data[start] <= 'z' &&
        strncmp(runs[0]->name, "the ", 4) == 0)
        text->data[start] = 'T'; /* "the system's heap" opens the sentence; a file name stays */
}
