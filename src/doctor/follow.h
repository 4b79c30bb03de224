/* SPDX-License-Identifier: MIT
 * follow.h - follows the threads that run cycles through the kernel's events.
 *
 * A small state machine a thread (running, asleep, ready) turns switches and wake-ups into sights,
 * and remembers who ran on its CPU. Kernels do not tell everything: switches out of the idle task
 * are missing on some, and buffers overflow. So whatever a thread does (an event in its context,
 * the begin or end of a cycle) proves that it runs, and ends what was thought before. */
#ifndef TAC_DOCTOR_FOLLOW_H
#define TAC_DOCTOR_FOLLOW_H

#include "doctor/account.h"

/* Fill sights[thread] of every thread of the capture that has cycles (at most 64), sorted by to_ns.
 * system_wide: believe SWITCH and WAKING; otherwise OUT and IN, and where there are SWITCHes, too,
 * nothing else. ret_halts (may be NULL): all TAC_SIGHT_STILL that were found, of whatever thread
 * or of a CPU, in no order. 0, -ENOMEM. Cost: O(kernel events x followed threads). */
int tac_follow(const struct tac_capture *capture, bool system_wide, struct tac_sights *sights,
               struct tac_sights *ret_halts);

#endif
