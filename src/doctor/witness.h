/* SPDX-License-Identifier: MIT
 * witness.h - turns the arrays of a capture into sights of the threads that run cycles.
 *
 * Kernel events are read once, into a list of sights per thread: a small state machine (running,
 * asleep, ready) follows each such thread through switches and wake-ups, and remembers who ran on
 * its CPU. The sights of one cycle are then that list and the user-space arrays, cut by time. Where
 * system-wide switches were recorded, the own-process ones are left aside, but for cycles during
 * which events of the system were lost and those of the thread were not: what it did is known then,
 * though not who ran instead. */
#ifndef TAC_DOCTOR_WITNESS_H
#define TAC_DOCTOR_WITNESS_H

#include "capture/holes.h"
#include "doctor/account.h"

struct tac_witness {
    const struct tac_capture *capture;
    unsigned has;              /* enum tac_evidence_bit, of the recording */
    struct tac_sights *kernel; /* per thread of the capture; sorted by to_ns */
    struct tac_sights *own;    /* the same by own-process events alone; NULL: not needed */
    struct tac_sights halts;   /* of the machine, of whatever thread; in no order */
    bool *pulses;              /* per thread of the capture: it has a pulse (pulse.h) */
    struct tac_holes lost;     /* in the kernel's events */
    struct tac_holes gaps;     /* in those of the threads */
};

/* 0, -ENOMEM. */
int tac_witness_init(const struct tac_capture *capture, struct tac_witness *witness);
void tac_witness_fini(struct tac_witness *witness);

/* Collect the sights of [from, end] of the cycle into layout->sights (emptied first). Returns the
 * evidence that there was for this cycle (bits of has), or -ENOMEM. */
int tac_witness_cycle(const struct tac_witness *witness, struct tac_layout *layout);

/* When something was seen of the cycle's thread: begins and ends of its zones and of all sights,
 * rising. *ret_signs is freed with free(). 0, -ENOMEM. */
TAC_MUST_CHECK int tac_witness_signs(const struct tac_capture *capture,
                                     const struct tac_layout *layout, uint64_t **ret_signs,
                                     size_t *ret_count);

/* How long nothing was seen of the thread in a virtual machine, where that shows nothing: needs the
 * segments of tac_layout_cut. has: what tac_witness_cycle returned. 0, -ENOMEM. */
int tac_witness_silence(const struct tac_witness *witness, struct tac_layout *layout, unsigned has);

#endif
