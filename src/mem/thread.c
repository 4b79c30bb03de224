/* SPDX-License-Identifier: MIT
 * thread.c - which thread has which thread heap.
 *
 * Thread heaps lie in a table that is as old as the arena; a bitmap says which are used. A thread
 * takes the lowest free one at its first allocation and puts it back, as it is, at its exit: lists,
 * slabs and the queue of remote frees wait there for the next thread, so neither start nor exit
 * costs more than a few instructions, and nothing is flushed. No lock, no system call: the thread
 * key is made when the heap opens, which is so early that glibc keeps its value inside the thread's
 * own descriptor. After fork the child has one thread; the heaps of the others stay as they were,
 * consistent for remote frees, and are not used again (fork.c). */
#include "mem/heap.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

TAC_TLS struct tac_heap *tac_heap_fast = &tac_heap_none;
TAC_TLS struct tac_thread tac_thread;
struct tac_heap tac_heap_none;

static pthread_key_t exit_key;

static void set_real_time(struct tac_heap *heap, bool on)
{
    heap->real_time = on;
    heap->open_units = on ? tac_mem.units : tac_mem.units - tac_mem.reserve_units;
}

static void thread_exits(void *value)
{
    struct tac_heap *heap = value;
    tac_heap_rest(heap);
    tac_heap_fast = &tac_heap_none;
    tac_thread.heap = NULL;
    set_real_time(heap, false);
    atomic_fetch_and(&tac_mem.thread_used[heap->index / 64], ~(1ull << (heap->index & 63)));
}

int tac_thread_key_init(void)
{
    return -pthread_key_create(&exit_key, thread_exits);
}

void tac_thread_choose(void)
{
    struct tac_thread *thread = &tac_thread;
    thread->is_watched =
        thread->guard != TAC_HEAP_ALLOW || thread->hooks || thread->is_sampled || tac_mem.memcheck;
    bool plain = thread->heap && !thread->is_watched;
    tac_heap_fast = plain ? thread->heap : &tac_heap_none;
}

/* Without a system call: the clock of a thread is made from its number (clock_getcpuclockid(3), and
 * the kernel's posix-timers.h: the number's complement above three bits). */
int tac_thread_number(void)
{
    clockid_t clock;
    return pthread_getcpuclockid(pthread_self(), &clock) ? 0 : ~(clock >> 3);
}

/* The index of a thread heap that is ours now, or -1. At most one pass over the bitmap. */
static long claim_index(void)
{
    for (unsigned w = 0; w * 64 < tac_mem.threads; w++) {
        uint64_t used = atomic_load(&tac_mem.thread_used[w]);
        for (int tries = 0; ~used && tries < TAC_SPANS_TRIES; tries++) {
            unsigned bit = tac_bit_lowest(~used), index = w * 64 + bit;
            if (index >= tac_mem.threads)
                return -1;
            used = atomic_fetch_or(&tac_mem.thread_used[w], 1ull << bit);
            if (!(used >> bit & 1))
                return index;
        }
    }
    return -1;
}

static struct tac_heap *attach(void)
{
    /* pairs with the release store in open_now */
    if (!__atomic_load_n(&tac_mem.bytes, __ATOMIC_ACQUIRE) && !tac_mem_open_default())
        return NULL;
    if (tac_thread.heap) /* whoever opens the heap is attached by that */
        return tac_thread.heap;
    long index = claim_index();
    if (index < 0)
        return NULL;
    struct tac_heap *heap = &tac_mem.heaps[index];
    heap->index = (unsigned)index;
    heap->begun = true;
    set_real_time(heap, false);
    struct tac_thread *thread = &tac_thread;
    heap->tid = tac_thread_number();
    thread->heap = heap;
    thread->hooks = tac_mem.hooks;
    tac_thread_choose();
    pthread_setspecific(exit_key, heap);
    return heap;
}

struct tac_heap *tac_thread_heap(void)
{
    struct tac_heap *heap = tac_thread.heap;
    return TAC_LIKELY(heap) ? heap : attach();
}

int tac_heap_thread_attach(void)
{
    return tac_thread_heap() ? 0 : -ENOMEM;
}

int tac_heap_thread_real_time(int on)
{
    struct tac_heap *heap = tac_thread_heap();
    if (!heap)
        return -ENOMEM;
    set_real_time(heap, on != 0);
    return 0;
}

void tac_heap_hooks_set(const struct tac_heap_hooks *hooks)
{
    tac_thread_heap();
    tac_mem.hooks = hooks;
    tac_thread.hooks = hooks;
    tac_thread_choose();
}
