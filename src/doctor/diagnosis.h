/* SPDX-License-Identifier: MIT
 * diagnosis.h - what the files that make a diagnosis share; users read doctor.h. */
#ifndef TAC_DOCTOR_DIAGNOSIS_H
#define TAC_DOCTOR_DIAGNOSIS_H

#include "doctor/doctor.h"
#include "doctor/witness.h"

struct tac_work {
    struct tac_diagnosis *diagnosis;
    struct tac_witness witness;
    uint32_t *before;  /* per cycle: the cycle before on its source, or TAC_CAPTURE_NONE */
    float *own_faults; /* per cycle: minor ones outside memory functions */
    uint32_t *miss_of; /* per cycle: index in misses, or TAC_CAPTURE_NONE */
    struct tac_nominal *nominal;                 /* per source */
    uint64_t place_weight[256], worst_part[256]; /* per rule, see summary.c */
};

/* Lay out one judged cycle, not settled. Returns its evidence bits, or -ENOMEM. */
int tac_work_layout(const struct tac_work *work, size_t cycle, struct tac_layout *layout);

/* Totals: sources, causes, memory, hazards, cycle_verdict. 0, -ENOMEM. */
int tac_diagnosis_sum(struct tac_diagnosis *diagnosis);

#endif
