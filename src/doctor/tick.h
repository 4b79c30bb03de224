/* SPDX-License-Identifier: MIT
 * tick.h - the scheduler's tick of a CPU: how far apart, on which grid, and times in which it came
 * late to a thread that had the CPU, which then was not run.
 *
 * A CPU that runs a thread has a tick at even distances of CLOCK_MONOTONIC (CONFIG_HZ), which
 * charges the thread and so leaves an event. It is an interrupt: the thread's own work, however
 * long, does not hold it up. Where a tick was due and the CPU leaves no event until more than a
 * millisecond later, and that in the same thread and in no interrupt, the host did not run the CPU
 * from then on at the latest. A halt begins anywhere in front of the tick that it holds up: as far
 * before the tick as the tick was late, but not behind the thread's last sign, is told apart, as
 * time in which it may have begun. Halts that hold up no tick are not seen by this.
 *
 * The grid lies where a CPU charges most, switches left out. Nothing is told of threads of a kind
 * (real-time, normal) of whose ticks one of ten leaves no event in time on this kernel, as its own
 * recording shows, and of CPUs without a tick (nohz_full).
 *
 * Source: Linux, tick_nohz_handler() in kernel/time/tick-sched.c, which keeps to its grid
 * (hrtimer_forward()), and update_curr() in kernel/sched. Cost: three walks over the events.
 * Threads: one. Real-time: no. */
#ifndef TAC_DOCTOR_TICK_H
#define TAC_DOCTOR_TICK_H

#include "doctor/account.h"

/* The distance that the recording tells; 0: it does not. */
uint64_t tac_tick_told(const struct tac_capture *capture);

/* Whether the CPU has a tick while it runs one thread alone. */
bool tac_tick_is_on(const struct tac_capture *capture, uint32_t cpu);

/* Append the spans (TAC_SIGHT_STILL, and TAC_SIGHT_HALTING before it; who: the thread, detail: how
 * late the tick was, ns), in order. 0 or -ENOMEM. */
int tac_tick_find(const struct tac_capture *capture, struct tac_sights *ret_spans);

#endif
