/* SPDX-License-Identifier: MIT
 * guard.c - who allocates where nobody should, and the end of calls that cannot be answered.
 *
 * The ring of violations has one atomic counter; a slot is written by whoever drew its number.
 * Real-time: yes, but for the abort. */
#include "mem/heap.h"

#include <stdlib.h>

enum { RING = 256 };

static struct {
    _Atomic uint64_t count;
    struct tac_heap_violation slot[RING];
} ring;

enum tac_heap_guard tac_heap_guard_set(enum tac_heap_guard mode)
{
    struct tac_thread *thread = &tac_thread;
    enum tac_heap_guard before = thread->guard;
    thread->guard = mode;
    tac_thread_choose();
    return before;
}

bool tac_guard_pass(size_t bytes, bool is_free, const void *site)
{
    enum tac_heap_guard mode = tac_thread.guard;
    if (mode == TAC_HEAP_ALLOW)
        return true;
    uint64_t i = atomic_fetch_add(&ring.count, 1);
    ring.slot[i % RING] = (struct tac_heap_violation){site, is_free ? 0 : bytes,
                                                      tac_thread.heap ? tac_thread.heap->index : 0};
    if (mode == TAC_HEAP_ABORT) {
        tac_thread.guard = TAC_HEAP_ALLOW;
        tac_mem_say("%s of %zu bytes, called from %p, in a scope that forbids it",
                    is_free ? "free" : "allocation", bytes, site);
        abort();
    }
    return mode == TAC_HEAP_COUNT || is_free;
}

uint64_t tac_heap_violation_count(void)
{
    return atomic_load(&ring.count);
}

unsigned tac_heap_violations_get(struct tac_heap_violation *ret_list, unsigned max)
{
    uint64_t count = atomic_load(&ring.count);
    unsigned n = count < RING ? (unsigned)count : RING;
    n = n < max ? n : max;
    for (unsigned i = 0; i < n; i++)
        ret_list[i] = ring.slot[(count - 1 - i) % RING];
    return n;
}

_Noreturn void tac_mem_fatal(const char *what, const void *block)
{
    tac_mem_say("heap: %s: %p", what, block);
    abort();
}
