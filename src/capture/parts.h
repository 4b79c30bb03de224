/* SPDX-License-Identifier: MIT
 * parts.h - a recording of any length as captures of bounded size, one after the other, for what
 * needs arrays (the doctor's verdicts).
 *
 * A part begins TAC_PARTS_AROUND_NS before the time that is its own and ends as much after it, so
 * that what happened at its edges has its surroundings; a recording of few events is one part, with
 * all that is in it. Memory: the definitions, and the events of one part; it does not grow with the
 * recording's length. Cost: two passes over the surroundings. Threads: one. */
#ifndef TAC_CAPTURE_PARTS_H
#define TAC_CAPTURE_PARTS_H

#include "capture/capture.h"

enum { TAC_PARTS_EVENTS = 400000 }; /* a part ends at the first clock pair after so many */
#define TAC_PARTS_AROUND_NS 2000000000ull

struct tac_parts;

struct tac_part {
    struct tac_capture *capture; /* for tac_capture_close by who got it */
    uint64_t from_ns, to_ns;     /* its own: from <= t < to */
};

/* events: TAC_PARTS_EVENTS, or another number for tests. Fails as tac_capture_open. */
TAC_MUST_CHECK int tac_parts_open(const char *path, uint64_t events, struct tac_error *err,
                                  struct tac_parts **ret_parts);
/* 1 and the next part, 0 when there is none, or what tac_capture_open fails with. */
TAC_MUST_CHECK int tac_parts_next(struct tac_parts *parts, struct tac_part *ret_part,
                                  struct tac_error *err);
void tac_parts_close(struct tac_parts *parts); /* NULL is fine */

#endif
