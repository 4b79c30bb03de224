/* SPDX-License-Identifier: MIT
 * locks_wait.c - waits for what another thread is to do: condition variables, semaphores, barriers,
 * the end of a thread.
 *
 * Inside a cycle they are calls that block; waking others is a call without length. Who wakes
 * leaves its name at the object, so the wait tells who ended it, and whom it had waited for when
 * nobody did. A semaphore that another thread took and has not posted since serves as a lock: then
 * the wait has a holder.
 *
 * pthread_cond_* have two versions with different layouts in glibc of x86 (GLIBC_2.3.2 is the one
 * of this century); the newer one is asked for by name. */
#include "watch/watch.h"

#include "watch/holders.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>
#include <time.h>

typedef const struct timespec *until_t;

#define COND(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, "GLIBC_2.3.2", NULL)

static inline bool looks(const struct tac_watch_thread *t)
{
    return TAC_UNLIKELY(tac_watch_records(TAC_CAT_LOCK)) && !t->shim;
}

/* The value of the call: the thread that woke (or, of old, wakes) whoever waits for this. */
static void name_waker(const struct tac_watch_call *call, const void *what)
{
    uintptr_t pc;
    uint32_t tid = call->thread && call->zone.lane ? tac_holder_get(tac_waker_key(what), &pc) : 0;
    if (tid && tid != call->thread->tid)
        tac_zone_value(tid);
}

#define WAIT(name, real, what, params, args)                                                       \
    TAC_WATCH_EXPORT int name params                                                               \
    {                                                                                              \
        TAC_WATCH_SITE(site, #name);                                                               \
        struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);                \
        int r = real(name) args;                                                                   \
        name_waker(&call, what);                                                                   \
        tac_watch_call_end(&call);                                                                 \
        return r;                                                                                  \
    }

WAIT(pthread_cond_wait, COND, cond, (pthread_cond_t * cond, pthread_mutex_t *mutex), (cond, mutex))
WAIT(pthread_cond_timedwait, COND, cond,
     (pthread_cond_t * cond, pthread_mutex_t *mutex, until_t until), (cond, mutex, until))
WAIT(pthread_cond_clockwait, TAC_WATCH_REAL, cond,
     (pthread_cond_t * cond, pthread_mutex_t *mutex, clockid_t clock, until_t until),
     (cond, mutex, clock, until))
WAIT(cnd_wait, TAC_WATCH_REAL, cond, (cnd_t * cond, mtx_t *mutex), (cond, mutex))
WAIT(cnd_timedwait, TAC_WATCH_REAL, cond, (cnd_t * cond, mtx_t *mutex, until_t until),
     (cond, mutex, until))
WAIT(thrd_join, TAC_WATCH_REAL, NULL, (thrd_t thread, int *ret_result), (thread, ret_result))
WAIT(pthread_join, TAC_WATCH_REAL, NULL, (pthread_t thread, void **ret_result),
     (thread, ret_result))
WAIT(pthread_timedjoin_np, TAC_WATCH_REAL, NULL,
     (pthread_t thread, void **ret_result, until_t until), (thread, ret_result, until))
WAIT(pthread_barrier_wait, TAC_WATCH_REAL, NULL, (pthread_barrier_t * barrier), (barrier))

#define WAKE(name, real, type)                                                                     \
    TAC_WATCH_EXPORT int name(type *what)                                                          \
    {                                                                                              \
        TAC_WATCH_SITE(site, #name);                                                               \
        struct tac_watch_thread *t = tac_watch_thread();                                           \
        if (looks(t)) {                                                                            \
            tac_holder_set(tac_waker_key(what), t->tid, TAC_WATCH_CALLER);                         \
            tac_watch_note(t, &site, TAC_WATCH_CALLER);                                            \
        }                                                                                          \
        return real(name)(what);                                                                   \
    }

WAKE(pthread_cond_signal, COND, pthread_cond_t)
WAKE(pthread_cond_broadcast, COND, pthread_cond_t)
WAKE(cnd_signal, TAC_WATCH_REAL, cnd_t)
WAKE(cnd_broadcast, TAC_WATCH_REAL, cnd_t)

TAC_WATCH_EXPORT int sem_post(sem_t *sem)
{
    TAC_WATCH_SITE(site, "sem_post");
    struct tac_watch_thread *t = tac_watch_thread();
    if (looks(t)) {
        tac_holder_clear(sem);
        tac_holder_set(tac_waker_key(sem), t->tid, TAC_WATCH_CALLER);
        tac_watch_note(t, &site, TAC_WATCH_CALLER);
    }
    return TAC_WATCH_REAL(sem_post)(sem);
}

/* Taken without a wait? errno stays as it is when not. */
static bool take_free(sem_t *sem, const void *caller)
{
    int before = errno;
    if (TAC_WATCH_REAL(sem_trywait)(sem) == 0) {
        tac_holder_set(sem, tac_watch_tid(), caller);
        return true;
    }
    errno = before;
    return false;
}

/* Around a real wait. */
struct wait {
    struct tac_watch_call call; /* when it is no lock */
    uint64_t begin;
    uintptr_t pc;
    uint32_t holder;
};

static struct wait wait_begin(const sem_t *sem, const struct tac_trace_site *site,
                              const void *caller)
{
    struct wait w = {.begin = 0};
    w.holder = tac_holder_get(sem, &w.pc);
    if (w.holder && w.holder != tac_watch_tid())
        w.begin = tac_trace_counter();
    else
        w.call = tac_watch_call_begin(site, caller);
    return w;
}

static void wait_end(struct wait *w, struct tac_watch_thread *t, const sem_t *sem, int result,
                     const void *caller)
{
    name_waker(&w->call, sem);
    tac_watch_call_end(&w->call);
    if (result == 0)
        tac_holder_set(sem, tac_watch_tid(), caller);
    if (!w->begin)
        return;
    t->shim++;
    tac_trace_lock_wait(sem, w->holder, w->begin);
    if (t->cycle)
        tac_watch_stack_of_wait(t, caller);
    if (w->pc)
        tac_trace_lock_taken_at(sem, (const void *)w->pc);
    t->shim--;
}

#define SEM_WAIT(name, params, args)                                                               \
    TAC_WATCH_EXPORT int name params                                                               \
    {                                                                                              \
        TAC_WATCH_SITE(site, #name);                                                               \
        TAC_WATCH_SITE(free_site, "sem_trywait");                                                  \
        struct tac_watch_thread *t = tac_watch_thread();                                           \
        const void *caller = TAC_WATCH_CALLER;                                                     \
        if (!looks(t))                                                                             \
            return TAC_WATCH_REAL(name) args;                                                      \
        if (take_free(sem, caller)) {                                                              \
            tac_watch_note(t, &free_site, caller);                                                 \
            return 0;                                                                              \
        }                                                                                          \
        struct wait w = wait_begin(sem, &site, caller);                                            \
        int r = TAC_WATCH_REAL(name) args;                                                         \
        int after = errno;                                                                         \
        wait_end(&w, t, sem, r, caller);                                                           \
        errno = after;                                                                             \
        return r;                                                                                  \
    }

SEM_WAIT(sem_wait, (sem_t * sem), (sem))
SEM_WAIT(sem_timedwait, (sem_t * sem, until_t until), (sem, until))
SEM_WAIT(sem_clockwait, (sem_t * sem, clockid_t clock, until_t until), (sem, clock, until))

TAC_WATCH_EXPORT int sem_trywait(sem_t *sem)
{
    TAC_WATCH_SITE(site, "sem_trywait");
    struct tac_watch_thread *t = tac_watch_thread();
    int r = TAC_WATCH_REAL(sem_trywait)(sem);
    if (!looks(t))
        return r;
    int after = errno;
    tac_watch_note(t, &site, TAC_WATCH_CALLER);
    if (r == 0)
        tac_holder_set(sem, tac_watch_tid(), TAC_WATCH_CALLER);
    errno = after;
    return r;
}
