/* SPDX-License-Identifier: MIT
 * cycle.h - cycles: the work that has a deadline.
 *
 * A cycle is one audio callback (or one frame, one control period): begin, deadline, end. A program
 * may have any number of independent cycle sources (a driver's callback, a control loop), up to
 * TAC_CYCLE_SOURCES_MAX; one thread at a time runs the cycles of a source. A cycle whose end is
 * later than its deadline is a miss; the doctor accounts for each of its microseconds. */
#ifndef TACTUS_CYCLE_H
#define TACTUS_CYCLE_H

#include "tactus/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TAC_CYCLE_SOURCES_MAX 65536

/* Register a source of cycles. name is copied; recordings have its first 31 bytes. period_ns: time
 * between two deadlines; or, of work that comes when it comes, the time that each cycle has from
 * the moment from which it could have begun (deadline minus period_ns); 0 when it varies. Returns
 * the source's id (>= 0), the same for the same whole name; or -EINVAL when name is NULL,
 * -TAC_E_LIMIT, -ENOMEM. Thread: control. Lasts until the process ends. */
TAC_API int tac_cycle_source_open(const char *name, uint64_t period_ns);

/* The cycle begins now on the calling thread. deadline_ns: CLOCK_MONOTONIC time by which it must
 * have ended, 0 when not known. frames: how much is to be computed, 0 when that has no meaning.
 * What can be no source's id (negative, or not below TAC_CYCLE_SOURCES_MAX) is ignored. Real-time:
 * yes (with TAC_EVIDENCE_CLOCK alone, or where the kernel refuses TAC_EVIDENCE_PERF: two system
 * calls). */
TAC_API void tac_cycle_begin(int source, uint64_t deadline_ns, uint32_t frames);

/* It ends now. Same thread. Real-time: yes (with TAC_EVIDENCE_CLOCK two system calls, unless it is
 * well in time; then in one cycle of eight). */
TAC_API void tac_cycle_end(int source);

/* The same, and gone with TAC_TRACE_OFF or without the category CYCLE. */
#ifdef TAC_TRACE_OFF
#define TAC_CYCLE_BEGIN(source, deadline_ns, frames) ((void)0)
#define TAC_CYCLE_END(source) ((void)0)
#else
#define TAC_CYCLE_BEGIN(source, deadline_ns, frames)                                               \
    do {                                                                                           \
        if (TAC_TRACE_COMPILED(TAC_CAT_CYCLE, 1))                                                  \
            tac_cycle_begin(source, deadline_ns, frames);                                          \
    } while (0)
#define TAC_CYCLE_END(source)                                                                      \
    do {                                                                                           \
        if (TAC_TRACE_COMPILED(TAC_CAT_CYCLE, 1))                                                  \
            tac_cycle_end(source);                                                                 \
    } while (0)
#endif

#ifdef __cplusplus
}
#endif
#endif
