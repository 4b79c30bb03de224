/* SPDX-License-Identifier: MIT
 * clock.c - pairing of the raw counter with CLOCK_MONOTONIC, and absolute sleeping. */
#include "base/clock.h"

#include <errno.h>

enum { BRACKETS = 16 };

struct tac_clock_pair tac_clock_pair(void)
{
    struct tac_clock_pair best = {0, 0, UINT64_MAX};
    for (int i = 0; i < BRACKETS; i++) {
        uint64_t before = tac_counter();
        uint64_t ns = tac_clock_ns();
        uint64_t after = tac_counter();
        if (after - before < best.width)
            best = (struct tac_clock_pair){before + (after - before) / 2, ns, after - before};
    }
    return best;
}

double tac_counter_hz(uint64_t min_ns)
{
    struct tac_clock_pair a = tac_clock_pair();
    tac_clock_sleep_until(a.ns + min_ns);
    struct tac_clock_pair b = tac_clock_pair();
    return (double)(b.counter - a.counter) / (double)(b.ns - a.ns) * 1e9;
}

bool tac_clock_sleep_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / TAC_NS_PER_S), (long)(ns % TAC_NS_PER_S)};
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != EINTR;
}
