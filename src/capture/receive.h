/* SPDX-License-Identifier: MIT
 * receive.h - the other end of a recorder's stream (src/trace/format.h, "over a connection").
 *
 * Listens for recorders, or connects to one that listens, and again when it goes. Each chunk that
 * is whole and has the right CRC is given on once, in order, and then acknowledged; anything else
 * ends the connection, and the recorder sends again from the last one acknowledged. A recorder that
 * comes back goes on where it was. Who gives the wrong token is let go with an answer that says so.
 *
 * Threads: one. Memory: at most one chunk, a frame and two reads for each of CONNECTIONS. Nothing
 * that a peer sends is trusted: it cannot keep the others, or who pumps, from their turn, either,
 * nor a place in which it says nothing. */
#ifndef TAC_CAPTURE_RECEIVE_H
#define TAC_CAPTURE_RECEIVE_H

#include "base/net.h"
#include "tactus/error.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stdint.h>

struct tac_receive;

enum tac_receive_news {
    TAC_RECEIVE_CAME,    /* a recorder is connected (again) */
    TAC_RECEIVE_LEFT,    /* its connection ended; it may come back */
    TAC_RECEIVE_ENDED,   /* it stopped in order */
    TAC_RECEIVE_REFUSED, /* somebody with a wrong token or version, or too many */
    TAC_RECEIVE_GARBAGE, /* something that follows no form: connection ended */
};

struct tac_receive_config {
    struct tac_net_address address; /* listens: wait there; else connect */
    const char *token;              /* NULL or "": none */
    void *owner;                    /* of the functions below */
    /* A new recording begins: *ret_session is what chunk() gets. 0, or -errno: refused. */
    int (*begin)(void *owner, uint32_t pid, void **ret_session);
    /* 0, or -errno: tac_receive_pump ends with it. */
    int (*chunk)(void *session, const struct tac_format_chunk *head, const void *payload);
    /* For messages; may be NULL. */
    void (*news)(void *owner, enum tac_receive_news what, uint32_t pid);
};

struct tac_receive_stats {
    uint32_t sessions, live, ended;
    uint64_t chunks, bytes, refused, garbage;
};

/* 0; -EADDRINUSE ...; -EACCES: others than this machine could connect without a token. */
TAC_MUST_CHECK int tac_receive_open(const struct tac_receive_config *config, struct tac_error *err,
                                    struct tac_receive **ret_receive);
/* Says goodbye to those who are connected: a recorder that waits to be asked is free at once. NULL
 * is fine. */
void tac_receive_close(struct tac_receive *receive);

/* Wait at most so long for something to do, do it. extra_fd: returns early when it is readable; -1:
 * none. 0 or the -errno of chunk(). */
TAC_MUST_CHECK int tac_receive_pump(struct tac_receive *receive, int extra_fd, int timeout_ms);

struct tac_receive_stats tac_receive_stats(const struct tac_receive *receive);

#endif
