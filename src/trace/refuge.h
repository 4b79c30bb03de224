/* SPDX-License-Identifier: MIT
 * refuge.h - keeps the recorder's helper off the CPUs of bound real-time threads.
 *
 * The helper has normal priority. Woken on a CPU whose real-time thread computes for long, it
 * stands there until that ends, or for most of a second (the kernel's fair server), while others
 * idle; and what the buffers have no room for meanwhile is lost, of just the cycles that are late.
 * So the CPUs of traced threads that are real-time and bound to one CPU are taken out of its own,
 * unless none would be left. Threads: the helper, with the control mutex. Cost: two system calls a
 * live lane. Real-time: no. */
#ifndef TAC_TRACE_REFUGE_H
#define TAC_TRACE_REFUGE_H

#include <sched.h>
#include <stdbool.h>

struct tac_refuge {
    cpu_set_t own; /* the helper's CPUs as it began, and those of the first thread: a bound thread
                      may have made the helper, which inherits that */
    cpu_set_t chosen; /* that it has now */
    bool is_known;    /* else its CPUs could not be read, and stay */
    bool is_stale;    /* a thread has come since the last look; under the control mutex */
};

void tac_refuge_init(struct tac_refuge *refuge);

/* Look where the traced threads are bound, and move. */
void tac_refuge_look(struct tac_refuge *refuge);

#endif
