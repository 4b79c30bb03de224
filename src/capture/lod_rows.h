/* SPDX-License-Identifier: MIT
 * lod_rows.h - rows of spans and their pyramids: what lod.c builds and lod_query.c asks. Internal
 * to capture.
 *
 * A row is n numbers of spans in an array of the capture (zones, cycles, gaps, memory, locks), or n
 * spans of its own (states). Group g of level 0 sums the spans 16 g ... 16 g + 15, of level k + 1
 * the groups of level k likewise. */
#ifndef TAC_CAPTURE_LOD_ROWS_H
#define TAC_CAPTURE_LOD_ROWS_H

#include "capture/list.h"
#include "capture/lod.h"

enum { TAC_LOD_FAN = 16, TAC_LOD_LEVELS = 8 };

struct tac_lod_own { /* a span that no array of the capture has */
    uint64_t begin_ns, end_ns;
    uint32_t index;
};

struct tac_lod_sum {
    uint64_t busy_ns;
    uint32_t longest; /* place in the row */
};

struct tac_lod_row {
    const uint32_t *place; /* NULL: own */
    const struct tac_lod_own *own;
    uint32_t n;
    struct tac_lod_sum *level[TAC_LOD_LEVELS];
};

struct tac_lod_lane {
    struct tac_lod_row *row;
    uint32_t rows;
};

struct tac_lod_extent {
    double min, max;
};

struct tac_lod_plot {
    const uint32_t *place; /* in plots[] */
    uint32_t n;
    struct tac_lod_extent *level[TAC_LOD_LEVELS];
};

struct tac_lod {
    const struct tac_capture *c;
    struct tac_lod_lane *lane[TAC_LOD_KINDS];
    uint32_t lanes[TAC_LOD_KINDS];
    struct tac_lod_plot *plot; /* by site */
    struct tac_list blocks;    /* void *: all that was allocated */
    size_t bytes;
};

/* Begin and end of the i-th span of a row; what has no end goes on to the next one. */
struct tac_lod_own tac_lod_span_at(const struct tac_lod *lod, enum tac_lod_kind kind,
                                   const struct tac_lod_row *row, uint32_t i);

#endif
