/* SPDX-License-Identifier: MIT
 * account.h - the book-keeping of one cycle: each nanosecond stands on exactly one account.
 *
 * How     Witnesses say what they saw of the cycle's thread: intervals of *sights* (switched out,
 *         inside a memory function, waiting for a lock, interrupted ...). A sweep over their edges
 *         cuts the time from release to end into segments, and each segment goes to one account by
 *         a fixed order of precedence. Counts that have no place in time (CPU clock, switch and
 *         fault counters) then move time between accounts, never making or losing any.
 * Invariants
 *   I1    segments are in order, touch each other, and cover [release, end].
 *   I2    the sum of all accounts is end - release, before and after every move.
 *   I3    missing evidence moves time to UNEXPLAINED, never to a cause.
 * Cost    O(s log s) for s sights of the cycle. Threads: one a layout. Real-time: no. */
#ifndef TAC_DOCTOR_ACCOUNT_H
#define TAC_DOCTOR_ACCOUNT_H

#include "capture/capture.h"

enum tac_account {
    TAC_ACCOUNT_OWN,            /* ran its own code */
    TAC_ACCOUNT_ALLOCATOR,      /* ran inside a memory function */
    TAC_ACCOUNT_ALLOCATOR_WAIT, /* slept inside a memory function */
    TAC_ACCOUNT_FAULT,          /* the kernel provided a page */
    TAC_ACCOUNT_BLOCKED,        /* slept: a lock, a call */
    TAC_ACCOUNT_RUNNABLE,       /* could run, and another ran */
    TAC_ACCOUNT_INTERRUPT,
    TAC_ACCOUNT_HYPERVISOR, /* the machine itself was not run */
    TAC_ACCOUNT_LATE_START, /* released, not yet begun, and no witness says why */
    TAC_ACCOUNT_CARRIED,    /* the cycle before still ran */
    TAC_ACCOUNT_GAP,        /* the recording has a hole */
    TAC_ACCOUNT_UNEXPLAINED,
    TAC_ACCOUNTS
};

enum tac_sight_kind {
    TAC_SIGHT_MEMORY,  /* index in capture->memory */
    TAC_SIGHT_LOCK,    /* index in capture->locks */
    TAC_SIGHT_CALL,    /* index in capture->zones: a call that real-time rules warn of */
    TAC_SIGHT_ASLEEP,  /* switched out, not runnable */
    TAC_SIGHT_READY,   /* runnable, not running; who: the thread that ran (0: not known) */
    TAC_SIGHT_IRQ,     /* detail: number */
    TAC_SIGHT_SOFTIRQ, /* detail: vector */
    TAC_SIGHT_MMAP,    /* waited for the lock of the address space */
    TAC_SIGHT_RECLAIM,
    TAC_SIGHT_COMPACT,
    TAC_SIGHT_FAULTING, /* the kernel provides a page; detail: address */
    TAC_SIGHT_GAP,
    TAC_SIGHT_STILL,   /* no CPU of the machine ran; detail: CPUs that prove it, 0: that of the
                          thread alone did not run. who (0: none): by a timer of this thread, or
                          the tick of its CPU; detail: how late that was, ns, 0: the whole span */
    TAC_SIGHT_HALTING, /* of a STILL before its tick was due: it began somewhere in this */
    TAC_SIGHT_SPANS,   /* kinds above have a duration, kinds below are moments */
    TAC_SIGHT_FAULT = TAC_SIGHT_SPANS, /* detail: address */
    TAC_SIGHT_PAGES,                   /* detail: order */
    TAC_SIGHT_SIGNAL,                  /* detail: number */
    TAC_SIGHT_IPI,                     /* another CPU made this one run a function */
    TAC_SIGHT_PROTECTED,               /* wrote to a page that was read-only; detail: address */
    TAC_SIGHT_KINDS
};

enum tac_sight_flags {
    TAC_SIGHT_HARD = 1,   /* READY: the wake-up came from an interrupt */
    TAC_SIGHT_WOKEN = 2,  /* READY: it was woken, not pre-empted */
    TAC_SIGHT_CHOSEN = 4, /* READY: the scheduler gave the CPU to `who` while this one was ready */
    TAC_SIGHT_DEVICE = 8, /* READY: with HARD, in an interrupt that is no timer's */
};

/* Kernel priorities: 0..99 real-time, lower is more urgent; from 100 on normal. */
enum { TAC_PRIO_NORMAL = 100, TAC_PRIO_UNKNOWN = 255 };

#define TAC_SIGHT_NONE UINT32_MAX

struct tac_sight {
    uint64_t from_ns, to_ns;
    uint64_t detail; /* READY: tid of the waker, 0: an interrupt, or not woken */
    uint32_t index;  /* in the capture's array of that kind, or of kernel events */
    uint32_t who;    /* tid, 0: not known; with system-wide evidence 0 is the idle task */
    uint8_t kind;    /* enum tac_sight_kind */
    uint8_t prio;    /* READY: of who */
    uint8_t own_prio;
    uint8_t state; /* ASLEEP: the state it was left in, 1 S, 2 D, 4 stopped, 8 traced */
    uint8_t flags; /* enum tac_sight_flags */
};

struct tac_sights {
    struct tac_sight *data;
    size_t count, capacity;
};

/* 0 or -ENOMEM. */
int tac_sights_add(struct tac_sights *sights, struct tac_sight sight);
/* By their ends, then by their begins. */
void tac_sights_sort(struct tac_sights *sights);

struct tac_segment {
    uint64_t from_ns, to_ns;
    uint32_t sight; /* index in sights of the witness that decided, or TAC_SIGHT_NONE */
    uint8_t account;
};

struct tac_layout {
    const struct tac_capture_cycle *cycle;
    uint64_t release_ns;  /* when it could have begun: deadline - period, never after begin */
    uint64_t previous_ns; /* end of the cycle before on this source; 0: none */
    struct tac_sights sights;
    struct tac_segment *segment;
    size_t segments, segments_capacity;
    uint64_t ns[TAC_ACCOUNTS];
    /* Of ns: in long stretches without any sign of the thread, in which a host may have halted the
     * machine; 0: the evidence would show that. Of OWN and ALLOCATOR. */
    uint64_t silent_ns[TAC_ACCOUNT_ALLOCATOR + 1];
    uint64_t doubted_ns; /* of these: moved to UNEXPLAINED */
};

/* One ordinary 4 KiB page provided by the kernel, all in: 1.4 us where it was measured. A recording
 * with many faults tells its own price, within these bounds. In a virtual machine the host may have
 * to provide the page behind the page as well (10 to 17 us were seen). */
enum {
    TAC_FAULT_NS = 1400,
    TAC_FAULT_NS_MIN = 700,
    TAC_FAULT_NS_MAX = 5000,
    TAC_FAULT_NS_MAX_VIRTUAL = 20000,
};

/* The processor time of a fault that reads a page, beside its sleep. */
enum { TAC_MAJOR_NS = 15000, TAC_MAJOR_NS_MIN = 5000, TAC_MAJOR_NS_MAX = 80000 };

/* What a cycle of this source costs when it is in time: medians of the on-time cycles. */
struct tac_nominal {
    size_t cycles; /* behind the medians */
    double ns[TAC_ACCOUNTS];
    double faults_minor;
    double faults_own; /* of these, outside memory functions */
    double fault_ns;   /* the price of one, see TAC_FAULT_NS */
    double major_ns;   /* the same for major ones */
    bool is_virtual;   /* a host may have to provide the page behind the page */
    /* Own time that so many cycles have, late ones too, that halts of the host do not explain them
     * (in a virtual machine); 0: there are not as many. */
    double often_own_ns;
};

/* Move up to want ns, leaving at least what a cycle in time has on the account (nominal NULL:
 * nothing). Returns how much was moved. */
uint64_t tac_layout_move(struct tac_layout *layout, const struct tac_nominal *nominal,
                         enum tac_account from, enum tac_account to, uint64_t want);

/* Cut [release, end] into segments by the sights and sum up ns[]. The sights, release, previous and
 * cycle must be set. 0, -ENOMEM. */
int tac_layout_cut(struct tac_layout *layout);

/* Move time by what has counts and no place: needs ns[] from tac_layout_cut. has: what the
 * recording proves, enum tac_evidence_bit. */
void tac_layout_settle(struct tac_layout *layout, const struct tac_nominal *nominal, unsigned has);

/* Minor faults of the cycle outside memory functions: those in them are of the heap. */
double tac_layout_own_faults(const struct tac_layout *layout);

void tac_layout_fini(struct tac_layout *layout);

const char *tac_account_name(enum tac_account account);

#endif
