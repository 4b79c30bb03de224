/* SPDX-License-Identifier: MIT
 * test_histogram.c - buckets tile the whole range, and quantiles keep the promised error. */
#include "base/histogram.h"

#include "test.h"

#include <stdlib.h>

static struct tac_histogram h, g;

static void buckets_tile_the_range(void)
{
    for (unsigned b = 0; b + 1 < TAC_HISTOGRAM_BUCKETS; b++) {
        uint64_t low = tac_histogram_bucket_low(b), next = tac_histogram_bucket_low(b + 1);
        CHECK(next > low);
        CHECK(tac_histogram_bucket(low) == b && tac_histogram_bucket(next - 1) == b);
        CHECK((next - low - 1) * TAC_HISTOGRAM_SUB <= low || next - low == 1);
    }
    CHECK(tac_histogram_bucket(UINT64_MAX) == TAC_HISTOGRAM_BUCKETS - 1);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void quantiles_are_within_one_bucket(void)
{
    enum { N = 20000 };
    static uint64_t value[N];
    uint64_t random = 7;
    tac_histogram_init(&h);
    for (int i = 0; i < N; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        value[i] = random >> (random >> 58);
        tac_histogram_add(&h, value[i]);
    }
    qsort(value, N, sizeof *value, compare);
    for (int i = 1; i < N; i += 97) {
        double q = (double)i / N;
        double exact = (double)value[i - 1], found = (double)tac_histogram_quantile(&h, q);
        CHECK_MSG(found >= exact && found <= exact * (1 + 1.0 / 32) + 1, "q %g: %g for %g", q,
                  found, exact);
    }
    CHECK(tac_histogram_quantile(&h, 1) == value[N - 1] && h.min == value[0]);
}

static void empty_and_merge(void)
{
    tac_histogram_init(&h);
    tac_histogram_init(&g);
    CHECK(tac_histogram_quantile(&h, 0.5) == 0 && tac_histogram_mean(&h) == 0);
    tac_histogram_add(&h, 10);
    tac_histogram_add(&g, 30);
    tac_histogram_merge(&h, &g);
    CHECK(h.count == 2 && h.min == 10 && h.max == 30 && tac_histogram_mean(&h) == 20);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(buckets_tile_the_range);
    TEST(quantiles_are_within_one_bucket);
    TEST(empty_and_merge);
    return test_end();
}
