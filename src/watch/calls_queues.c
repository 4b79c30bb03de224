/* SPDX-License-Identifier: MIT
 * calls_queues.c - message queues and semaphores between processes, of POSIX and of System V. */
#include "watch/calls.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdarg.h>
#include <sys/msg.h>
#include <sys/sem.h>

WRAP(int, mq_close, (mqd_t queue), (queue))
WRAP(int, mq_unlink, (const char *name), (name))
WRAP(int, mq_send, (mqd_t queue, const char *b, size_t n, unsigned prio), (queue, b, n, prio))
WRAP(int, mq_timedsend,
     (mqd_t queue, const char *b, size_t n, unsigned prio, const struct timespec *until),
     (queue, b, n, prio, until))
WRAP(ssize_t, mq_receive, (mqd_t queue, char *b, size_t n, unsigned *prio), (queue, b, n, prio))
WRAP(ssize_t, mq_timedreceive,
     (mqd_t queue, char *b, size_t n, unsigned *prio, const struct timespec *until),
     (queue, b, n, prio, until))
WRAP(int, msgsnd, (int queue, const void *b, size_t n, int flags), (queue, b, n, flags))
WRAP(ssize_t, msgrcv, (int queue, void *b, size_t n, long kind, int flags),
     (queue, b, n, kind, flags))
WRAP(int, semop, (int set, struct sembuf *operations, size_t n), (set, operations, n))
WRAP(int, semtimedop,
     (int set, struct sembuf *operations, size_t n, const struct timespec *timeout),
     (set, operations, n, timeout))

/* Two more arguments are there only when a queue may be made. */
TAC_WATCH_EXPORT mqd_t mq_open(const char *name, int flags, ...)
{
    TAC_WATCH_SITE(site, "mq_open");
    mode_t mode = 0;
    struct mq_attr *attributes = NULL;
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        attributes = va_arg(args, struct mq_attr *);
        va_end(args);
    }
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    mqd_t result = TAC_WATCH_REAL(mq_open)(name, flags, mode, attributes);
    tac_watch_call_end(&call);
    return result;
}

/* What fortified programs call. */
mqd_t __mq_open_2(const char *name, int flags);
WRAP_AS("mq_open", mqd_t, __mq_open_2, (const char *name, int flags), (name, flags))
