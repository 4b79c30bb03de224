/* SPDX-License-Identifier: MIT
 * test_spans.c - the span layer against a plain array of owners, and under two threads. */
#include "mem/spans.h"

#include "test.h"

#include <pthread.h>
#include <stdlib.h>

static uint64_t seed = 88172645463325252u;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct layer {
    struct tac_spans spans;
    void *table;
};

static void layer_open(struct layer *layer, size_t units)
{
    size_t bytes = (tac_spans_table_bytes(units) + 63) / 64 * 64;
    layer->table = aligned_alloc(64, bytes);
    memset(layer->table, 0, bytes);
    tac_spans_init(&layer->spans, units, layer->table);
}

static long take(struct tac_spans *spans, size_t n, bool high)
{
    return high && n < 64 ? tac_spans_take_high(spans, (unsigned)n) : tac_spans_take(spans, n);
}

/* As a run, or where it lies in one word, as bits of that. */
static void give(struct tac_spans *spans, size_t unit, size_t n, bool bits)
{
    if (bits && n < 64 && unit / 64 == (unit + n - 1) / 64)
        tac_spans_give_bits(spans, unit / 64, tac_bitrun_mask(unit % 64, (unsigned)n));
    else
        tac_spans_give(spans, unit, n);
}

static void runs_agree_with_counting(void)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t x = random_next(&seed) | (i & 1 ? random_next(&seed) : 0);
        x |= i & 2 ? random_next(&seed) : 0;
        int longest = 0, run = 0;
        for (int b = 0; b < 64; b++) {
            run = x >> b & 1 ? run + 1 : 0;
            longest = run > longest ? run : longest;
        }
        for (int n = 1; n <= 64; n++)
            REQUIRE((tac_bitrun_starts(x, (unsigned)n) != 0) == (longest >= n));
        REQUIRE(tac_bitrun_longest(x) == (unsigned)longest);
    }
}

static void whole_arena_can_be_taken_and_given(void)
{
    size_t sizes[] = {1, 63, 64, 65, 1000, 4096, 5000, 262144, 270001};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct layer l;
        layer_open(&l, sizes[i]);
        CHECK(tac_spans_free_units(&l.spans) == sizes[i]);
        CHECK(!tac_spans_fault(&l.spans));
        size_t n = 0;
        while (take(&l.spans, 1, n & 1) >= 0)
            n++;
        CHECK_MSG(n == sizes[i], "%zu of %zu", n, sizes[i]);
        for (size_t u = 0; u < sizes[i]; u++)
            give(&l.spans, u, 1, u & 1);
        CHECK(tac_spans_free_units(&l.spans) == sizes[i]);
        CHECK(!tac_spans_fault(&l.spans));
        free(l.table);
    }
}

enum { LIVE = 300 };

struct span {
    size_t unit, n;
};

static size_t random_length(void)
{
    unsigned magnitude = (unsigned)(random_next(&seed) % 13);
    return 1 + (size_t)(random_next(&seed) % (1ull << magnitude));
}

static bool mark(unsigned char *owner, struct span s, unsigned char from, unsigned char to)
{
    for (size_t i = 0; i < s.n; i++) {
        if (owner[s.unit + i] != from)
            return false;
        owner[s.unit + i] = to;
    }
    return true;
}

/* Take, give, grow and shrink at random; every unit has one owner at any time. */
static void operate_at_random(size_t units)
{
    enum { ORIGIN = 37 * 64 }; /* in units, where the first lies */
    struct layer l;
    layer_open(&l, units);
    unsigned char *owner = calloc(units, 1);
    struct span live[LIVE] = {{0, 0}};
    for (int i = 0; i < 100000; i++) {
        struct span *s = &live[random_next(&seed) % LIVE];
        if (!s->n) {
            unsigned kind = (unsigned)(random_next(&seed) % 4);
            size_t align = kind == 0 ? (size_t)1 << random_next(&seed) % 15 : kind == 1 ? 16 : 1;
            size_t n = kind == 1 ? align : tac_spans_round(random_length());
            long unit = align > 1 ? tac_spans_take_aligned(&l.spans, n, align, ORIGIN)
                                  : take(&l.spans, n, kind == 2);
            if (unit < 0)
                continue;
            REQUIRE(((size_t)unit + ORIGIN) % align == 0);
            *s = (struct span){(size_t)unit, n};
            REQUIRE(mark(owner, *s, 0, 1));
        } else if (random_next(&seed) % 4 == 0) {
            size_t longer = tac_spans_round(s->n + random_length());
            size_t from = s->unit + s->n, to = s->unit + longer;
            size_t end = to <= units ? tac_spans_grow(&l.spans, from, to, s->unit) : 0;
            if (end) {
                struct span more = {from, end - from};
                REQUIRE(end == to || end == tac_spans_grown(from, to));
                REQUIRE(mark(owner, more, 0, 1));
                s->n = end - s->unit;
            }
        } else {
            size_t keep = random_next(&seed) % 3 ? 0 : tac_spans_round(s->n / 2);
            size_t kept = keep ? tac_spans_shrink(&l.spans, s->unit, s->n, keep) : 0;
            struct span gone = {s->unit + kept, s->n - kept};
            REQUIRE(kept >= keep && kept < keep + 64);
            REQUIRE(mark(owner, gone, 1, 0));
            if (!keep)
                give(&l.spans, gone.unit, gone.n, i & 1);
            s->n = kept;
        }
        if (i % 256 == 0) {
            const char *fault = tac_spans_fault(&l.spans);
            CHECK_MSG(!fault, "%s after %d", fault, i);
        }
    }
    for (int i = 0; i < LIVE; i++)
        if (live[i].n)
            tac_spans_give(&l.spans, live[i].unit, live[i].n);
    CHECK(tac_spans_free_units(&l.spans) == units);
    size_t step = (size_t)1 << tac_span_shift(l.spans.top);
    CHECK(tac_spans_longest(&l.spans) == units / step * step);
    CHECK(!tac_spans_fault(&l.spans));
    free(owner);
    free(l.table);
}

/* With two and three levels, and trees of either depth. */
static void random_operations_keep_units_apart(void)
{
    operate_at_random(9000);
    operate_at_random(30000);
    operate_at_random(70000);
    operate_at_random(((size_t)1 << 21) + 5000); /* the crown of level 0 has two roots */
}

struct worker {
    struct layer *layer;
    _Atomic unsigned char *owner;
    uint64_t seed;
    int clashes;
};

static void *work(void *argument)
{
    struct worker *w = argument;
    struct span live[64] = {{0, 0}};
    for (int i = 0; i < 75000; i++) {
        struct span *s = &live[random_next(&w->seed) % 64];
        if (!s->n) {
            size_t n = 1 + (size_t)(random_next(&w->seed) % (i % 16 ? 20 : 300));
            long unit = take(&w->layer->spans, n, i & 1);
            if (unit < 0)
                continue;
            *s = (struct span){(size_t)unit, n};
            for (size_t u = 0; u < n; u++)
                w->clashes += atomic_exchange(&w->owner[s->unit + u], 1);
        } else {
            for (size_t u = 0; u < s->n; u++)
                atomic_store(&w->owner[s->unit + u], 0);
            give(&w->layer->spans, s->unit, s->n, i & 2);
            s->n = 0;
        }
    }
    for (int i = 0; i < 64; i++) {
        for (size_t u = 0; u < live[i].n; u++)
            atomic_store(&w->owner[live[i].unit + u], 0);
        if (live[i].n)
            tac_spans_give(&w->layer->spans, live[i].unit, live[i].n);
    }
    return NULL;
}

/* Over that many units, the others being held meanwhile. */
static void share_units(size_t units, size_t free_units)
{
    enum { THREADS = 3 };
    struct layer l;
    layer_open(&l, units);
    _Atomic unsigned char *owner = calloc(units, 1);
    struct worker worker[THREADS];
    pthread_t thread[THREADS];
    long held = units > free_units ? tac_spans_take(&l.spans, units - free_units) : 0;
    REQUIRE(held >= 0);
    for (int i = 0; i < THREADS; i++) {
        worker[i] = (struct worker){&l, owner, 77 + (uint64_t)i, 0};
        REQUIRE(pthread_create(&thread[i], NULL, work, &worker[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(worker[i].clashes == 0);
    }
    if (units > free_units)
        tac_spans_give(&l.spans, (size_t)held, units - free_units);
    const char *fault = tac_spans_fault(&l.spans);
    CHECK_MSG(!fault, "%zu units: %s", units, fault);
    CHECK(tac_spans_free_units(&l.spans) == units);
    free(owner);
    free(l.table);
}

/* Trees of either depth, where these have one root and where they have two. */
static void threads_never_share_a_unit(void)
{
    share_units(3000, 3000);
    share_units(((size_t)1 << 21) + 1500, 3000);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(runs_agree_with_counting);
    TEST(whole_arena_can_be_taken_and_given);
    TEST(random_operations_keep_units_apart);
    TEST(threads_never_share_a_unit);
    return test_end();
}
