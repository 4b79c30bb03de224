/* SPDX-License-Identifier: MIT
 * wire.h - chunks over a connection to another program or machine.
 *
 * A queue of fixed size holds each chunk until the other end has acknowledged it, so a broken
 * connection loses nothing while the queue has room. Nothing here waits: the helper calls
 * tac_wire_pump after each pass. When the queue is full, tac_wire_put refuses, and the caller
 * counts. A part of the queue is kept for definitions (names, sites, clocks); if even that is full,
 * the recording begins anew once there is room, as it does when the other end does not know it.
 * Form: src/trace/format.h, "over a connection". Threads: the helper, control threads under the
 * control mutex. Cost: memory of the queue, taken at the start. */
#ifndef TAC_TRACE_WIRE_H
#define TAC_TRACE_WIRE_H

#include "trace/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct tac_wire;

enum { TAC_WIRE_QUEUE_BYTES = 4 << 20, TAC_WIRE_QUEUE_BYTES_MIN = 256 << 10 };

/* address: base/net.h. token: NULL or "": none. 0, -EINVAL, -EHOSTUNREACH, -EADDRINUSE, -ENOMEM. */
int tac_wire_open(const char *address, const char *token, size_t queue_bytes,
                  struct tac_wire **ret_stream);
void tac_wire_close(struct tac_wire *stream); /* NULL is fine */

/* Close its descriptors and nothing else: for the child of a fork. NULL is fine. */
void tac_wire_leave(struct tac_wire *stream);

/* Queue a whole chunk that lies in at most two pieces. False: no room. */
bool tac_wire_put(struct tac_wire *stream, const struct tac_format_chunk *head,
                  const struct iovec *piece, int pieces);

/* Connect, send and read what is possible now. */
void tac_wire_pump(struct tac_wire *stream);

/* Bytes that went over connections so far. */
uint64_t tac_wire_sent(const struct tac_wire *stream);

/* False: it waits for others to connect, nobody has, and so nothing needs to be recorded. */
bool tac_wire_is_wanted(const struct tac_wire *stream);

/* True once: forget the queue, and let all definitions be written again. */
bool tac_wire_takes_restart(struct tac_wire *stream);

/* Pump until all is acknowledged or the time (CLOCK_MONOTONIC) has come, a quarter of it when
 * nobody is connected; true when all is. */
bool tac_wire_finish(struct tac_wire *stream, uint64_t until_ns);

#endif
