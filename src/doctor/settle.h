/* SPDX-License-Identifier: MIT
 * settle.h - what settle.c leaves to price.c: the part of page faults. Threads: one a layout.
 * Real-time: no. */
#ifndef TAC_DOCTOR_SETTLE_H
#define TAC_DOCTOR_SETTLE_H

#include "doctor/account.h"

/* Move what the page faults cost beyond what was seen of them. has: enum tac_evidence_bit. */
void tac_layout_settle_faults(struct tac_layout *layout, const struct tac_nominal *nominal,
                              unsigned has);

#endif
