/* SPDX-License-Identifier: MIT
 * stacks.c - the way to a call, for the events inside cycles, and for heap operations outside them
 * that others may have waited for.
 *
 * backtrace() unwinds by the tables of the modules, since distributions leave frame pointers out:
 * some microseconds. So a stack is taken at most twice a cycle, and of one place only the first few
 * times and then once in 64, and then not in the cycle of its last stack and the three after it: a
 * place that is called hundreds of times a cycle leaves some for others. Beyond that, the first
 * operation of a cycle in which the thread waited has its stack always, since that is what a late
 * cycle is asked for; and so has each in which a thread outside its cycles left the CPU, for it may
 * have had the heap's lock. It loads a library at its first use, which is
 * therefore made by the constructor. Frames of this library are left out: the way begins at the
 * wrapper's caller. */
#include "watch/watch.h"

#include <execinfo.h>
#include <string.h>

enum {
    FRAMES = 24,
    SKIP_MAX = 6,
    PLACES = 1024,
    FIRST = 3,
    EVERY = 64,
    EVERY_OUTSIDE = 1024,
    REST_CYCLES = 4
};

/* By hash of the place; collisions, and threads that overwrite each other, only thin stacks out. In
 * cycles: number of the thread's cycle that had the last stack (16 bits), stacks (2), calls (14).
 */
static _Atomic uint32_t seen[PLACES], seen_outside[PLACES];

static __attribute__((constructor)) void prime(void)
{
    void *pc[2];
    struct tac_watch_thread *t = tac_watch_thread();
    t->shim++;
    backtrace(pc, 2);
    t->shim--;
}

static uint32_t slot_of(const void *caller)
{
    return (uint32_t)((uintptr_t)caller * 0x9e3779b97f4a7c15ull >> 54);
}

static bool is_due_outside(const void *caller)
{
    uint32_t n = atomic_fetch_add_explicit(&seen_outside[slot_of(caller)], 1, memory_order_relaxed);
    return n < FIRST || n % EVERY_OUTSIDE == 0;
}

static bool is_due(const struct tac_watch_thread *thread, const void *caller)
{
    _Atomic uint32_t *entry = &seen[slot_of(caller)];
    uint32_t was = atomic_load_explicit(entry, memory_order_relaxed);
    uint32_t calls = (was + 1) & 0x3fff, stacks = was >> 14 & 3, cycle = was >> 16;
    uint32_t rest = (thread->cycles - cycle) & 0xffff;
    bool due =
        stacks == 0 || (stacks < FIRST ? rest > 0 : rest >= REST_CYCLES && calls % EVERY == 0);
    if (due) {
        stacks += stacks < FIRST;
        cycle = thread->cycles & 0xffff;
    }
    atomic_store_explicit(entry, cycle << 16 | stacks << 14 | calls, memory_order_relaxed);
    return due;
}

/* The way to caller into pc. */
static unsigned unwind(struct tac_watch_thread *thread, const void *caller, void *pc[FRAMES])
{
    thread->shim++;
    int n = backtrace(pc, FRAMES), first = 0;
    thread->shim--;
    while (first < n && first < SKIP_MAX && pc[first] != caller)
        first++;
    if (first == n || pc[first] != caller) {
        pc[0] = (void *)(uintptr_t)caller;
        return 1;
    }
    memmove(pc, pc + first, (size_t)(n - first) * sizeof *pc);
    return (unsigned)(n - first);
}

/* The same inside a cycle; 0 when none is due. */
static unsigned unwind_in_cycle(struct tac_watch_thread *thread, const void *caller,
                                void *pc[FRAMES])
{
    if (!thread->stacks || !is_due(thread, caller))
        return 0;
    thread->stacks--;
    return unwind(thread, caller, pc);
}

static void emit(void *const *pc, unsigned n)
{
    if (n)
        tac_trace_stack(pc, n);
}

void tac_watch_stack(struct tac_watch_thread *thread, const void *caller)
{
    void *pc[FRAMES];
    emit(pc, unwind_in_cycle(thread, caller, pc));
}

void tac_watch_stack_of_wait(struct tac_watch_thread *thread, const void *caller)
{
    void *pc[FRAMES];
    if (!thread->waited) {
        thread->waited = true;
        emit(pc, unwind(thread, caller, pc));
    } else {
        tac_watch_stack(thread, caller);
    }
}

void tac_watch_stack_outside(struct tac_watch_thread *thread, const void *caller, bool is_long)
{
    void *pc[FRAMES];
    if (is_long || is_due_outside(caller))
        emit(pc, unwind(thread, caller, pc));
}

/* Unwinding comes first, so that the zone has the length of the call alone. */
void tac_watch_call_open(struct tac_watch_call *call, struct tac_watch_thread *thread,
                         const struct tac_trace_site *site, const void *caller)
{
    void *pc[FRAMES];
    thread->shim++; /* also keeps a signal handler of this thread from writing in between */
    unsigned n = unwind_in_cycle(thread, caller, pc);
    call->zone = tac_zone_begin(site, 1);
    call->thread = thread;
    emit(pc, n);
}

/* The last stack of a cycle is kept for what waits. */
void tac_watch_note_in_cycle(struct tac_watch_thread *thread, const struct tac_trace_site *site,
                             const void *caller)
{
    void *pc[FRAMES];
    thread->shim++;
    unsigned n = thread->stacks > 1 ? unwind_in_cycle(thread, caller, pc) : 0;
    struct tac_zone zone = tac_zone_begin(site, 1);
    emit(pc, n);
    tac_zone_end(&zone);
    thread->shim--;
}
