/* SPDX-License-Identifier: MIT
 * streams.c - cycles, of the program's own (cycle.h) and of the libraries' callbacks.
 *
 * Both ways the thread's slot learns that it is inside a cycle, so that the other wrappers look
 * only there. A thread that meets its first cycle unregistered is registered then: the one time
 * that the work is not real-time, before the first cycle is counted. */
#include "watch/watch.h"

#include "tactus/cycle.h"
#include "tactus/mem.h"

#include <stdio.h>

enum { STACKS_PER_CYCLE = 2, RING_RECORDS = 16384 };

/* The reserve of our heap is for the threads that have deadlines. */
static void make_real_time(struct tac_watch_thread *t)
{
    t->real_time = true;
    if (tac_watch_heap == TAC_WATCH_HEAP_TACTUS)
        (void)!tac_heap_thread_real_time(1);
}

static void enter(struct tac_watch_thread *t)
{
    if (TAC_UNLIKELY(!t->real_time))
        make_real_time(t);
    t->cycle++;
    t->cycles++;
    t->stacks = STACKS_PER_CYCLE;
    t->waited = false;
}

static void leave(struct tac_watch_thread *t)
{
    t->cycle = t->cycle ? t->cycle - 1 : 0;
}

TAC_WATCH_EXPORT void tac_cycle_begin(int source, uint64_t deadline_ns, uint32_t frames)
{
    TAC_WATCH_REAL(tac_cycle_begin)(source, deadline_ns, frames);
    enter(tac_watch_thread());
}

TAC_WATCH_EXPORT void tac_cycle_end(int source)
{
    leave(tac_watch_thread());
    TAC_WATCH_REAL(tac_cycle_end)(source);
}

int tac_watch_stream_open(const char *library, const char *name, uint64_t period_ns)
{
    char text[64];
    tac_watch_recorder_start();
    struct tac_watch_shim shim = tac_watch_shim_begin();
    snprintf(text, sizeof text, "%s:%s", library, name ? name : "?");
    int source = tac_cycle_source_open(text, period_ns);
    tac_watch_shim_end(&shim);
    return source;
}

/* A ring that is too small for cycles is exchanged. Who gets none is not to ask in each cycle. */
static void give_ring(const char *name)
{
    struct tac_watch_shim shim = tac_watch_shim_begin();
    if (tac_trace_lane_here->record)
        tac_thread_unregister();
    shim.thread->refused = TAC_WATCH_REAL(tac_thread_register)(name, RING_RECORDS) < 0;
    tac_watch_shim_end(&shim);
}

void tac_watch_thread_register(const char *name)
{
    const struct tac_trace_lane *lane = tac_trace_lane_here;
    if (TAC_UNLIKELY(!lane->record || lane->mask + 1 < RING_RECORDS) &&
        !tac_watch_thread()->refused)
        give_ring(name);
}

bool tac_watch_cycle_begin(int source, uint64_t deadline_ns, uint32_t frames)
{
    if (source < 0 || tac_watch_thread()->cycle)
        return false;
    tac_watch_thread_register(NULL);
    tac_cycle_begin(source, deadline_ns, frames);
    return true;
}

void tac_watch_cycle_end(int source, bool begun)
{
    if (begun)
        tac_cycle_end(source);
}
