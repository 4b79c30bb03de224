/* SPDX-License-Identifier: MIT
 * test_rules_program.c - the rules on the recording itself and on the program's own doing: each
 * speaks on its fixture (rules.h). */
#include "rules.h"

#include "tactus/trace.h"

static void carried_from_a_cycle_that_was_in_time(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    /* the source works two periods ahead: the first ends in time and still delays the second */
    tac_make_cycle(f.make, f.audio, 0, fixture_ns(10), fixture_ns(2000), fixture_ns(1950), 48,
                   &(struct tac_make_evidence){.cpu_ns = 1939000});
    fixture_cycle(&f, 1, 1951, 2151, (struct tac_make_evidence){.cpu_ns = 199000});
    rules_expect(&f, "carried");
}

static void gap_across_the_cycle(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1500, (struct tac_make_evidence){.cpu_ns = 1489000});
    tac_make_gap(f.make, f.audio, fixture_ns(100), fixture_ns(1450), 400);
    rules_expect(&f, "gap");
}

static void denormals_by_the_flag(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000, .denormal = 1});
    rules_expect(&f, "denormals");
}

/* The kernel took this stack of the cycle's thread as it left its CPU. */
static void put_stack(struct fixture *f, double us)
{
    tac_make_module(f->make, 0x20000, 0x30000, "/opt/synth");
    tac_make_kernel_stack(f->make, fixture_ns(us), FIXTURE_AUDIO, TAC_STACK_USER,
                          (uint64_t[]){0x20010}, 1);
}

static bool tells_where(const char *text)
{
    return strstr(text, "by its call stack in a function of synth") != NULL;
}

static void lock_inversion_when_the_holder_cannot_run(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    put_stack(&f, 105);
    fixture_cycle(&f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    rules_wake(&f, 7);
    tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(100), fixture_ns(3100));
    fixture_kernel(&f, 60, TAC_KERNEL_SWITCH, FIXTURE_OTHER, (uint64_t)FIXTURE_HOG << 32 | 50, 120);
    rules_sleep(&f, 105);
    fixture_kernel(&f, 3080, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_OTHER << 32 | 120,
                   1ull << 32 | 50);
    rules_wake(&f, 3095);
    rules_sleep(&f, 3211);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "lock_inversion");
    CHECK_MSG(tells_where(fixture_miss(&f, 0)->verdict[0].text), "%s",
              fixture_miss(&f, 0)->verdict[0].text);
    fixture_close(&f);
    rules_seen("lock_inversion");
}

/* The holder waits for another lock, and who has that cannot run; or can, then it is a long hold.
 */
static void lock_inversion_at_the_end_of_a_row_of_locks(void)
{
    enum { THIRD = 103 };
    for (int displaced = 0; displaced < 2; displaced++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        uint32_t third = tac_make_thread(f.make, THIRD, "third");
        tac_make_lock_wait(f.make, third, 0x7000, 0, fixture_ns(-900), fixture_ns(-890));
        fixture_cycle(&f, 0, 10, 3210,
                      (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
        rules_wake(&f, 7);
        tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(100),
                           fixture_ns(3100));
        tac_make_lock_wait(f.make, f.other, 0x6000, THIRD, fixture_ns(-100), fixture_ns(3080));
        fixture_kernel(&f, -99, TAC_KERNEL_SWITCH, FIXTURE_OTHER, 120, 1ull << 32 | 120);
        if (displaced)
            fixture_kernel(&f, 60, TAC_KERNEL_SWITCH, THIRD, (uint64_t)FIXTURE_HOG << 32 | 50, 120);
        rules_sleep(&f, 105);
        if (displaced)
            fixture_kernel(&f, 3060, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)THIRD << 32 | 120,
                           1ull << 32 | 50);
        rules_wake(&f, 3095);
        rules_sleep(&f, 3211);
        fixture_judge(&f);
        REQUIRE(fixture_miss(&f, 0));
        CHECK_STR(fixture_verdict(&f), displaced ? "lock_inversion" : "lock_hold");
        const char *text = fixture_miss(&f, 0)->verdict[0].text;
        CHECK_MSG(displaced == !!strstr(text, "waited for a lock of thread third"), "%s", text);
        fixture_close(&f);
    }
}

static void lock_hold_when_the_holder_runs(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(100), fixture_ns(3100));
    rules_expect(&f, "lock_hold");
}

/* Much longer than the sleep asked for: then the timer may have been late. */
static void blocking_call_is_named(void)
{
    for (int overslept = 0; overslept < 2; overslept++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK);
        fixture_cycle(&f, 0, 10, 1810,
                      (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
        tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "nanosleep", fixture_ns(100),
                      fixture_ns(1700));
        tac_make_zone_value(f.make, f.audio, fixture_ns(150), overslept ? 1000000 : 1550000);
        fixture_judge(&f);
        const struct tac_miss *m = fixture_miss(&f, 0);
        REQUIRE(m);
        CHECK_STR(fixture_verdict(&f), "blocking_call");
        CHECK(strstr(m->verdict[0].text, "nanosleep"));
        CHECK(overslept == !!strstr(m->verdict[0].text, "asked for 1000 us"));
        CHECK(m->verdict[0].confidence < (overslept ? 0.85 : 0.95));
        CHECK(f.diagnosis->hazards_count == 1 && f.diagnosis->hazards[0].grade == 2);
        fixture_close(&f);
    }
    rules_seen("blocking_call");
}

/* Who wakes, and what kept it from doing so. */
static void a_wait_names_who_wakes_it(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    rules_wake(&f, 7);
    tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "pthread_cond_wait", fixture_ns(100),
                  fixture_ns(3100));
    tac_make_zone_value(f.make, f.audio, fixture_ns(3099), FIXTURE_OTHER);
    put_stack(&f, 105);
    fixture_kernel(&f, 60, TAC_KERNEL_SWITCH, FIXTURE_OTHER, (uint64_t)FIXTURE_HOG << 32 | 50, 120);
    rules_sleep(&f, 105);
    fixture_kernel(&f, 3080, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_OTHER << 32 | 120,
                   1ull << 32 | 50);
    rules_wake(&f, 3090);
    rules_sleep(&f, 3211);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    const char *text = fixture_miss(&f, 0)->verdict[0].text;
    CHECK_STR(fixture_verdict(&f), "blocking_call");
    CHECK_MSG(strstr(text, "wakes it, which could not run for 2980 us"), "%s", text);
    CHECK_MSG(tells_where(text), "%s", text);
    fixture_close(&f);
}

static void blocked_when_nobody_says_on_what(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1});
    rules_expect(&f, "blocked");
}

static void signal_handler_in_the_cycle(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    rules_wake(&f, 7);
    fixture_kernel(&f, 150, TAC_KERNEL_SIGNAL, FIXTURE_AUDIO, 10, 0);
    rules_sleep(&f, 1411);
    rules_expect(&f, "signal");
}

/* Several in a row that each make a cycle late are not the usual ones that do no harm. */
static void signals_that_did_harm_before_are_not_usual(void)
{
    enum { ROW = 7 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    for (unsigned i = 0; i < ROW; i++) {
        double at = i * 1000;
        fixture_cycle(&f, i, at + 10, at + 1005, (struct tac_make_evidence){.cpu_ns = 995000});
        rules_wake(&f, at + 7);
        fixture_kernel(&f, at + 150, TAC_KERNEL_SIGNAL, FIXTURE_AUDIO, 10, 0);
        rules_sleep(&f, at + 1006);
    }
    fixture_judge(&f);
    REQUIRE(f.diagnosis->misses_count == ROW);
    for (unsigned i = 0; i < ROW; i++)
        CHECK_STR(fixture_miss(&f, i)->verdict[0].rule->name, "signal");
    fixture_close(&f);
}

/* A cause that is inherited a little, and comes anew in full: the words are of the larger part. */
static void the_larger_part_of_a_cause_gives_the_words(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1110, (struct tac_make_evidence){.cpu_ns = 1099000});
    fixture_cycle(&f, 1, 1120, 4120, (struct tac_make_evidence){.cpu_ns = 2999000});
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 1));
    const struct tac_verdict *v = fixture_miss(&f, 1)->verdict;
    CHECK_STR(v->rule->name, "own_work");
    CHECK_MSG(strstr(v->text, "computed 3000 us"), "%s", v->text);
    CHECK(v->carried_ns > 0 && v->carried_ns < v->ns);
    fixture_close(&f);
}

static void own_work_names_the_zone(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    tac_make_zone(f.make, f.audio, TAC_CAT_APP, "reverb", fixture_ns(50), fixture_ns(1350));
    put_stack(&f, 700);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "own_work");
    CHECK(strstr(fixture_miss(&f, 0)->verdict[0].text, "reverb"));
    CHECK(tells_where(fixture_miss(&f, 0)->verdict[0].text));
    fixture_close(&f);
    rules_seen("own_work");
}

/* 90 ms by its CPU clock, without the system's events. A host that halts the virtual machine and
 * does not tell leaves the same, so in one that is not known to be the program's; unless signs of
 * the thread come all the while, or its pulse. A pulse that is late shows the halt. */
static void a_long_computation_may_be_a_halt(void)
{
    enum { AFTER = 40, AT_US = AFTER * 1000, PULSE_NS = 10000000 }; /* behind the healthy ones */
    enum { MACHINE, GUEST, ZONES, PULSES, LATE_PULSE, KERNEL, CASES };
    static const char *const verdict[CASES] = {"own_work", "unexplained", "own_work",
                                               "own_work", "hypervisor",  "own_work"};
    for (int i = 0; i < CASES; i++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK);
        tac_make_meta(f.make, "virtual", i == MACHINE ? "no" : "yes");
        fixture_cycle(&f, AFTER, AT_US + 10, AT_US + 90010,
                      (struct tac_make_evidence){.cpu_ns = 89999000});
        for (int k = 0; k < 9; k++) {
            double us = AT_US + 10 + 10000 * k;
            bool comes = i == PULSES || k < 1 || (k == 8 && i == KERNEL);
            if (i == ZONES)
                tac_make_zone(f.make, f.audio, TAC_CAT_APP, "step", fixture_ns(us + 5),
                              fixture_ns(us + 9000));
            if (i >= PULSES && comes)
                fixture_kernel(&f, us + 20, TAC_KERNEL_PULSE, FIXTURE_AUDIO, PULSE_NS, 0);
        }
        if (i == LATE_PULSE)
            fixture_kernel(&f, AT_US + 85000, TAC_KERNEL_PULSE, FIXTURE_AUDIO, PULSE_NS, 0);
        fixture_judge(&f);
        REQUIRE(fixture_miss(&f, 0));
        CHECK_STR(fixture_verdict(&f), verdict[i]);
        const char *text = fixture_miss(&f, 0)->verdict[0].text;
        CHECK_MSG(!strstr(text, "its own timer came") == (i != LATE_PULSE), "%s", text);
        fixture_close(&f);
    }
}

static uint64_t time_of(const struct tac_miss *m, const char *rule)
{
    for (unsigned i = 0; i < m->count; i++)
        if (!strcmp(m->verdict[i].rule->name, rule))
            return m->verdict[i].ns;
    return 0;
}

/* 60 ms by its CPU clock, of which nothing is seen for 35: in a call of the heap, which may have
 * been halted, or in a hole of the recording. What it did around that is its own. */
static void silence_is_in_doubt_where_it_was(void)
{
    enum { AFTER = 40, AT_US = AFTER * 1000 };
    for (int hole = 0; hole < 2; hole++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK);
        tac_make_meta(f.make, "virtual", "yes");
        fixture_cycle(&f, AFTER, AT_US + 10, AT_US + 60010,
                      (struct tac_make_evidence){.cpu_ns = 59999000});
        if (hole)
            tac_make_gap(f.make, f.audio, fixture_ns(AT_US + 10010), fixture_ns(AT_US + 45010), 9);
        else
            fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, AT_US + 10010, AT_US + 45010);
        fixture_judge(&f);
        const struct tac_miss *m = fixture_miss(&f, 0);
        REQUIRE(m);
        CHECK_NEAR((double)time_of(m, "own_work") / 1e6, 24.5, 1.0);
        CHECK_NEAR((double)time_of(m, hole ? "gap" : "unexplained") / 1e6, 34.5, 1.0);
        CHECK(time_of(m, hole ? "unexplained" : "heap_work") < 10000);
        CHECK(hole || strstr(m->verdict[0].text, "for 35.0 ms while its CPU clock went on"));
        fixture_close(&f);
    }
}

/* Nothing is seen of it for long, and its clock stood: it was away, one way or the other. */
static void silence_without_the_clock_is_no_halt(void)
{
    enum { AFTER = 40, AT_US = AFTER * 1000 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    tac_make_meta(f.make, "virtual", "yes");
    fixture_cycle(&f, AFTER, AT_US + 10, AT_US + 60010,
                  (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1, .involuntary = 1});
    fixture_judge(&f);
    const struct tac_miss *m = fixture_miss(&f, 0);
    REQUIRE(m);
    CHECK_STR(fixture_verdict(&f), "unexplained");
    CHECK_MSG(!strstr(m->verdict[0].text, "CPU clock went on"), "%s", m->verdict[0].text);
    fixture_close(&f);
}

/* It waits for a thread whose own pulse shows a halt, and gives no sign itself; or does. */
static void a_halt_is_seen_by_the_pulse_of_another_thread(void)
{
    enum { AFTER = 40, AT_US = AFTER * 1000, PULSE_NS = 10000000 };
    for (int sign = 0; sign < 2; sign++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
        tac_make_meta(f.make, "virtual", "yes");
        fixture_cycle(&f, AFTER, AT_US + 10, AT_US + 90010,
                      (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1});
        fixture_kernel(&f, AT_US + 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
        fixture_kernel(&f, AT_US + 100, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
        fixture_kernel(&f, AT_US - 9000, TAC_KERNEL_PULSE, FIXTURE_OTHER, PULSE_NS, 0);
        fixture_kernel(&f, AT_US + 88000, TAC_KERNEL_PULSE, FIXTURE_OTHER, PULSE_NS, 0);
        if (sign)
            fixture_kernel(&f, AT_US + 40000, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, 0x7000, 0);
        fixture_kernel(&f, AT_US + 89900, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
        rules_expect(&f, sign ? "blocked" : "hypervisor");
    }
}

/* The call starts a process of the same priority, which has the CPU before the thread is back. */
static void blocking_call_when_what_it_started_runs(void)
{
    for (int started = 0; started < 2; started++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000});
        tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "posix_spawn", fixture_ns(50),
                      fixture_ns(2650));
        rules_wake(&f, 7);
        if (started)
            fixture_kernel(&f, 60, TAC_KERNEL_FORK, FIXTURE_AUDIO, FIXTURE_HOG, 0x4100);
        rules_hog(&f, 110, 2610, 19);
        rules_sleep(&f, 2701);
        rules_expect(&f, started ? "blocking_call" : "preempted");
    }
}

/* Of a load the begin alone is seen; that it was one, by the loader's faults. */
static void blocking_call_when_a_library_is_loaded(void)
{
    for (int loads = 0; loads < 2; loads++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
        tac_make_module(f.make, 0x10000, 0x20000, "/lib64/ld-linux-x86-64.so.2");
        tac_make_module(f.make, 0x20000, 0x30000, "/opt/synth");
        fixture_cycle(&f, 0, 10, 2410, (struct tac_make_evidence){.cpu_ns = 2399000, .minor = 8});
        tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "dlopen", fixture_ns(60), fixture_ns(60));
        for (unsigned i = 0; i < 8; i++)
            fixture_kernel(&f, 100 + 200 * i, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO,
                           0x7000000 + i * 40960, loads ? 0x10010 : 0x20010);
        rules_expect(&f, loads ? "blocking_call" : "own_work");
    }
}

/* What it computed before the load, and after the loader's last fault, is not the load's. */
static void a_load_takes_no_more_than_its_time(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    tac_make_module(f.make, 0x10000, 0x20000, "/lib64/ld-linux-x86-64.so.2");
    fixture_cycle(&f, 0, 10, 4410, (struct tac_make_evidence){.cpu_ns = 4399000, .minor = 8});
    tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "dlopen", fixture_ns(3000), fixture_ns(3000));
    for (unsigned i = 0; i < 8; i++)
        fixture_kernel(&f, 3100 + 100 * i, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO,
                       0x7000000 + i * 40960, 0x10010);
    fixture_judge(&f);
    const struct tac_miss *m = fixture_miss(&f, 0);
    REQUIRE(m);
    CHECK_STR(fixture_verdict(&f), "own_work");
    CHECK_NEAR((double)time_of(m, "blocking_call") / 1e6, 0.65, 0.1);
    fixture_close(&f);
}

/* The pages were counted, and no fault was seen: the call provided them. */
static void blocking_call_when_it_provides_the_pages_ahead(void)
{
    enum { PAGES = 2000 };
    for (int seen = 0; seen < 2; seen++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
        fixture_cycle(&f, 0, 10, 2410,
                      (struct tac_make_evidence){.cpu_ns = 2399000, .minor = PAGES});
        tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "mmap", fixture_ns(60), fixture_ns(2300));
        fixture_kernel(&f, -500, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, 0x7000, 0);
        for (unsigned i = 0; i < PAGES && seen; i++)
            fixture_kernel(&f, 100 + i, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, 0x7000000 + i * 4096,
                           0);
        rules_expect(&f, seen ? "fault_minor" : "blocking_call");
    }
}

/* In a virtual machine one long silent cycle may be a halt of the host that left no witness. Many
 * such cycles are not, nor is one in which the thread gives signs. */
static void own_work_is_possible_at_most_where_a_halt_would_look_the_same(void)
{
    enum { ONE, MANY, SIGNS, BARE, ZONES, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", way == BARE ? "no" : "yes");
        for (unsigned k = 0; k < (way == MANY ? 30 : 1); k++) {
            unsigned after = k ? FIXTURE_CYCLES - FIXTURE_LATE + 2 * k : 0;
            double from = after * 1000.0 + 10;
            fixture_cycle(&f, after, from, from + 1300,
                          (struct tac_make_evidence){.cpu_ns = 1299000});
            rules_wake(&f, from - 3);
            for (int sign = 1; sign < 13 && way == SIGNS; sign++)
                fixture_kernel(&f, from + 100 * sign, TAC_KERNEL_RUNTIME, FIXTURE_AUDIO, 100000, 0);
            rules_sleep(&f, from + 1301);
        }
        for (int zone = 0; zone < 4 && way == ZONES; zone++)
            tac_make_zone(f.make, f.audio, TAC_CAT_APP, "step", fixture_ns(300.0 * zone + 50),
                          fixture_ns(300.0 * zone + 300));
        fixture_judge(&f);
        CHECK_STR(fixture_verdict(&f), "own_work");
        const struct tac_miss *m = fixture_miss(&f, 0);
        REQUIRE(m);
        CHECK_NEAR(m->verdict[0].confidence, way == ONE ? 0.7 : 0.9, 0.01);
        CHECK((strstr(m->verdict[0].text, "host") != NULL) == (way == ONE));
        fixture_close(&f);
    }
}

static void own_work_names_the_function_by_samples(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    tac_make_module(f.make, 0x10000, 0x20000, "/usr/lib/libm.so.6");
    tac_make_module(f.make, 0x20000, 0x30000, "/opt/synth");
    for (int i = 0; i < 6; i++)
        fixture_kernel(&f, 100 + 200 * i, TAC_KERNEL_SAMPLE, FIXTURE_AUDIO, 200000,
                       i < 2 ? UINT64_MAX - 100 : 0x20010);
    fixture_kernel(&f, 300, TAC_KERNEL_SAMPLE, FIXTURE_OTHER, 200000, 0x10010);
    fixture_kernel(&f, 1600, TAC_KERNEL_SAMPLE, FIXTURE_AUDIO, 200000, 0x10010); /* later */
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "own_work");
    const char *text = fixture_miss(&f, 0)->verdict[0].text;
    CHECK_MSG(strstr(text, "; 4 of 6 samples in a function of synth"), "%s", text);
    fixture_close(&f);
}

/* What was made at run time lies in no file: it is not left out, or else a function that had two
 * of six would seem to have had all. */
static void samples_in_code_of_no_file_count(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    tac_make_module(f.make, 0x20000, 0x30000, "/opt/synth");
    for (int i = 0; i < 6; i++)
        fixture_kernel(&f, 100 + 200 * i, TAC_KERNEL_SAMPLE, FIXTURE_AUDIO, 200000,
                       i < 2 ? 0x20010 : 0x90010);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    const char *text = fixture_miss(&f, 0)->verdict[0].text;
    CHECK_MSG(strstr(text, "; 4 of 6 samples in a function of code of no file"), "%s", text);
    fixture_close(&f);
}

/* A sample in a library of the system counts for the program's function that called it. */
static void samples_with_stacks_count_for_the_caller(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    tac_make_module(f.make, 0x10000, 0x20000, "/usr/lib/libc.so.6");
    tac_make_module(f.make, 0x20000, 0x30000, "/opt/synth");
    fixture_kernel(&f, 700, TAC_KERNEL_SAMPLE, FIXTURE_AUDIO, 200000, 0x10010);
    tac_make_kernel_stack(f.make, fixture_ns(700), FIXTURE_AUDIO, TAC_STACK_USER,
                          (uint64_t[]){0x10010, 0x20010}, 2);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    const char *text = fixture_miss(&f, 0)->verdict[0].text;
    CHECK_MSG(strstr(text, "; 1 of 1 samples in a function of synth"), "%s", text);
    fixture_close(&f);
}

/* The kernel took the program's stack as the thread left its CPU, and of another thread before. */
static void call_stacks_of_the_kernel_say_where(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1});
    tac_make_module(f.make, 0x10000, 0x20000, "/usr/lib/libc.so.6");
    tac_make_module(f.make, 0x20000, 0x30000, "/opt/synth");
    tac_make_module(f.make, 0x30000, 0x40000, "/opt/other");
    tac_make_kernel_stack(f.make, fixture_ns(90), FIXTURE_OTHER, TAC_STACK_USER,
                          (uint64_t[]){0x30010}, 1);
    tac_make_kernel_stack(f.make, fixture_ns(100), FIXTURE_AUDIO, TAC_STACK_USER,
                          (uint64_t[]){0x10010, 0x20010, 0x20020}, 3);
    rules_wake(&f, 7);
    rules_sleep(&f, 100);
    rules_wake(&f, 1690);
    rules_sleep(&f, 1811);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    const char *text = fixture_miss(&f, 0)->verdict[0].text;
    CHECK_STR(fixture_verdict(&f), "blocked");
    CHECK_MSG(tells_where(text), "%s", text);
    fixture_close(&f);
}

static void unexplained_without_evidence(void)
{
    struct fixture f;
    fixture_open(&f, 0);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){0});
    rules_expect(&f, "unexplained");
}

static void shootdown_by_many_interrupts_from_other_cpus(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1110, (struct tac_make_evidence){.cpu_ns = 1099000});
    rules_wake(&f, 7);
    fixture_kernel(&f, 40, TAC_KERNEL_IRQ_BEGIN, FIXTURE_AUDIO, 4, 0);
    fixture_kernel(&f, 41, TAC_KERNEL_IRQ_END, FIXTURE_AUDIO, 4, 0);
    for (int i = 0; i < 200; i++)
        fixture_kernel(&f, 100 + 4 * i, TAC_KERNEL_IPI, FIXTURE_AUDIO, 2, 0);
    rules_sleep(&f, 1111);
    rules_expect(&f, "shootdown");
}

static void healthy_cycles_have_no_verdict(void)
{
    for (unsigned evidence = 0; evidence < 8; evidence++) {
        struct fixture f;
        fixture_open(&f, evidence);
        fixture_judge(&f);
        CHECK(f.diagnosis->missed == 0 && f.diagnosis->causes_count == 0);
        CHECK(f.diagnosis->judged == FIXTURE_CYCLES - 9);
        fixture_close(&f);
    }
}

static void every_rule_has_a_fixture(void)
{
    rules_check_seen(NULL, "stopped");
    rules_check_seen("denormals", NULL);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(healthy_cycles_have_no_verdict);
    TEST(shootdown_by_many_interrupts_from_other_cpus);
    TEST(carried_from_a_cycle_that_was_in_time);
    TEST(gap_across_the_cycle);
    TEST(denormals_by_the_flag);
    TEST(lock_inversion_when_the_holder_cannot_run);
    TEST(lock_inversion_at_the_end_of_a_row_of_locks);
    TEST(lock_hold_when_the_holder_runs);
    TEST(blocking_call_is_named);
    TEST(a_wait_names_who_wakes_it);
    TEST(blocked_when_nobody_says_on_what);
    TEST(signal_handler_in_the_cycle);
    TEST(signals_that_did_harm_before_are_not_usual);
    TEST(the_larger_part_of_a_cause_gives_the_words);
    TEST(own_work_names_the_zone);
    TEST(a_long_computation_may_be_a_halt);
    TEST(silence_is_in_doubt_where_it_was);
    TEST(silence_without_the_clock_is_no_halt);
    TEST(a_halt_is_seen_by_the_pulse_of_another_thread);
    TEST(blocking_call_when_what_it_started_runs);
    TEST(blocking_call_when_a_library_is_loaded);
    TEST(a_load_takes_no_more_than_its_time);
    TEST(blocking_call_when_it_provides_the_pages_ahead);
    TEST(own_work_is_possible_at_most_where_a_halt_would_look_the_same);
    TEST(own_work_names_the_function_by_samples);
    TEST(samples_in_code_of_no_file_count);
    TEST(samples_with_stacks_count_for_the_caller);
    TEST(call_stacks_of_the_kernel_say_where);
    TEST(unexplained_without_evidence);
    if (argc < 2)
        TEST(every_rule_has_a_fixture);
    return test_end();
}
