/* SPDX-License-Identifier: MIT
 * marks.h - the verdicts as spans on a time line, for exports to other tools. */
#ifndef TAC_DOCTOR_MARKS_H
#define TAC_DOCTOR_MARKS_H

#include "capture/export.h"
#include "doctor/doctor.h"

struct tac_marks {
    struct tac_export_mark *mark;
    size_t count;
    struct tac_text *text; /* one for each */
};

/* One span for each miss, from its deadline to its end, on the track "verdicts", named by the
 * cause, with the shares as text. *marks starts as {0}. 0, -ENOMEM. */
TAC_MUST_CHECK int tac_marks_make(const struct tac_diagnosis *diagnosis, struct tac_marks *marks);
void tac_marks_fini(struct tac_marks *marks);

#endif
