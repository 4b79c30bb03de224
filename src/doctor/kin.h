/* SPDX-License-Identifier: MIT
 * kin.h - which threads are the program's own, whether they registered or not, and what they made.
 *
 * Those that registered, the first one, and every one that such a thread made while the recording
 * ran. Of one that was there before and never registered nothing is known.
 * Cost: one walk over the kernel's events, O(1) a question, O(log n) for n births. Threads:
 * read-only once made. Real-time: no. Source: clone(2), CLONE_THREAD. */
#ifndef TAC_DOCTOR_KIN_H
#define TAC_DOCTOR_KIN_H

#include "capture/capture.h"
#include "capture/idmap.h"

/* A thread or process that a thread of the program made. */
struct tac_birth {
    uint64_t ns;
    uint32_t child, parent;
};

struct tac_kin {
    struct tac_idmap tids;
    struct tac_birth *birth; /* by child, then by time */
    size_t births, capacity;
};

/* Fill *ret_kin, which is freed with tac_kin_fini(). 0, -ENOMEM. */
TAC_MUST_CHECK int tac_kin_find(const struct tac_capture *capture, struct tac_kin *ret_kin);
void tac_kin_fini(struct tac_kin *kin);

/* Whether it is known to be one of the program's. */
bool tac_kin_has(const struct tac_kin *kin, uint32_t tid);

/* How the thread or process came about that had this tid at ns, or NULL. */
const struct tac_birth *tac_kin_birth(const struct tac_kin *kin, uint32_t tid, uint64_t ns);

#endif
