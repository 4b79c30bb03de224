/* SPDX-License-Identifier: MIT
 * heap_lock.c - the thread slept inside malloc or free: it waited for a lock of the heap.
 *
 * Kernel evidence alone calls this own computation, for the thread burns time in retries as well;
 * the open memory function is the witness. The rival is the thread that was inside memory functions
 * at the same time. */
#include "doctor/rule.h"

#include "tactus/trace.h"

#include <stdio.h>

static const struct tac_sight *longest_call(const struct tac_case *c)
{
    const struct tac_sight *longest = NULL;
    for (size_t i = 0; i < c->layout->sights.count; i++) {
        const struct tac_sight *s = &c->layout->sights.data[i];
        if (s->kind == TAC_SIGHT_MEMORY &&
            (!longest || s->to_ns - s->from_ns > longest->to_ns - longest->from_ns))
            longest = s;
    }
    return longest;
}

/* A call in which the thread slept: the time that it ran there went into retries as well. */
static bool slept_in(const struct tac_case *c, const struct tac_sight *call)
{
    if (call->kind != TAC_SIGHT_MEMORY)
        return false;
    if (!(c->has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
        return true;
    for (size_t i = 0; i < c->layout->segments; i++) {
        const struct tac_segment *s = &c->layout->segment[i];
        if (s->account == TAC_ACCOUNT_ALLOCATOR_WAIT && s->sight != TAC_SIGHT_NONE &&
            &c->layout->sights.data[s->sight] == call)
            return true;
    }
    return false;
}

/* "; thread loader was in the heap too, and was kept from running by ffmpeg" */
static uint32_t describe_rival(const struct tac_case *c, const struct tac_capture_memory *m,
                               char *text, size_t size)
{
    uint32_t rival = tac_case_memory_rival(c, m->begin_ns, m->end_ns), who;
    text[0] = 0;
    if (rival == TAC_CAPTURE_NONE)
        return rival;
    const struct tac_capture_thread *t = &c->capture->threads[rival];
    int n = snprintf(text, size, " while thread %s was in the heap too", t->name);
    uint64_t away =
        c->has & TAC_HAS_SCHED ? tac_case_displaced(c, t->tid, m->begin_ns, m->end_ns, &who) : 0;
    char name[64];
    if (away * 2 > m->end_ns - m->begin_ns && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, ", which could not run for %.0f us because of %s",
                 (double)away / 1e3, tac_case_who(c, who, name, sizeof name));
    return rival;
}

static void check(struct tac_case *c)
{
    uint64_t ns = c->open_ns[TAC_ACCOUNT_ALLOCATOR_WAIT];
    const struct tac_sight *call = longest_call(c);
    if (!ns || !call)
        return;
    const struct tac_capture_memory *m = &c->capture->memory[call->index];
    char other[TAC_VERDICT_TEXT_MAX - 32];
    uint32_t rival = describe_rival(c, m, other, sizeof other);
    tac_claim(c, TAC_ACCOUNT_ALLOCATOR_WAIT, ns, rival != TAC_CAPTURE_NONE ? 0.97 : 0.9,
              "slept %.0f us inside %s%s", (double)ns / 1e3,
              m->op == TAC_MEMORY_FREE ? "free" : "malloc", other);
    uint64_t retries = tac_case_sum(c, TAC_ACCOUNT_ALLOCATOR, slept_in, NULL);
    tac_claim(c, TAC_ACCOUNT_ALLOCATOR, retries, 0.9, "contention in the heap%s", other);
    tac_claim_by(c, call);
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
