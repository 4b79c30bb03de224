/* SPDX-License-Identifier: MIT
 * fork.c - what a forked child puts right: the number of its thread, for statistics, and remote
 * frees that another thread was in the middle of.
 *
 * The child has one thread. A sender that was between its steps at that moment (remote.c) will
 * never finish them there: what it was about to announce, and what was queued before its half-made
 * link, would be hidden for ever. So the child looks at all slabs once and makes the queues of its
 * own thread heap anew, by the bits, which are what counts. It also clears the marks of slabs that
 * have no owner, lest the next one's frees find them queued where nobody looks. Thread heaps of
 * threads that the child does not have are left alone: their owners may have been anywhere in them,
 * and a copy taken page by page cannot be trusted. Their memory stays held.
 *
 * Threads: the child's only one. Real-time: no; fork is not. Cost: a line for each unit ever used,
 * once the program had a second thread, since only then there is somebody who can be in the middle
 * of something. */
#include "mem/heap.h"

static _Atomic bool had_threads;

static void child(void)
{
    struct tac_heap *heap = tac_thread.heap;
    if (!heap)
        return;
    heap->tid = tac_thread_number();
    if (!had_threads || heap->draining) /* a signal handler forked in the middle of our draining */
        return;
    tac_heap_queue_clear(heap);
    size_t units = atomic_load(&tac_mem.fresh_unit);
    units = units < tac_mem.units ? units : tac_mem.units;
    for (size_t unit = 0; unit < units; unit++)
        tac_slab_requeue(heap, tac_slab_at((uintptr_t)unit << TAC_UNIT_SHIFT));
}

__attribute__((constructor)) static void prepare(void)
{
    pthread_atfork(NULL, NULL, child);
}

void tac_mem_fork_prepare(void)
{
    if (!atomic_load_explicit(&had_threads, memory_order_relaxed))
        atomic_store(&had_threads, true);
}
