/* SPDX-License-Identifier: MIT
 * fault.h - the fault of the programs in this folder: in one cycle of forty they sleep for longer
 * than four periods. hosts.py looks for its name and for this function. */
#ifndef TAC_TESTS_PROGRAMS_FAULT_H
#define TAC_TESTS_PROGRAMS_FAULT_H

#include <time.h>

enum { RATE_HZ = 48000, PERIOD = 256, CYCLES = 400, FAULT_EVERY = 40 };

static __attribute__((noinline)) void planted_fault(void)
{
    struct timespec t = {0, 1000000000L / RATE_HZ * PERIOD * 9 / 2};
    nanosleep(&t, NULL);
}

static inline void cycle_work(unsigned number)
{
    if (number % FAULT_EVERY == FAULT_EVERY - 1)
        planted_fault();
}

#endif
