/* SPDX-License-Identifier: MIT
 * compiled_out.c - compiled twice by compiled_out.sh: with TAC_TRACE_OFF, and with PLAIN, which
 * takes the macros away. The object code must be the same. */
#ifdef PLAIN
#define TAC_ZONE(name) ((void)0)
#define TAC_PLOT(name, unit, value) ((void)0)
#define TAC_MESSAGE(text, value) ((void)0)
#else
#include "tactus/trace.h"
#endif

float process(const float *in, int n);

float process(const float *in, int n)
{
    TAC_ZONE("process");
    float sum = 0;
    for (int i = 0; i < n; i++) {
        TAC_ZONE("inner");
        sum += in[i];
        TAC_PLOT("sum", "", sum);
    }
    TAC_MESSAGE("done", 1);
    return sum;
}
