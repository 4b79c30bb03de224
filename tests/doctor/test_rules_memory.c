/* SPDX-License-Identifier: MIT
 * test_rules_memory.c - the rules on the address space, pages and the heap: each speaks on its
 * fixture (rules.h). */
#include "rules.h"

#include "tactus/trace.h"

static void put_mmap_wait(struct fixture *f)
{
    fixture_cycle(f, 0, 10, 3210, (struct tac_make_evidence){.cpu_ns = 210000, .voluntary = 1});
    rules_wake(f, 7);
    fixture_kernel(f, 100, TAC_KERNEL_MMAP_WAIT, FIXTURE_AUDIO, 0, 0);
    rules_sleep(f, 105);
    rules_wake(f, 3100);
    fixture_kernel(f, 3110, TAC_KERNEL_MMAP_GOT, FIXTURE_AUDIO, 0, 1);
    rules_sleep(f, 3211);
}

static void fork_stall_when_the_process_forks(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    put_mmap_wait(&f);
    fixture_kernel(&f, 3120, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
    rules_expect(&f, "fork_stall");
}

/* The kernel tells of a fork when the child is complete. One that was before the wait is over; one
 * long after is another's, unless the thread that forked could not run in between. */
static void mmap_lock_when_the_fork_was_another_time(void)
{
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        put_mmap_wait(&f);
        if (i == 2) {
            fixture_kernel(&f, 3115, TAC_KERNEL_SWITCH, FIXTURE_OTHER,
                           (uint64_t)FIXTURE_HOG << 32 | 120, 120);
            fixture_kernel(&f, 32000, TAC_KERNEL_SWITCH, FIXTURE_HOG,
                           (uint64_t)FIXTURE_OTHER << 32 | 120, 120);
        }
        fixture_kernel(&f, i ? 33000 : 90, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
        rules_expect(&f, i == 2 ? "fork_stall" : "mmap_lock");
    }
}

static void mmap_lock_without_a_fork(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    put_mmap_wait(&f);
    rules_expect(&f, "mmap_lock");
}

static void reclaim_in_its_own_context(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1710, (struct tac_make_evidence){.cpu_ns = 1699000, .minor = 1});
    rules_wake(&f, 7);
    fixture_kernel(&f, 60, TAC_KERNEL_RECLAIM_BEGIN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 1560, TAC_KERNEL_RECLAIM_END, FIXTURE_AUDIO, 0, 0);
    rules_sleep(&f, 1711);
    rules_expect(&f, "reclaim");
}

/* It sleeps for pages that are being written, and the soft interrupt that wakes it has more of them
 * to see to. */
static void reclaim_waits_for_the_disk(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    tac_make_meta(f.make, "virtual", "yes");
    fixture_cycle(&f, 0, 10, 3310,
                  (struct tac_make_evidence){.cpu_ns = 3000000, .voluntary = 1, .minor = 1});
    rules_wake(&f, 7);
    fixture_kernel(&f, 60, TAC_KERNEL_RECLAIM_BEGIN, FIXTURE_AUDIO, 0, 0);
    fixture_kernel(&f, 100, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 2ull << 32 | 19);
    fixture_kernel(&f, 300, TAC_KERNEL_SOFTIRQ_BEGIN, 0, 4, 0);
    fixture_kernel(&f, 310, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 1);
    fixture_kernel(&f, 3100, TAC_KERNEL_SOFTIRQ_END, 0, 4, 0);
    fixture_kernel(&f, 3105, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    fixture_kernel(&f, 3110, TAC_KERNEL_RECLAIM_END, FIXTURE_AUDIO, 0, 0);
    rules_sleep(&f, 3311);
    rules_expect(&f, "reclaim");
}

static void fault_major_sleeps_for_a_disk(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 5210,
                  (struct tac_make_evidence){.cpu_ns = 230000, .voluntary = 3, .major = 3});
    rules_expect(&f, "fault_major");
}

static void fault_huge_is_one_fault_of_milliseconds(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 2810, (struct tac_make_evidence){.cpu_ns = 2799000, .minor = 1});
    rules_expect(&f, "fault_huge");
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 2810, (struct tac_make_evidence){.cpu_ns = 2799000, .minor = 9});
    rules_wake(&f, 7);
    fixture_kernel(&f, 30, TAC_KERNEL_PAGES, FIXTURE_AUDIO, 9, 0);
    rules_sleep(&f, 2811);
    rules_expect(&f, "fault_huge");
}

/* Where begin and end of each fault are recorded, a few slow ones are no huge page. */
static void fault_huge_is_one_long_fault_where_each_is_seen(void)
{
    static const double from[2][3] = {{100, 550, 1000}, {100, 1310, 1330}};
    static const double to[2][3] = {{530, 980, 1430}, {1300, 1315, 1335}};
    for (int huge = 0; huge < 2; huge++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
        fixture_cycle(&f, 0, 10, 1610, (struct tac_make_evidence){.cpu_ns = 1599000, .minor = 3});
        fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
        for (unsigned i = 0; i < 3; i++) {
            uint64_t page = 0x7000000 + i * 4096;
            fixture_kernel(&f, from[huge][i], TAC_KERNEL_FAULT, FIXTURE_AUDIO, page, 0);
            fixture_kernel(&f, to[huge][i], TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, page, 0);
        }
        fixture_kernel(&f, 1611, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
        rules_expect(&f, huge ? "fault_huge" : "fault_minor");
    }
}

static void fault_minor_counts(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000, .minor = 820});
    rules_expect(&f, "fault_minor");
}

static void fault_cow_after_a_fork(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000, .minor = 820});
    rules_wake(&f, 7);
    fixture_kernel(&f, -3000, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
    rules_sleep(&f, 1411);
    rules_expect(&f, "fault_cow");
}

/* The faults themselves tell where they are recorded: writes to read-only pages are of the fork,
 * although its child is gone; what is touched while it lives is not. */
static void fault_cow_by_the_faults_themselves(void)
{
    enum { PAGES = 820 };
    for (int writes = 0; writes < 2; writes++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        fixture_cycle(&f, 0, 10, 1410,
                      (struct tac_make_evidence){.cpu_ns = 1399000, .minor = PAGES});
        rules_wake(&f, 7);
        fixture_kernel(&f, -3000, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
        fixture_kernel(&f, -2900, TAC_KERNEL_FAULT_PROTECTED, FIXTURE_OTHER, 0x5000, 0);
        if (writes)
            fixture_kernel(&f, -2800, TAC_KERNEL_EXIT, 900, 0, 0);
        for (unsigned i = 0; i < PAGES && writes; i++)
            fixture_kernel(&f, 100 + 1.5 * i, TAC_KERNEL_FAULT_PROTECTED, FIXTURE_AUDIO,
                           0x7000000 + i * 4096, 0);
        rules_sleep(&f, 1411);
        rules_expect(&f, writes ? "fault_cow" : "fault_minor");
    }
}

/* The fork is long ago and its child gone: what the program uses it has written since, and a few
 * read-only pages may be others. Soon after the fork they are of it. */
static void few_writes_after_an_old_fork_are_possible_at_most(void)
{
    enum { PAGES = 5 };
    for (int old = 0; old < 2; old++) {
        unsigned after = old ? 1200 : 0;
        double at = after * 1000.0;
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        fixture_cycle(&f, after, at + 10, at + 1410,
                      (struct tac_make_evidence){.cpu_ns = 1399000, .minor = PAGES});
        rules_wake(&f, at + 7);
        fixture_kernel(&f, -3000, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
        fixture_kernel(&f, -2800, TAC_KERNEL_EXIT, 900, 0, 0);
        for (unsigned i = 0; i < PAGES; i++) {
            double us = at + 100 + 250 * i;
            fixture_kernel(&f, us, TAC_KERNEL_FAULT_PROTECTED, FIXTURE_AUDIO, 0x7000000 + i * 4096,
                           0);
            fixture_kernel(&f, us + 1, TAC_KERNEL_FAULT, FIXTURE_AUDIO, 0x7000000 + i * 4096, 0);
            fixture_kernel(&f, us + 230, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO,
                           0x7000000 + i * 4096, 0);
        }
        rules_sleep(&f, at + 1411);
        fixture_judge(&f);
        REQUIRE(fixture_miss(&f, 0));
        CHECK_STR(fixture_verdict(&f), "fault_cow");
        CHECK((fixture_miss(&f, 0)->verdict[0].confidence < 0.8) == old);
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

enum { HALF = 80, FAULT_US = 14 };

/* A late cycle of faults, the first half of them inside malloc; copies: of which half they are
 * writes after a fork, or neither. */
static const struct tac_miss *halves(struct fixture *f, int copies)
{
    fixture_open(f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(f, 0, 10, 2510, (struct tac_make_evidence){.cpu_ns = 2499000, .minor = 2 * HALF});
    rules_wake(f, 7);
    if (copies < 2)
        fixture_kernel(f, -3000, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
    fixture_memory(f, f->audio, TAC_MEMORY_ALLOC, 100, 110 + HALF * FAULT_US);
    for (int i = 0; i < 2 * HALF; i++) {
        double at = 110 + i * FAULT_US;
        uint64_t page = 0x7000000 + (uint64_t)i * 4096;
        if (i / HALF == copies)
            fixture_kernel(f, at - 1, TAC_KERNEL_FAULT_PROTECTED, FIXTURE_AUDIO, page, 0);
        fixture_kernel(f, at, TAC_KERNEL_FAULT, FIXTURE_AUDIO, page, 0);
        fixture_kernel(f, at + 12, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, page, 0);
    }
    rules_sleep(f, 2511);
    fixture_judge(f);
    return fixture_miss(f, 0);
}

/* Each is told once, by one rule. */
static void faults_are_told_apart_by_where_they_are(void)
{
    static const char *const halves_of[][3] = {{"fault_cow", "fault_minor", "heap_work"},
                                               {"fault_cow", "heap_work", "fault_minor"},
                                               {"fault_minor", "heap_work", "fault_cow"}};
    for (int copies = 0; copies < 3; copies++) {
        struct fixture f;
        const struct tac_miss *m = halves(&f, copies);
        const char *const *rule = halves_of[copies];
        REQUIRE(m);
        CHECK_NEAR((double)time_of(m, rule[0]) / (double)m->late_ns, 0.45, 0.07);
        CHECK_NEAR((double)time_of(m, rule[1]) / (double)m->late_ns, 0.47, 0.06);
        CHECK(time_of(m, rule[2]) < m->late_ns / 10);
        CHECK(time_of(m, "unexplained") < m->late_ns / 20);
        fixture_close(&f);
    }
}

/* The child runs another program before the cycle: what is touched now is not copied. */
static void no_copies_once_the_child_runs_another_program(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000, .minor = 820});
    rules_wake(&f, 7);
    fixture_kernel(&f, -3000, TAC_KERNEL_FORK, FIXTURE_OTHER, 900, 0);
    fixture_kernel(&f, -1000, TAC_KERNEL_EXEC, 900, 0, 0);
    rules_sleep(&f, 1411);
    rules_expect(&f, "fault_minor");
}

/* Pages that are first touched by the heap itself, as when it had given them back, are its work. */
static void faults_inside_malloc_are_the_heaps_work(void)
{
    enum { FAULTS = 100, APART_US = 14 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 1799000, .minor = FAULTS});
    fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, 100, 1600);
    fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    for (unsigned i = 0; i < FAULTS; i++) {
        double at = 110 + i * APART_US;
        fixture_kernel(&f, at, TAC_KERNEL_FAULT, FIXTURE_AUDIO, 0x7000000 + i * 4096, 0);
        fixture_kernel(&f, at + 12, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, 0x7000000 + i * 4096, 0);
    }
    fixture_kernel(&f, 1811, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    const struct tac_verdict *v = fixture_miss(&f, 0)->verdict;
    CHECK_STR(v->rule->name, "heap_work");
    CHECK_MSG(strstr(v->text, "touched pages that the kernel had yet to provide"), "%s", v->text);
    fixture_close(&f);
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
    rules_expect(&f, "heap_lock");
}

/* The same by the own thread's switches alone, where a sleep ends when the thread is back. */
static void a_way_back_may_be_charged_without_privilege(void)
{
    enum { SLEEPS = 20 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 2410,
                  (struct tac_make_evidence){.cpu_ns = 2200000, .voluntary = SLEEPS});
    fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    for (int i = 0; i < SLEEPS; i++) {
        double at = 100 + 110 * i;
        fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, at, at + 105);
        fixture_kernel(&f, at + 5, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
        fixture_kernel(&f, at + 95, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
    }
    fixture_kernel(&f, 2411, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "heap_lock");
    for (unsigned i = 0; i < fixture_miss(&f, 0)->count; i++)
        CHECK(strcmp(fixture_miss(&f, 0)->verdict[i].rule->name, "unexplained") != 0);
    fixture_close(&f);
}

/* Who wakes it from inside the heap had the lock; who was merely in the heap as well had not. */
static void heap_lock_names_the_thread_that_gave_it_back(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    uint32_t bystander = tac_make_thread(f.make, 103, "bystander");
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 220000, .voluntary = 1});
    rules_wake(&f, 7);
    fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, 100, 1700);
    fixture_memory(&f, f.other, TAC_MEMORY_FREE, 1500, 1695);
    fixture_memory(&f, bystander, TAC_MEMORY_ALLOC, 90, 1698);
    rules_sleep(&f, 110);
    tac_make_kernel(
        f.make, (struct tac_format_kernel){fixture_ns(1690), TAC_KERNEL_WAKING, 0, FIXTURE_OTHER,
                                           (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32});
    fixture_kernel(&f, 1693, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    rules_sleep(&f, 1811);
    fixture_judge(&f);
    REQUIRE(fixture_miss(&f, 0));
    CHECK_STR(fixture_verdict(&f), "heap_lock");
    const char *text = fixture_miss(&f, 0)->verdict[0].text;
    CHECK_MSG(strstr(text, "for the lock held by thread loader"), "%s", text);
    fixture_close(&f);
}

static void heap_work_on_the_cpu(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1410, (struct tac_make_evidence){.cpu_ns = 1399000});
    for (int i = 0; i < 100; i++)
        fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, 100 + 12 * i, 111.5 + 12 * i);
    rules_expect(&f, "heap_work");
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
    rules_wake(&f, 7);
    for (int i = 0; i < SLEEPS; i++) {
        double at = 100 + 110 * i;
        fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, at, at + 105);
        rules_sleep(&f, at + 5);
        tac_make_kernel(f.make, (struct tac_format_kernel){
                                    fixture_ns(at + 15), TAC_KERNEL_WAKING, 0, FIXTURE_OTHER,
                                    (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32});
        fixture_kernel(&f, at + 95, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    }
    rules_sleep(&f, 2411);
    rules_expect(&f, "heap_lock");
}

/* Short sleeps inside malloc; a normal thread had the CPU meanwhile, and the scheduler charged the
 * ways back to the one that was woken. */
static void a_way_back_may_be_on_the_threads_own_clock(void)
{
    enum { SLEEPS = 20 };
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 10, 2410,
                  (struct tac_make_evidence){.cpu_ns = 2200000, .voluntary = SLEEPS});
    rules_wake(&f, 7);
    for (int i = 0; i < SLEEPS; i++) {
        double at = 100 + 110 * i;
        fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, at, at + 105);
        fixture_kernel(&f, at + 5, TAC_KERNEL_SWITCH, FIXTURE_AUDIO,
                       (uint64_t)FIXTURE_HOG << 32 | 120, 1ull << 32 | 19);
        tac_make_kernel(f.make, (struct tac_format_kernel){
                                    fixture_ns(at + 15), TAC_KERNEL_WAKING, 0, FIXTURE_OTHER,
                                    (uint64_t)FIXTURE_AUDIO << 32 | 19, 1ull << 32});
        fixture_kernel(&f, at + 95, TAC_KERNEL_SWITCH, FIXTURE_HOG,
                       (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
    }
    rules_sleep(&f, 2411);
    rules_expect(&f, "heap_lock");
}

/* A row of first touches of which one step takes most of the time: the host provides that page.
 * Unless the program is seen to go on meanwhile, or there is no host: then it computes. */
static void fault_minor_when_one_of_a_row_takes_long(void)
{
    enum { STANDS_STILL, GOES_ON, BARE, WAYS };
    for (int way = 0; way < WAYS; way++) {
        bool goes_on = way == GOES_ON;
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", way == BARE ? "no" : "yes");
        fixture_cycle(&f, 0, 10, 1910, (struct tac_make_evidence){.cpu_ns = 1899000, .minor = 12});
        rules_wake(&f, 7);
        for (unsigned i = 0; i < 12; i++) {
            double at = 210 + i * 20 + (i > 6 ? 1400 : 0);
            fixture_kernel(&f, at, TAC_KERNEL_FAULT, FIXTURE_AUDIO, 0x7000000 + i * 4096, 0);
            fixture_kernel(&f, at + 3, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, 0x7000000 + i * 4096,
                           0);
        }
        if (goes_on)
            fixture_memory(&f, f.audio, TAC_MEMORY_FREE, 1000, 1001);
        rules_sleep(&f, 1911);
        rules_expect(&f, way == STANDS_STILL ? "fault_minor" : "own_work");
    }
}

/* Time between the begin and the end of a fault is its own, however long. */
static void fault_minor_by_begin_and_end(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 1910, (struct tac_make_evidence){.cpu_ns = 1899000, .minor = 9});
    fixture_kernel(&f, 300, TAC_KERNEL_FAULT, FIXTURE_AUDIO, 0x7000, 0);
    fixture_kernel(&f, 1800, TAC_KERNEL_FAULT_MINOR, FIXTURE_AUDIO, 0x7000, 0);
    rules_expect(&f, "fault_minor");
}

/* Where the system's events are whole, the loss of the thread's own ones costs no verdict; nor does
 * it matter without them when it lies before the cycle. */
static void lost_events_of_the_thread_matter_where_they_are_needed(void)
{
    for (int system = 0; system < 2; system++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | (system ? FIXTURE_SCHED : FIXTURE_OWN_SWITCHES));
        fixture_cycle(&f, 0, 10, 2710,
                      (struct tac_make_evidence){.cpu_ns = 199000, .involuntary = 1});
        fixture_kernel(&f, 2600, TAC_KERNEL_LOST, FIXTURE_AUDIO, 9, 0);
        if (system) {
            rules_wake(&f, 7);
            rules_hog(&f, 110, 2610, 19);
            rules_sleep(&f, 2711);
        }
        fixture_judge(&f);
        REQUIRE(fixture_miss(&f, 0));
        CHECK_STR(fixture_verdict(&f), "preempted");
        CHECK(system == !!strstr(fixture_miss(&f, 0)->verdict[0].text, "hog"));
        fixture_close(&f);
    }
}

/* Where some of the system's events were lost, what the thread itself did is still known by its
 * own; where those were lost, too, its counts are left. */
static void own_switches_stand_in_for_lost_ones_of_the_system(void)
{
    for (int own_lost = 0; own_lost < 2; own_lost++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED | FIXTURE_OWN_SWITCHES);
        fixture_cycle(&f, 0, 10, 1810,
                      (struct tac_make_evidence){.cpu_ns = 219000, .voluntary = 1});
        fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, 100, 1700);
        fixture_kernel(&f, 9, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
        fixture_kernel(&f, 110, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
        fixture_kernel(&f, 900, TAC_KERNEL_LOST, 0, 7, 0);
        if (own_lost)
            fixture_kernel(&f, 1000, TAC_KERNEL_LOST, FIXTURE_AUDIO, 7, 0);
        fixture_kernel(&f, 1690, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
        fixture_kernel(&f, 1811, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
        fixture_judge(&f);
        REQUIRE(fixture_miss(&f, 0));
        const struct tac_verdict *v = fixture_miss(&f, 0)->verdict;
        CHECK_STR(v->rule->name, "heap_lock"); /* by its counts alone, where all were lost */
        CHECK_MSG((strstr(v->text, "slept 1580 us") == NULL) == own_lost, "%s", v->text);
        fixture_close(&f);
    }
}

static void every_rule_has_a_fixture(void)
{
    rules_check_seen("fork_stall", "denormals");
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(a_way_back_may_be_on_the_threads_own_clock);
    TEST(a_way_back_may_be_charged_without_privilege);
    TEST(fork_stall_when_the_process_forks);
    TEST(mmap_lock_when_the_fork_was_another_time);
    TEST(mmap_lock_without_a_fork);
    TEST(reclaim_in_its_own_context);
    TEST(reclaim_waits_for_the_disk);
    TEST(fault_major_sleeps_for_a_disk);
    TEST(fault_huge_is_one_fault_of_milliseconds);
    TEST(fault_huge_is_one_long_fault_where_each_is_seen);
    TEST(fault_minor_counts);
    TEST(fault_minor_when_one_of_a_row_takes_long);
    TEST(fault_minor_by_begin_and_end);
    TEST(lost_events_of_the_thread_matter_where_they_are_needed);
    TEST(own_switches_stand_in_for_lost_ones_of_the_system);
    TEST(fault_cow_after_a_fork);
    TEST(fault_cow_by_the_faults_themselves);
    TEST(few_writes_after_an_old_fork_are_possible_at_most);
    TEST(faults_are_told_apart_by_where_they_are);
    TEST(no_copies_once_the_child_runs_another_program);
    TEST(faults_inside_malloc_are_the_heaps_work);
    TEST(heap_lock_sleeps_inside_malloc);
    TEST(heap_lock_names_the_thread_that_gave_it_back);
    TEST(heap_work_on_the_cpu);
    TEST(the_way_back_from_a_sleep_is_part_of_it);
    if (argc < 2)
        TEST(every_rule_has_a_fixture);
    return test_end();
}
