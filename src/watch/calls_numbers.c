/* SPDX-License-Identifier: MIT
 * calls_numbers.c - system calls that are made by number: GLib's and Rust's locks wait by futex
 * this way.
 *
 * One that libc has a function for is shown, and so graded, as that function. What only asks, and
 * never waits, is not shown; a futex that wakes others is a note, as sem_post is. The rest is
 * "syscall". The list is searched inside cycles alone. */
#include "watch/calls.h"
#include "watch/descriptors.h"

#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMED(name)                                                                                \
    {                                                                                              \
        SYS_##name,                                                                                \
        {                                                                                          \
#name, NULL, NULL, NULL, 0, TAC_CAT_CALL, 1,                                           \
            {                                                                                      \
                0, 0                                                                               \
            }                                                                                      \
        }                                                                                          \
    }

static const struct {
    long number;
    struct tac_trace_site site;
} named[] = {
    NAMED(read),
    NAMED(write),
    NAMED(readv),
    NAMED(writev),
    NAMED(preadv),
    NAMED(pwritev),
    NAMED(openat),
    NAMED(close),
    NAMED(fsync),
    NAMED(fdatasync),
    NAMED(fallocate),
    NAMED(flock),
    NAMED(statx),
    NAMED(unlinkat),
    NAMED(ioctl),
    NAMED(nanosleep),
    NAMED(ppoll),
    NAMED(epoll_pwait),
    NAMED(clock_nanosleep),
    NAMED(sched_yield),
    NAMED(munmap),
    NAMED(mremap),
    NAMED(mprotect),
    NAMED(madvise),
    NAMED(mlock),
    NAMED(munlock),
    NAMED(mlockall),
    NAMED(mlock2),
    NAMED(sendto),
    NAMED(recvfrom),
    NAMED(sendmsg),
    NAMED(recvmsg),
    NAMED(connect),
    NAMED(execve),
    NAMED(memfd_create),
    NAMED(copy_file_range),
#ifdef SYS_mmap
    NAMED(mmap),
#endif
#ifdef SYS_poll
    NAMED(poll),
    NAMED(epoll_wait),
    NAMED(open),
#endif
#ifdef SYS_select
    NAMED(select),
#endif
};

static bool only_asks(long number)
{
    switch (number) {
    case SYS_gettid:
    case SYS_getpid:
    case SYS_getppid:
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid:
    case SYS_getcpu:
    case SYS_getrusage:
    case SYS_clock_gettime:
    case SYS_clock_getres:
    case SYS_gettimeofday:
    case SYS_sched_getscheduler:
    case SYS_sched_getparam:
    case SYS_sched_getaffinity:
        return true;
    default:
        return false;
    }
}

static bool wakes(long operation)
{
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
    case FUTEX_WAKE_OP:
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_UNLOCK_PI:
        return true;
    default:
        return false;
    }
}

static struct tac_watch_call begin(struct tac_watch_thread *t, long number, long operation,
                                   const void *caller)
{
    TAC_WATCH_SITE(wait_site, "futex");
    TAC_WATCH_SITE(wake_site, "futex wake");
    TAC_WATCH_SITE(other_site, "syscall");
    const struct tac_trace_site *site = number == SYS_futex ? &wait_site : &other_site;
    if (number == SYS_futex && wakes(operation)) {
        tac_watch_note(t, &wake_site, caller);
        return (struct tac_watch_call){0};
    }
    if (only_asks(number))
        return (struct tac_watch_call){0};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        site = named[i].number == number ? &named[i].site : site;
    return tac_watch_call_begin(site, caller);
}

TAC_WATCH_EXPORT long syscall(long number, ...)
{
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    struct tac_watch_thread *t = tac_watch_thread();
    struct tac_watch_call call = {0};
    if (TAC_UNLIKELY(t->cycle) && !t->shim)
        call = begin(t, number, a[1], TAC_WATCH_CALLER);
    long result = TAC_WATCH_REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    tac_watch_call_end(&call);
    if (number == SYS_perf_event_open && tac_descriptor_is_our_code(TAC_WATCH_CALLER))
        tac_descriptor_keep((int)result);
    return result;
}
