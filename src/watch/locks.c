/* SPDX-License-Identifier: MIT
 * locks.c - mutexes, reader-writer locks and spin locks: waits with their holder.
 *
 * A thread that records tries a lock first; only when that fails is there a wait, which is recorded
 * with who had the lock (glibc keeps the owner of a mutex in it; for the rest see holders.h) and
 * where that thread took it. Inside a cycle a lock that was free is a call without length. Threads
 * that do not record pass straight through.
 *
 * Waits for condition variables, semaphores, barriers and threads are in locks_wait.c. */
#include "watch/watch.h"

#include "watch/holders.h"

#include <errno.h>
#include <pthread.h>
#include <threads.h>
#include <time.h>

/* A spin lock is volatile; only its address matters. */
#define ADDRESS(lock) ((const void *)(uintptr_t)(lock))

struct tac_holder tac_holders[TAC_HOLDERS];

static inline bool looks(const struct tac_watch_thread *t)
{
    return TAC_UNLIKELY(tac_watch_records(TAC_CAT_LOCK)) && !t->shim;
}

struct wait {
    const void *lock;
    uint64_t begin;
    uintptr_t pc; /* where the holder took it */
    uint32_t holder;
};

/* owner: what the lock itself says, 0: nothing. */
static struct wait wait_begin(const void *lock, int owner)
{
    struct wait w = {.lock = lock};
    w.holder = tac_holder_get(lock, &w.pc);
    if (owner > 0 && w.holder != (uint32_t)owner) {
        w.holder = (uint32_t)owner;
        w.pc = 0;
    }
    w.begin = tac_trace_counter();
    return w;
}

static void wait_end(const struct wait *w, struct tac_watch_thread *t, const void *caller)
{
    t->shim++; /* a signal handler of this thread must not write into the ring now */
    tac_trace_lock_wait(w->lock, w->holder, w->begin);
    if (t->cycle)
        tac_watch_stack_of_wait(t, caller);
    if (w->pc)
        tac_trace_lock_taken_at(w->lock, (const void *)w->pc);
    t->shim--;
}

static inline int taken(const void *lock, int result, const void *caller)
{
    if (result == 0 || result == EOWNERDEAD)
        tac_holder_set(lock, tac_watch_tid(), caller);
    return result;
}

static inline int owner_of_mutex(const pthread_mutex_t *m)
{
    return __atomic_load_n(&m->__data.__owner, __ATOMIC_RELAXED);
}

static inline int owner_of_mtx(const mtx_t *m)
{
    return owner_of_mutex((const pthread_mutex_t *)(const void *)m);
}

static inline int owner_of_rwlock(const pthread_rwlock_t *l)
{
    return __atomic_load_n(&l->__data.__cur_writer, __ATOMIC_RELAXED);
}

static inline int owner_of_spinlock(const pthread_spinlock_t *lock)
{
    (void)lock;
    return 0;
}

/* A function that takes a lock, waiting for it if need be. */
#define TAKE(name, shown, try_name, owner, params, args)                                           \
    TAKE_BUSY(EBUSY, name, shown, try_name, owner, params, args)
#define TAKE_BUSY(busy, name, shown, try_name, owner, params, args)                                \
    TAC_WATCH_EXPORT int name params                                                               \
    {                                                                                              \
        TAC_WATCH_SITE(site, shown);                                                               \
        struct tac_watch_thread *t = tac_watch_thread();                                           \
        if (!looks(t))                                                                             \
            return TAC_WATCH_REAL(name) args;                                                      \
        const void *caller = TAC_WATCH_CALLER;                                                     \
        int r = TAC_WATCH_REAL(try_name)(lock);                                                    \
        if (r != (busy)) {                                                                         \
            tac_watch_note(t, &site, caller);                                                      \
            return taken(ADDRESS(lock), r, caller);                                                \
        }                                                                                          \
        struct wait w = wait_begin(ADDRESS(lock), owner(lock));                                    \
        r = TAC_WATCH_REAL(name) args;                                                             \
        wait_end(&w, t, caller);                                                                   \
        return taken(ADDRESS(lock), r, caller);                                                    \
    }

/* One that takes it only when it is free. */
#define TRY(name, type)                                                                            \
    TAC_WATCH_EXPORT int name(type *lock)                                                          \
    {                                                                                              \
        TAC_WATCH_SITE(site, #name);                                                               \
        struct tac_watch_thread *t = tac_watch_thread();                                           \
        int r = TAC_WATCH_REAL(name)(lock);                                                        \
        if (!looks(t))                                                                             \
            return r;                                                                              \
        tac_watch_note(t, &site, TAC_WATCH_CALLER);                                                \
        return taken(ADDRESS(lock), r, TAC_WATCH_CALLER);                                          \
    }

/* One that gives it back. The mutex keeps its owner itself. */
#define GIVE(name, type)                                                                           \
    TAC_WATCH_EXPORT int name(type *lock)                                                          \
    {                                                                                              \
        if (TAC_UNLIKELY(tac_watch_records(TAC_CAT_LOCK)))                                         \
            tac_holder_clear(ADDRESS(lock));                                                       \
        return TAC_WATCH_REAL(name)(lock);                                                         \
    }

typedef const struct timespec *until_t;

TAKE(pthread_mutex_lock, "pthread_mutex_lock", pthread_mutex_trylock, owner_of_mutex,
     (pthread_mutex_t * lock), (lock))
TAKE(pthread_mutex_timedlock, "pthread_mutex_lock", pthread_mutex_trylock, owner_of_mutex,
     (pthread_mutex_t * lock, until_t until), (lock, until))
TAKE(pthread_mutex_clocklock, "pthread_mutex_lock", pthread_mutex_trylock, owner_of_mutex,
     (pthread_mutex_t * lock, clockid_t clock, until_t until), (lock, clock, until))
TRY(pthread_mutex_trylock, pthread_mutex_t)

/* C11's are the same in another dress. */
TAKE_BUSY(thrd_busy, mtx_lock, "mtx_lock", mtx_trylock, owner_of_mtx, (mtx_t * lock), (lock))
TAKE_BUSY(thrd_busy, mtx_timedlock, "mtx_lock", mtx_trylock, owner_of_mtx,
          (mtx_t * lock, until_t until), (lock, until))
TRY(mtx_trylock, mtx_t)

TAKE(pthread_rwlock_rdlock, "pthread_rwlock_rdlock", pthread_rwlock_tryrdlock, owner_of_rwlock,
     (pthread_rwlock_t * lock), (lock))
TAKE(pthread_rwlock_wrlock, "pthread_rwlock_wrlock", pthread_rwlock_trywrlock, owner_of_rwlock,
     (pthread_rwlock_t * lock), (lock))
TAKE(pthread_rwlock_timedrdlock, "pthread_rwlock_rdlock", pthread_rwlock_tryrdlock, owner_of_rwlock,
     (pthread_rwlock_t * lock, until_t until), (lock, until))
TAKE(pthread_rwlock_timedwrlock, "pthread_rwlock_wrlock", pthread_rwlock_trywrlock, owner_of_rwlock,
     (pthread_rwlock_t * lock, until_t until), (lock, until))
TAKE(pthread_rwlock_clockrdlock, "pthread_rwlock_rdlock", pthread_rwlock_tryrdlock, owner_of_rwlock,
     (pthread_rwlock_t * lock, clockid_t clock, until_t until), (lock, clock, until))
TAKE(pthread_rwlock_clockwrlock, "pthread_rwlock_wrlock", pthread_rwlock_trywrlock, owner_of_rwlock,
     (pthread_rwlock_t * lock, clockid_t clock, until_t until), (lock, clock, until))
TRY(pthread_rwlock_tryrdlock, pthread_rwlock_t)
TRY(pthread_rwlock_trywrlock, pthread_rwlock_t)
GIVE(pthread_rwlock_unlock, pthread_rwlock_t)

TAKE(pthread_spin_lock, "pthread_spin_lock", pthread_spin_trylock, owner_of_spinlock,
     (pthread_spinlock_t * lock), (lock))
TRY(pthread_spin_trylock, pthread_spinlock_t)
GIVE(pthread_spin_unlock, pthread_spinlock_t)
