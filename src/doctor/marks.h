/* SPDX-License-Identifier: MIT
 * marks.h - the verdicts as spans on a time line, for exports to other tools. */
#ifndef TAC_DOCTOR_MARKS_H
#define TAC_DOCTOR_MARKS_H

#include "capture/export.h"
#include "doctor/doctor.h"

/* Where marks go, and how far they have come. */
struct tac_marks {
    void (*take)(void *me, const struct tac_capture *c, const struct tac_export_mark *mark);
    void *me;
    uint64_t before_ns; /* end of the last; 0 at first */
};

/* One span for each miss that ended in from_ns <= t < to_ns, from its deadline to its end, on the
 * track "verdicts", named by the cause, with the shares as text. A recording may be given part
 * after part. */
void tac_marks_give(struct tac_marks *marks, const struct tac_diagnosis *diagnosis,
                    uint64_t from_ns, uint64_t to_ns);

#endif
