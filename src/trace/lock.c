/* SPDX-License-Identifier: MIT
 * lock.c - see lock.h. The holder is written by who has the mutex and read by who waits, relaxed:
 * it may be a moment old, and is 0 when it was given back meanwhile. */
#include "tactus/lock.h"

#include "trace/lane.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread uint32_t own;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget(void)
{
    own = 0; /* the child's one thread has an id of its own */
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget);
}

/* The kernel's id of the calling thread. A registered one has it at hand; others ask once. */
static uint32_t own_tid(void)
{
    const struct tac_trace_lane *ring = tac_trace_lane_here;
    if (ring->record)
        return tac_lane_of(tac_trace_lane_here)->tid;
    if (!own) {
        pthread_once(&once, watch_forks);
        own = (uint32_t)syscall(SYS_gettid);
    }
    return own;
}

int tac_lock_init(struct tac_lock *lock)
{
    pthread_mutexattr_t attr;
    int error = pthread_mutexattr_init(&attr);
    if (error)
        return -error;
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    error = pthread_mutex_init(&lock->mutex, &attr);
    if (error == ENOTSUP)
        error = pthread_mutex_init(&lock->mutex, NULL);
    pthread_mutexattr_destroy(&attr);
    lock->holder = 0;
    return -error;
}

void tac_lock_fini(struct tac_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

static void taken(struct tac_lock *lock)
{
    __atomic_store_n(&lock->holder, own_tid(), __ATOMIC_RELAXED);
    TAC_LOCK_TAKEN(lock);
}

int tac_lock_try(struct tac_lock *lock)
{
    if (pthread_mutex_trylock(&lock->mutex))
        return 0;
    taken(lock);
    return 1;
}

void tac_lock_take(struct tac_lock *lock)
{
    if (tac_lock_try(lock))
        return;
    uint32_t holder = __atomic_load_n(&lock->holder, __ATOMIC_RELAXED);
    uint64_t begin = tac_trace_counter();
    pthread_mutex_lock(&lock->mutex);
    TAC_LOCK_WAITED(lock, holder, begin);
    taken(lock);
}

void tac_lock_give(struct tac_lock *lock)
{
    __atomic_store_n(&lock->holder, 0, __ATOMIC_RELAXED);
    TAC_LOCK_GIVEN(lock);
    pthread_mutex_unlock(&lock->mutex);
}
