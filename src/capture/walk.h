/* SPDX-License-Identifier: MIT
 * walk.h - the events of a recording while its chunks come, in one pass and constant memory.
 *
 * Chunks wait until the clock pair after them is there (about 100 ms, at most TAC_WALK_BYTES), so
 * that their times are interpolated as those of a whole file are. Definitions are kept: they grow
 * with the program, not with time. Threads: one. */
#ifndef TAC_CAPTURE_WALK_H
#define TAC_CAPTURE_WALK_H

#include "capture/events.h"

struct tac_walk;

enum { TAC_WALK_BYTES = 16 << 20 };

/* taker: copied. 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_walk_open(const struct tac_event_taker *taker, struct tac_walk **ret_walk);

/* The next chunk, whole and with a right CRC. 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_walk_chunk(struct tac_walk *walk, const struct tac_format_chunk *head,
                                  const void *payload);

/* Give what still waits, and the gaps that were not told. 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_walk_end(struct tac_walk *walk);

/* Definitions so far; problems. Good until close. */
const struct tac_capture *tac_walk_capture(const struct tac_walk *walk);

void tac_walk_close(struct tac_walk *walk); /* NULL is fine */

/* All of a file, or of memory, then end. As tac_capture_open, a cut or damaged file is taken as far
 * as it goes. */
TAC_MUST_CHECK int tac_walk_file(struct tac_walk *walk, const char *path, struct tac_error *err);
TAC_MUST_CHECK int tac_walk_memory(struct tac_walk *walk, const void *bytes, size_t size,
                                   const char *name, struct tac_error *err);

#endif
