/* SPDX-License-Identifier: MIT
 * fixture.h - a small recording with healthy cycles and one late one, written by hand.
 *
 * A source "audio" of 1000 us; healthy cycles begin 10 us after their release and compute 200 us.
 * Cycle number FIXTURE_LATE is left to the test: its release is at fixture_release(). Times that a
 * test gives are microseconds after that release. */
#ifndef TAC_TESTS_DOCTOR_FIXTURE_H
#define TAC_TESTS_DOCTOR_FIXTURE_H

#include "doctor/rule.h"
#include "make_recording.h"

enum {
    FIXTURE_CYCLES = 60,
    FIXTURE_LATE = 30,
    FIXTURE_AUDIO = 101,
    FIXTURE_OTHER = 102,
    FIXTURE_HOG = 777,
};

/* What the healthy cycles carry. */
enum fixture_evidence { FIXTURE_CLOCK = 1, FIXTURE_OWN_SWITCHES = 2, FIXTURE_SCHED = 4 };

struct fixture {
    struct tac_make *make;
    unsigned evidence;
    uint32_t audio, other; /* lanes */
    char path[64];
    struct tac_capture *capture;
    struct tac_diagnosis *diagnosis;
};

void fixture_open(struct fixture *f, unsigned evidence);
/* Nanoseconds of a time in microseconds after the late cycle's release. */
uint64_t fixture_ns(double us);
/* The late cycle, or a further one (number 31 ...) when after > 0. */
void fixture_cycle(struct fixture *f, unsigned after, double begin_us, double end_us,
                   struct tac_make_evidence evidence);
void fixture_memory(struct fixture *f, uint32_t lane, enum tac_memory_op op, double from_us,
                    double to_us);
void fixture_kernel(struct fixture *f, double us, enum tac_kernel_type type, uint32_t tid,
                    uint64_t a, uint64_t b);
/* Close, read and judge. Aborts on failure. */
void fixture_judge(struct fixture *f);
/* The first (after = 0) or a later miss; NULL when there is none. */
const struct tac_miss *fixture_miss(const struct fixture *f, unsigned after);
/* Name of its verdict, or "on time". */
const char *fixture_verdict(const struct fixture *f);
void fixture_close(struct fixture *f);

#endif
