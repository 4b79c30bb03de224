/* SPDX-License-Identifier: MIT
 * clockmap.h - raw counters to CLOCK_MONOTONIC, piece by piece between the clock pairs.
 *
 * Between two pairs the counter is taken as linear; before the first and after the last, the
 * nearest piece is extended, the first ones together when they are short. Pairs that go backwards
 * are left out and told. */
#ifndef TAC_CAPTURE_CLOCKMAP_H
#define TAC_CAPTURE_CLOCKMAP_H

#include "capture/list.h"
#include "trace/format.h"

struct tac_clockmap {
    struct tac_list pairs; /* struct tac_format_clock, by counter */
    size_t hint;           /* the piece that was used last */
    double hz;             /* over all pairs; 0: not known */
    uint32_t problems;     /* enum tac_capture_problem */
};

/* pairs: as read, in file order; taken over. */
void tac_clockmap_init(struct tac_clockmap *map, struct tac_list *pairs);
/* Instead: add pairs as they come; the last few are kept. */
void tac_clockmap_push(struct tac_clockmap *map, const struct tac_format_clock *pair);
void tac_clockmap_fini(struct tac_clockmap *map);

uint64_t tac_clockmap_ns(struct tac_clockmap *map, uint64_t counter);

/* A difference of counters near a moment, in nanoseconds. */
uint64_t tac_clockmap_span_ns(struct tac_clockmap *map, uint64_t end, uint64_t ticks);

#endif
