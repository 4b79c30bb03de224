/* SPDX-License-Identifier: MIT
 * heap_lock.c - the thread slept inside malloc or free: it waited for a lock of the heap.
 *
 * Kernel evidence alone calls this own computation, for the thread burns time in retries as well;
 * the open memory function is the witness. The rival is the thread that was inside memory functions
 * at the same time. */
#include "doctor/rule.h"

#include "tactus/trace.h"

#include <stdio.h>

static const struct tac_capture_memory *longest_call(const struct tac_case *c)
{
    const struct tac_capture_memory *longest = NULL;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind != TAC_SIGHT_MEMORY)
            continue;
        const struct tac_capture_memory *m = &c->capture->memory[s->index];
        if (!longest || m->end_ns - m->begin_ns > longest->end_ns - longest->begin_ns)
            longest = m;
    }
    return longest;
}

static void check(struct tac_case *c)
{
    uint64_t ns = c->open_ns[TAC_ACCOUNT_ALLOCATOR_WAIT];
    const struct tac_capture_memory *m = longest_call(c);
    if (!ns || !m)
        return;
    uint32_t rival = tac_case_memory_rival(c, m->begin_ns, m->end_ns);
    char other[80] = "";
    if (rival != TAC_CAPTURE_NONE)
        snprintf(other, sizeof other, " while thread %s was in the heap too",
                 c->capture->threads[rival].name);
    tac_claim(c, TAC_ACCOUNT_ALLOCATOR_WAIT, ns, rival != TAC_CAPTURE_NONE ? 0.97 : 0.9,
              "slept %.0f us inside %s%s", (double)ns / 1e3,
              m->op == TAC_MEMORY_FREE ? "free" : "malloc", other);
    /* the retries of the same contention */
    tac_claim(c, TAC_ACCOUNT_ALLOCATOR, UINT64_MAX, 0.9, "contention in the heap%s", other);
}

TAC_RULE(heap_lock) = {
    .name = "heap_lock",
    .title = "waiting for the heap's lock",
    .means = "The thread called malloc or free and slept inside: another thread held the lock of "
             "the heap (or was pre-empted while it held it).",
    .advice = "No malloc and free in the callback, or a heap without shared locks: tactus run -- "
              "PROGRAM tries it; tactus doctor --prove measures whether it cures.",
    .needs = TAC_HAS_MEMORY,
    .blame = TAC_BLAME_HEAP,
    .check = check,
};
