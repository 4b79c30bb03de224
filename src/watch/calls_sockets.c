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
WRAP(int, listen, (int fd, int waiting), (fd, waiting))
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *n),
     (fd, level, name, value, n))
WRAP(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t n),
     (fd, level, name, value, n))
WRAP(int, shutdown, (int fd, int how), (fd, how))
WRAP(int, getaddrinfo,
     (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found),
     (node, service, hints, found))
WRAP(int, getnameinfo,
     (const struct sockaddr *address, socklen_t length, char *host, socklen_t host_n, char *service,
      socklen_t service_n, int flags),
     (address, length, host, host_n, service, service_n, flags))
WRAP(struct hostent *, gethostbyname, (const char *name), (name))
WRAP(struct hostent *, gethostbyname2, (const char *name, int family), (name, family))
WRAP(struct hostent *, gethostbyaddr, (const void *address, socklen_t n, int family),
     (address, n, family))
WRAP(int, gethostbyname_r,
     (const char *name, struct hostent *host, char *b, size_t n, struct hostent **found,
      int *error),
     (name, host, b, n, found, error))
WRAP(int, gethostbyname2_r,
     (const char *name, int family, struct hostent *host, char *b, size_t n, struct hostent **found,
      int *error),
     (name, family, host, b, n, found, error))

/* glibc declares the address as a union of all kinds for C. */
#define ADDRESS __CONST_SOCKADDR_ARG
#define ADDRESS_OUT __SOCKADDR_ARG
WRAP(ssize_t, sendto,
     (int fd, const void *b, size_t n, int flags, ADDRESS address, socklen_t length),
     (fd, b, n, flags, address, length))
WRAP(ssize_t, recvfrom,
     (int fd, void *b, size_t n, int flags, ADDRESS_OUT address, socklen_t *length),
     (fd, b, n, flags, address, length))
WRAP(int, bind, (int fd, ADDRESS address, socklen_t length), (fd, address, length))
WRAP(int, connect, (int fd, ADDRESS address, socklen_t length), (fd, address, length))
WRAP(int, accept, (int fd, ADDRESS_OUT address, socklen_t *length), (fd, address, length))
WRAP(int, accept4, (int fd, ADDRESS_OUT address, socklen_t *length, int flags),
     (fd, address, length, flags))

/* What fortified programs call. */
ssize_t __recv_chk(int fd, void *b, size_t n, size_t size, int flags);
WRAP_AS("recv", ssize_t, __recv_chk, (int fd, void *b, size_t n, size_t size, int flags),
        (fd, b, n, size, flags))
ssize_t __recvfrom_chk(int fd, void *b, size_t n, size_t size, int flags, ADDRESS_OUT address,
                       socklen_t *length);
WRAP_AS("recvfrom", ssize_t, __recvfrom_chk,
        (int fd, void *b, size_t n, size_t size, int flags, ADDRESS_OUT address, socklen_t *length),
        (fd, b, n, size, flags, address, length))
