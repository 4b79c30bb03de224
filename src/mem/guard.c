/* SPDX-License-Identifier: MIT
 * guard.c - who allocates where nobody should, and the end of calls that cannot be answered.
 *
 * The ring of violations (outside.h) has one atomic counter; a slot is written by whoever drew its
 * number, and its number is written last, so that a reader leaves out what is half written.
 * Real-time: yes, but for the abort. */
#include "mem/heap.h"
#include "mem/outside.h"

#include <stdlib.h>

enum tac_heap_guard tac_heap_guard_set(enum tac_heap_guard mode)
{
    struct tac_thread *thread = &tac_thread;
    enum tac_heap_guard before = thread->guard;
    thread->guard = mode;
    tac_thread_choose();
    return before;
}

static void note(size_t bytes, const void *site)
{
    if (!tac_mem.lines) /* the heap could not be opened */
        return;
    struct tac_outside *o = tac_outside();
    uint64_t number = atomic_fetch_add(&o->violation_count, 1);
    struct tac_outside_violation *v = &o->violation[number % TAC_OUTSIDE_VIOLATIONS];
    atomic_store(&v->number, 0);
    atomic_store(&v->site, (uintptr_t)site);
    atomic_store(&v->bytes, bytes);
    atomic_store(&v->thread, tac_thread.heap ? tac_thread.heap->index : 0);
    atomic_store(&v->number, number + 1);
}

bool tac_guard_pass(size_t bytes, bool is_free, const void *site)
{
    enum tac_heap_guard mode = tac_thread.guard;
    if (mode == TAC_HEAP_ALLOW)
        return true;
    note(is_free ? 0 : bytes, site);
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
    return tac_mem.lines ? atomic_load(&tac_outside()->violation_count) : 0;
}

unsigned tac_heap_violations_get(struct tac_heap_violation *ret_list, unsigned max)
{
    uint64_t count = tac_heap_violation_count();
    unsigned n = 0;
    for (uint64_t i = 0; i < TAC_OUTSIDE_VIOLATIONS && i < count && n < max; i++) {
        struct tac_outside_violation *v =
            &tac_outside()->violation[(count - 1 - i) % TAC_OUTSIDE_VIOLATIONS];
        uint64_t number = atomic_load(&v->number);
        struct tac_heap_violation copy = {
            .site = (const void *)(uintptr_t)atomic_load(&v->site), /* NOLINT: only shown */
            .bytes = (size_t)atomic_load(&v->bytes),
            .thread = (unsigned)atomic_load(&v->thread),
        };
        if (number && atomic_load(&v->number) == number)
            ret_list[n++] = copy;
    }
    return n;
}

_Noreturn void tac_mem_fatal(const char *what, const void *block)
{
    tac_mem_say("heap: %s: %p", what, block);
    abort();
}
