/* SPDX-License-Identifier: MIT
 * test_lod.c - every query against a walk over all spans: nothing is left out or counted twice,
 * sums and the longest are right, and there are never more spans than pixels allow. */
#include "capture/lod.h"

#include "make_recording.h"
#include "test.h"

#include <unistd.h>

static char path[64];
static uint32_t seed = 1;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 8) * below >> 24);
}

/* Zones of very different lengths, three deep; memory and waits; a plot; switches between three
 * threads. */
static struct tac_capture *record(void)
{
    struct tac_make *m = tac_make_open(path);
    struct tac_capture *c = NULL;
    tac_make_source(m, 0, "callback", 1000);
    uint32_t lane = tac_make_thread(m, 11, "audio"), other = tac_make_thread(m, 12, "gui");
    uint64_t t = 1000;
    for (int i = 0; i < 3000; i++) {
        uint64_t length = i % 100 == 0 ? 20000 + chance(50000) : 4 + chance(60);
        tac_make_zone(m, lane, TAC_CAT_APP, i % 3 ? "a" : "b", t, t + length);
        if (length > 40)
            tac_make_zone(m, lane, TAC_CAT_APP, "inside", t + 2, t + length / 2);
        tac_make_plot(m, lane, "curve", "", t, (double)chance(1000) - 500);
        tac_make_memory(m, lane, TAC_MEMORY_ALLOC, 64u * (unsigned)i, 8, t + 1, t + 1 + length / 4);
        if (i % 7 == 0)
            tac_make_lock_wait(m, other, 0x1000, 11, t, t + 1 + chance(3));
        if (i % 50 == 0)
            tac_make_cycle(m, other, 0, t, t + 900, t + 1 + chance(1000), 64, NULL);
        tac_make_kernel(m, (struct tac_format_kernel){
                               t, TAC_KERNEL_SWITCH, (uint16_t)(i & 1), 11 + (uint32_t)i % 3,
                               (uint64_t)(11 + (i + 1) % 3) << 32, (uint64_t)(i % 4) << 32});
        t += length + chance(i % 700 == 0 ? 100000 : 20);
    }
    tac_make_gap(m, lane, 5000, 7000, 9);
    tac_make_close(m);
    return tac_capture_open(path, NULL, &c) == 0 ? c : NULL;
}

enum { SPANS = 4096 };

/* All spans of a row as they are: a query at a resolution that no span is below. */
static size_t whole_row(const struct tac_lod *l, enum tac_lod_kind kind, uint32_t lane,
                        uint32_t row, struct tac_lod_span *all, uint64_t to)
{
    size_t n = tac_lod_spans(l, kind, lane, row, 0, to, UINT32_MAX, all, SPANS);
    for (size_t i = 0; i < n; i++)
        CHECK(all[i].count == 1);
    return n;
}

static void check_query(const struct tac_lod *l, enum tac_lod_kind kind, uint32_t lane,
                        uint32_t row, const struct tac_lod_span *all, size_t total, uint64_t from,
                        uint64_t to, uint32_t pixels)
{
    static struct tac_lod_span got[SPANS];
    size_t n = tac_lod_spans(l, kind, lane, row, from, to, pixels, got, SPANS);
    uint64_t width = (to - from + pixels - 1) / pixels, last = 0;
    size_t k = 0;
    while (k < total && all[k].end_ns <= from)
        k++;
    CHECK_MSG(n <= 2 * (size_t)pixels + 2, "%zu spans for %u pixels", n, pixels);
    for (size_t i = 0; i < n; i++) {
        uint64_t busy = 0, longest = 0;
        for (uint32_t j = 0; j < got[i].count && k < total; j++, k++) {
            busy += all[k].end_ns - all[k].begin_ns;
            longest = all[k].end_ns - all[k].begin_ns > longest ? all[k].end_ns - all[k].begin_ns
                                                                : longest;
            CHECK(all[k].begin_ns >= got[i].begin_ns && all[k].end_ns <= got[i].end_ns);
        }
        CHECK(busy == got[i].busy_ns && got[i].begin_ns >= last);
        CHECK(got[i].count == 1 || got[i].end_ns - got[i].begin_ns <= 2 * width);
        last = got[i].begin_ns;
    }
    CHECK_MSG(k == total || all[k].begin_ns >= to, "spans are left out");
}

static void each_query_is_what_a_walk_finds(void)
{
    static struct tac_lod_span all[SPANS];
    struct tac_capture *c = record();
    struct tac_lod *l;
    REQUIRE(c && tac_lod_open(c, &l) == 0);
    CHECK(tac_lod_rows(l, TAC_LOD_ZONES, 0) == 2 && tac_lod_rows(l, TAC_LOD_ZONES, 1) == 0);
    CHECK(tac_lod_lanes(l, TAC_LOD_CPU) == 2 && tac_lod_rows(l, TAC_LOD_STATE, 0) == 1);
    uint64_t end = c->end_ns + 1;
    for (int kind = 0; kind < TAC_LOD_KINDS; kind++)
        for (uint32_t lane = 0; lane < tac_lod_lanes(l, kind); lane++)
            for (uint32_t row = 0; row < tac_lod_rows(l, kind, lane); row++) {
                size_t total = whole_row(l, kind, lane, row, all, end);
                CHECK(total > 0);
                check_query(l, kind, lane, row, all, total, 0, end, 100);
                for (int i = 0; i < 60; i++) {
                    uint64_t from = chance((uint32_t)end), to = from + 1 + chance((uint32_t)end);
                    check_query(l, kind, lane, row, all, total, from, to, 1 + chance(500));
                }
            }
    tac_lod_close(l);
    tac_capture_close(c);
}

static void the_longest_is_named(void)
{
    struct tac_capture *c = record();
    struct tac_lod *l;
    struct tac_lod_span one[4];
    REQUIRE(c && tac_lod_open(c, &l) == 0);
    /* a pixel of which only narrow ones begin: between two long zones */
    size_t n = tac_lod_spans(l, TAC_LOD_ZONES, 0, 0, 0, c->end_ns + 1, 1, one, 4);
    REQUIRE(n == 1);
    uint64_t longest = 0, sum = 0;
    for (size_t i = 0; i < c->zones_count; i++)
        if (!c->zones[i].depth) {
            uint64_t took = c->zones[i].end_ns - c->zones[i].begin_ns;
            longest = took > longest ? took : longest;
            sum += took;
        }
    const struct tac_capture_zone *z = &c->zones[one[0].index];
    CHECK(one[0].count == 3000 && one[0].busy_ns == sum);
    CHECK(z->end_ns - z->begin_ns == longest);
    tac_lod_close(l);
    tac_capture_close(c);
}

static void points_keep_minimum_and_maximum(void)
{
    static struct tac_lod_point got[SPANS];
    struct tac_capture *c = record();
    struct tac_lod *l;
    REQUIRE(c && tac_lod_open(c, &l) == 0);
    uint32_t site = c->plots[0].site;
    for (uint32_t pixels = 1; pixels < 2000; pixels = pixels * 3 + 1) {
        uint64_t from = c->begin_ns + (c->end_ns - c->begin_ns) / 3, to = c->end_ns + 1;
        size_t n = tac_lod_points(l, site, from, to, pixels, got, SPANS);
        uint32_t count = 0;
        double min = 1e9, max = -1e9, want_min = 1e9, want_max = -1e9;
        size_t want = 0;
        CHECK(n >= 2 && n <= pixels + 1u && got[0].ns < from);
        for (size_t i = 1; i < n; i++) {
            count += got[i].count;
            min = got[i].min < min ? got[i].min : min;
            max = got[i].max > max ? got[i].max : max;
        }
        for (size_t i = 0; i < c->plots_count; i++)
            if (c->plots[i].ns >= from) {
                want++;
                want_min = c->plots[i].value < want_min ? c->plots[i].value : want_min;
                want_max = c->plots[i].value > want_max ? c->plots[i].value : want_max;
            }
        CHECK(count == want && min == want_min && max == want_max);
    }
    CHECK(tac_lod_points(l, site, 0, UINT64_MAX, 100, got, SPANS) == 1); /* all in one pixel */
    CHECK(tac_lod_points(l, 9999, 0, 1000, 10, got, SPANS) == 0);
    CHECK(tac_lod_spans(l, TAC_LOD_CPU, 77, 0, 0, 10, 10, NULL, 0) == 0);
    tac_lod_close(l);
    tac_capture_close(c);
}

static void who_ends_an_idle_time_unsaid_is_seen(void)
{
    struct tac_make *m = tac_make_open(path);
    struct tac_capture *c = NULL;
    struct tac_lod *l;
    struct tac_lod_span span[8];
    tac_make_thread(m, 11, "audio");
    for (uint64_t t = 10000; t < 30000;
         t += 10000) { /* 12 and 11 run, and only their ends are told */
        tac_make_kernel(m, (struct tac_format_kernel){t, TAC_KERNEL_SWITCH, 1, 12, 0, 1ull << 32});
        tac_make_kernel(m, (struct tac_format_kernel){t + 2000, TAC_KERNEL_IN, 1, 11, 0, 0});
        tac_make_kernel(
            m, (struct tac_format_kernel){t + 4000, TAC_KERNEL_SWITCH, 1, 11, 0, 1ull << 32});
        tac_make_kernel(m,
                        (struct tac_format_kernel){t + 9900, TAC_KERNEL_RUNTIME, 1, 12, 3000, 0});
    }
    tac_make_close(m);
    REQUIRE(tac_capture_open(path, NULL, &c) == 0 && tac_lod_open(c, &l) == 0);
    size_t n = tac_lod_spans(l, TAC_LOD_CPU, 1, 0, 0, 30000, 30000, span, 8);
    REQUIRE(n == 4);
    CHECK(span[0].index == 11 && span[0].begin_ns == 12000 && span[0].end_ns == 14000);
    CHECK(span[1].index == 12 && span[1].begin_ns == 16900 && span[1].end_ns == 20000);
    CHECK(span[2].index == 11 && span[2].begin_ns == 22000 && span[2].end_ns == 24000);
    CHECK(span[3].index == 12 && span[3].begin_ns == 26900);
    tac_lod_close(l);
    tac_capture_close(c);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-lod-%d", (int)getpid());
    TEST(each_query_is_what_a_walk_finds);
    TEST(the_longest_is_named);
    TEST(points_keep_minimum_and_maximum);
    TEST(who_ends_an_idle_time_unsaid_is_seen);
    unlink(path);
    return test_end();
}
