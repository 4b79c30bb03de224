/* SPDX-License-Identifier: MIT
 * test_rules_scheduling.c - the rules on who ran, and who should have: each speaks on its fixture
 * (rules.h). */
#include "rules.h"

#include "tactus/trace.h"

static bool has_verdict(const struct tac_miss *m, const char *rule)
{
    for (unsigned i = 0; i < m->count; i++)
        if (!strcmp(m->verdict[i].rule->name, rule))
            return true;
    return false;
}

static void hypervisor_takes_time_that_nobody_is_charged_for(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 4210, (struct tac_make_evidence){.cpu_ns = 200000});
    rules_expect(&f, "hypervisor");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 4210, (struct tac_make_evidence){.cpu_ns = 200000});
    fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 4211, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    rules_expect(&f, "hypervisor");
}

static void throttled_when_a_normal_thread_runs_for_ticks(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 8510, (struct tac_make_evidence){.cpu_ns = 200000, .involuntary = 1});
    rules_wake(&f, 7);
    rules_hog(&f, 100, 8400, 120);
    rules_sleep(&f, 8511);
    rules_expect(&f, "throttled");
}

static void preempted_by_a_higher_priority(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    rules_wake(&f, 7);
    rules_hog(&f, 100, 2600, 9);
    rules_sleep(&f, 2701);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "preempted");
    CHECK_MSG(strstr(fixture_miss(&f, 0)->verdict[0].text, "hog"), "%s",
              fixture_miss(&f, 0)->verdict[0].text);
    fixture_close(&f);
    fixture_open(&f, FIXTURE_CLOCK); /* without privilege: that, but not by whom */
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    rules_expect(&f, "preempted");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 100, TAC_KERNEL_OUT, FIXTURE_AUDIO, 1, 0);
    fixture_kernel(&f, 2590, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 2701, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    rules_expect(&f, "preempted");
}

static void hypervisor_when_a_timer_is_late_on_an_idle_cpu(void)
{
    for (int guest = 0; guest < 2; guest++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", guest ? "yes" : "no");
        fixture_cycle(&f, 0, 3500, 3700, (struct tac_make_evidence){.cpu_ns = 199000});
        rules_wake(&f, 3497);
        rules_sleep(&f, 3701);
        rules_expect(&f, guest ? "hypervisor" : "late_wake");
    }
}

static void kernel_busy_when_a_normal_thread_delays_the_start(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 1910, 2110, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_kernel(&f, -200, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_HOG << 32 | 120, 120);
    fixture_kernel(&f, 5, TAC_KERNEL_WAKING, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 1);
    fixture_kernel(&f, 1909, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   120);
    rules_sleep(&f, 2111);
    rules_expect(&f, "kernel_busy");
}

/* The scheduler charges the woken thread from its wake-up on: what the one in front was not charged
 * for is no stolen time. */
static void kernel_busy_although_the_one_in_front_was_not_charged(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_meta(f.make, "virtual", "yes");
    fixture_cycle(&f, 0, 1910, 2110, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_kernel(&f, -200, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_HOG << 32 | 120, 120);
    fixture_kernel(&f, 5, TAC_KERNEL_WAKING, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 1);
    fixture_kernel(&f, 1908, TAC_KERNEL_RUNTIME, FIXTURE_HOG, 205000, 0);
    fixture_kernel(&f, 1909, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   120);
    fixture_kernel(&f, 2109, TAC_KERNEL_RUNTIME, FIXTURE_AUDIO, 2104000, 0);
    rules_sleep(&f, 2111);
    rules_expect(&f, "kernel_busy");
}

/* The thread goes to sleep behind the release, for two periods: its timer is not late, whoever had
 * the CPU meanwhile. Of a device nothing is known but that it was late. */
static void late_wake_by_a_sleep_for_a_time(void)
{
    for (int device = 0; device < 2; device++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        fixture_cycle(&f, 0, 10, 1100, (struct tac_make_evidence){.cpu_ns = 1089000});
        fixture_cycle(&f, 1, 3110, 3310, (struct tac_make_evidence){.cpu_ns = 199000});
        rules_wake(&f, 7);
        fixture_kernel(&f, 1101, TAC_KERNEL_SWITCH, FIXTURE_AUDIO,
                       (uint64_t)FIXTURE_HOG << 32 | 120, 1ull << 32 | 19);
        fixture_kernel(&f, 3100, TAC_KERNEL_SOFTIRQ_BEGIN, FIXTURE_HOG, device ? 3 : 1, 0);
        fixture_kernel(&f, 3102, TAC_KERNEL_WAKING, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                       1ull << 32 | 1);
        fixture_kernel(&f, 3103, TAC_KERNEL_SOFTIRQ_END, FIXTURE_HOG, device ? 3 : 1, 0);
        fixture_kernel(&f, 3105, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                       120);
        rules_sleep(&f, 3311);
        fixture_judge(&f);
        const struct tac_miss *m = fixture_miss(&f, 1);
        REQUIRE(m);
        CHECK_STR(m->verdict[0].rule->name, "late_wake");
        CHECK(device == !strstr(m->verdict[0].text, "a sleep for a time"));
        fixture_close(&f);
    }
}

/* An interrupt whose end was lost is over where its CPU switches. */
static void kernel_busy_behind_an_interrupt_whose_end_was_lost(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 1910, 2110, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_kernel(&f, -500, TAC_KERNEL_IRQ_BEGIN, 0, 5, 0);
    fixture_kernel(&f, -200, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_HOG << 32 | 120, 120);
    fixture_kernel(&f, 7, TAC_KERNEL_WAKING, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 1);
    fixture_kernel(&f, 1909, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   120);
    rules_sleep(&f, 2111);
    rules_expect(&f, "kernel_busy");
}

/* Interrupts were off from the last moment on at which the CPU is seen to take them. */
static void kernel_busy_is_no_longer_than_interrupts_were_off(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 2010, 2210, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_kernel(&f, -200, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_HOG << 32 | 120, 120);
    fixture_kernel(&f, 1700, TAC_KERNEL_FAULT, FIXTURE_HOG, 0x1000, 0x2000);
    fixture_kernel(&f, 2000, TAC_KERNEL_WAKING, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 1);
    fixture_kernel(&f, 2008, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   120);
    rules_sleep(&f, 2211);
    fixture_judge(&f);
    const struct tac_miss *m = fixture_miss(&f, 0);
    REQUIRE(m);
    CHECK_STR(fixture_verdict(&f), "late_wake");
    CHECK(has_verdict(m, "kernel_busy"));
    fixture_close(&f);
}

static void interrupts_hard_and_soft(void)
{
    for (int soft = 0; soft < 2; soft++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        fixture_cycle(&f, 0, 10, 1310, (struct tac_make_evidence){.cpu_ns = 1299000});
        rules_wake(&f, 7);
        fixture_kernel(&f, 50, soft ? TAC_KERNEL_SOFTIRQ_BEGIN : TAC_KERNEL_IRQ_BEGIN,
                       FIXTURE_AUDIO, 4, 0);
        fixture_kernel(&f, 1150, soft ? TAC_KERNEL_SOFTIRQ_END : TAC_KERNEL_IRQ_END, FIXTURE_AUDIO,
                       4, 0);
        rules_sleep(&f, 1311);
        rules_expect(&f, soft ? "softirq" : "interrupts");
    }
}

/* The thread is woken in the middle of a soft interrupt, which goes on: the CPU is not idle, nor is
 * its host away. */
static void softirq_that_had_the_cpu_before(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_meta(f.make, "virtual", "yes");
    fixture_cycle(&f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 3100000, .voluntary = 1});
    rules_wake(&f, 7);
    rules_sleep(&f, 100);
    fixture_kernel(&f, 200, TAC_KERNEL_SOFTIRQ_BEGIN, 0, 3, 0);
    fixture_kernel(&f, 210, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 1);
    fixture_kernel(&f, 3100, TAC_KERNEL_SOFTIRQ_END, 0, 3, 0);
    fixture_kernel(&f, 3105, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    rules_sleep(&f, 3211);
    rules_expect(&f, "softirq");
}

static void throttled_when_the_cpu_idles_although_it_is_ready(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 3510, (struct tac_make_evidence){.cpu_ns = 200000, .involuntary = 1});
    rules_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 19);
    fixture_kernel(&f, 3400, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    rules_sleep(&f, 3511);
    rules_expect(&f, "throttled");
}

/* Two others take turn after turn while the thread stands ready: it has a quota, which is used up.
 * Less than that is their right, and so is more where there is no quota. */
static void throttled_when_others_have_turn_after_turn(void)
{
    enum { TURN_US = 4000, AFTER = 40, AT_US = AFTER * 1000 }; /* behind the healthy ones */
    static const unsigned turns[] = {4, 16, 16};
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        if (i < 2)
            tac_make_meta(f.make, "cpu_quota_us", "50000 100000");
        double end = AT_US + 100 + turns[i] * TURN_US;
        fixture_cycle(&f, AFTER, AT_US + 10, end + 100,
                      (struct tac_make_evidence){.cpu_ns = 190000, .involuntary = 1});
        rules_wake(&f, AT_US + 7);
        uint32_t from = FIXTURE_AUDIO;
        for (unsigned k = 0; k <= turns[i]; k++) {
            uint32_t to = k == turns[i] ? FIXTURE_AUDIO : FIXTURE_HOG + k % 2;
            fixture_kernel(&f, AT_US + 100 + k * TURN_US, TAC_KERNEL_SWITCH, from,
                           (uint64_t)to << 32 | 120, 120);
            from = to;
        }
        rules_sleep(&f, end + 101);
        rules_expect(&f, i == 1 ? "throttled" : "wrong_setup");
    }
}

/* A wait of many turns, and a short one that is everybody's right: only the first is the quota's.
 */
static void throttled_claims_the_long_wait_alone(void)
{
    enum { TURN_US = 4000, TURNS = 16, AFTER = 40, AT_US = AFTER * 1000 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_meta(f.make, "cpu_quota_us", "50000 100000");
    double back = AT_US + 100 + TURNS * TURN_US, end = back + 9000;
    fixture_cycle(&f, AFTER, AT_US + 10, end,
                  (struct tac_make_evidence){.cpu_ns = 1090000, .involuntary = 2});
    rules_wake(&f, AT_US + 7);
    uint32_t from = FIXTURE_AUDIO;
    for (unsigned k = 0; k <= TURNS; k++) {
        uint32_t to = k == TURNS ? FIXTURE_AUDIO : FIXTURE_HOG + k % 2;
        fixture_kernel(&f, AT_US + 100 + k * TURN_US, TAC_KERNEL_SWITCH, from,
                       (uint64_t)to << 32 | 120, 120);
        from = to;
    }
    fixture_kernel(&f, back + 500, TAC_KERNEL_SWITCH, FIXTURE_AUDIO,
                   (uint64_t)FIXTURE_HOG << 32 | 120, 120);
    fixture_kernel(&f, back + 8500, TAC_KERNEL_SWITCH, FIXTURE_HOG,
                   (uint64_t)FIXTURE_AUDIO << 32 | 120, 120);
    rules_sleep(&f, end + 1);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "throttled");
    CHECK(has_verdict(fixture_miss(&f, 0), "wrong_setup"));
    fixture_close(&f);
}

static void wrong_setup_when_normal_threads_take_turns(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    rules_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, (uint64_t)FIXTURE_HOG << 32 | 120,
                   120);
    fixture_kernel(&f, 2600, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 120,
                   120);
    rules_sleep(&f, 2701);
    rules_expect(&f, "wrong_setup");
}

/* Woken in time on an idle CPU of a real machine; in a virtual one so long a stall is the host's.
 */
static void idle_wake_is_slow(void)
{
    for (int guest = 0; guest < 2; guest++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", guest ? "yes" : "no");
        fixture_cycle(&f, 0, 960, 1160, (struct tac_make_evidence){.cpu_ns = 199000});
        fixture_kernel(&f, 7, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                       1ull << 32 | 1);
        fixture_kernel(&f, 955, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
        rules_sleep(&f, 1161);
        rules_expect(&f, guest ? "hypervisor" : "idle_wake");
    }
}

static void upstream_when_another_thread_wakes_it_late(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 1500, 1700, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_kernel(&f, 1490, TAC_KERNEL_WAKING, FIXTURE_OTHER, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32);
    fixture_kernel(&f, 1495, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    rules_sleep(&f, 1701);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "upstream");
    CHECK(strstr(fixture_miss(&f, 0)->verdict[0].text, "loader"));
    fixture_close(&f);
    rules_seen("upstream");
}

/* Some kernels do not tell when the idle task is left. What the thread does then proves it. */
static void ready_ends_where_the_thread_is_seen_to_run(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 20, 1410, (struct tac_make_evidence){.cpu_ns = 1389000});
    fixture_kernel(&f, 7, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32 | 1);
    rules_sleep(&f, 1411);
    rules_expect(&f, "own_work");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED); /* pre-empted inside the kernel: no sleep */
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    rules_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, (uint64_t)FIXTURE_HOG << 32 | 9,
                   0x100ull << 32 | 19);
    fixture_kernel(&f, 2600, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 9);
    rules_sleep(&f, 2701);
    rules_expect(&f, "preempted");
}

static void stopped_by_a_signal(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 8510, (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1});
    rules_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 4ull << 32 | 19);
    rules_wake(&f, 8400);
    rules_sleep(&f, 8511);
    rules_expect(&f, "stopped");
}

static void late_wake_when_it_begins_late(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 1500, 1700, (struct tac_make_evidence){.cpu_ns = 199000});
    rules_expect(&f, "late_wake");
}

/* The host halts the machine and counts it as time that the threads ran: what is missing is ticks.
 * A thread that computes without them for as long, while another CPU has its own, did compute. */
static void hypervisor_when_no_cpu_gives_a_sign_of_life(void)
{
    for (int halted = 0; halted < 2; halted++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_kernel(f.make,
                        (struct tac_format_kernel){fixture_ns(-29000), TAC_KERNEL_SWITCH, 0, 0,
                                                   (uint64_t)FIXTURE_HOG << 32 | 120, 120});
        for (int i = -28; i < 12; i++)
            if (!halted || i <= 0 || i > 8)
                tac_make_kernel(f.make, (struct tac_format_kernel){fixture_ns(1000.0 * i + 500),
                                                                   TAC_KERNEL_RUNTIME, 0,
                                                                   FIXTURE_HOG, 1000000, 0});
        fixture_cycle(&f, 0, 10, 8710, (struct tac_make_evidence){.cpu_ns = 8699000});
        rules_wake(&f, 7);
        fixture_kernel(&f, 8600, TAC_KERNEL_RUNTIME, FIXTURE_AUDIO, 8590000, 0);
        rules_sleep(&f, 8711);
        rules_expect(&f, halted ? "hypervisor" : "own_work");
    }
}

/* Nothing of the program ran for as long as a freezer would hold it; but its helper waited, or
 * nothing of the whole virtual machine ran either. */
static void late_wake_is_no_freezer_when_the_helper_waits_for_a_cpu(void)
{
    enum { HELPER = 778 };
    enum { FROZEN, WAITS, HALTED, CASES };
    static const char *const verdict[CASES] = {"stopped", "late_wake", "hypervisor"};
    for (int i = 0; i < CASES; i++) {
        bool waits = i == WAITS;
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", i == WAITS ? "no" : "yes");
        for (int k = 1; k < 8 && i == FROZEN; k++)
            fixture_kernel(&f, 1000 * k, TAC_KERNEL_IRQ_BEGIN, 0, 36, 0);
        tac_make_meta(f.make, "helper_tid", "778");
        tac_make_meta(f.make, "drain_ms", "2");
        fixture_cycle(&f, 0, 8510, 8710, (struct tac_make_evidence){.cpu_ns = 199000});
        fixture_kernel(&f, -900, TAC_KERNEL_SWITCH, 0, (uint64_t)HELPER << 32 | 120, 120);
        fixture_kernel(&f, -700, TAC_KERNEL_SWITCH, HELPER, 120, 1ull << 32 | 120);
        if (waits)
            fixture_kernel(&f, 1300, TAC_KERNEL_WAKING, 0, (uint64_t)HELPER << 32 | 120,
                           1ull << 32 | 1);
        rules_wake(&f, 8507);
        rules_sleep(&f, 8711);
        rules_expect(&f, verdict[i]);
    }
}

/* The helper came to its CPU late and so was frozen late: what tells is that another program's
 * thread wakes both together, the helper long after its time. A thread of the program that never
 * registered does not thaw, and a helper that is woken before its time was not frozen. */
static void stopped_when_the_group_is_thawed(void)
{
    enum { HELPER = 778, THAWER = 779, CLONE_IS_A_THREAD = 0x10000 };
    enum { ALONE, THAWED, OWN_THREAD, BEFORE_ITS_TIME, CASES };
    for (int i = 0; i < CASES; i++) {
        bool thawed = i == THAWED;
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "helper_tid", "778");
        tac_make_meta(f.make, "drain_ms", "2");
        fixture_cycle(&f, 0, 10, 8210,
                      (struct tac_make_evidence){.cpu_ns = 199000, .voluntary = 1});
        rules_wake(&f, 7);
        rules_sleep(&f, 60);
        double slept = i == BEFORE_ITS_TIME ? 7000 : 4000;
        if (i == OWN_THREAD)
            fixture_kernel(&f, -500, TAC_KERNEL_FORK, FIXTURE_OTHER, THAWER, CLONE_IS_A_THREAD);
        fixture_kernel(&f, slept, TAC_KERNEL_SWITCH, 0, (uint64_t)HELPER << 32 | 120, 120);
        fixture_kernel(&f, slept + 10, TAC_KERNEL_SWITCH, HELPER, 120, 2ull << 32 | 120);
        fixture_kernel(&f, 8050, TAC_KERNEL_WAKING, THAWER, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                       1ull << 32);
        if (i != ALONE)
            fixture_kernel(&f, 8055, TAC_KERNEL_WAKING, THAWER, (uint64_t)HELPER << 32 | 120,
                           1ull << 32);
        fixture_kernel(&f, 8060, TAC_KERNEL_SWITCH, THAWER, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                       120);
        rules_sleep(&f, 8211);
        rules_expect(&f, thawed ? "stopped" : "blocked");
    }
}

/* The helper stood still, and both were thawed together: that is said twice and counts once, so the
 * wait for a lock before it keeps its time. */
static void stopped_leaves_other_sleeps_what_is_theirs(void)
{
    enum { HELPER = 778, THAWER = 779 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_meta(f.make, "helper_tid", "778");
    tac_make_meta(f.make, "drain_ms", "1");
    fixture_cycle(&f, 0, 10, 8210, (struct tac_make_evidence){.cpu_ns = 299000, .voluntary = 2});
    rules_wake(&f, 7);
    tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(50), fixture_ns(2050));
    rules_sleep(&f, 60);
    fixture_kernel(&f, 1500, TAC_KERNEL_SWITCH, 0, (uint64_t)HELPER << 32 | 120, 120);
    fixture_kernel(&f, 1510, TAC_KERNEL_SWITCH, HELPER, 120, 1ull << 32 | 120);
    rules_wake(&f, 2000);
    rules_sleep(&f, 2100);
    fixture_kernel(&f, 8050, TAC_KERNEL_WAKING, THAWER, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32);
    fixture_kernel(&f, 8055, TAC_KERNEL_WAKING, THAWER, (uint64_t)HELPER << 32 | 120, 1ull << 32);
    fixture_kernel(&f, 8060, TAC_KERNEL_SWITCH, THAWER, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    rules_sleep(&f, 8211);
    fixture_judge(&f);
    const struct tac_miss *m = fixture_miss(&f, 0);
    REQUIRE(m);
    CHECK_STR(fixture_verdict(&f), "stopped");
    CHECK(has_verdict(m, "lock_hold"));
    fixture_close(&f);
}

/* A normal thread wakes up on an idle CPU and is left alone for 8 ms: while the CPU takes
 * interrupts the quota of the group is used up; without a sign of life the machine was not run. */
static void throttled_when_the_quota_of_the_group_is_used_up(void)
{
    for (int lives = 0; lives < 2; lives++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", "yes");
        fixture_cycle(&f, 0, 8010, 8210, (struct tac_make_evidence){.cpu_ns = 199000});
        fixture_kernel(&f, 7, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 120,
                       1ull << 32 | 1);
        for (int i = 1; i < 8 && lives; i++) {
            fixture_kernel(&f, 1000 * i, TAC_KERNEL_IRQ_BEGIN, 0, 36, 0);
            fixture_kernel(&f, 1000 * i + 2, TAC_KERNEL_IRQ_END, 0, 36, 0);
        }
        fixture_kernel(&f, 8005, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 120, 120);
        fixture_kernel(&f, 8211, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 1ull << 32 | 120);
        rules_expect(&f, lives ? "throttled" : "hypervisor");
    }
}

/* Woken on its way off the CPU, it stood ready behind a thread of normal priority in the kernel;
 * when it is woken again later, it had slept until then. */
static void a_wake_up_may_overtake_the_switch(void)
{
    for (int again = 0; again < 2; again++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        fixture_cycle(&f, 0, 10, 1710,
                      (struct tac_make_evidence){.cpu_ns = 219000, .voluntary = 1});
        rules_wake(&f, 7);
        fixture_kernel(&f, 100, TAC_KERNEL_WAKING, FIXTURE_HOG + 1,
                       (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32);
        fixture_kernel(&f, 104, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, (uint64_t)FIXTURE_HOG << 32 | 120,
                       1ull << 32 | 19);
        if (again)
            fixture_kernel(&f, 1595, TAC_KERNEL_WAKING, FIXTURE_HOG + 1,
                           (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32);
        fixture_kernel(&f, 1600, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                       120);
        rules_sleep(&f, 1711);
        fixture_judge(&f);
        REQUIRE(fixture_miss(&f, 0));
        CHECK_STR(fixture_verdict(&f), again ? "blocked" : "kernel_busy");
        fixture_close(&f);
    }
}

static void recorder_blames_itself(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_comm(f.make, 778, "tactus-trace");
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    rules_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 778ull << 32 | 120, 120);
    fixture_kernel(&f, 2600, TAC_KERNEL_SWITCH, 778, (uint64_t)FIXTURE_AUDIO << 32 | 120, 120);
    rules_sleep(&f, 2701);
    rules_expect(&f, "recorder");
}

static void every_rule_has_a_fixture(void)
{
    rules_check_seen("stopped", "fork_stall");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(throttled_when_the_quota_of_the_group_is_used_up);
    TEST(a_wake_up_may_overtake_the_switch);
    TEST(recorder_blames_itself);
    TEST(hypervisor_when_no_cpu_gives_a_sign_of_life);
    TEST(late_wake_is_no_freezer_when_the_helper_waits_for_a_cpu);
    TEST(hypervisor_takes_time_that_nobody_is_charged_for);
    TEST(throttled_when_a_normal_thread_runs_for_ticks);
    TEST(throttled_when_others_have_turn_after_turn);
    TEST(throttled_claims_the_long_wait_alone);
    TEST(preempted_by_a_higher_priority);
    TEST(hypervisor_when_a_timer_is_late_on_an_idle_cpu);
    TEST(kernel_busy_when_a_normal_thread_delays_the_start);
    TEST(kernel_busy_although_the_one_in_front_was_not_charged);
    TEST(late_wake_by_a_sleep_for_a_time);
    TEST(kernel_busy_behind_an_interrupt_whose_end_was_lost);
    TEST(kernel_busy_is_no_longer_than_interrupts_were_off);
    TEST(interrupts_hard_and_soft);
    TEST(softirq_that_had_the_cpu_before);
    TEST(throttled_when_the_cpu_idles_although_it_is_ready);
    TEST(wrong_setup_when_normal_threads_take_turns);
    TEST(idle_wake_is_slow);
    TEST(upstream_when_another_thread_wakes_it_late);
    TEST(ready_ends_where_the_thread_is_seen_to_run);
    TEST(stopped_by_a_signal);
    TEST(stopped_when_the_group_is_thawed);
    TEST(stopped_leaves_other_sleeps_what_is_theirs);
    TEST(late_wake_when_it_begins_late);
    if (argc < 2)
        TEST(every_rule_has_a_fixture);
    return test_end();
}
