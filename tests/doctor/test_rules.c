/* SPDX-License-Identifier: MIT
 * test_rules.c - every rule speaks on its fixture, and none on healthy cycles.
 *
 * A fixture is one late cycle among healthy ones, with the evidence that its cause would leave. The
 * list at the end is checked against the registry: a rule without a fixture fails. */
#include "fixture.h"

#include "test.h"

#include "tactus/trace.h"

static const char *seen[64];
static size_t seen_count;

/* Judge the fixture, check its verdict, and that the verdicts sum to the lateness. */
static void expect(struct fixture *f, const char *rule)
{
    fixture_judge(f);
    CHECK_STR(fixture_verdict(f), rule);
    for (size_t i = 0; i < f->diagnosis->misses_count; i++) {
        const struct tac_miss *m = &f->diagnosis->misses[i];
        uint64_t sum = 0;
        for (unsigned k = 0; k < m->count; k++)
            sum += m->verdict[k].ns;
        CHECK(sum == m->late_ns);
    }
    fixture_close(f);
    seen[seen_count++] = rule;
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

static void gap_across_the_cycle(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1500, (struct tac_make_evidence){.cpu_ns = 1489000});
    tac_make_gap(f.make, f.audio, fixture_ns(100), fixture_ns(1450), 400);
    expect(&f, "gap");
}

static void carried_from_a_cycle_that_was_in_time(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    /* the source works two periods ahead: the first ends in time and still delays the second */
    tac_make_cycle(f.make, f.audio, 0, fixture_ns(10), fixture_ns(2000), fixture_ns(1950), 48,
                   &(struct tac_make_evidence){.cpu_ns = 1939000});
    fixture_cycle(&f, 1, 1951, 2151, (struct tac_make_evidence){.cpu_ns = 199000});
    expect(&f, "carried");
}

static void hypervisor_takes_time_that_nobody_is_charged_for(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 4210, (struct tac_make_evidence){.cpu_ns = 200000});
    expect(&f, "hypervisor");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 4210, (struct tac_make_evidence){.cpu_ns = 200000});
    fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 4211, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    expect(&f, "hypervisor");
}

/* The thread is out from..to because hog (of the priority) runs. */
static void put_hog(struct fixture *f, double from, double to, uint32_t prio)
{
    fixture_kernel(f, from, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, (uint64_t)FIXTURE_HOG << 32 | prio,
                   19);
    fixture_kernel(f, to, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | prio);
}

static void put_wake(struct fixture *f, double us)
{
    fixture_kernel(f, us, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32 | 1);
    fixture_kernel(f, us + 2, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
}

static void put_sleep(struct fixture *f, double us)
{
    fixture_kernel(f, us, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 1ull << 32 | 19);
}

static void throttled_when_a_normal_thread_runs_for_ticks(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 8510, (struct tac_make_evidence){.cpu_ns = 200000, .involuntary = 1});
    put_wake(&f, 7);
    put_hog(&f, 100, 8400, 120);
    put_sleep(&f, 8511);
    expect(&f, "throttled");
}

static void preempted_by_a_higher_priority(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    put_wake(&f, 7);
    put_hog(&f, 100, 2600, 9);
    put_sleep(&f, 2701);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "preempted");
    CHECK_MSG(strstr(fixture_miss(&f, 0)->verdict[0].text, "hog"), "%s",
              fixture_miss(&f, 0)->verdict[0].text);
    fixture_close(&f);
    fixture_open(&f, FIXTURE_CLOCK); /* without privilege: that, but not by whom */
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    expect(&f, "preempted");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 100, TAC_KERNEL_OUT, FIXTURE_AUDIO, 1, 0);
    fixture_kernel(&f, 2590, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 2701, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    expect(&f, "preempted");
}

static void hypervisor_when_a_timer_is_late_on_an_idle_cpu(void)
{
    for (int guest = 0; guest < 2; guest++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", guest ? "yes" : "no");
        fixture_cycle(&f, 0, 3500, 3700, (struct tac_make_evidence){.cpu_ns = 199000});
        put_wake(&f, 3497);
        put_sleep(&f, 3701);
        expect(&f, guest ? "hypervisor" : "late_wake");
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
    put_sleep(&f, 2111);
    expect(&f, "kernel_busy");
}

static void interrupts_hard_and_soft(void)
{
    for (int soft = 0; soft < 2; soft++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        fixture_cycle(&f, 0, 10, 1310, (struct tac_make_evidence){.cpu_ns = 1299000});
        put_wake(&f, 7);
        fixture_kernel(&f, 50, soft ? TAC_KERNEL_SOFTIRQ_BEGIN : TAC_KERNEL_IRQ_BEGIN,
                       FIXTURE_AUDIO, 4, 0);
        fixture_kernel(&f, 1150, soft ? TAC_KERNEL_SOFTIRQ_END : TAC_KERNEL_IRQ_END, FIXTURE_AUDIO,
                       4, 0);
        put_sleep(&f, 1311);
        expect(&f, soft ? "softirq" : "interrupts");
    }
}

static void throttled_when_the_cpu_idles_although_it_is_ready(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 3510, (struct tac_make_evidence){.cpu_ns = 200000, .involuntary = 1});
    put_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 19);
    fixture_kernel(&f, 3400, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    put_sleep(&f, 3511);
    expect(&f, "throttled");
}

static void recorder_blames_itself(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_comm(f.make, 778, "tactus-trace");
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    put_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 778ull << 32 | 120, 120);
    fixture_kernel(&f, 2600, TAC_KERNEL_SWITCH, 778, (uint64_t)FIXTURE_AUDIO << 32 | 120, 120);
    put_sleep(&f, 2701);
    expect(&f, "recorder");
}

static void wrong_setup_when_normal_threads_take_turns(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    put_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, (uint64_t)FIXTURE_HOG << 32 | 120,
                   120);
    fixture_kernel(&f, 2600, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 120,
                   120);
    put_sleep(&f, 2701);
    expect(&f, "wrong_setup");
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
        put_sleep(&f, 1161);
        expect(&f, guest ? "hypervisor" : "idle_wake");
    }
}

/* Slow ways back from sleeps inside malloc: without the sleep there were none. */
static void the_way_back_from_a_sleep_is_part_of_it(void)
{
    enum { SLEEPS = 20 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_meta(f.make, "virtual", "yes");
    fixture_cycle(&f, 0, 10, 2410,
                  (struct tac_make_evidence){.cpu_ns = 700000, .voluntary = SLEEPS});
    put_wake(&f, 7);
    for (int i = 0; i < SLEEPS; i++) {
        double at = 100 + 110 * i;
        fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, at, at + 105);
        put_sleep(&f, at + 5);
        tac_make_kernel(f.make, (struct tac_format_kernel){
                                    fixture_ns(at + 15), TAC_KERNEL_WAKING, 0, FIXTURE_OTHER,
                                    (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32});
        fixture_kernel(&f, at + 95, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    }
    put_sleep(&f, 2411);
    expect(&f, "heap_lock");
}

static void upstream_when_another_thread_wakes_it_late(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 1500, 1700, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_kernel(&f, 1490, TAC_KERNEL_WAKING, FIXTURE_OTHER, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32);
    fixture_kernel(&f, 1495, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    put_sleep(&f, 1701);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "upstream");
    CHECK(strstr(fixture_miss(&f, 0)->verdict[0].text, "loader"));
    fixture_close(&f);
    seen[seen_count++] = "upstream";
}

static void signal_handler_in_the_cycle(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    put_wake(&f, 7);
    fixture_kernel(&f, 150, TAC_KERNEL_SIGNAL, FIXTURE_AUDIO, 10, 0);
    put_sleep(&f, 1411);
    expect(&f, "signal");
}

static void shootdown_by_many_interrupts_from_other_cpus(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1110, (struct tac_make_evidence){.cpu_ns = 1099000});
    put_wake(&f, 7);
    fixture_kernel(&f, 40, TAC_KERNEL_IRQ_BEGIN, FIXTURE_AUDIO, 4, 0);
    fixture_kernel(&f, 41, TAC_KERNEL_IRQ_END, FIXTURE_AUDIO, 4, 0);
    for (int i = 0; i < 200; i++)
        fixture_kernel(&f, 100 + 4 * i, TAC_KERNEL_IPI, FIXTURE_AUDIO, 2, 0);
    put_sleep(&f, 1111);
    expect(&f, "shootdown");
}

static void fault_cow_after_a_fork(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000, .minor = 820});
    put_wake(&f, 7);
    fixture_kernel(&f, -3000, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
    put_sleep(&f, 1411);
    expect(&f, "fault_cow");
}

/* Some kernels do not tell when the idle task is left. What the thread does then proves it. */
static void ready_ends_where_the_thread_is_seen_to_run(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 20, 1410, (struct tac_make_evidence){.cpu_ns = 1389000});
    fixture_kernel(&f, 7, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32 | 1);
    put_sleep(&f, 1411);
    expect(&f, "own_work");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED); /* pre-empted inside the kernel: no sleep */
    fixture_cycle(&f, 0, 10, 2700, (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
    put_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, (uint64_t)FIXTURE_HOG << 32 | 9,
                   0x100ull << 32 | 19);
    fixture_kernel(&f, 2600, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 9);
    put_sleep(&f, 2701);
    expect(&f, "preempted");
}

static void put_mmap_wait(struct fixture *f)
{
    fixture_cycle(f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    put_wake(f, 7);
    fixture_kernel(f, 100, TAC_KERNEL_MMAP_WAIT, FIXTURE_AUDIO, 0, 0);
    put_sleep(f, 105);
    put_wake(f, 3100);
    fixture_kernel(f, 3110, TAC_KERNEL_MMAP_GOT, FIXTURE_AUDIO, 0, 1);
    put_sleep(f, 3211);
}

static void fork_stall_when_the_process_forks(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    put_mmap_wait(&f);
    fixture_kernel(&f, 90, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
    expect(&f, "fork_stall");
}

static void mmap_lock_without_a_fork(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    put_mmap_wait(&f);
    expect(&f, "mmap_lock");
}

static void reclaim_in_its_own_context(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1710, (struct tac_make_evidence){.cpu_ns = 1699000, .minor = 1});
    put_wake(&f, 7);
    fixture_kernel(&f, 60, TAC_KERNEL_RECLAIM_BEGIN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 1560, TAC_KERNEL_RECLAIM_END, FIXTURE_AUDIO, 0, 0);
    put_sleep(&f, 1711);
    expect(&f, "reclaim");
}

static void fault_major_sleeps_for_a_disk(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 5210,
                  (struct tac_make_evidence){.cpu_ns = 230000, .voluntary = 3, .major = 3});
    expect(&f, "fault_major");
}

static void fault_huge_is_one_fault_of_milliseconds(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 2810, (struct tac_make_evidence){.cpu_ns = 2799000, .minor = 1});
    expect(&f, "fault_huge");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 2810, (struct tac_make_evidence){.cpu_ns = 2799000, .minor = 9});
    put_wake(&f, 7);
    fixture_kernel(&f, 30, TAC_KERNEL_PAGES, FIXTURE_AUDIO, 9, 0);
    put_sleep(&f, 2811);
    expect(&f, "fault_huge");
}

static void fault_minor_counts(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000, .minor = 820});
    expect(&f, "fault_minor");
}

static void heap_lock_sleeps_inside_malloc(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1810,
                  (struct tac_make_evidence){.cpu_ns = 320000, .voluntary = 14, .involuntary = 1});
    fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, 100, 1700);
    fixture_memory(&f, f.other, TAC_MEMORY_ALLOC, 80, 1690);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "heap_lock");
    CHECK_MSG(strstr(fixture_miss(&f, 0)->verdict[0].text, "loader"), "%s",
              fixture_miss(&f, 0)->verdict[0].text);
    fixture_close(&f);
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 220000, .voluntary = 1});
    fixture_memory(&f, f.audio, TAC_MEMORY_FREE, 100, 1700);
    fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 110, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 1690, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 1811, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    expect(&f, "heap_lock");
}

static void heap_work_on_the_cpu(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    for (int i = 0; i < 100; i++)
        fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, 100 + 12 * i, 111.5 + 12 * i);
    expect(&f, "heap_work");
}

static void denormals_by_the_flag(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000, .denormal = 1});
    expect(&f, "denormals");
}

static void lock_inversion_when_the_holder_cannot_run(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    put_wake(&f, 7);
    tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(100), fixture_ns(3100));
    fixture_kernel(&f, 60, TAC_KERNEL_SWITCH, FIXTURE_OTHER, (uint64_t)FIXTURE_HOG << 32 | 50, 120);
    put_sleep(&f, 105);
    fixture_kernel(&f, 3080, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_OTHER << 32 | 120,
                   1ull << 32 | 50);
    put_wake(&f, 3095);
    put_sleep(&f, 3211);
    expect(&f, "lock_inversion");
}

static void lock_hold_when_the_holder_runs(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(100), fixture_ns(3100));
    expect(&f, "lock_hold");
}

static void blocking_call_is_named(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "nanosleep", fixture_ns(100), fixture_ns(1700));
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "blocking_call");
    CHECK(strstr(fixture_miss(&f, 0)->verdict[0].text, "nanosleep"));
    CHECK(f.diagnosis->hazards_count == 1 && f.diagnosis->hazards[0].grade == 2);
    fixture_close(&f);
    seen[seen_count++] = "blocking_call";
}

/* Who wakes, and what kept it from doing so. */
static void a_wait_names_who_wakes_it(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    put_wake(&f, 7);
    tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "pthread_cond_wait", fixture_ns(100),
                  fixture_ns(3100));
    tac_make_zone_value(f.make, f.audio, fixture_ns(3099), FIXTURE_OTHER);
    fixture_kernel(&f, 60, TAC_KERNEL_SWITCH, FIXTURE_OTHER, (uint64_t)FIXTURE_HOG << 32 | 50, 120);
    put_sleep(&f, 105);
    fixture_kernel(&f, 3080, TAC_KERNEL_SWITCH, FIXTURE_HOG, (uint64_t)FIXTURE_OTHER << 32 | 120,
                   1ull << 32 | 50);
    put_wake(&f, 3090);
    put_sleep(&f, 3211);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    const char *text = fixture_miss(&f, 0)->verdict[0].text;
    CHECK_STR(fixture_verdict(&f), "blocking_call");
    CHECK_MSG(strstr(text, "wakes it, which could not run for 2980 us"), "%s", text);
    fixture_close(&f);
}

static void blocked_when_nobody_says_on_what(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1});
    expect(&f, "blocked");
}

static void stopped_by_a_signal(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 8510, (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1});
    put_wake(&f, 7);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 4ull << 32 | 19);
    put_wake(&f, 8400);
    put_sleep(&f, 8511);
    expect(&f, "stopped");
}

static void own_work_names_the_zone(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    tac_make_zone(f.make, f.audio, TAC_CAT_APP, "reverb", fixture_ns(50), fixture_ns(1350));
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "own_work");
    CHECK(strstr(fixture_miss(&f, 0)->verdict[0].text, "reverb"));
    fixture_close(&f);
    seen[seen_count++] = "own_work";
}

static void late_wake_when_it_begins_late(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 1500, 1700, (struct tac_make_evidence){.cpu_ns = 199000});
    expect(&f, "late_wake");
}

static void unexplained_without_evidence(void)
{
    struct fixture f;
    fixture_open(&f, 0);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){0});
    expect(&f, "unexplained");
}

static void every_rule_has_a_fixture(void)
{
    seen[seen_count++] = "preempted";
    for (size_t i = 0; i < tac_rules_count; i++) {
        bool found = false;
        for (size_t k = 0; k < seen_count; k++)
            found = found || !strcmp(seen[k], tac_rules[i]->name);
        CHECK_MSG(found, "rule %s has no fixture", tac_rules[i]->name);
        CHECK(tac_rules[i]->title && tac_rules[i]->means && tac_rules[i]->advice);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(healthy_cycles_have_no_verdict);
    TEST(gap_across_the_cycle);
    TEST(carried_from_a_cycle_that_was_in_time);
    TEST(hypervisor_takes_time_that_nobody_is_charged_for);
    TEST(throttled_when_a_normal_thread_runs_for_ticks);
    TEST(preempted_by_a_higher_priority);
    TEST(hypervisor_when_a_timer_is_late_on_an_idle_cpu);
    TEST(kernel_busy_when_a_normal_thread_delays_the_start);
    TEST(interrupts_hard_and_soft);
    TEST(throttled_when_the_cpu_idles_although_it_is_ready);
    TEST(recorder_blames_itself);
    TEST(wrong_setup_when_normal_threads_take_turns);
    TEST(idle_wake_is_slow);
    TEST(the_way_back_from_a_sleep_is_part_of_it);
    TEST(upstream_when_another_thread_wakes_it_late);
    TEST(signal_handler_in_the_cycle);
    TEST(shootdown_by_many_interrupts_from_other_cpus);
    TEST(fault_cow_after_a_fork);
    TEST(ready_ends_where_the_thread_is_seen_to_run);
    TEST(fork_stall_when_the_process_forks);
    TEST(mmap_lock_without_a_fork);
    TEST(reclaim_in_its_own_context);
    TEST(fault_major_sleeps_for_a_disk);
    TEST(fault_huge_is_one_fault_of_milliseconds);
    TEST(fault_minor_counts);
    TEST(heap_lock_sleeps_inside_malloc);
    TEST(heap_work_on_the_cpu);
    TEST(denormals_by_the_flag);
    TEST(lock_inversion_when_the_holder_cannot_run);
    TEST(lock_hold_when_the_holder_runs);
    TEST(blocking_call_is_named);
    TEST(a_wait_names_who_wakes_it);
    TEST(blocked_when_nobody_says_on_what);
    TEST(stopped_by_a_signal);
    TEST(own_work_names_the_zone);
    TEST(late_wake_when_it_begins_late);
    TEST(unexplained_without_evidence);
    if (argc < 2)
        TEST(every_rule_has_a_fixture);
    return test_end();
}
