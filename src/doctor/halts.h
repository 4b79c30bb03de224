/* SPDX-License-Identifier: MIT
 * halts.h - the halts of a virtual machine that have a witness, and the grid that they end on.
 *
 * Hosts that bound a machine's CPU time hand it out anew at fixed times, 100 ms apart (Linux,
 * cgroup cpu.max, its usual period), and what was halted goes on then, all of it. So a few halts
 * that end at the same phase show where others end that leave no witness. Halts without a grid
 * agree by chance, two of 250 on average: it takes half of those of the seconds around, and three.
 *
 * Cost: O(h log h) for h halts; a question O(log h), and at most the square of the 124 halts that
 * the seconds around may have. Threads: read-only once made. Real-time: no. */
#ifndef TAC_DOCTOR_HALTS_H
#define TAC_DOCTOR_HALTS_H

#include "doctor/account.h"

struct tac_halts {
    uint64_t *end_ns; /* rising, each once */
    size_t count;
};

/* Fill *ret_halts, which starts as {0} and is freed with tac_halts_fini(). sights: of
 * TAC_SIGHT_STILL, in any order. 0, -ENOMEM. */
TAC_MUST_CHECK int tac_halts_find(const struct tac_sights *sights, struct tac_halts *ret_halts);
void tac_halts_fini(struct tac_halts *halts);

/* The moment within [from, to] at which halts end, by half and at least three of those within three
 * seconds; 0: none. */
uint64_t tac_halts_expected(const struct tac_halts *halts, uint64_t from_ns, uint64_t to_ns);

#endif
