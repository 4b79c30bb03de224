/* SPDX-License-Identifier: MIT
 * test_pulse.c - of a thread's pulse, which mark is late, and by how much: marks on their grid of
 * CPU time are not, however the thread was interrupted, nor those that the kernel left out. And the
 * verdicts by the other witnesses of a halt: ticks, and the grid that halts end on. */
#include "doctor/halts.h"
#include "doctor/pulse.h"
#include "doctor/tick.h"

#include "rules.h"

#include <stdlib.h>

enum { PERIOD_NS = 10000000, PERIOD_US = PERIOD_NS / 1000 };

static struct fixture f;
static struct tac_sights spans;

static void open_fixture(void)
{
    fixture_open(&f, FIXTURE_CLOCK);
}

static void mark(double us)
{
    fixture_kernel(&f, us, TAC_KERNEL_PULSE, FIXTURE_AUDIO, PERIOD_NS, 0);
}

static void away(double from_us, double to_us)
{
    fixture_kernel(&f, from_us, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, to_us, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
}

static size_t find(void)
{
    fixture_judge(&f);
    spans = (struct tac_sights){0};
    CHECK(tac_pulse_find(f.capture, &spans) == 0);
    return spans.count;
}

static void close_fixture(void)
{
    free(spans.data);
    fixture_close(&f);
}

static void marks_on_the_grid_are_in_time(void)
{
    open_fixture();
    for (int i = 0; i < 8; i++)
        mark(i * PERIOD_US + (i % 3) * 40);
    CHECK(find() == 0);
    close_fixture();
}

static void time_off_the_cpu_does_not_count(void)
{
    open_fixture();
    mark(0);
    away(4000, 12000);
    away(15000, 15500);
    mark(PERIOD_US + 8500);
    away(20000, 50000);
    mark(2 * PERIOD_US + 8500 + 30000);
    CHECK(find() == 0);
    close_fixture();
}

/* Forty times off the CPU have moved the grid by half a millisecond when a mark is left out. */
static void switches_move_the_grid(void)
{
    open_fixture();
    mark(0);
    for (int i = 0; i < 40; i++)
        away(100 + 300 * i, 200 + 300 * i);
    mark(2 * PERIOD_US + 4000 - 500);
    CHECK(find() == 0);
    close_fixture();
}

/* The next is one distance later. */
static void the_grid_goes_with_them(void)
{
    open_fixture();
    mark(0);
    for (int i = 0; i < 40; i++)
        away(100 + 300 * i, 200 + 300 * i);
    for (int i = 2; i < 6; i++)
        mark(i * PERIOD_US + 4000 - 500);
    CHECK(find() == 0);
    close_fixture();
}

static void marks_that_the_kernel_left_out_are_no_halt(void)
{
    open_fixture();
    mark(0);
    mark(5 * PERIOD_US + 30);
    mark(6 * PERIOD_US);
    CHECK(find() == 0);
    close_fixture();
}

static void a_late_mark_ends_a_halt(void)
{
    open_fixture();
    mark(0);
    mark(PERIOD_US);
    mark(11 * PERIOD_US + 4000); /* due at 2 periods; 94 ms late */
    mark(12 * PERIOD_US);        /* the grid goes on */
    mark(13 * PERIOD_US + 3000); /* a short one */
    REQUIRE(find() == 2);
    CHECK(spans.data[0].from_ns == fixture_ns(2 * PERIOD_US));
    CHECK(spans.data[0].to_ns == fixture_ns(11 * PERIOD_US + 4000));
    CHECK(spans.data[1].to_ns - spans.data[1].from_ns == 3000000);
    CHECK(spans.data[0].kind == TAC_SIGHT_STILL && spans.data[0].detail == 0);
    CHECK(spans.data[0].who == FIXTURE_AUDIO);
    close_fixture();
}

/* Behind a loss, and where the first mark itself was late, the grid is found anew. */
static void nothing_is_claimed_where_the_grid_is_not_known(void)
{
    open_fixture();
    mark(4000);
    mark(PERIOD_US);
    mark(2 * PERIOD_US);
    fixture_kernel(&f, 25000, TAC_KERNEL_LOST, FIXTURE_AUDIO, 5, 0);
    mark(64000);
    mark(74000);
    CHECK(find() == 0);
    close_fixture();
}

/* A time off the CPU is not in the recording: the marks are off the grid all alike. */
static void a_grid_that_has_moved_is_no_halt(void)
{
    open_fixture();
    mark(0);
    mark(PERIOD_US);
    for (int i = 2; i < 8; i++)
        mark(i * PERIOD_US + 4000);
    mark(10 * PERIOD_US + 7000); /* a halt by the new one */
    mark(11 * PERIOD_US + 4000);
    REQUIRE(find() == 1);
    CHECK(spans.data[0].from_ns == fixture_ns(8 * PERIOD_US + 4000));
    close_fixture();
}

/* Seconds that are in no part of the recording. */
static void nothing_is_claimed_across_a_hole_without_a_word(void)
{
    enum { LATER_US = 5000000 };
    open_fixture();
    mark(0);
    mark(PERIOD_US);
    mark(LATER_US + 4000);
    CHECK(find() == 0);
    close_fixture();
}

/* The thread ends, another gets its tid. */
static void the_grid_ends_with_the_thread(void)
{
    struct tac_capture_thread threads[] = {{.tid = 9, .begin_ns = 1, .end_ns = 25000000},
                                           {.tid = 9, .begin_ns = 30000000, .end_ns = UINT64_MAX}};
    struct tac_capture_kernel marks[] = {{.ns = 10000000}, {.ns = 20000000}, {.ns = 34000000}};
    for (size_t i = 0; i < 3; i++) {
        marks[i].type = TAC_KERNEL_PULSE;
        marks[i].tid = 9;
        marks[i].a = PERIOD_NS;
    }
    const struct tac_capture capture = {
        .threads = threads, .threads_count = 2, .kernel = marks, .kernel_count = 3};
    spans = (struct tac_sights){0};
    CHECK(tac_pulse_find(&capture, &spans) == 0 && spans.count == 0);
    free(spans.data);
}

/* A normal thread is charged for 50 ms in one piece while the recorder's helper stands still: no
 * tick came on that CPU. */
static void hypervisor_when_one_cpu_gives_no_sign_of_life(void)
{
    enum { HELPER = 778, AFTER = FIXTURE_CYCLES - FIXTURE_LATE, US = AFTER * 1000 };
    struct fixture guest;
    fixture_open(&guest, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_meta(guest.make, "virtual", "yes");
    tac_make_meta(guest.make, "helper_tid", "778");
    tac_make_meta(guest.make, "drain_ms", "2");
    fixture_cycle(&guest, AFTER, US + 50010, US + 50210,
                  (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_kernel(&guest, US - 900, TAC_KERNEL_SWITCH, 0, (uint64_t)HELPER << 32 | 120, 120);
    fixture_kernel(&guest, US - 700, TAC_KERNEL_SWITCH, HELPER, (uint64_t)FIXTURE_HOG << 32 | 120,
                   1ull << 32 | 120);
    fixture_kernel(&guest, US + 50006, TAC_KERNEL_WAKING, FIXTURE_HOG,
                   (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32 | 1);
    fixture_kernel(&guest, US + 50008, TAC_KERNEL_RUNTIME, FIXTURE_HOG, 50700000, 0);
    fixture_kernel(&guest, US + 50009, TAC_KERNEL_SWITCH, FIXTURE_HOG,
                   (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    rules_sleep(&guest, US + 50211);
    rules_expect(&guest, "hypervisor");
}

/* The thread stands ready, or computes, while its CPU has no tick and charges 50 ms in one piece;
 * with ticks, or on a CPU that never has any (nohz_full), it is what it looks like. */
static void hypervisor_when_its_cpu_has_no_ticks(void)
{
    enum { AFTER = FIXTURE_CYCLES - FIXTURE_LATE, US = AFTER * 1000, LONG_US = 50000 };
    for (int i = 0; i < 6; i++) {
        bool ready = i & 1, ticks = i & 2, tickless = i & 4;
        struct fixture guest;
        fixture_open(&guest, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(guest.make, "virtual", "yes");
        tac_make_meta(guest.make, "nohz_full", tickless ? "1-3" : "(null)");
        uint64_t cpu = ready ? 199000 : (LONG_US + 199) * 1000;
        fixture_cycle(&guest, AFTER, US + 10, US + LONG_US + 210,
                      (struct tac_make_evidence){.cpu_ns = cpu, .involuntary = ready});
        rules_wake(&guest, US + 7);
        uint32_t runs = ready ? FIXTURE_HOG : FIXTURE_AUDIO;
        if (ready)
            fixture_kernel(&guest, US + 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO,
                           (uint64_t)FIXTURE_HOG << 32 | 10, 19);
        for (unsigned k = 1; k < 13 && ticks; k++)
            fixture_kernel(&guest, US + 100 + k * 4000, TAC_KERNEL_RUNTIME, runs, 4000000, 0);
        fixture_kernel(&guest, US + LONG_US + 95, TAC_KERNEL_RUNTIME, runs,
                       ticks ? 1900000 : LONG_US * 1000, 0);
        if (ready)
            fixture_kernel(&guest, US + LONG_US + 100, TAC_KERNEL_SWITCH, FIXTURE_HOG,
                           (uint64_t)FIXTURE_AUDIO << 32 | 19, 10);
        rules_sleep(&guest, US + LONG_US + 211);
        bool halted = !ticks && !tickless;
        rules_expect(&guest, halted ? "hypervisor" : ready ? "preempted" : "own_work");
    }
}

/* A tick of its CPU is held up, and the silence around it is too short to show by itself. It is
 * computation where the ticks come in time, or none is ever seen. */
static void hypervisor_when_a_tick_is_late(void)
{
    enum { LATE, IN_TIME, UNSEEN, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct fixture guest;
        fixture_open(&guest, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(guest.make, "virtual", "yes");
        tac_make_meta(guest.make, "tick_ns", "1000000");
        fixture_cycle(&guest, 0, 10, 2510, (struct tac_make_evidence){.cpu_ns = 2499000});
        for (int k = 1 - FIXTURE_LATE; k < FIXTURE_CYCLES - FIXTURE_LATE && way != UNSEEN; k++)
            if (k < 0 || k > 8)
                fixture_kernel(&guest, k * 1000.0 + 100, TAC_KERNEL_RUNTIME, FIXTURE_AUDIO, 91000,
                               0);
        rules_wake(&guest, 7);
        fixture_kernel(&guest, 100, TAC_KERNEL_RUNTIME, FIXTURE_AUDIO, 91000, 0);
        for (int k = 1; k < 3 && way == IN_TIME; k++)
            fixture_kernel(&guest, k * 1000.0 + 100, TAC_KERNEL_RUNTIME, FIXTURE_AUDIO, 1000000, 0);
        fixture_kernel(&guest, 2450, TAC_KERNEL_RUNTIME, FIXTURE_AUDIO,
                       way == IN_TIME ? 350000 : 2350000, 0);
        rules_sleep(&guest, 2511);
        rules_expect(&guest, way == LATE ? "hypervisor" : "own_work");
    }
}

/* ---- ticks, by hand ---- */

enum { TICK_NS = 4000000, TICKS_MAX = 4000, RUNNER = 9, OTHER = 8 };

/* On a kernel of 250 ticks a second whose first bin edges lie as far behind the tick as charges. */
static const uint64_t first_tick_ns = 1000ull * TICK_NS + TICK_NS / 64 * 5 - 6000;

static struct tac_capture_kernel ticks[TICKS_MAX];
static size_t ticks_count;

static void put_tick(uint64_t ns, enum tac_kernel_type type, uint32_t tid, uint64_t a)
{
    ticks[ticks_count++] =
        (struct tac_capture_kernel){.ns = ns, .type = (uint16_t)type, .tid = tid, .a = a, .b = 120};
}

static void start_ticks(void)
{
    ticks_count = 0;
    put_tick(first_tick_ns - 1000000, TAC_KERNEL_SWITCH, 0, (uint64_t)RUNNER << 32 | 120);
}

/* A charge comes 3 to 15 us behind its tick. */
static uint64_t charge_ns(unsigned k)
{
    return first_tick_ns + (uint64_t)k * TICK_NS + 3000 + (uint64_t)k * 7919 % 12000;
}

static size_t find_ticks(void)
{
    struct tac_capture_meta meta[] = {{.key = "tick_ns", .value = "4000000"}};
    struct tac_capture_thread thread = {.tid = RUNNER, .begin_ns = 1, .end_ns = UINT64_MAX};
    const struct tac_capture capture = {.threads = &thread,
                                        .threads_count = 1,
                                        .kernel = ticks,
                                        .kernel_count = ticks_count,
                                        .meta = meta,
                                        .meta_count = 1};
    spans = (struct tac_sights){0};
    CHECK(tac_tick_find(&capture, &spans) == 0);
    return spans.count;
}

static void ticks_that_come_a_little_early_are_not_late(void)
{
    start_ticks();
    for (unsigned k = 0; k < 400; k++)
        put_tick(charge_ns(k), TAC_KERNEL_RUNTIME, RUNNER, TICK_NS);
    CHECK(find_ticks() == 0);
    free(spans.data);
}

/* From when it was due to when it came is known; what is before that may be of the halt. */
static void a_late_tick_ends_a_halt(void)
{
    start_ticks();
    for (unsigned k = 0; k < 400; k++)
        put_tick(charge_ns(k) + (k == 300 ? 2500000 : 0), TAC_KERNEL_RUNTIME, RUNNER, TICK_NS);
    REQUIRE(find_ticks() == 2);
    const struct tac_sight *halting = &spans.data[0], *still = &spans.data[1];
    CHECK(halting->kind == TAC_SIGHT_HALTING && still->kind == TAC_SIGHT_STILL);
    CHECK(halting->to_ns == still->from_ns && still->to_ns == charge_ns(300) + 2500000);
    CHECK_NEAR((double)(still->from_ns - first_tick_ns), 300.0 * TICK_NS, 20000);
    CHECK_NEAR((double)(halting->to_ns - halting->from_ns), 2500000, 20000);
    free(spans.data);
}

/* One of five leaves no event: one that is missing shows nothing. */
static void ticks_that_often_leave_no_event_show_nothing(void)
{
    start_ticks();
    for (unsigned k = 0; k < 400; k++)
        if (k % 5 != 1)
            put_tick(first_tick_ns + (uint64_t)k * TICK_NS + 9000, TAC_KERNEL_RUNTIME, RUNNER,
                     TICK_NS);
    CHECK(find_ticks() == 0);
    free(spans.data);
}

/* It takes the CPU from another one in each of its cycles, whose period is the tick's: that charges
 * more evenly than ticks do. A cycle that does not is not late. */
static void charges_of_switches_are_no_grid(void)
{
    start_ticks();
    for (unsigned k = 0; k < 400; k++) {
        put_tick(charge_ns(k), TAC_KERNEL_RUNTIME, RUNNER, TICK_NS / 2);
        if (k % 20 == 19)
            continue;
        uint64_t ns = first_tick_ns + (uint64_t)k * TICK_NS + TICK_NS / 2;
        put_tick(ns, TAC_KERNEL_RUNTIME, RUNNER, TICK_NS / 2);
        put_tick(ns + 2000, TAC_KERNEL_SWITCH, RUNNER, (uint64_t)OTHER << 32 | 120);
        put_tick(ns + 9000, TAC_KERNEL_RUNTIME, OTHER, 7000);
        put_tick(ns + 10000, TAC_KERNEL_SWITCH, OTHER, (uint64_t)RUNNER << 32 | 120);
    }
    CHECK(find_ticks() == 0);
    free(spans.data);
}

/* ---- the grid that halts end on ---- */

static const uint64_t second_ns = 1000000000;

static uint64_t at_random(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) * below >> 31;
}

/* Many halts at any time agree by chance, but not half of those of some seconds. */
static void halts_at_any_time_are_no_grid(void)
{
    uint64_t seed = 1;
    struct tac_sights found = {0};
    struct tac_halts halts = {0};
    for (int i = 0; i < 300; i++)
        CHECK(tac_sights_add(
                  &found,
                  (struct tac_sight){.to_ns = second_ns + at_random(&seed, 60 * second_ns)}) == 0);
    REQUIRE(tac_halts_find(&found, &halts) == 0);
    unsigned expected = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t ns = second_ns + at_random(&seed, 60 * second_ns);
        expected += tac_halts_expected(&halts, ns, ns + 1300000) != 0;
    }
    CHECK_MSG(expected == 0, "%u of 1000 stretches", expected);
    tac_halts_fini(&halts);
    free(found.data);
}

/* The machine's clock goes 40 us a second slower than the host's. */
static void the_grid_of_halts_drifts(void)
{
    const uint64_t grid_ns = 100000000, drifted_ns = 100004000;
    struct tac_sights found = {0};
    struct tac_halts halts = {0};
    for (uint64_t k = 10; k < 610; k++)
        if (k % 3)
            CHECK(tac_sights_add(&found, (struct tac_sight){.to_ns = k * drifted_ns}) == 0);
    REQUIRE(tac_halts_find(&found, &halts) == 0);
    uint64_t late_ns = 600 * drifted_ns;
    CHECK(tac_halts_expected(&halts, late_ns - 300000, late_ns + 300000) != 0);
    CHECK(tac_halts_expected(&halts, 600 * grid_ns - 300000, 600 * grid_ns + 300000) == 0);
    tac_halts_fini(&halts);
    free(found.data);
}

/* Three halts that were seen end 100 ms apart. 100 ms later a silent cycle is too long, or its
 * timer is late; where they end at other times it has computed, or somebody kept interrupts off.
 * It has computed as well where it went on for long behind that time. */
static void hypervisor_when_halts_end_on_a_grid(void)
{
    enum { AFTER = 400, US = AFTER * 1000 };
    static const char *const verdict[] = {"own_work",   "hypervisor", "kernel_busy",
                                          "hypervisor", "own_work",   "blocking_call"};
    enum { LONG = 4, CALL, WAYS };
    for (int way = 0; way < WAYS; way++) {
        bool on_grid = way & 1 || way == LONG, timer = way & 2;
        double wake = timer ? 970 : 7;
        struct fixture guest;
        fixture_open(&guest, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(guest.make, "virtual", "yes");
        tac_make_meta(guest.make, "tick_ns", "1000000");
        for (int k = 1; k < 4; k++) {
            double end = 100000.0 * k + 900 + (on_grid ? 20 : 1500) * k;
            fixture_kernel(&guest, end - 3100, TAC_KERNEL_SWITCH, 0,
                           (uint64_t)FIXTURE_HOG << 32 | 120, 120);
            fixture_kernel(&guest, end, TAC_KERNEL_RUNTIME, FIXTURE_HOG, 3100000, 0);
            fixture_kernel(&guest, end + 10, TAC_KERNEL_SWITCH, FIXTURE_HOG, 120, 1ull << 32 | 120);
        }
        uint64_t cpu = timer ? 199000 : way == LONG ? 2099000 : 1299000;
        if (way == CALL)
            tac_make_zone(guest.make, guest.audio, TAC_CAT_CALL, "write", fixture_ns(US + 20),
                          fixture_ns(US + 1290));
        fixture_cycle(&guest, AFTER, US + wake + 3, US + wake + 3 + (double)(cpu / 1000),
                      (struct tac_make_evidence){.cpu_ns = cpu});
        if (timer)
            fixture_kernel(&guest, US - 200, TAC_KERNEL_SWITCH, 0,
                           (uint64_t)FIXTURE_HOG << 32 | 120, 120);
        fixture_kernel(&guest, US + wake, TAC_KERNEL_WAKING, timer ? FIXTURE_HOG : 0,
                       (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32 | 1);
        fixture_kernel(&guest, US + wake + 1, TAC_KERNEL_RUNTIME, timer ? FIXTURE_HOG : 0, 1170000,
                       0);
        fixture_kernel(&guest, US + wake + 2, TAC_KERNEL_SWITCH, timer ? FIXTURE_HOG : 0,
                       (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
        rules_sleep(&guest, US + wake + 5 + (double)(cpu / 1000));
        rules_expect(&guest, verdict[way]);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(marks_on_the_grid_are_in_time);
    TEST(time_off_the_cpu_does_not_count);
    TEST(switches_move_the_grid);
    TEST(the_grid_goes_with_them);
    TEST(marks_that_the_kernel_left_out_are_no_halt);
    TEST(a_late_mark_ends_a_halt);
    TEST(nothing_is_claimed_where_the_grid_is_not_known);
    TEST(a_grid_that_has_moved_is_no_halt);
    TEST(nothing_is_claimed_across_a_hole_without_a_word);
    TEST(the_grid_ends_with_the_thread);
    TEST(hypervisor_when_one_cpu_gives_no_sign_of_life);
    TEST(hypervisor_when_its_cpu_has_no_ticks);
    TEST(hypervisor_when_a_tick_is_late);
    TEST(ticks_that_come_a_little_early_are_not_late);
    TEST(a_late_tick_ends_a_halt);
    TEST(ticks_that_often_leave_no_event_show_nothing);
    TEST(charges_of_switches_are_no_grid);
    TEST(halts_at_any_time_are_no_grid);
    TEST(the_grid_of_halts_drifts);
    TEST(hypervisor_when_halts_end_on_a_grid);
    return test_end();
}
