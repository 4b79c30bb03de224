/* SPDX-License-Identifier: MIT
 * injector.h - what the faults of the injector share: its clock, its cycle, and the recorded forms
 * of what a program does.
 *
 * A fault is one entry in one of the faults_*.c lists. It strikes inside the cycle, or a helper
 * thread strikes from outside and notes when. Whatever is noted as truth comes from the program's
 * own clocks (CLOCK_MONOTONIC, and the thread's CPU clock for faults that compute). */
#ifndef TAC_TESTS_INJECTOR_H
#define TAC_TESTS_INJECTOR_H

#include "tactus/cycle.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum fault_flags {
    FAULT_OUTSIDE = 1,  /* the helper strikes: truth by injector_outside() */
    FAULT_CPU = 2,      /* the strike computes: its truth is CPU time */
    FAULT_SAME_CPU = 4, /* the helper runs on the CPU of the cycles */
    FAULT_NORMAL = 8,   /* the cycles run with normal priority */
    FAULT_WOKEN = 16,   /* the cycles wait for the helper, not for a timer */
    FAULT_SMALL_RING = 32,
    FAULT_WANTED = 64, /* the strike lasts as long as was wanted; what it lasts longer is others' */
};

struct fault {
    const char *name;
    void (*prepare)(void);            /* before the cycles; may be NULL */
    void (*strike)(uint64_t want_ns); /* in a struck cycle, to last about so long; may be NULL */
    void (*help)(void);               /* body of a helper thread, called again until the end */
    unsigned flags;                   /* enum fault_flags */
};

extern const struct fault faults_compute[], faults_memory[], faults_locks[], faults_calls[],
    faults_sched[], faults_unseen[], faults_fresh[]; /* each ended by an entry without a name */

/* ---- the cycle that runs ---- */
extern uint64_t period_ns;
extern atomic_int running;
extern atomic_uint tick; /* number of the cycle that runs or comes next */

int is_struck(unsigned number);       /* whether the plan puts a fault there */
uint64_t strike_ns(unsigned number);  /* how long the plan wants it to last */
uint64_t release_of(unsigned number); /* ns */
/* A helper struck in between, with the fault of this name; "machine": something that nobody planned
 * (a helper came late) went on in between. */
void injector_outside(const char *fault, uint64_t from_ns, uint64_t to_ns);

/* What a helper planned to have done by planned_ns it did now: a difference is the machine's. */
void injector_done(uint64_t planned_ns);

/* ---- clocks and time ---- */
uint64_t now(void);
uint64_t cpu_now(void);
void spin(uint64_t ns);
void sleep_ns(uint64_t ns);
void wait_until(uint64_t ns);
void pin(int last); /* 1: the CPU of the cycles */
int fifo(int priority);

/* Called by a strike: so much of its time was that of another fault. */
void injector_part(const char *fault, uint64_t ns);

/* The calling helper gets this real-time priority, where permitted; after the first time nothing.
 */
void once_fifo(int priority);

/* A thread of priority 20 on the first CPU, there from the first call on, computes until then. */
void press(uint64_t until_ns);

/* ---- what a program does, recorded as one that is built with trace.h would ---- */
void *heap_get(size_t bytes);
void heap_put(void *p);
void *heap_grow(void *p, size_t bytes);
void lock(void);
void unlock(void);

/* Posted once a period by the thread that wakes a late one. */
extern sem_t injector_wake;

#endif
