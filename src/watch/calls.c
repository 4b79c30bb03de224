/* SPDX-License-Identifier: MIT
 * calls.c - calls that real-time code should not make: files, sockets, sleeps, mappings, processes.
 *
 * Inside a cycle each becomes a zone of category CALL with the way to it; outside it costs one load
 * and one branch. What the real function calls in turn is not looked at. The formatted-output
 * family is in calls_print.c, locks are in locks.c.
 *
 * Built without large-file redirection, since both names of such functions are exported. */
#undef _FILE_OFFSET_BITS

#include "watch/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* A wrapper: type name(params) calls the real name(args). The twins for large files are shown under
 * their plain names. */
#define WRAP(type, name, params, args) WRAP_AS(#name, type, name, params, args)
#define WRAP_AS(shown, type, name, params, args)                                                   \
    TAC_WATCH_EXPORT type name params                                                              \
    {                                                                                              \
        TAC_WATCH_SITE(site, shown);                                                               \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        type result = TAC_WATCH_REAL(name) args;                                                   \
        tac_watch_call_end(&call);                                                                 \
        return result;                                                                             \
    }

/* files */
WRAP(ssize_t, read, (int fd, void *buffer, size_t n), (fd, buffer, n))
WRAP(ssize_t, write, (int fd, const void *buffer, size_t n), (fd, buffer, n))
WRAP(ssize_t, pread, (int fd, void *buffer, size_t n, off_t at), (fd, buffer, n, at))
WRAP(ssize_t, pwrite, (int fd, const void *buffer, size_t n, off_t at), (fd, buffer, n, at))
WRAP_AS("pread", ssize_t, pread64, (int fd, void *buffer, size_t n, off64_t at),
        (fd, buffer, n, at))
WRAP_AS("pwrite", ssize_t, pwrite64, (int fd, const void *buffer, size_t n, off64_t at),
        (fd, buffer, n, at))
WRAP(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(int, close, (int fd), (fd))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP_AS("fopen", FILE *, fopen64, (const char *path, const char *mode), (path, mode))
WRAP(int, fclose, (FILE * file), (file))
WRAP(int, fflush, (FILE * file), (file))
WRAP(size_t, fread, (void *to, size_t bytes, size_t n, FILE *file), (to, bytes, n, file))
WRAP(size_t, fwrite, (const void *from, size_t bytes, size_t n, FILE *file), (from, bytes, n, file))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, rename, (const char *from, const char *to), (from, to))

/* sockets */
WRAP(ssize_t, send, (int fd, const void *b, size_t n, int flags), (fd, b, n, flags))
WRAP(ssize_t, recv, (int fd, void *b, size_t n, int flags), (fd, b, n, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol))

/* sleeps */
WRAP(int, nanosleep, (const struct timespec *t, struct timespec *left), (t, left))
WRAP(int, clock_nanosleep,
     (clockid_t clock, int flags, const struct timespec *t, struct timespec *left),
     (clock, flags, t, left))
WRAP(int, usleep, (useconds_t us), (us))
WRAP(unsigned, sleep, (unsigned s), (s))
WRAP(int, select, (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *t), (n, r, w, e, t))

/* mappings */
WRAP(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
     (at, n, prot, flags, fd, offset))
WRAP_AS("mmap", void *, mmap64, (void *at, size_t n, int prot, int flags, int fd, off64_t offset),
        (at, n, prot, flags, fd, offset))
WRAP(int, munmap, (void *at, size_t n), (at, n))
WRAP(int, mprotect, (void *at, size_t n, int prot), (at, n, prot))
WRAP(int, madvise, (void *at, size_t n, int advice), (at, n, advice))
WRAP(int, mlock, (const void *at, size_t n), (at, n))

/* processes */
WRAP(pid_t, fork, (void), ())
WRAP(int, system, (const char *command), (command))
WRAP(FILE *, popen, (const char *command, const char *mode), (command, mode))

/* The third argument of open is there only when a file may be made. */
#define WRAP_OPEN(shown, name, first_param, first_arg)                                             \
    TAC_WATCH_EXPORT int name(first_param const char *path, int flags, ...)                        \
    {                                                                                              \
        TAC_WATCH_SITE(site, shown);                                                               \
        mode_t mode = 0;                                                                           \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                                 \
            va_list args;                                                                          \
            va_start(args, flags);                                                                 \
            mode = va_arg(args, mode_t);                                                           \
            va_end(args);                                                                          \
        }                                                                                          \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        int fd = TAC_WATCH_REAL(name)(first_arg path, flags, mode);                                \
        tac_watch_call_end(&call);                                                                 \
        return fd;                                                                                 \
    }
#define FOLDER_PARAM int folder,
#define FOLDER_ARG folder,
WRAP_OPEN("open", open, , )
WRAP_OPEN("open", open64, , )
WRAP_OPEN("openat", openat, FOLDER_PARAM, FOLDER_ARG)
WRAP_OPEN("openat", openat64, FOLDER_PARAM, FOLDER_ARG)

/* A thread that waits for its blocking stream here is not late: its cycle ends and begins anew. */
TAC_WATCH_EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    TAC_WATCH_SITE(site, "poll");
    struct tac_watch_thread *t = tac_watch_thread();
    bool waits = t->stream && timeout_ms != 0 && !t->shim;
    if (waits)
        tac_watch_wait_begin(t);
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int result = TAC_WATCH_REAL(poll)(fds, n, timeout_ms);
    tac_watch_call_end(&call);
    if (waits)
        tac_watch_wait_end(t);
    return result;
}

/* The process becomes another program: its recording ends here. */
TAC_WATCH_EXPORT int execve(const char *path, char *const *argv, char *const *env)
{
    tac_watch_recorder_stop();
    return TAC_WATCH_REAL(execve)(path, argv, env);
}
