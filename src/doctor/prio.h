/* SPDX-License-Identifier: MIT
 * prio.h - the priorities of threads, as far as events have told them. One table with a place for
 * each tid, which the next one with the same place takes. Cost: O(1). Threads: one. Real-time: no.
 */
#ifndef TAC_DOCTOR_PRIO_H
#define TAC_DOCTOR_PRIO_H

#include "doctor/account.h"

enum { TAC_PRIO_SLOTS = 8192 };

struct tac_prios {
    struct {
        uint32_t tid;
        uint8_t prio;
    } slot[TAC_PRIO_SLOTS];
};

static inline void tac_prios_learn(struct tac_prios *prios, uint32_t tid, uint32_t prio)
{
    if (!tid)
        return;
    prios->slot[tid % TAC_PRIO_SLOTS].tid = tid;
    prios->slot[tid % TAC_PRIO_SLOTS].prio =
        (uint8_t)(prio < TAC_PRIO_UNKNOWN ? prio : TAC_PRIO_UNKNOWN);
}

static inline uint8_t tac_prios_of(const struct tac_prios *prios, uint32_t tid)
{
    return tid && prios->slot[tid % TAC_PRIO_SLOTS].tid == tid
               ? prios->slot[tid % TAC_PRIO_SLOTS].prio
               : TAC_PRIO_UNKNOWN;
}

#endif
