/* SPDX-License-Identifier: MIT
 * fixture.c - see fixture.h. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PERIOD_NS = 1000000, START_NS = 50000000, HEALTHY_NS = 200000, WAKE_NS = 10000 };

static uint64_t release_of(unsigned number)
{
    return START_NS + (uint64_t)number * PERIOD_NS;
}

uint64_t fixture_ns(double us)
{
    return release_of(FIXTURE_LATE) + (uint64_t)(int64_t)(us * 1000);
}

static void put_kernel(struct fixture *f, uint64_t ns, uint16_t type, uint32_t tid, uint64_t a,
                       uint64_t b)
{
    tac_make_kernel(f->make, (struct tac_format_kernel){ns, type, 1, tid, a, b});
}

/* Asleep until it is woken for begin, then on its CPU to end. */
static void put_switches(struct fixture *f, uint64_t begin, uint64_t end)
{
    if (f->evidence & FIXTURE_OWN_SWITCHES) {
        put_kernel(f, begin - 1000, TAC_KERNEL_IN, FIXTURE_AUDIO, 0, 0);
        put_kernel(f, end + 1000, TAC_KERNEL_OUT, FIXTURE_AUDIO, 0, 0);
    }
    if (f->evidence & FIXTURE_SCHED) {
        put_kernel(f, begin - 3000, TAC_KERNEL_WAKING, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19,
                   1ull << 32 | 1);
        put_kernel(f, begin - 1000, TAC_KERNEL_SWITCH, 0, (uint64_t)FIXTURE_AUDIO << 32 | 19, 120);
        put_kernel(f, end + 1000, TAC_KERNEL_SWITCH, FIXTURE_AUDIO, 120, 1ull << 32 | 19);
    }
}

static void put_cycle(struct fixture *f, unsigned number, uint64_t begin, uint64_t end,
                      const struct tac_make_evidence *evidence)
{
    tac_make_cycle(f->make, f->audio, 0, begin, release_of(number) + PERIOD_NS, end, 48,
                   f->evidence & FIXTURE_CLOCK ? evidence : NULL);
}

static void put_healthy(struct fixture *f, unsigned number)
{
    uint64_t begin = release_of(number) + WAKE_NS;
    struct tac_make_evidence e = {.cpu_ns = HEALTHY_NS - 300};
    put_cycle(f, number, begin, begin + HEALTHY_NS, &e);
    put_switches(f, begin, begin + HEALTHY_NS);
}

void fixture_open(struct fixture *f, unsigned evidence)
{
    memset(f, 0, sizeof *f);
    f->evidence = evidence;
    snprintf(f->path, sizeof f->path, "fixture-%d.tac", (int)getpid());
    f->make = tac_make_open(f->path);
    f->audio = tac_make_thread(f->make, FIXTURE_AUDIO, "audio");
    f->other = tac_make_thread(f->make, FIXTURE_OTHER, "loader");
    tac_make_comm(f->make, FIXTURE_HOG, "hog");
    tac_make_source(f->make, 0, "audio", PERIOD_NS);
    for (unsigned i = 0; i < FIXTURE_CYCLES; i++)
        if (i < FIXTURE_LATE || i > FIXTURE_LATE + 8)
            put_healthy(f, i);
}

void fixture_cycle(struct fixture *f, unsigned after, double begin_us, double end_us,
                   struct tac_make_evidence evidence)
{
    put_cycle(f, FIXTURE_LATE + after, fixture_ns(begin_us), fixture_ns(end_us), &evidence);
}

void fixture_memory(struct fixture *f, uint32_t lane, enum tac_memory_op op, double from_us,
                    double to_us)
{
    tac_make_memory(f->make, lane, op, 0x7000 + (uint64_t)(from_us * 16), 24, fixture_ns(from_us),
                    fixture_ns(to_us));
}

void fixture_kernel(struct fixture *f, double us, enum tac_kernel_type type, uint32_t tid,
                    uint64_t a, uint64_t b)
{
    put_kernel(f, fixture_ns(us), (uint16_t)type, tid, a, b);
}

void fixture_judge(struct fixture *f)
{
    tac_make_close(f->make);
    struct tac_error err = {0};
    if (tac_capture_open(f->path, &err, &f->capture) < 0 ||
        tac_diagnosis_new(f->capture, "fixture", &f->diagnosis) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

const struct tac_miss *fixture_miss(const struct fixture *f, unsigned after)
{
    return after < f->diagnosis->misses_count ? &f->diagnosis->misses[after] : NULL;
}

const char *fixture_verdict(const struct fixture *f)
{
    const struct tac_miss *m = fixture_miss(f, 0);
    return m ? m->verdict[0].rule->name : "on time";
}

void fixture_close(struct fixture *f)
{
    tac_diagnosis_free(f->diagnosis);
    tac_capture_close(f->capture);
    unlink(f->path);
}
