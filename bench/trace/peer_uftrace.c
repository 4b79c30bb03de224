/* SPDX-License-Identifier: MIT
 * peer_uftrace.c - a function that uftrace sees, in the loops of zone_loops.h; compiled with
 * -pg -mfentry, of which only the one function is left. Run under `uftrace record`. */
#define BENCH_ZONE zone_function()

static __attribute__((noinline)) void zone_function(void)
{
    __asm__ volatile("" : : : "memory");
}

#define noinline noinline, no_instrument_function
#define ZONE_INLINE static inline __attribute__((no_instrument_function))
#include "zone_loops.h"

int main(void)
{
    zone_calibrate();
    zone_pin();
    zone_first("uftrace");
    zone_batches("uftrace", "burst", BURST, 20);
    zone_batches("uftrace", "flat", FLAT, 50);
    zone_single("uftrace");
    return 0;
}
