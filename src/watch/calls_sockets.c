/* SPDX-License-Identifier: MIT
 * calls_sockets.c - sockets, and the look-up of names in the network. */
#include "watch/calls.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/types.h>

WRAP(ssize_t, send, (int fd, const void *b, size_t n, int flags), (fd, b, n, flags))
WRAP(ssize_t, recv, (int fd, void *b, size_t n, int flags), (fd, b, n, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(int, sendmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags), (fd, m, n, flags))
WRAP(int, recvmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t),
     (fd, m, n, flags, t))
WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, socketpair, (int family, int type, int protocol, int fd[2]), (family, type, protocol, fd))
WRAP(int, shutdown, (int fd, int how), (fd, how))
WRAP(int, getaddrinfo,
     (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found),
     (node, service, hints, found))

/* glibc declares the address as a union of all kinds for C. */
#define ADDRESS __CONST_SOCKADDR_ARG
#define ADDRESS_OUT __SOCKADDR_ARG
WRAP(ssize_t, sendto,
     (int fd, const void *b, size_t n, int flags, ADDRESS address, socklen_t length),
     (fd, b, n, flags, address, length))
WRAP(ssize_t, recvfrom,
     (int fd, void *b, size_t n, int flags, ADDRESS_OUT address, socklen_t *length),
     (fd, b, n, flags, address, length))
WRAP(int, connect, (int fd, ADDRESS address, socklen_t length), (fd, address, length))
WRAP(int, accept, (int fd, ADDRESS_OUT address, socklen_t *length), (fd, address, length))
WRAP(int, accept4, (int fd, ADDRESS_OUT address, socklen_t *length, int flags),
     (fd, address, length, flags))

ssize_t __recv_chk(int fd, void *b, size_t n, size_t size, int flags);
WRAP_AS("recv", ssize_t, __recv_chk, (int fd, void *b, size_t n, size_t size, int flags),
        (fd, b, n, size, flags))
