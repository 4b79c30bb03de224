/* SPDX-License-Identifier: MIT
 * test_reports.c - the reports hold what they must, close their brackets, and survive damage. */
#include "fixture.h"

#include "doctor/evidence.h"
#include "doctor/listed.h"
#include "json_text.h"
#include "test.h"

#include "tactus/trace.h"

#include <stdlib.h>
#include <unistd.h>

static void make_late(struct fixture *f, const char *run)
{
    fixture_open(f, FIXTURE_CLOCK);
    tac_make_meta(f->make, "run", run);
    fixture_cycle(f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 320000, .voluntary = 14});
    fixture_memory(f, f->audio, TAC_MEMORY_ALLOC, 100, 1700);
    tac_make_zone(f->make, f->audio, TAC_CAT_APP, "<script>\"&", fixture_ns(20), fixture_ns(1750));
}

static void text_names_cause_share_and_advice(void)
{
    struct fixture f;
    struct tac_text text = {0};
    make_late(&f, "a");
    fixture_judge(&f);
    tac_report_text(f.diagnosis, &text);
    const char *s = tac_text_string(&text);
    CHECK(strstr(s, "1 deadline missed") && strstr(s, "waiting for the heap's lock"));
    CHECK(strstr(s, "do ") && strstr(s, "Evidence in the recording"));
    CHECK(strstr(s, "who ran instead of the thread"));
    tac_text_fini(&text);
    fixture_close(&f);
}

static void json_is_balanced(void)
{
    struct fixture f;
    struct tac_text text = {0};
    make_late(&f, "a");
    fixture_judge(&f);
    const struct tac_diagnosis *runs[] = {f.diagnosis, f.diagnosis};
    tac_report_json(runs, 2, NULL, &text);
    CHECK(json_text_is_whole(tac_text_string(&text)));
    CHECK(strstr(tac_text_string(&text), "\"rule\":\"heap_lock\",\"blame\":\"heap\""));
    CHECK(strstr(tac_text_string(&text), "\"source\":\"") &&
          strstr(tac_text_string(&text), "\"thread\":\"audio\""));
    tac_text_fini(&text);
    fixture_close(&f);
}

static char *slurp(FILE *file)
{
    long size = ftell(file);
    char *data = calloc(1, (size_t)size + 1);
    rewind(file);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
        abort();
    return data;
}

static void page_is_self_contained_and_safe(void)
{
    struct fixture f;
    make_late(&f, "a");
    fixture_judge(&f);
    const struct tac_diagnosis *runs[] = {f.diagnosis};
    FILE *file = tmpfile();
    REQUIRE(file && tac_report_html(runs, 1, NULL, file) == 0);
    char *page = slurp(file);
    CHECK(!strstr(page, "@@") && !strstr(page, "src=") && !strstr(page, "href="));
    CHECK(!strstr(page, "<script>\\\"")); /* the zone's name cannot end the data */
    CHECK(strstr(page, "\\u003cscript>") != NULL);
    CHECK(strstr(page, "</html>") != NULL);
    free(page);
    fclose(file);
    fixture_close(&f);
}

static void headline_says_when_there_is_no_difference(void)
{
    struct fixture f;
    struct tac_text text = {0};
    make_late(&f, "a");
    fixture_judge(&f);
    const struct tac_diagnosis *runs[] = {f.diagnosis, f.diagnosis};
    tac_report_headline(runs, 2, &text);
    CHECK_MSG(strstr(tac_text_string(&text), "No clear difference"), "%s", tac_text_string(&text));
    tac_text_fini(&text);
    fixture_close(&f);
}

/* A run of 5000 cycles: each miss stands alone, the first of them are of one rule. */
static struct tac_diagnosis run_of(const char *name, struct tac_miss *misses, size_t count,
                                   struct tac_cause *causes, const struct tac_rule *const rules[2],
                                   size_t of_first)
{
    for (size_t i = 0; i < count; i++)
        misses[i] = (struct tac_miss){
            .root = (uint32_t)i, .count = 1, .verdict = {{.rule = rules[i >= of_first]}}};
    causes[0] = (struct tac_cause){.rule = rules[0], .misses = of_first};
    causes[1] = (struct tac_cause){.rule = rules[1], .misses = count - of_first};
    return (struct tac_diagnosis){.name = name,
                                  .judged = 5000,
                                  .missed = count,
                                  .misses = misses,
                                  .misses_count = count,
                                  .causes = causes,
                                  .causes_count = 2};
}

static void headline_says_that_one_cause_is_gone(void)
{
    static const struct tac_rule lock = {.title = "a lock"}, noise = {.title = "noise"};
    static const struct tac_rule *const rules[2] = {&lock, &noise};
    static struct tac_miss misses[4][32];
    struct tac_cause causes[4][2];
    struct tac_text text = {0};
    const struct tac_diagnosis before = run_of("a", misses[0], 32, causes[0], rules, 16),
                               gone = run_of("b", misses[1], 20, causes[1], rules, 0),
                               fewer = run_of("c", misses[2], 32, causes[2], rules, 10),
                               least = run_of("d", misses[3], 1, causes[3], rules, 1);
    tac_report_headline((const struct tac_diagnosis *const[]){&before, &gone}, 2, &text);
    CHECK_MSG(strstr(tac_text_string(&text), "No clear difference") &&
                  strstr(tac_text_string(&text),
                         "16 late cycles of a and none of b come from a lock: that is not chance."),
              "%s", tac_text_string(&text));
    text.length = 0;
    tac_report_headline((const struct tac_diagnosis *const[]){&before, &fewer}, 2, &text);
    CHECK_MSG(!strstr(tac_text_string(&text), "that is not chance"), "%s", tac_text_string(&text));
    text.length = 0;
    tac_report_headline((const struct tac_diagnosis *const[]){&before, &least}, 2, &text);
    CHECK_MSG(!strstr(tac_text_string(&text), "No clear difference") &&
                  strstr(tac_text_string(&text), "16 late cycles of a and 1 of d come"),
              "%s", tac_text_string(&text));
    tac_text_fini(&text);
}

/* The other run has no misses of the cause, and could not have seen it; or it could. */
static void headline_says_nothing_of_what_one_run_could_not_see(void)
{
    enum { ALL = TAC_HAS_CLOCK | TAC_HAS_LOCKS | TAC_HAS_SCHED };
    static const struct tac_rule lock = {.title = "a lock", .needs = TAC_HAS_LOCKS},
                                 noise = {.title = "noise"};
    static const struct tac_rule *const rules[2] = {&lock, &noise};
    static const unsigned has[][2] = {{ALL, ALL & ~TAC_HAS_LOCKS},
                                      {ALL, ALL & ~TAC_HAS_SCHED},
                                      {ALL & ~TAC_HAS_SCHED, ALL},
                                      {ALL, ALL | TAC_HAS_FAULTS}};
    for (size_t i = 0; i < 4; i++) {
        static struct tac_miss misses[2][32];
        struct tac_cause causes[2][2];
        struct tac_text text = {0};
        struct tac_diagnosis a = run_of("a", misses[0], 32, causes[0], rules, 16),
                             b = run_of("b", misses[1], 20, causes[1], rules, 0);
        a.has = has[i][0];
        b.has = has[i][1];
        tac_report_headline((const struct tac_diagnosis *const[]){&a, &b}, 2, &text);
        CHECK_MSG(!strstr(tac_text_string(&text), "that is not chance") == (i < 3), "%zu: %s", i,
                  tac_text_string(&text));
        tac_text_fini(&text);
    }
}

/* The worst miss comes last but a few, and another cause has only the least of all. */
static void of_many_misses_the_latest_are_listed(void)
{
    enum { MANY = 2503, WORST = 2500, LEAST = 2400 };
    static const struct tac_rule lock = {.title = "a lock"}, noise = {.title = "noise"};
    static const struct tac_rule *const rules[2] = {&lock, &noise};
    static struct tac_miss misses[MANY];
    struct tac_cause causes[2];
    struct tac_diagnosis d = run_of("many", misses, MANY, causes, rules, MANY);
    for (size_t i = 0; i < MANY; i++)
        misses[i].late_ns = i == WORST ? 20200000 : i == LEAST ? 10 : 1000 + i;
    causes[1].worst = LEAST;
    bool *listed;
    size_t count, said = 0, drawn[TAC_DRAWN_MAX], n = tac_listed_drawn(&d, drawn);
    REQUIRE(tac_listed_new(&d, &listed, &count) == 0);
    for (size_t i = 0; i < MANY; i++)
        said += listed[i];
    CHECK(count == TAC_LISTED_MAX && said == count);
    CHECK(n > 2 && drawn[0] == WORST && listed[LEAST] && listed[MANY - 1] && !listed[1]);
    for (size_t i = 0; i < n; i++)
        CHECK(listed[drawn[i]]);
    free(listed);
}

/* Each late cycle has one sample, in the C library and without a stack; together they have four. */
static void samples_of_one_cause_are_counted_together(void)
{
    struct fixture f;
    char words[256];
    fixture_open(&f, FIXTURE_CLOCK);
    tac_make_module(f.make, 0x10000, 0x20000, "/usr/lib/libc.so.6");
    tac_make_module(f.make, 0x20000, 0x30000, "/opt/synth");
    for (int i = 0; i < 4; i++) {
        fixture_cycle(&f, (unsigned)(2 * i), 2000 * i + 10, 2000 * i + 1410,
                      (struct tac_make_evidence){.cpu_ns = 1399000});
        fixture_kernel(&f, 2000 * i + 700, TAC_KERNEL_SAMPLE, FIXTURE_AUDIO, 200000,
                       i ? 0x20010 : 0x10010);
    }
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    const struct tac_verdict *v = &fixture_miss(&f, 0)->verdict[0];
    CHECK_MSG(
        strstr(v->text, "1 of 1 samples in a function of libc.so.6, whose caller is not known"),
        "%s", v->text);
    CHECK_STR(tac_cause_sampled(f.diagnosis, v->rule, words, sizeof words),
              "3 of 4 samples in a function of synth");
    fixture_close(&f);
}

static void whose_events_were_lost_is_said(void)
{
    struct tac_capture_thread threads[] = {{.name = "audio"}, {.name = "loader", .dropped = 90}};
    struct tac_capture_cycle cycle = {.thread = 0};
    struct tac_capture capture = {
        .threads = threads, .threads_count = 2, .cycles = &cycle, .cycles_count = 1};
    struct tac_text text = {0};
    tac_evidence_problems(&capture, &text);
    CHECK_STR(tac_text_string(&text), "90 events were lost to full buffers, none of them of a "
                                      "thread with cycles; thread loader lost most.");
    text.length = 0;
    threads[0].dropped = 7;
    tac_evidence_problems(&capture, &text);
    CHECK_STR(tac_text_string(&text), "97 events were lost to full buffers, 7 of them of threads "
                                      "with cycles; thread loader lost most.");
    tac_text_fini(&text);
}

static void a_recording_cut_anywhere_is_judged_or_refused(void)
{
    struct fixture f;
    make_late(&f, "a");
    fixture_judge(&f);
    FILE *file = fopen(f.path, "rb");
    REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    char *whole = slurp(file);
    fclose(file);
    for (long cut = 0; cut < size; cut += 1 + size / 97) {
        char *part = malloc((size_t)cut + 1);
        REQUIRE(part);
        memcpy(part, whole, (size_t)cut);
        for (int damage = 0; damage < 2; damage++) {
            if (damage && cut)
                part[cut / 2] ^= 0x55;
            struct tac_capture *capture;
            struct tac_error err = {0};
            if (tac_capture_open_memory(part, (size_t)cut, "cut", &err, &capture) < 0) {
                CHECK(err.text[0]);
                continue;
            }
            struct tac_diagnosis *d;
            struct tac_text text = {0};
            CHECK(tac_diagnosis_new(capture, "cut", &d) == 0);
            tac_report_text(d, &text);
            CHECK(text.length > 0);
            tac_text_fini(&text);
            tac_diagnosis_free(d);
            tac_capture_close(capture);
        }
        free(part);
    }
    free(whole);
    fixture_close(&f);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(text_names_cause_share_and_advice);
    TEST(json_is_balanced);
    TEST(page_is_self_contained_and_safe);
    TEST(headline_says_when_there_is_no_difference);
    TEST(headline_says_that_one_cause_is_gone);
    TEST(headline_says_nothing_of_what_one_run_could_not_see);
    TEST(of_many_misses_the_latest_are_listed);
    TEST(samples_of_one_cause_are_counted_together);
    TEST(whose_events_were_lost_is_said);
    TEST(a_recording_cut_anywhere_is_judged_or_refused);
    return test_end();
}
