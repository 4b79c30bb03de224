/* SPDX-License-Identifier: MIT
 * stacks.c - the way to a call, for the events inside cycles.
 *
 * backtrace() unwinds by the tables of the modules, since distributions leave frame pointers out:
 * some microseconds. So a stack is taken at most twice a cycle, and of one place only the first
 * few times and then once in 64. It loads a library at its first use, which is therefore made by
 * the constructor. Frames of this library are left out: the way begins at the wrapper's caller. */
#include "watch/watch.h"

#include <execinfo.h>

enum { FRAMES = 24, SKIP_MAX = 6, PLACES = 1024, FIRST = 3, EVERY = 64 };

static _Atomic uint32_t seen[PLACES]; /* by hash of the place; collisions only thin stacks out */

static __attribute__((constructor)) void prime(void)
{
    void *pc[2];
    struct tac_watch_thread *t = tac_watch_thread();
    t->shim++;
    backtrace(pc, 2);
    t->shim--;
}

static bool is_due(const void *caller)
{
    uint64_t h = (uintptr_t)caller * 0x9e3779b97f4a7c15ull;
    uint32_t n = atomic_fetch_add_explicit(&seen[h >> 54], 1, memory_order_relaxed);
    return n < FIRST || n % EVERY == 0;
}

void tac_watch_stack(struct tac_watch_thread *thread, const void *caller)
{
    if (!thread->stacks || !is_due(caller))
        return;
    thread->stacks--;
    thread->shim++;
    void *pc[FRAMES];
    int n = backtrace(pc, FRAMES), first = 0;
    while (first < n && first < SKIP_MAX && pc[first] != caller)
        first++;
    if (first < n && pc[first] == caller)
        tac_trace_stack(pc + first, (unsigned)(n - first));
    else
        tac_trace_stack((void *[]){(void *)(uintptr_t)caller}, 1);
    thread->shim--;
}
