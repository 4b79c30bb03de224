/* SPDX-License-Identifier: MIT
 * peer_lttng.h - the tracepoints of peer_lttng.c, in the form that LTTng-UST's own headers want. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER tactus_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "peer_lttng.h"

#if !defined(TAC_BENCH_PEER_LTTNG_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define TAC_BENCH_PEER_LTTNG_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(tactus_bench, zone_begin, LTTNG_UST_TP_ARGS(const void *, site),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_integer_hex(unsigned long, site,
                                                                           (unsigned long)site)))
LTTNG_UST_TRACEPOINT_EVENT(tactus_bench, zone_end, LTTNG_UST_TP_ARGS(const void *, site),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_integer_hex(unsigned long, site,
                                                                           (unsigned long)site)))

#endif

#include <lttng/tracepoint-event.h>
