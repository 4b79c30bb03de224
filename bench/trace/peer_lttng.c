/* SPDX-License-Identifier: MIT
 * peer_lttng.c - a zone as two tracepoints of LTTng-UST, in the loops of zone_loops.h. Records when
 * an lttng session with the events tactus_bench:* runs; bench/trace/zones makes one. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "peer_lttng.h"

static const char site[] = "bench";

static inline void close_zone(const char **zone)
{
    lttng_ust_tracepoint(tactus_bench, zone_end, *zone);
}

#define BENCH_ZONE                                                                                 \
    const char *zone __attribute__((cleanup(close_zone), unused)) = site;                          \
    lttng_ust_tracepoint(tactus_bench, zone_begin, site)
#include "zone_loops.h"

int main(void)
{
    zone_calibrate();
    zone_pin();
    zone_first("lttng");
    zone_batches("lttng", "burst", BURST, 20);
    zone_batches("lttng", "flat", FLAT, 50);
    zone_single("lttng");
    return 0;
}
