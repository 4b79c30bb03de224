/* SPDX-License-Identifier: MIT
 * sink.h - where chunks go: a file descriptor or a stream, at once or, as a flight recorder, when
 * it matters.
 *
 * Definitions (names, sites) are always written. With a flight recorder, records, kernel events and
 * the clock pairs between them wait in a byte ring of fixed size and are written only by
 * tac_sink_keep and for a while after it; over a stream, where the other end wants to hear that
 * somebody is there, clock pairs go at once. Threads: the helper; control threads under the control
 * mutex. */
#ifndef TAC_TRACE_SINK_H
#define TAC_TRACE_SINK_H

#include "trace/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tac_wire;

struct tac_sink {
    int fd;
    struct tac_wire *stream; /* instead of fd, when not NULL */
    int error;               /* first -errno; nothing is written after it */
    uint64_t bytes;
    /* flight recorder */
    unsigned char *ring;
    size_t size, first, used;
    uint64_t span_ns, keep_until_ns;
    uint64_t first_pair_ns; /* of the first clock pair; 0: none came */
    bool ends;              /* the clock pair that comes is the last */
};

/* fd stays the caller's. span_ns 0: no flight recorder. 0 or -ENOMEM. */
int tac_sink_init(struct tac_sink *sink, int fd, uint64_t span_ns, size_t flight_bytes);
void tac_sink_fini(struct tac_sink *sink);

/* Write (or keep) a chunk: fills magic, bytes and crc of head. False: a stream had no room for it.
 */
bool tac_sink_put(struct tac_sink *sink, struct tac_format_chunk *head, const void *payload,
                  uint32_t bytes);

/* Flight recorder: write what is kept, and go on writing for the span. What a stream has no room
 * for stays and goes with tac_sink_go_on; until then newer evidence is refused, for the caller to
 * count.
 */
void tac_sink_keep(struct tac_sink *sink, uint64_t now_ns);

/* False: some of what was to be written still waits for room in the stream. */
bool tac_sink_go_on(struct tac_sink *sink);

#endif
