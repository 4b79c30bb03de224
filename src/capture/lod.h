/* SPDX-License-Identifier: MIT
 * lod.h - what a picture of a capture needs, in time proportional to its pixels, not to its events.
 *
 * A lane is a thread's zones, a source's cycles, a core, or a thread's states, gaps, memory
 * operations or waits for locks; it has rows (zones: one per depth) whose spans never overlap. A
 * query gives the spans of a row between two times at a resolution: what is at least a pixel wide
 * as it is, and of what is narrower one span a pixel, with how many it stands for, how much of it
 * is busy, and which the longest is. Plots give minimum, maximum and last value a pixel.
 *
 * Each row has a pyramid of sums, sixteen to one, beside the arrays of the capture: about five
 * bytes a span. Cost: open one walk over the capture; a query O(pixels x log(spans)). Threads:
 * after open, any number may query. The capture must stay open. */
#ifndef TAC_CAPTURE_LOD_H
#define TAC_CAPTURE_LOD_H

#include "capture/capture.h"

struct tac_lod;

enum tac_lod_kind {
    TAC_LOD_ZONES,  /* lane: thread; rows: depth; index: in zones[] */
    TAC_LOD_CYCLES, /* lane: source; index: in cycles[] */
    TAC_LOD_CPU,    /* lane: core; index: tid that ran (idle is empty) */
    TAC_LOD_STATE,  /* lane: thread; index: enum tac_lod_state */
    TAC_LOD_GAPS,   /* lane: thread; index: in gaps[] */
    TAC_LOD_MEMORY, /* lane: thread; index: in memory[] */
    TAC_LOD_LOCKS,  /* lane: thread; index: in locks[] */
    TAC_LOD_KINDS
};

enum tac_lod_state {
    TAC_LOD_RUNNING = 1,
    TAC_LOD_READY,  /* could run and does not: woken, or pre-empted */
    TAC_LOD_ASLEEP, /* waits, can be interrupted */
    TAC_LOD_STUCK,  /* waits, cannot be interrupted (D) */
};

struct tac_lod_span {
    uint64_t begin_ns, end_ns;
    uint64_t busy_ns; /* of the spans that it stands for */
    uint32_t count;   /* of them; 1: it is as it was */
    uint32_t index;   /* see enum tac_lod_kind; of the longest */
};

struct tac_lod_point {
    uint64_t ns; /* of the last */
    double min, max, last;
    uint32_t count;
};

/* 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_lod_open(const struct tac_capture *capture, struct tac_lod **ret_lod);
void tac_lod_close(struct tac_lod *lod); /* NULL is fine */

/* Lanes of a kind (threads, sources, highest core + 1), and rows of a lane. */
uint32_t tac_lod_lanes(const struct tac_lod *lod, enum tac_lod_kind kind);
uint32_t tac_lod_rows(const struct tac_lod *lod, enum tac_lod_kind kind, uint32_t lane);

/* The spans of a row that meet [from_ns, to_ns), in order; at most 2 * pixels + 2, and at most max,
 * are written. Returns how many; 0 for a row that is not there or an empty range. */
size_t tac_lod_spans(const struct tac_lod *lod, enum tac_lod_kind kind, uint32_t lane, uint32_t row,
                     uint64_t from_ns, uint64_t to_ns, uint32_t pixels,
                     struct tac_lod_span *ret_spans, size_t max);

/* The same for the plot of a site, one point a pixel; one before from_ns is given too, so that a
 * line can be drawn from the edge. */
size_t tac_lod_points(const struct tac_lod *lod, uint32_t site, uint64_t from_ns, uint64_t to_ns,
                      uint32_t pixels, struct tac_lod_point *ret_points, size_t max);

/* Bytes that the object takes beside the capture. */
size_t tac_lod_bytes(const struct tac_lod *lod);

#endif
