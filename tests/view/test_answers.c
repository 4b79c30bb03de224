/* SPDX-License-Identifier: MIT
 * test_answers.c - what the view says of a recording made by hand: all lanes, every kind of item,
 * the search both ways, and nonsense. */
#include "view/view.h"

#include "json_text.h"
#include "make_recording.h"
#include "test.h"

#include <math.h>
#include <unistd.h>

static char path[64];
static struct tac_capture *capture;
static struct tac_diagnosis *diagnosis;
static struct tac_view *view;

enum { BEGIN = 1000000, PERIOD = 1000000 };

static void record(void)
{
    struct tac_make *m = tac_make_open(path);
    tac_make_source(m, 0, "callback", PERIOD);
    uint32_t audio = tac_make_thread(m, 11, "audio"), gui = tac_make_thread(m, 12, "gui \"<b>\"");
    for (uint64_t i = 0; i < 40; i++) {
        uint64_t t = BEGIN + i * PERIOD, took = i == 20 ? 1500000 : 200000;
        tac_make_cycle(m, audio, 0, t, t + PERIOD, t + took, 64, NULL);
        tac_make_zone(m, audio, TAC_CAT_APP, i % 10 ? "Render" : "Mix", t + 10, t + took - 10);
        tac_make_zone(m, audio, TAC_CAT_APP, "inside", t + 100, t + 1000);
        tac_make_plot(m, audio, "load", "%", t + 5,
                      i == 7   ? (double)NAN
                      : i == 9 ? (double)INFINITY
                               : (double)i);
        tac_make_memory(m, audio, TAC_MEMORY_ALLOC, 0x1000 + i * 64, 48, t + 2000, t + 3000);
    }
    tac_make_lock_wait(m, gui, 0x5000, 11, BEGIN + 7000, BEGIN + 9000);
    tac_make_gap(m, gui, BEGIN + 20000, BEGIN + 30000, 9);
    tac_make_close(m);
}

static bool open_all(void)
{
    record();
    return tac_capture_open(path, NULL, &capture) == 0 &&
           tac_diagnosis_new(capture, "by \"hand\"", &diagnosis) == 0 &&
           tac_view_open(diagnosis, &view) == 0;
}

static void check_has(struct tac_text *text, const char *part)
{
    CHECK_MSG(json_text_is_whole(tac_text_string(text)), "%s", tac_text_string(text));
    CHECK_MSG(strstr(tac_text_string(text), part), "%s: %s", part, tac_text_string(text));
}

static void all_that_there_is_is_told(void)
{
    struct tac_text text = {0};
    tac_view_about(view, &text);
    check_has(&text, "\"name\":\"by \\\"hand\\\"\"");
    check_has(&text, "\"cycles\":40,\"late\":1");
    check_has(&text, "\"name\":\"callback\",\"y\":1");
    check_has(&text, "\"name\":\"audio\",\"z\":3,\"s\":0,\"m\":1,\"l\":0,\"g\":0");
    check_has(&text, "\"unit\":\"%\"");
    check_has(&text, "\"misses\":[20,20000000,21500000,500000,");
    tac_text_fini(&text);
}

static void lanes_are_what_was_recorded(void)
{
    struct tac_text text = {0};
    tac_view_lanes(view, "y0", 0, 3000000, 1000, &text);
    check_has(&text, "[[\"y0\",0,[0,200000,1,200000,0,0,1000000,200000,1,200000,1,0,");
    text.length = 0;
    tac_view_lanes(view, "l1,g1", 0, 100000, 1000, &text);
    check_has(&text, "[\"l1\",0,[7000,2000,1,2000,0,11]],[\"g1\",0,[20000,10000,1,10000,0,9]]");
    for (uint32_t pixels = 1; pixels < 3000; pixels *= 7) { /* what is no number is left out */
        text.length = 0;
        tac_view_lanes(view, "p2", 0, UINT64_MAX, pixels, &text);
        check_has(&text, "[[\"p2\",0,[");
        CHECK(!strstr(tac_text_string(&text), "nan") && !strstr(tac_text_string(&text), "inf"));
    }
    text.length = 0;
    tac_view_lanes(view, "m0,u", 0, UINT64_MAX, 1, &text);
    check_has(&text, "[[\"m0\",0,[2000,39001000,40,40000,");
    check_has(&text, "[\"u0\",0,[");
    tac_text_fini(&text);
}

static void nonsense_is_an_empty_picture(void)
{
    static const char *const lists[] = {"",         ",",   ",,,,", "z99999999999999999999",
                                        "y-1",      "zz",  "q1",   "p4294967295",
                                        "\xff\xfe", "u u", "z",    "c9,",
                                        "z0 ,z7"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct tac_text text = {0};
        tac_view_lanes(view, lists[i], UINT64_MAX, 0, 0, &text);
        tac_view_lanes(view, lists[i], 5, 3, UINT32_MAX, &text);
        text.length = 0;
        tac_view_lanes(view, lists[i], 0, UINT64_MAX, UINT32_MAX, &text);
        CHECK_MSG(json_text_is_whole(tac_text_string(&text)), "%s: %s", lists[i],
                  tac_text_string(&text));
        tac_text_fini(&text);
    }
}

static void each_kind_of_thing_is_named(void)
{
    static const struct {
        char lane;
        uint32_t index;
        const char *has;
    } items[] = {
        {'y', 20,
         "\"title\":\"cycle 20 of callback\",\"rows\":[[\"took\",\"1.50 ms\"],"
         "[\"late by\",\"500 us\"],[\"because\","},
        {'y', 3, "[\"in time\",\"800 us before its deadline\"]"},
        {'z', 1, "\"title\":\"inside\""},
        {'z', 1, "[\"inside\",\"Mix\"]"},
        {'m', 2, "\"title\":\"malloc\",\"rows\":[[\"took\",\"1.0 us\"],[\"size\",\"48 B\"]"},
        {'l', 0, "[\"held by\",\"audio (11)\"]"},
        {'g', 0, "[\"full buffer\",\"9\"]"},
        {'g', 1, "{\"title\":null}"},
        {'y', 40, "{\"title\":null}"},
        {'z', UINT32_MAX, "{\"title\":null}"},
        {0, 0, "{\"title\":null}"},
    };
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        struct tac_text text = {0};
        tac_view_item(view, items[i].lane, items[i].index, &text);
        check_has(&text, items[i].has);
        tac_text_fini(&text);
    }
}

static void zones_are_found_both_ways(void)
{
    static const struct {
        const char *name;
        uint64_t at;
        bool back;
        const char *has;
    } searches[] = {
        {"mix", 0, false, "\"from\":10,"},
        {"mix", 10, false, "\"from\":10000010,"},
        {"MIX", 10000010, true, "\"from\":10,"},
        {"mix", 10, true, "{\"index\":null}"},
        {"mix", UINT64_MAX, true, "\"from\":30000010,"},
        {"mix", UINT64_MAX, false, "{\"index\":null}"},
        {"nothing", 0, false, "{\"index\":null}"},
    };
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
        struct tac_text text = {0};
        tac_view_find(view, searches[i].name, searches[i].at, searches[i].back, &text);
        check_has(&text, searches[i].has);
        tac_text_fini(&text);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-view-%d", (int)getpid());
    if (!open_all())
        return 1;
    TEST(all_that_there_is_is_told);
    TEST(lanes_are_what_was_recorded);
    TEST(nonsense_is_an_empty_picture);
    TEST(each_kind_of_thing_is_named);
    TEST(zones_are_found_both_ways);
    tac_view_close(view);
    tac_diagnosis_free(diagnosis);
    tac_capture_close(capture);
    unlink(path);
    return test_end();
}
