/* SPDX-License-Identifier: MIT
 * histogram.c - set-up, merging and queries of histogram.h; none of it is for real-time threads. */
#include "base/histogram.h"

#include <string.h>

void tac_histogram_init(struct tac_histogram *h)
{
    memset(h, 0, sizeof *h);
    h->min = UINT64_MAX;
}

uint64_t tac_histogram_quantile(const struct tac_histogram *h, double q)
{
    if (!h->count)
        return 0;
    q = q < 0 ? 0 : q > 1 ? 1 : q;
    double exact = q * (double)h->count;
    uint64_t rank = (uint64_t)exact;
    rank += (double)rank < exact || !rank;
    uint64_t seen = 0;
    for (unsigned b = 0; b < TAC_HISTOGRAM_BUCKETS - 1; b++) {
        seen += h->bucket[b];
        if (seen >= rank) {
            uint64_t upper = tac_histogram_bucket_low(b + 1) - 1;
            return upper < h->max ? upper : h->max;
        }
    }
    return h->max;
}

double tac_histogram_mean(const struct tac_histogram *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0;
}

void tac_histogram_merge(struct tac_histogram *a, const struct tac_histogram *b)
{
    for (unsigned i = 0; i < TAC_HISTOGRAM_BUCKETS; i++)
        a->bucket[i] += b->bucket[i];
    a->count += b->count;
    a->sum += b->sum;
    a->min = b->min < a->min ? b->min : a->min;
    a->max = b->max > a->max ? b->max : a->max;
}
