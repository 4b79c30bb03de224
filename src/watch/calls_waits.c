/* SPDX-License-Identifier: MIT
 * calls_waits.c - sleeps, and waits for descriptors, signals and processes.
 *
 * A sleep for a time says what it asked for, so that a timer that came late can be told from it. A
 * thread that waits for its blocking stream by poll and the like is not late: its cycle ends there
 * and begins anew (hook_alsa.c). */
#include "watch/calls.h"
#include "watch/descriptors.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* asked_ns: 0 when it sleeps until a time. */
#define SLEEP(type, name, asked_ns, params, args)                                                  \
    TAC_WATCH_EXPORT type name params                                                              \
    {                                                                                              \
        TAC_WATCH_SITE(site, #name);                                                               \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        if (call.thread && call.zone.lane)                                                         \
            tac_zone_value(asked_ns);                                                              \
        type result = TAC_WATCH_REAL(name) args;                                                   \
        tac_watch_call_end(&call);                                                                 \
        return result;                                                                             \
    }

static inline uint64_t ns_of(const struct timespec *t)
{
    return t ? (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec : 0;
}

SLEEP(int, nanosleep, ns_of(t), (const struct timespec *t, struct timespec *left), (t, left))
SLEEP(int, clock_nanosleep, flags &TIMER_ABSTIME ? 0 : ns_of(t),
      (clockid_t clock, int flags, const struct timespec *t, struct timespec *left),
      (clock, flags, t, left))
SLEEP(int, usleep, (uint64_t)us * 1000, (useconds_t us), (us))
SLEEP(unsigned, sleep, (uint64_t)s * 1000000000, (unsigned s), (s))
WRAP(int, pause, (void), ())
WRAP(int, sched_yield, (void), ())
WRAP(int, sigwait, (const sigset_t *set, int *number), (set, number))
WRAP(int, sigsuspend, (const sigset_t *mask), (mask))
WRAP(pid_t, wait, (int *status), (status))
WRAP(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))

/* waits: whether it may wait at all. */
#define WRAP_POLL(name, waits, params, args)                                                       \
    TAC_WATCH_EXPORT int name params                                                               \
    {                                                                                              \
        TAC_WATCH_SITE(site, #name);                                                               \
        struct tac_watch_thread *t = tac_watch_thread();                                           \
        bool stream = t->stream && !t->shim && (waits);                                            \
        if (stream)                                                                                \
            tac_watch_wait_begin(t);                                                               \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        int result = TAC_WATCH_REAL(name) args;                                                    \
        tac_watch_call_end(&call);                                                                 \
        if (stream)                                                                                \
            tac_watch_wait_end(t);                                                                 \
        return result;                                                                             \
    }

static inline bool is_wait(const struct timespec *t)
{
    return !t || t->tv_sec || t->tv_nsec;
}

static inline bool is_wait_us(const struct timeval *t)
{
    return !t || t->tv_sec || t->tv_usec;
}

WRAP_POLL(poll, timeout_ms != 0, (struct pollfd * fds, nfds_t n, int timeout_ms),
          (fds, n, timeout_ms))
WRAP_POLL(ppoll, is_wait(timeout),
          (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
          (fds, n, timeout, mask))
WRAP_POLL(select, is_wait_us(timeout),
          (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout), (n, r, w, e, timeout))
WRAP_POLL(pselect, is_wait(timeout),
          (int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout,
           const sigset_t *mask),
          (n, r, w, e, timeout, mask))
WRAP_POLL(epoll_wait, timeout_ms != 0, (int fd, struct epoll_event *e, int n, int timeout_ms),
          (fd, e, n, timeout_ms))
WRAP_POLL(epoll_pwait, timeout_ms != 0,
          (int fd, struct epoll_event *e, int n, int timeout_ms, const sigset_t *mask),
          (fd, e, n, timeout_ms, mask))

/* What fortified programs call. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size);
WRAP_POLL(__poll_chk, timeout_ms != 0, (struct pollfd * fds, nfds_t n, int timeout_ms, size_t size),
          (fds, n, timeout_ms, size))

/* System calls made by number: GLib's and Rust's locks wait by futex this way. */
TAC_WATCH_EXPORT long syscall(long number, ...)
{
    TAC_WATCH_SITE(futex_site, "futex");
    TAC_WATCH_SITE(site, "syscall");
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    struct tac_watch_call call =
        tac_watch_call_begin(number == SYS_futex ? &futex_site : &site, TAC_WATCH_CALLER);
    long result = TAC_WATCH_REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    tac_watch_call_end(&call);
    if (number == SYS_perf_event_open && tac_descriptor_is_our_code(TAC_WATCH_CALLER))
        tac_descriptor_keep((int)result);
    return result;
}
