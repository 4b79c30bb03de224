/* SPDX-License-Identifier: MIT
 * calls_waits.c - sleeps, and waits for descriptors, signals and processes.
 *
 * A sleep for a time says what it asked for, so that a timer that came late can be told from it. A
 * thread that waits for its blocking stream by poll and the like is not late: its cycle ends there
 * and begins anew (hook_alsa.c). */
#include "watch/calls.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <threads.h>
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
SLEEP(int, thrd_sleep, ns_of(t), (const struct timespec *t, struct timespec *left), (t, left))
WRAP(int, pause, (void), ())
WRAP(int, sched_yield, (void), ())
WRAP(int, sigwait, (const sigset_t *set, int *number), (set, number))
WRAP(int, sigsuspend, (const sigset_t *mask), (mask))
WRAP(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info), (set, info))
WRAP(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
     (set, info, timeout))
WRAP(pid_t, wait, (int *status), (status))
WRAP(pid_t, wait3, (int *status, int options, struct rusage *usage), (status, options, usage))
WRAP(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage),
     (pid, status, options, usage))
WRAP(int, waitid, (idtype_t kind, id_t id, siginfo_t *info, int options), (kind, id, info, options))
WRAP(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))

/* waits: whether it may wait at all. */
#define WRAP_POLL(name, waits, params, args) WRAP_POLL_AS(#name, name, waits, params, args)
#define WRAP_POLL_AS(shown, name, waits, params, args)                                             \
    TAC_WATCH_EXPORT int name params                                                               \
    {                                                                                              \
        TAC_WATCH_SITE(site, shown);                                                               \
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

WRAP_POLL(epoll_pwait2, is_wait(timeout),
          (int fd, struct epoll_event *e, int n, const struct timespec *timeout,
           const sigset_t *mask),
          (fd, e, n, timeout, mask))

/* What fortified programs call. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                size_t size);
WRAP_POLL_AS("poll", __poll_chk, timeout_ms != 0,
             (struct pollfd * fds, nfds_t n, int timeout_ms, size_t size),
             (fds, n, timeout_ms, size))
WRAP_POLL_AS("ppoll", __ppoll_chk, is_wait(timeout),
             (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
              size_t size),
             (fds, n, timeout, mask, size))
