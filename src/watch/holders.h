/* SPDX-License-Identifier: MIT
 * holders.h - who has a lock, and where it took it, for the threads that record.
 *
 * A table of TAC_HOLDERS places by the lock's address; two locks of one place push each other out,
 * and then the holder is simply not known. Taking and giving back a lock are a few stores each.
 * What is read may be a moment old: it is a hint for a report. Real-time: all of it. */
#ifndef TAC_WATCH_HOLDERS_H
#define TAC_WATCH_HOLDERS_H

#include <stdatomic.h>
#include <stdint.h>

enum { TAC_HOLDERS = 4096 };

struct tac_holder {
    _Atomic uintptr_t lock; /* 0: nobody */
    _Atomic uintptr_t pc;   /* where it was taken */
    _Atomic uint32_t tid;
};

extern struct tac_holder tac_holders[TAC_HOLDERS];

static inline struct tac_holder *tac_holder_place(const void *lock)
{
    uint64_t h = (uint64_t)(uintptr_t)lock * 0x9e3779b97f4a7c15ull;
    return &tac_holders[h >> 52];
}

/* The calling thread, tid, took the lock at pc. */
static inline void tac_holder_set(const void *lock, uint32_t tid, const void *pc)
{
    struct tac_holder *h = tac_holder_place(lock);
    atomic_store_explicit(&h->lock, 0, memory_order_relaxed);
    atomic_store_explicit(&h->tid, tid, memory_order_relaxed);
    atomic_store_explicit(&h->pc, (uintptr_t)pc, memory_order_relaxed);
    /* pairs with the acquire load of who waits */
    atomic_store_explicit(&h->lock, (uintptr_t)lock, memory_order_release);
}

/* Of what is waited for and waked (condition variables, semaphores): who did that last. Such
 * objects are aligned, so that the key is no lock's. */
static inline const void *tac_waker_key(const void *what)
{
    return (const void *)((uintptr_t)what | 1);
}

/* The lock is free again, or one more may have it. */
static inline void tac_holder_clear(const void *lock)
{
    struct tac_holder *h = tac_holder_place(lock);
    if (atomic_load_explicit(&h->lock, memory_order_relaxed) == (uintptr_t)lock)
        atomic_store_explicit(&h->lock, 0, memory_order_relaxed);
}

/* The thread that has it, and where it took it; 0 and NULL when not known. */
static inline uint32_t tac_holder_get(const void *lock, uintptr_t *ret_pc)
{
    struct tac_holder *h = tac_holder_place(lock);
    *ret_pc = 0;
    if (atomic_load_explicit(&h->lock, memory_order_acquire) != (uintptr_t)lock)
        return 0;
    uint32_t tid = atomic_load_explicit(&h->tid, memory_order_relaxed);
    uintptr_t pc = atomic_load_explicit(&h->pc, memory_order_relaxed);
    if (atomic_load_explicit(&h->lock, memory_order_acquire) != (uintptr_t)lock)
        return 0;
    *ret_pc = pc;
    return tid;
}

#endif
