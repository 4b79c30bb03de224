/* SPDX-License-Identifier: MIT
 * settle.h - between settle.c and price.c, which move time of a cycle from account to account. The
 * sum of all accounts stays: I2 of account.h. Threads: one a layout. Real-time: no. */
#ifndef TAC_DOCTOR_SETTLE_H
#define TAC_DOCTOR_SETTLE_H

#include "doctor/account.h"

/* Move up to want ns, leaving at least what a cycle in time has on the account (nominal NULL:
 * nothing). Returns how much was moved. */
uint64_t tac_layout_move(struct tac_layout *layout, const struct tac_nominal *nominal,
                         enum tac_account from, enum tac_account to, uint64_t want);

/* Move what the page faults cost beyond what was seen of them. has: enum tac_evidence_bit. */
void tac_layout_settle_faults(struct tac_layout *layout, const struct tac_nominal *nominal,
                              unsigned has);

#endif
