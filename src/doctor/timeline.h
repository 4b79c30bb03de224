/* SPDX-License-Identifier: MIT
 * timeline.h - one miss as JSON for the page: its accounts in time, zones, memory calls, locks,
 * other threads, and who ran on which CPU. Times are microseconds after the release. */
#ifndef TAC_DOCTOR_TIMELINE_H
#define TAC_DOCTOR_TIMELINE_H

#include "doctor/doctor.h"

/* 0, -ENOMEM (of the layout; the text keeps its own failure). */
TAC_MUST_CHECK int tac_timeline_add(const struct tac_diagnosis *diagnosis, size_t miss,
                                    struct tac_text *text);

#endif
