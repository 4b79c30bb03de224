/* SPDX-License-Identifier: MIT
 * pulse.h - times in which a thread's own timer came late: its CPU was not run.
 *
 * A timer of the thread's CPU time, the recorder's pulse, is due at even distances of the time that
 * the thread has a CPU. It is an interrupt, so the thread's own work, however long, does not hold
 * it up; a host that halts the virtual CPU does, whether or not it tells the time as stolen.
 * Without privilege the timer leaves no mark where it finds the thread in the kernel; then the next
 * one comes, and comes when it is due. So a mark that is late by other than whole distances is of a
 * halt, from when it was due to when it came. Behind a halt the timer is back on its grid: where
 * the next mark is off it by as much, something of the thread is not in the recording, and no halt
 * was.
 *
 * Source: Linux, perf_swevent_hrtimer() in kernel/events/core.c, which keeps to its grid
 * (hrtimer_forward_now()), and holds on to what is left where the thread leaves its CPU.
 * Cost: one walk over the events. Threads: one. Real-time: no. */
#ifndef TAC_DOCTOR_PULSE_H
#define TAC_DOCTOR_PULSE_H

#include "doctor/account.h"

/* Append the spans of all threads (TAC_SIGHT_STILL, detail 0, who: the thread), by their ends. 0 or
 * -ENOMEM. */
int tac_pulse_find(const struct tac_capture *capture, struct tac_sights *ret_spans);

#endif
