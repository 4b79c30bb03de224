/* SPDX-License-Identifier: MIT
 * locks.c - waits for mutexes, reader-writer locks, condition variables, semaphores and threads.
 *
 * A thread that records tries a lock first; only when that fails is there a wait, which is recorded
 * with the holder: glibc keeps the owner's thread id in the lock. Threads that do not record pass
 * straight through. Waits for condition variables and semaphores have no holder; inside a cycle
 * they are calls that block.
 *
 * pthread_cond_* have two versions with different layouts in glibc of x86 (GLIBC_2.3.2 is the one
 * of this century); the newer one is asked for by name. */
#include "watch/watch.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

static inline bool looks(void)
{
    struct tac_watch_thread *t = tac_watch_thread();
    return TAC_UNLIKELY(tac_watch_records(TAC_CAT_LOCK)) && !t->shim;
}

static void record(const void *lock, int holder, uint64_t begin, const void *caller)
{
    struct tac_watch_thread *t = tac_watch_thread();
    tac_trace_lock_wait(lock, holder > 0 ? (uint32_t)holder : 0, begin);
    if (t->cycle)
        tac_watch_stack(t, caller);
}

TAC_WATCH_EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!looks())
        return TAC_WATCH_REAL(pthread_mutex_lock)(mutex);
    int r = TAC_WATCH_REAL(pthread_mutex_trylock)(mutex);
    if (r != EBUSY)
        return r;
    int holder = __atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED);
    uint64_t begin = tac_trace_counter();
    r = TAC_WATCH_REAL(pthread_mutex_lock)(mutex);
    record(mutex, holder, begin, TAC_WATCH_CALLER);
    return r;
}

TAC_WATCH_EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    if (!looks())
        return TAC_WATCH_REAL(pthread_rwlock_rdlock)(lock);
    int r = TAC_WATCH_REAL(pthread_rwlock_tryrdlock)(lock);
    if (r != EBUSY)
        return r;
    int holder = __atomic_load_n(&lock->__data.__cur_writer, __ATOMIC_RELAXED);
    uint64_t begin = tac_trace_counter();
    r = TAC_WATCH_REAL(pthread_rwlock_rdlock)(lock);
    record(lock, holder, begin, TAC_WATCH_CALLER);
    return r;
}

TAC_WATCH_EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    if (!looks())
        return TAC_WATCH_REAL(pthread_rwlock_wrlock)(lock);
    int r = TAC_WATCH_REAL(pthread_rwlock_trywrlock)(lock);
    if (r != EBUSY)
        return r;
    int holder = __atomic_load_n(&lock->__data.__cur_writer, __ATOMIC_RELAXED);
    uint64_t begin = tac_trace_counter();
    r = TAC_WATCH_REAL(pthread_rwlock_wrlock)(lock);
    record(lock, holder, begin, TAC_WATCH_CALLER);
    return r;
}

#define COND(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, "GLIBC_2.3.2", NULL)

TAC_WATCH_EXPORT int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    TAC_WATCH_SITE(site, "pthread_cond_wait");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = COND(pthread_cond_wait)(cond, mutex);
    tac_watch_call_end(&call);
    return r;
}

TAC_WATCH_EXPORT int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                            const struct timespec *until)
{
    TAC_WATCH_SITE(site, "pthread_cond_timedwait");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = COND(pthread_cond_timedwait)(cond, mutex, until);
    tac_watch_call_end(&call);
    return r;
}

/* An uncontended semaphore is taken without a wait, and not an event. */
TAC_WATCH_EXPORT int sem_wait(sem_t *sem)
{
    TAC_WATCH_SITE(site, "sem_wait");
    if (!tac_watch_thread()->cycle)
        return TAC_WATCH_REAL(sem_wait)(sem);
    int before = errno;
    if (TAC_WATCH_REAL(sem_trywait)(sem) == 0)
        return 0;
    errno = before;
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = TAC_WATCH_REAL(sem_wait)(sem);
    tac_watch_call_end(&call);
    return r;
}

TAC_WATCH_EXPORT int sem_timedwait(sem_t *sem, const struct timespec *until)
{
    TAC_WATCH_SITE(site, "sem_timedwait");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = TAC_WATCH_REAL(sem_timedwait)(sem, until);
    tac_watch_call_end(&call);
    return r;
}

TAC_WATCH_EXPORT int pthread_join(pthread_t thread, void **ret_result)
{
    TAC_WATCH_SITE(site, "pthread_join");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = TAC_WATCH_REAL(pthread_join)(thread, ret_result);
    tac_watch_call_end(&call);
    return r;
}
