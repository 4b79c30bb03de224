/* SPDX-License-Identifier: MIT
 * net.h - addresses of streams, and non-blocking sockets for them.
 *
 * An address is "tcp:HOST:PORT", "HOST:PORT", ":PORT" or "PORT" (this machine; a host with colons
 * stands in brackets), "unix:PATH", or "unix:@NAME" for one of Linux' abstract names. "listen:" in
 * front: wait there for the other end. Threads: control; tac_net_parse may wait for a name server.
 */
#ifndef TAC_BASE_NET_H
#define TAC_BASE_NET_H

#include "tactus/error.h"

#include <stdbool.h>
#include <sys/socket.h>

enum { TAC_NET_PORT = 7007, TAC_NET_TEXT = 160 };

struct tac_net_address {
    struct sockaddr_storage name;
    socklen_t length;
    bool listens;
    bool is_local;           /* nobody outside this machine can reach it */
    char text[TAC_NET_TEXT]; /* for messages */
};

/* 0; -EINVAL when it is no address, -EHOSTUNREACH when the host has no address; err says which. */
TAC_MUST_CHECK int tac_net_parse(const char *text, struct tac_net_address *ret_address,
                                 struct tac_error *err);

/* True when a text names a stream (tcp:, unix:, listen:), not a file. */
bool tac_net_is_address(const char *text);

/* A listening socket, non-blocking, closed on exec; a path that a dead process left is taken over,
 * and is for its user alone. fd or -errno (-EADDRINUSE ...). */
TAC_MUST_CHECK int tac_net_listen(const struct tac_net_address *address);

/* Remove the path of a listening Unix socket. */
void tac_net_unlink(const struct tac_net_address *address);

/* Begin to connect: fd or -errno. *ret_done: connected already; else wait until it is writable and
 * ask tac_net_connected. A peer that does not answer for ten seconds counts as gone. */
TAC_MUST_CHECK int tac_net_connect(const struct tac_net_address *address, bool *ret_done);
int tac_net_connected(int fd); /* 0 or -errno */

/* The next waiting connection: fd, or -errno (-EAGAIN: none). Over a Unix socket only the same user
 * and root are let in (-EPERM). */
TAC_MUST_CHECK int tac_net_accept(int listener);

#endif
