/* SPDX-License-Identifier: MIT
 * outlet.h - where the chunks of a capture end: a recording, or another tool's format by the suffix
 * of the path, at once or as a flight recorder around misses.
 *
 * Flight recorder: definitions pass; events and clock pairs wait in memory of fixed size, and those
 * older than the span are thrown away. A cycle that ended late, or tac_outlet_keep, writes what is
 * there, and what comes for as long again. So memory and disk stay bounded for days.
 *
 * Only whole chunks are in a recording, whatever happens: one that the disk did not take entirely
 * is cut off again. Threads: any, one at a time by a lock of its own. */
#ifndef TAC_CAPTURE_OUTLET_H
#define TAC_CAPTURE_OUTLET_H

#include "tactus/error.h"
#include "trace/format.h"

#include <stddef.h>
#include <stdint.h>

struct tac_outlet;

struct tac_outlet_config {
    const char *path;    /* made, or emptied */
    uint32_t flight_s;   /* > 0: flight recorder */
    uint32_t on_miss;    /* 1: a late cycle is a reason to write; else only tac_outlet_keep */
    size_t flight_bytes; /* 0 = 16 MiB */
    uint64_t bytes_max;  /* > 0: no more events once so much was written; they are counted */
};

struct tac_outlet_stats {
    uint64_t chunks, bytes; /* given, and written */
    uint64_t misses, kept;  /* late cycles seen; times that the flight recorder wrote */
    uint64_t left_out;      /* chunks beyond bytes_max */
};

/* 0 or -errno with a sentence. */
TAC_MUST_CHECK int tac_outlet_open(const struct tac_outlet_config *config, struct tac_error *err,
                                   struct tac_outlet **ret_outlet);

/* A whole chunk with a right CRC. 0, or the first -errno of a write: nothing is written after it.
 */
TAC_MUST_CHECK int tac_outlet_put(struct tac_outlet *outlet, const struct tac_format_chunk *head,
                                  const void *payload);

/* A line of the recording's header. */
TAC_MUST_CHECK int tac_outlet_meta(struct tac_outlet *outlet, const char *key, const char *value);

void tac_outlet_keep(struct tac_outlet *outlet);

struct tac_outlet_stats tac_outlet_stats(struct tac_outlet *outlet);

/* Close; a file into which nothing was put is removed. 0 or -errno with a sentence. NULL is fine.
 */
TAC_MUST_CHECK int tac_outlet_close(struct tac_outlet *outlet, struct tac_error *err);

#endif
