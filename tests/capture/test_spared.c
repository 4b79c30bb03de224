/* SPDX-License-Identifier: MIT
 * test_spared.c - accounts of cycles that began without them: taken from those before and from the
 * kernel's events, and absent where one of these is missing. Since when they are. Recordings made
 * by hand. */
#include "capture/capture.h"

#include "make_recording.h"
#include "test.h"

#include <unistd.h>

enum { AUDIO = 11, US = 1000, PERIOD = 2000 * US };

static char path[64];

static void kernel(struct tac_make *m, uint64_t us, uint16_t type, uint64_t a)
{
    tac_make_kernel(m, (struct tac_format_kernel){us * US, type, 0, AUDIO, a, 0});
}

/* Cycles of 100 us, of which the i-th begins at 2 i ms, asleep between them and charged for so much
 * of each way back; every second one has accounts at its end. Returns what it has had in all. */
static struct tac_make_evidence healthy(struct tac_make *m, uint32_t lane, unsigned count,
                                        uint64_t extra_us)
{
    struct tac_make_evidence e = {.cpu_ns = 0};
    for (unsigned i = 1; i <= count; i++) {
        uint64_t at = i * 2000u;
        kernel(m, at - 5, TAC_KERNEL_IN, 0);
        tac_make_begin(m, lane, 0, at * US, at * US + PERIOD, i == 1 ? &e : NULL);
        e.cpu_ns += (100 + (i > 1 ? 10 + extra_us : 0)) * US;
        e.voluntary += i > 1;
        tac_make_end(m, lane, 0, (at + 100) * US, i % 2 ? NULL : &e);
        kernel(m, at + 105, TAC_KERNEL_OUT, 0);
    }
    return e;
}

static struct tac_make *open_recording(uint32_t *ret_lane)
{
    struct tac_make *m = tac_make_open(path);
    tac_make_source(m, 0, "audio", PERIOD);
    *ret_lane = tac_make_thread(m, AUDIO, "audio");
    return m;
}

/* The tenth cycle, 2 400 us long: a page was touched before it began, two in it, and it slept. */
static void late(struct tac_make *m, uint32_t lane, struct tac_make_evidence e, uint64_t extra_us)
{
    uint64_t at = 20000;
    kernel(m, at - 5, TAC_KERNEL_IN, 0);
    kernel(m, at - 2, TAC_KERNEL_FAULT_MINOR, 0x1000);
    tac_make_begin(m, lane, 0, at * US, at * US + PERIOD, NULL);
    kernel(m, at + 200, TAC_KERNEL_FAULT_MINOR, 0x2000);
    kernel(m, at + 300, TAC_KERNEL_FAULT_MINOR, 0x3000);
    kernel(m, at + 400, TAC_KERNEL_OUT, 0);
    kernel(m, at + 1000, TAC_KERNEL_IN, 0);
    kernel(m, at + 1100, TAC_KERNEL_OUT, 1);
    kernel(m, at + 1200, TAC_KERNEL_IN, 0);
    e.cpu_ns += (5 + 5 + extra_us + 2400 - 700 - 200) * US; /* for 200 us the host ran another */
    e.voluntary += 2;
    e.involuntary += 1;
    e.minor += 3;
    tac_make_end(m, lane, 0, (at + 2400) * US, &e);
}

static const struct tac_capture_cycle *judge(struct tac_make *m, struct tac_capture **ret_capture)
{
    tac_make_close(m);
    return tac_capture_open(path, NULL, ret_capture) == 0
               ? &(*ret_capture)->cycles[(*ret_capture)->cycles_count - 1]
               : NULL;
}

static void accounts_follow_from_those_before(void)
{
    struct tac_capture *c = NULL;
    for (uint64_t extra_us = 0; extra_us <= 40; extra_us += 40) {
        uint32_t lane;
        struct tac_make *m = open_recording(&lane);
        struct tac_make_evidence e = healthy(m, lane, 8, extra_us);
        late(m, lane, e, extra_us);
        const struct tac_capture_cycle *k = judge(m, &c);
        REQUIRE(k);
        CHECK(k->flags & TAC_CYCLE_EVIDENCE);
        CHECK_MSG(k->cpu_ns >= 1490 * US && k->cpu_ns <= 1510 * US, "%llu",
                  (unsigned long long)k->cpu_ns);
        CHECK(k->switches_voluntary == 1 && k->switches_involuntary == 1);
        CHECK(k->faults_minor == 2 && k->faults_major == 0);
        tac_capture_close(c);
    }
}

/* Healthy but for one event of the kernel. */
static void check_none_with(enum tac_kernel_type type, uint64_t value)
{
    struct tac_capture *c = NULL;
    uint32_t lane;
    struct tac_make *m = open_recording(&lane);
    struct tac_make_evidence e = healthy(m, lane, 8, 0);
    kernel(m, 18000, (uint16_t)type, value);
    late(m, lane, e, 0);
    const struct tac_capture_cycle *k = judge(m, &c);
    REQUIRE(k);
    CHECK(!(k->flags & TAC_CYCLE_EVIDENCE));
    tac_capture_close(c);
}

static void there_are_none_when_a_switch_is_missing(void)
{
    check_none_with(TAC_KERNEL_OUT, 0); /* and never back */
}

static void there_are_none_when_the_kernel_lost_events(void)
{
    check_none_with(TAC_KERNEL_LOST, 7);
}

static void there_are_none_without_any_before(void)
{
    struct tac_capture *c = NULL;
    uint32_t lane;
    struct tac_make *m = open_recording(&lane);
    late(m, lane, (struct tac_make_evidence){.cpu_ns = 1}, 0);
    const struct tac_capture_cycle *k = judge(m, &c);
    REQUIRE(k);
    CHECK(!(k->flags & TAC_CYCLE_EVIDENCE) && k->end_ns == (uint64_t)22400 * US);
    tac_capture_close(c);
}

/* A page fault's begin may come from the thread's buffer, and a sample does: they do not show that
 * the CPU's was whole. */
static void a_loss_began_after_the_last_event_of_its_buffer(void)
{
    struct tac_capture *c = NULL;
    uint32_t lane;
    struct tac_make *m = open_recording(&lane);
    tac_make_kernel(m, (struct tac_format_kernel){1000 * US, TAC_KERNEL_WAKING, 1, 5, 0, 0});
    kernel(m, 1100, TAC_KERNEL_FAULT_MINOR, 0x1000);
    tac_make_kernel(m,
                    (struct tac_format_kernel){1200 * US, TAC_KERNEL_FAULT, 1, AUDIO, 0x2000, 0});
    tac_make_kernel(m, (struct tac_format_kernel){1300 * US, TAC_KERNEL_WAKING, 0, 5, 0, 0});
    tac_make_kernel(
        m, (struct tac_format_kernel){1350 * US, TAC_KERNEL_SAMPLE, 1, AUDIO, 250000, 0x4000});
    tac_make_kernel(m, (struct tac_format_kernel){1400 * US, TAC_KERNEL_LOST, 1, 0, 7, 0});
    kernel(m, 1500, TAC_KERNEL_LOST, 3);
    tac_make_close(m);
    REQUIRE(tac_capture_open(path, NULL, &c) == 0);
    REQUIRE(c->gaps_count == 2);
    CHECK(c->gaps[0].begin_ns == 1000 * US && c->gaps[0].dropped == 7); /* the CPU's */
    CHECK(c->gaps[1].begin_ns == 1350 * US && c->gaps[1].dropped == 3); /* the thread's */
    tac_capture_close(c);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "spared-%d.tac", (int)getpid());
    TEST(accounts_follow_from_those_before);
    TEST(there_are_none_when_a_switch_is_missing);
    TEST(there_are_none_when_the_kernel_lost_events);
    TEST(there_are_none_without_any_before);
    TEST(a_loss_began_after_the_last_event_of_its_buffer);
    unlink(path);
    return test_end();
}
