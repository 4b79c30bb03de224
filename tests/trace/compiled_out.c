/* SPDX-License-Identifier: MIT
 * compiled_out.c - every macro once; compiled twice by compiled_out.sh: with TAC_TRACE_OFF, and
 * with PLAIN, which takes the macros away. The object code must be the same. */
#ifdef PLAIN
#define EVENT(x)
#else
#include "tactus/cycle.h"
#define EVENT(x) x;
#endif
/* Sites made at run time have their level with them: the compiler cannot leave their events out. */
#if defined(PLAIN) || defined(STATIC_ONLY)
#define EVENT_SITE(x)
#else
#define EVENT_SITE(x) EVENT(x)
#endif

float process(const float *in, int n, const void *site);

float process(const float *in, int n, const void *site)
{
    EVENT(TAC_CYCLE_BEGIN(0, 1, 64))
    EVENT(TAC_ZONE("process"))
    EVENT(TAC_ZONE_TEXT("text"))
    EVENT(TAC_ZONE_VALUE(7))
    float sum = 0;
    for (int i = 0; i < n; i++) {
        EVENT(TAC_ZONE_FINE("inner"))
        EVENT(TAC_ZONE_NAMED(zone, TAC_CAT_USER, 1, "named"))
        EVENT(TAC_ZONE_VALUE_OF(zone, 7))
        EVENT(TAC_ZONE_TEXT_OF(zone, (const struct tac_trace_site *)site))
        EVENT_SITE(TAC_ZONE_SITE((const struct tac_trace_site *)site))
        EVENT_SITE(TAC_PLOT_SITE((const struct tac_trace_site *)site, sum))
        sum += in[i];
        EVENT(TAC_PLOT("sum", "", sum))
    }
    EVENT(TAC_MESSAGE("done", 1))
    EVENT(TAC_TEXT("done", 4))
    EVENT(TAC_FLOW(TAC_FLOW_BEGIN, 1))
    EVENT(TAC_MEMORY(TAC_MEMORY_ALLOC, in, 0, 4, 0))
    EVENT(TAC_LOCK_WAITED(in, 0, 0))
    EVENT(TAC_LOCK_TAKEN(in))
    EVENT(TAC_LOCK_GIVEN(in))
    EVENT_SITE(TAC_THREAD("name"))
    EVENT(TAC_CYCLE_END(0))
    (void)site;
    return sum;
}
