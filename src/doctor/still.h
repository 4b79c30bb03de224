/* SPDX-License-Identifier: MIT
 * still.h - times in which the whole machine stood still, although it had work.
 *
 * A CPU that runs a thread has a tick at a fixed distance (CONFIG_HZ), at which the scheduler
 * charges the thread; with the machine's events recorded each of them leaves one. Where no event
 * came from any CPU for longer than that, and a thread that had a CPU before and after was not
 * charged meanwhile, no CPU ran: the host halted the virtual machine, or the firmware the real one.
 * Hosts that halt a machine without telling it as stolen time are seen by this alone: the thread's
 * own CPU clock counts the halt as if it had computed. Two CPUs whose ticks are missing prove it;
 * one proves it when more than two of its ticks are, as one may have had interrupts off.
 *
 * Of one CPU while others lived on, longer than interrupts are ever off: see follow.c. CPUs that
 * run one thread without a tick (nohz_full, which the recording tells) prove nothing.
 *
 * Source: kernel/sched/core.c, sched_tick(), and update_curr(). Cost: two walks over the events.
 * Threads: one. Real-time: no. */
#ifndef TAC_DOCTOR_STILL_H
#define TAC_DOCTOR_STILL_H

#include "doctor/account.h"

/* Two and a half ticks at CONFIG_HZ 100: with interrupts off for so long a kernel complains. */
enum { TAC_STILL_CPU_NS = 25 * 1000 * 1000 };

/* Append the spans (TAC_SIGHT_STILL, detail: CPUs that prove it), in order. 0 or -ENOMEM. */
int tac_still_find(const struct tac_capture *capture, struct tac_sights *ret_spans);

#endif
