/* SPDX-License-Identifier: MIT
 * test_accounts.c - the book-keeping: nothing is lost, nothing is counted twice, chains inherit. */
#include "rules.h"

#include "test.h"

#include "tactus/trace.h"

#include <stdlib.h>

static void segments_cover_release_to_end_once(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_OWN_SWITCHES);
    fixture_cycle(&f, 0, 10, 2000, (struct tac_make_evidence){.cpu_ns = 900000});
    srand(7);
    for (int i = 0; i < 80; i++) {
        double from = 20 + rand() % 1900, to = from + rand() % 300;
        if (i % 3 == 0)
            fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, from, to < 1999 ? to : 1999);
        else if (i % 3 == 1)
            tac_make_lock_wait(f.make, f.audio, 1, 2, fixture_ns(from), fixture_ns(to));
        else
            fixture_kernel(&f, from, i % 2 ? TAC_KERNEL_OUT : TAC_KERNEL_IN, FIXTURE_AUDIO, i & 4,
                           0);
    }
    fixture_judge(&f);
    REQUIRE(f.diagnosis->misses_count == 1);
    struct tac_layout l = {0};
    REQUIRE(tac_diagnosis_layout(f.diagnosis, f.diagnosis->misses[0].cycle, &l) == 0);
    uint64_t at = l.release_ns, sum = 0;
    for (size_t i = 0; i < l.segments; i++) {
        CHECK(l.segment[i].from_ns == at && l.segment[i].to_ns > at); /* I1 */
        at = l.segment[i].to_ns;
    }
    CHECK(at == l.cycle->end_ns);
    for (int a = 0; a < TAC_ACCOUNTS; a++)
        sum += l.ns[a];
    CHECK(sum == l.cycle->end_ns - l.release_ns); /* I2 */
    static const struct tac_nominal none;
    tac_layout_settle(&l, &none, f.diagnosis->has);
    for (int a = 0; a < TAC_ACCOUNTS; a++)
        sum -= l.ns[a];
    CHECK(sum == 0);
    tac_layout_fini(&l);
    fixture_close(&f);
}

/* One sleep of 2.6 ms makes three cycles late; the two behind it are not causes of their own. */
static void carried_cycles_inherit_the_root(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 2810, (struct tac_make_evidence){.cpu_ns = 200000, .voluntary = 1});
    tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "usleep", fixture_ns(50), fixture_ns(2650));
    fixture_cycle(&f, 1, 2811, 3011, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_cycle(&f, 2, 3012, 3212, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_judge(&f);
    REQUIRE(f.diagnosis->misses_count == 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK_STR(f.diagnosis->misses[i].verdict[0].rule->name, "blocking_call");
    CHECK(f.diagnosis->misses[1].root == 0 && f.diagnosis->misses[2].root == 0);
    CHECK(f.diagnosis->misses[1].carried_ns > f.diagnosis->misses[1].late_ns * 9 / 10);
    REQUIRE(f.diagnosis->causes_count >= 1);
    const struct tac_cause *c = &f.diagnosis->causes[0];
    CHECK_STR(c->rule->name, "blocking_call");
    CHECK(c->misses == 3 && c->carried == 2);
    /* its time is lost once, not three times */
    CHECK_MSG(c->lost_ns < 2 * f.diagnosis->misses[0].late_ns, "%llu",
              (unsigned long long)c->lost_ns);
    fixture_close(&f);
}

static void shares_of_causes_sum_to_one(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1810, (struct tac_make_evidence){.cpu_ns = 320000, .voluntary = 3});
    fixture_cycle(&f, 3, 3010, 4500, (struct tac_make_evidence){.cpu_ns = 1489000});
    fixture_cycle(&f, 6, 7100, 7300, (struct tac_make_evidence){.cpu_ns = 199000});
    fixture_judge(&f);
    CHECK(f.diagnosis->misses_count == 3);
    double sum = 0;
    for (size_t i = 0; i < f.diagnosis->causes_count; i++)
        sum += f.diagnosis->causes[i].share;
    CHECK_NEAR(sum, 1.0, 1e-9);
    CHECK(f.diagnosis->causes_count == 3);
    fixture_close(&f);
}

/* Two causes in one cycle: both are named, in the right proportion. */
static void two_causes_are_not_merged(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 2810, (struct tac_make_evidence){.cpu_ns = 1200000, .voluntary = 1});
    tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(100), fixture_ns(1700));
    fixture_judge(&f);
    REQUIRE(f.diagnosis->misses_count == 1);
    const struct tac_miss *m = &f.diagnosis->misses[0];
    REQUIRE(m->count == 2);
    CHECK_STR(m->verdict[0].rule->name, "lock_hold");
    CHECK_STR(m->verdict[1].rule->name, "own_work");
    CHECK_NEAR((double)m->verdict[0].ns / (double)m->late_ns, 1600.0 / 2600, 0.02);
    fixture_close(&f);
}

static void put_switch(struct fixture *f, double us, uint32_t from, uint32_t to, uint64_t state)
{
    fixture_kernel(f, us, TAC_KERNEL_SWITCH, from,
                   (uint64_t)to << 32 | (to == FIXTURE_AUDIO ? 19
                                         : to                ? 9
                                                             : 120),
                   state << 32 | (from == FIXTURE_AUDIO ? 19
                                  : from                ? 9
                                                        : 120));
}

static void put_span(struct fixture *f, double us, enum tac_kernel_type begin,
                     enum tac_kernel_type end, uint64_t what)
{
    fixture_kernel(f, us, begin, FIXTURE_AUDIO, what, 0);
    fixture_kernel(f, us + 20, end, FIXTURE_AUDIO, what, 0);
}

/* More small causes than a miss has room for do not push the large one out, nor take its name. */
static void the_largest_cause_is_kept(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
    fixture_cycle(&f, 0, 60, 3000,
                  (struct tac_make_evidence){.cpu_ns = 520000, .voluntary = 2, .minor = 20});
    put_switch(&f, 59, 0, FIXTURE_AUDIO, 0);
    put_switch(&f, 70, FIXTURE_AUDIO, FIXTURE_HOG, 0);
    put_switch(&f, 90, FIXTURE_HOG, FIXTURE_AUDIO, 1);
    put_span(&f, 100, TAC_KERNEL_IRQ_BEGIN, TAC_KERNEL_IRQ_END, 36);
    put_span(&f, 130, TAC_KERNEL_SOFTIRQ_BEGIN, TAC_KERNEL_SOFTIRQ_END, 9);
    put_span(&f, 160, TAC_KERNEL_RECLAIM_BEGIN, TAC_KERNEL_RECLAIM_END, 0);
    fixture_memory(&f, f.audio, TAC_MEMORY_ALLOC, 190, 210);
    tac_make_lock_wait(f.make, f.audio, 0x5000, FIXTURE_OTHER, fixture_ns(220), fixture_ns(240));
    put_switch(&f, 221, FIXTURE_AUDIO, 0, 1);
    put_switch(&f, 239, 0, FIXTURE_AUDIO, 0);
    put_span(&f, 250, TAC_KERNEL_MMAP_WAIT, TAC_KERNEL_MMAP_GOT, 0);
    tac_make_zone(f.make, f.audio, TAC_CAT_CALL, "nanosleep", fixture_ns(300), fixture_ns(2700));
    put_switch(&f, 301, FIXTURE_AUDIO, 0, 1);
    put_switch(&f, 2699, 0, FIXTURE_AUDIO, 0);
    put_switch(&f, 3001, FIXTURE_AUDIO, 0, 1);
    fixture_judge(&f);
    REQUIRE(f.diagnosis->misses_count == 1);
    const struct tac_miss *m = &f.diagnosis->misses[0];
    CHECK_MSG(m->count == TAC_VERDICTS_MAX, "%u verdicts", m->count);
    CHECK_STR(m->verdict[0].rule->name, "blocking_call");
    fixture_close(&f);
}

/* The timer of one cycle is late, on an idle CPU: that is the host. Or each cycle begins later than
 * the one before, until one is late: its timer is set by a sleep for a time. */
static void a_program_that_falls_behind_has_no_late_timer(void)
{
    for (int drifts = 0; drifts < 2; drifts++) {
        struct fixture f;
        fixture_open(&f, FIXTURE_CLOCK | FIXTURE_SCHED);
        tac_make_meta(f.make, "virtual", "yes");
        for (int i = 0; i < 7; i++) {
            double at = 1000 * i + (drifts || i == 6 ? 500 + 50 * i : 10);
            fixture_cycle(&f, (unsigned)i, at, at + 230,
                          (struct tac_make_evidence){.cpu_ns = 199000});
            rules_wake(&f, at - 3);
            rules_sleep(&f, at + 231);
        }
        fixture_judge(&f);
        REQUIRE(f.diagnosis->misses_count == 1);
        const struct tac_verdict *v = &f.diagnosis->misses[0].verdict[0];
        CHECK_STR(v->rule->name, drifts ? "late_wake" : "hypervisor");
        CHECK(drifts == !!strstr(v->text, "falls behind"));
        fixture_close(&f);
    }
}

/* Two parts of one verdict: the guessed one counts where it is much of it. */
static void a_verdict_is_as_sure_as_its_parts(void)
{
    struct tac_verdict sure = {.ns = 3000, .confidence = 0.95};
    struct tac_verdict guess = {.ns = 900, .confidence = 0.7};
    CHECK(tac_claim_confidence(&sure, &guess) == 0.95);
    guess.ns = 1100;
    CHECK(tac_claim_confidence(&sure, &guess) == 0.7);
    sure.confidence = 0.6;
    CHECK(tac_claim_confidence(&sure, &guess) == 0.6);
}

static void a_cycle_late_by_a_little_is_late(void)
{
    struct fixture f;
    fixture_open(&f, FIXTURE_CLOCK);
    fixture_cycle(&f, 0, 10, 1001, (struct tac_make_evidence){.cpu_ns = 990000});
    fixture_cycle(&f, 3, 3010, 4000, (struct tac_make_evidence){.cpu_ns = 989000});
    fixture_judge(&f);
    CHECK(f.diagnosis->missed == 1 && f.diagnosis->worst_ns == 1000);
    fixture_close(&f);
}

static void all_cycles_late_still_says_own_work(void)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    strcpy(f.path, "fixture-all.tac");
    f.make = tac_make_open(f.path);
    uint32_t lane = tac_make_thread(f.make, 101, "audio");
    tac_make_source(f.make, 0, "audio", 1000000);
    for (uint64_t i = 1; i < 40; i++)
        tac_make_cycle(f.make, lane, 0, i * 2000000, i * 2000000 + 1000000, i * 2000000 + 1900000,
                       48, &(struct tac_make_evidence){.cpu_ns = 1899000});
    fixture_judge(&f);
    CHECK(f.diagnosis->missed == 39 && f.diagnosis->judged == 39);
    CHECK_STR(f.diagnosis->causes[0].rule->name, "own_work");
    CHECK_NEAR(f.diagnosis->causes[0].share, 1, 1e-6);
    fixture_close(&f);
}

static void put_faults(struct fixture *f, uint64_t from_ns, unsigned count, unsigned apart_ns)
{
    for (unsigned i = 0; i < count; i++)
        tac_make_kernel(f->make,
                        (struct tac_format_kernel){from_ns + i * apart_ns, TAC_KERNEL_FAULT_MINOR,
                                                   1, FIXTURE_AUDIO, 0x7000000 + i * 4096, 0});
}

/* The heap has faults in each cycle, and a late one has others besides: these are all above usual.
 */
static void usual_faults_of_the_heap_count_once(void)
{
    enum { HEAP = 60, OTHERS = 800, APART_NS = 1500, LATE = 30 };
    struct fixture f;
    memset(&f, 0, sizeof f);
    strcpy(f.path, "fixture-faults.tac");
    f.make = tac_make_open(f.path);
    uint32_t lane = tac_make_thread(f.make, FIXTURE_AUDIO, "audio");
    tac_make_source(f.make, 0, "audio", 1000000);
    for (uint64_t i = 1; i < 60; i++) {
        uint64_t begin = i * 3000000, end = begin + (i == LATE ? 1400000 : 200000);
        tac_make_memory(f.make, lane, TAC_MEMORY_ALLOC, 0x7000, 24, begin + 20000, begin + 120000);
        put_faults(&f, begin + 30000, HEAP, 1000);
        if (i == LATE)
            put_faults(&f, begin + 190000, OTHERS, APART_NS);
        tac_make_cycle(f.make, lane, 0, begin, begin + 1000000, end, 48,
                       &(struct tac_make_evidence){.cpu_ns = end - begin - 1000,
                                                   .minor = HEAP + (i == LATE ? OTHERS : 0)});
    }
    fixture_judge(&f);
    REQUIRE(f.diagnosis->misses_count == 1);
    float ns = f.diagnosis->cycle_account[f.diagnosis->misses[0].cycle][TAC_ACCOUNT_FAULT];
    CHECK_MSG(ns > 0.97f * OTHERS * APART_NS, "%.0f ns", (double)ns);
    fixture_close(&f);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(segments_cover_release_to_end_once);
    TEST(carried_cycles_inherit_the_root);
    TEST(shares_of_causes_sum_to_one);
    TEST(two_causes_are_not_merged);
    TEST(the_largest_cause_is_kept);
    TEST(a_program_that_falls_behind_has_no_late_timer);
    TEST(a_verdict_is_as_sure_as_its_parts);
    TEST(a_cycle_late_by_a_little_is_late);
    TEST(all_cycles_late_still_says_own_work);
    TEST(usual_faults_of_the_heap_count_once);
    return test_end();
}
