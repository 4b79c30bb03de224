/* SPDX-License-Identifier: MIT
 * holes.h - where events are missing, to be asked often: the gaps of a recording, of each buffer
 * apart.
 *
 * Invariants
 *   I1    in the order of whose, then of time; those of one buffer neither meet nor overlap.
 * Cost: O(g log g) once for g gaps, O(log g) a question, however they overlapped. Threads:
 * read-only once made. Real-time: no. */
#ifndef TAC_CAPTURE_HOLES_H
#define TAC_CAPTURE_HOLES_H

#include "capture/capture.h"

struct tac_hole {
    uint64_t begin_ns, end_ns;
    uint64_t dropped;
    uint32_t whose; /* thread: index in threads[]; kernel: tid, 0 of the CPUs */
};

struct tac_holes {
    struct tac_hole *hole;
    size_t count;
};

enum tac_holes_of { TAC_HOLES_OF_THREADS, TAC_HOLES_OF_KERNEL };

/* Fill *ret_holes, which is freed with tac_holes_fini(). 0, -ENOMEM. */
TAC_MUST_CHECK int tac_holes_find(const struct tac_capture_gap *gaps, size_t count,
                                  enum tac_holes_of of, struct tac_holes *ret_holes);
void tac_holes_fini(struct tac_holes *holes);

/* The first of this buffer that ends after from_ns and begins before to_ns, or NULL. What follows
 * it in the array is next in time. */
const struct tac_hole *tac_holes_within(const struct tac_holes *holes, uint32_t whose,
                                        uint64_t from_ns, uint64_t to_ns);

#endif
