/* SPDX-License-Identifier: MIT
 * evidence.h - what each kind of evidence sees, and what stays dark without it, in words. */
#ifndef TAC_DOCTOR_EVIDENCE_H
#define TAC_DOCTOR_EVIDENCE_H

#include "doctor/doctor.h"

struct tac_evidence_kind {
    unsigned bit;     /* enum tac_evidence_bit; 0 ends the list */
    const char *name; /* for JSON */
    const char *sees;
    const char *misses;
};

extern const struct tac_evidence_kind tac_evidence_kinds[];

/* One sentence each on damage, loss and poor clocks; nothing when all is well. */
void tac_evidence_problems(const struct tac_capture *capture, struct tac_text *text);

/* Whether it was made in a virtual machine, as far as it says. */
bool tac_evidence_is_virtual(const struct tac_capture *capture);

#endif
