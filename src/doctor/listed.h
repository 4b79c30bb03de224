/* SPDX-License-Identifier: MIT
 * listed.h - which misses the reports draw and list, where there are more than one wants to read.
 *
 * Drawn are the worst that do not stem from a cycle before, and the worst of each cause. Listed are
 * these and then the latest, up to a bound: the worst is never left out for coming late in time.
 * Threads: any. Cost: O(misses log misses). */
#ifndef TAC_DOCTOR_LISTED_H
#define TAC_DOCTOR_LISTED_H

#include "doctor/doctor.h"

enum { TAC_LISTED_MAX = 2000, TAC_DRAWN_MAX = 40 };

/* Indices in misses, the worst first, then by cause. Returns how many. */
size_t tac_listed_drawn(const struct tac_diagnosis *diagnosis, size_t list[TAC_DRAWN_MAX]);

/* For each miss whether it is listed; to be freed. ret_count: how many are. 0, -ENOMEM. */
TAC_MUST_CHECK int tac_listed_new(const struct tac_diagnosis *diagnosis, bool **ret_listed,
                                  size_t *ret_count);

#endif
