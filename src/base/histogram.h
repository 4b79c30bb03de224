/* SPDX-License-Identifier: MIT
 * histogram.h - a latency histogram of fixed size with bounded relative error.
 *
 * How     Values below 32 have a bucket each; above, every power of two is cut into 32 equal
 *         buckets, so a bucket is never wider than 1/32 (3.1 %) of its lower edge. 1 920 buckets
 *         cover all of uint64_t.
 * Threads one writer; a reader on another thread may see a count that is one add old (counts are
 *         plain words, torn only on 32-bit machines, where it must not matter).
 * Cost    add: constant, about 6 instructions and one increment. quantile: one walk.
 * Source  the bucket rule is that of HdrHistogram (Gil Tene), written anew. */
#ifndef TAC_BASE_HISTOGRAM_H
#define TAC_BASE_HISTOGRAM_H

#include "base/bits.h"

#include <stdint.h>

enum {
    TAC_HISTOGRAM_SUB_BITS = 5,
    TAC_HISTOGRAM_SUB = 1 << TAC_HISTOGRAM_SUB_BITS,
    TAC_HISTOGRAM_BUCKETS = (64 - TAC_HISTOGRAM_SUB_BITS + 1) * TAC_HISTOGRAM_SUB,
};

struct tac_histogram {
    uint64_t count, sum, min, max;
    uint64_t bucket[TAC_HISTOGRAM_BUCKETS];
};

static inline unsigned tac_histogram_bucket(uint64_t value)
{
    if (value < TAC_HISTOGRAM_SUB)
        return (unsigned)value;
    unsigned shift = tac_bit_highest(value) - TAC_HISTOGRAM_SUB_BITS;
    return (shift + 1) * TAC_HISTOGRAM_SUB + (unsigned)(value >> shift) - TAC_HISTOGRAM_SUB;
}

/* The lowest value that falls into the bucket. */
static inline uint64_t tac_histogram_bucket_low(unsigned bucket)
{
    if (bucket < 2 * TAC_HISTOGRAM_SUB)
        return bucket;
    unsigned shift = bucket / TAC_HISTOGRAM_SUB - 1;
    return (uint64_t)(TAC_HISTOGRAM_SUB + bucket % TAC_HISTOGRAM_SUB) << shift;
}

void tac_histogram_init(struct tac_histogram *h);

/* Real-time: yes. */
static inline void tac_histogram_add(struct tac_histogram *h, uint64_t value)
{
    h->bucket[tac_histogram_bucket(value)]++;
    h->count++;
    h->sum += value;
    h->min = value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
}

/* The value below or at which the fraction q (0..1) of all values lies: the upper edge of the
 * bucket, but never above the exact maximum. 0 when empty. */
uint64_t tac_histogram_quantile(const struct tac_histogram *h, double q);

/* 0 when empty. */
double tac_histogram_mean(const struct tac_histogram *h);

/* Add all of b to a. */
void tac_histogram_merge(struct tac_histogram *a, const struct tac_histogram *b);

#endif
