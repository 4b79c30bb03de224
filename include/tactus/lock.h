/* SPDX-License-Identifier: MIT
 * lock.h - a mutex that the recorder sees: who waited, how long, and who held it.
 *
 * A pthread mutex with priority inheritance (where the system has it) and the thread id of its
 * holder. Taking it when it is free costs a compare-and-swap more than pthread_mutex_trylock, and
 * no event; with the category LOCK on, taking and giving back are one event each, and a wait is an
 * event with its length and the holder at its beginning. For locks of your own kind use
 * TAC_LOCK_WAITED, TAC_LOCK_TAKEN and TAC_LOCK_GIVEN of tactus/trace.h.
 *
 * Real-time: a lock that another thread can hold is not, whatever it is called; tac_lock_try is. */
#ifndef TACTUS_LOCK_H
#define TACTUS_LOCK_H

#include "tactus/trace.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tac_lock {
    pthread_mutex_t mutex;
    uint32_t holder; /* kernel's thread id; 0: nobody */
};

#define TAC_LOCK_INITIALIZER                                                                       \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, 0                                                               \
    }

/* 0, or -errno. A lock from the initializer needs neither call, and inherits no priority. */
TAC_API int tac_lock_init(struct tac_lock *lock);
TAC_API void tac_lock_fini(struct tac_lock *lock);

/* Wait for it and take it. Not recursive. */
TAC_API void tac_lock_take(struct tac_lock *lock);

/* Take it when it is free: 1, otherwise 0. Never waits. */
TAC_API int tac_lock_try(struct tac_lock *lock);

/* Give it back, on the thread that took it. */
TAC_API void tac_lock_give(struct tac_lock *lock);

#ifdef __cplusplus
}

namespace tactus
{

/* The same as a BasicLockable and Lockable: std::lock_guard<tactus::mutex>. */
class mutex
{
  public:
    mutex()
    {
        tac_lock_init(&lock_);
    }
    ~mutex()
    {
        tac_lock_fini(&lock_);
    }
    mutex(const mutex &) = delete;
    mutex &operator=(const mutex &) = delete;
    void lock()
    {
        tac_lock_take(&lock_);
    }
    bool try_lock()
    {
        return tac_lock_try(&lock_) != 0;
    }
    void unlock()
    {
        tac_lock_give(&lock_);
    }

  private:
    tac_lock lock_;
};

} // namespace tactus
#endif
#endif
