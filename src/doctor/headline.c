/* SPDX-License-Identifier: MIT
 * headline.c - one honest sentence on how runs compare.
 *
 * Two runs differ when the 95 % intervals of their miss rates do not overlap (Wilson's score
 * interval: E. B. Wilson 1927, JASA 22:209-212). Misses come in clusters, so a chain of
 * carried-over misses counts as one. Anything less is called no difference. */
#include "doctor/rule.h"

#include <math.h>
#include <string.h>

struct rate {
    double low, high, share;
    size_t roots;
};

static struct rate rate_of(const struct tac_diagnosis *d)
{
    struct rate r = {0};
    for (size_t i = 0; i < d->misses_count; i++)
        r.roots += d->misses[i].root == i;
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

static void compare(const struct tac_diagnosis *a, const struct tac_diagnosis *b,
                    struct tac_text *text)
{
    struct rate x = rate_of(a), y = rate_of(b);
    if (a->missed == 0 && b->missed == 0) {
        tac_text_addf(text, "No difference: neither %s nor %s missed a deadline.", a->name,
                      b->name);
        return;
    }
    bool differ = x.high < y.low || y.high < x.low;
    tac_text_add(text, differ ? "" : "No clear difference: ");
    add_run(a, text);
    tac_text_add(text, ", ");
    add_run(b, text);
    tac_text_add(text, differ ? "." : "; that may be chance.");
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
