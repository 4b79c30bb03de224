/* SPDX-License-Identifier: MIT
 * net.c - see net.h. */
#include "base/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { HOST_MAX = 256, DEAD_MS = 10000 };

static bool begins(const char *text, const char *word)
{
    return !strncmp(text, word, strlen(word));
}

bool tac_net_is_address(const char *text)
{
    return begins(text, "tcp:") || begins(text, "unix:") || begins(text, "listen:");
}

static int parse_unix(const char *path, struct tac_net_address *a, struct tac_error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (!n || n >= sizeof un.sun_path)
        return tac_error_set(err, -EINVAL, NULL, 0, 0,
                             "unix:%s is no address: a socket's path has 1 to %zu bytes", path,
                             sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, n + 1);
    if (path[0] == '@')
        un.sun_path[0] = 0;
    memcpy(&a->name, &un, sizeof un);
    a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] != '@'));
    a->is_local = true;
    return 0;
}

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* Split HOST:PORT; either may be left out. False when it is neither. */
static bool split(const char *text, char host[HOST_MAX], char port[16])
{
    const char *begin = text, *end = text + strlen(text), *number = NULL;
    const char *colon = strrchr(text, ':');
    if (text[0] == '[') {
        begin = text + 1;
        end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        number = end[1] ? end + 2 : NULL;
    } else if (is_number(text)) {
        number = text;
        end = text;
    } else if (colon) {
        number = colon + 1;
        end = colon;
    }
    if (end - begin >= HOST_MAX || (number && (!is_number(number) || strlen(number) > 5)))
        return false;
    snprintf(host, HOST_MAX, "%.*s", (int)(end - begin), begin);
    snprintf(port, 16, "%d", TAC_NET_PORT);
    if (number)
        snprintf(port, 16, "%s", number);
    return strtol(port, NULL, 10) <= 65535;
}

static bool is_loopback(const struct sockaddr *name)
{
    if (name->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)name)->sin_addr.s_addr) >> 24 ==
               127;
    return name->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)name)->sin6_addr);
}

static int parse_tcp(const char *text, struct tac_net_address *a, struct tac_error *err)
{
    char host[HOST_MAX], port[16];
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
    if (!split(text, host, port))
        return tac_error_set(err, -EINVAL, NULL, 0, 0,
                             "%s is no address: write HOST:PORT, unix:PATH or unix:@NAME", text);
    int error = getaddrinfo(*host ? host : "127.0.0.1", port, &want, &found);
    if (error)
        return tac_error_set(err, -EHOSTUNREACH, NULL, 0, 0,
                             "%s: the host '%s' has no address (%s); write HOST:PORT, unix:PATH or "
                             "unix:@NAME",
                             text, host, gai_strerror(error));
    memcpy(&a->name, found->ai_addr, found->ai_addrlen);
    a->length = found->ai_addrlen;
    a->is_local = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    return 0;
}

int tac_net_parse(const char *text, struct tac_net_address *ret_address, struct tac_error *err)
{
    struct tac_net_address a = {.listens = begins(text, "listen:")};
    const char *rest = a.listens ? text + strlen("listen:") : text;
    snprintf(a.text, sizeof a.text, "%s", rest);
    rest += begins(rest, "tcp:") ? strlen("tcp:") : 0;
    int error = begins(rest, "unix:") ? parse_unix(rest + strlen("unix:"), &a, err)
                                      : parse_tcp(rest, &a, err);
    if (!error)
        *ret_address = a;
    return error;
}

static int make_socket(const struct tac_net_address *a)
{
    int fd = socket(a->name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static const struct sockaddr *name_of(const struct tac_net_address *a)
{
    return (const struct sockaddr *)(const void *)&a->name;
}

static const char *path_of(const struct tac_net_address *a)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->name;
    return a->name.ss_family == AF_UNIX && un->sun_path[0] ? un->sun_path : NULL;
}

void tac_net_unlink(const struct tac_net_address *a)
{
    struct stat st;
    if (path_of(a) && !lstat(path_of(a), &st) && S_ISSOCK(st.st_mode))
        unlink(path_of(a));
}

/* A socket file that nobody listens at any more stands in the way: remove it. */
static void remove_stale(const struct tac_net_address *a)
{
    struct stat st;
    bool done;
    if (!path_of(a) || lstat(path_of(a), &st) || !S_ISSOCK(st.st_mode))
        return;
    int fd = tac_net_connect(a, &done);
    if (fd == -ECONNREFUSED)
        unlink(path_of(a));
    if (fd >= 0)
        close(fd);
}

int tac_net_listen(const struct tac_net_address *a)
{
    int one = 1;
    remove_stale(a);
    int fd = make_socket(a);
    if (fd < 0)
        return fd;
    if (a->name.ss_family == AF_UNIX)
        fchmod(fd, 0600);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, name_of(a), a->length) || listen(fd, 16)) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void notice_death(int fd)
{
    int one = 1, idle = 5, count = 3;
    unsigned dead_ms = DEAD_MS;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
}

int tac_net_connect(const struct tac_net_address *a, bool *ret_done)
{
    int fd = make_socket(a);
    if (fd < 0)
        return fd;
    if (a->name.ss_family != AF_UNIX)
        notice_death(fd);
    *ret_done = connect(fd, name_of(a), a->length) == 0;
    if (!*ret_done && errno != EINPROGRESS) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int tac_net_connected(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
        return -errno;
    return -error;
}

int tac_net_accept(int listener)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int fd =
        accept4(listener, (struct sockaddr *)(void *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct ucred who;
    socklen_t size = sizeof who;
    if (name.ss_family != AF_UNIX) {
        notice_death(fd);
    } else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) ||
               (who.uid != geteuid() && who.uid != 0 && geteuid() != 0)) {
        close(fd);
        return -EPERM;
    }
    return fd;
}
