/* SPDX-License-Identifier: MIT
 * strips.h - a load of channel strips, side by side behind one source: equaliser, filter,
 * compressor and delay, each of two channels. */
#ifndef TAC_BENCH_STRIPS_H
#define TAC_BENCH_STRIPS_H

#include <stdio.h>

/* text has some 200 bytes for each strip. */
static inline void strips_write(char *text, unsigned count)
{
    char *at = text + sprintf(text, "nodes:\n  n: {block: noise, level: 1 %%}\n");
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at,
                      "  a%u: {block: eq, channels: 2}\n  b%u: {block: svf, channels: 2}\n"
                      "  c%u: {block: compressor, channels: 2}\n"
                      "  d%u: {block: delay, channels: 2}\n",
                      i, i, i, i);
    at += sprintf(at, "cables:\n");
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "  - n -> a%u -> b%u -> c%u -> d%u -> output\n", i, i, i, i);
}

#endif
