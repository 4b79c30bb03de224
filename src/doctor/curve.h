/* SPDX-License-Identifier: MIT
 * curve.h - memory in use over time, from the heap operations of a recording.
 *
 * How     Each block's size is remembered by its address in a hash table with open addressing, so a
 *         free without a size still counts. Blocks that were there before the recording are unknown
 *         and count nothing when they are freed: the curve is what the recording saw, net.
 *         A program that plots "memory in use" in bytes is believed instead: its own count misses
 *         nothing, where a recording may have lost operations to full buffers.
 * Cost    O(operations). Threads: one. */
#ifndef TAC_DOCTOR_CURVE_H
#define TAC_DOCTOR_CURVE_H

#include "capture/capture.h"

enum { TAC_CURVE_POINTS = 600 };

struct tac_curve {
    uint64_t begin_ns, step_ns;
    uint64_t high_bytes[TAC_CURVE_POINTS]; /* the most within the step */
    uint64_t blocks[TAC_CURVE_POINTS];     /* at the end of the step */
    uint64_t peak_bytes;
    uint32_t plotted; /* 1: from the program's plot; blocks are not known then */
    uint32_t lossy;   /* 1: from operations of which some were lost: too high or too low */
};

/* 0, -ENOMEM. */
TAC_MUST_CHECK int tac_curve_make(const struct tac_capture *capture, struct tac_curve *ret_curve);

#endif
