/* SPDX-License-Identifier: MIT
 * heap_lock.c - the thread slept inside malloc or free: it waited for a lock of the heap.
 *
 * Kernel evidence alone calls this own computation, for the thread burns time in retries as well;
 * the open memory function is the witness. The holder is the thread that ended the sleep by waking
 * this one from inside a memory function; where wake-ups were not recorded, the thread that was
 * inside memory functions at the same time is named as such. */
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

/* The first segment that ends after ns: they touch each other, in order. */
static size_t first_segment(const struct tac_layout *l, uint64_t ns)
{
    size_t low = 0, high = l->segments;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->segment[middle].to_ns <= ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A call in which the thread slept: the time that it ran there went into retries as well. */
static bool slept_in(const struct tac_case *c, const struct tac_sight *call)
{
    if (call->kind != TAC_SIGHT_MEMORY)
        return false;
    if (!(c->has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
        return true;
    const struct tac_layout *l = c->layout;
    for (size_t i = first_segment(l, call->from_ns);
         i < l->segments && l->segment[i].from_ns < call->to_ns; i++) {
        const struct tac_segment *s = &l->segment[i];
        if (s->account == TAC_ACCOUNT_ALLOCATOR_WAIT && s->sight != TAC_SIGHT_NONE &&
            &l->sights.data[s->sight] == call)
            return true;
    }
    return false;
}

/* The end of the longest sleep in the call: who woke it, and when (0: not recorded). */
static uint32_t waker_of(const struct tac_case *c, const struct tac_sight *call, uint64_t *ret_ns)
{
    const struct tac_sights *all = &c->layout->sights;
    uint64_t longest = 0;
    uint32_t waker = 0;
    *ret_ns = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct tac_sight *s = &all->data[i];
        if (s->kind != TAC_SIGHT_ASLEEP || s->from_ns < call->from_ns || s->to_ns > call->to_ns ||
            s->to_ns - s->from_ns <= longest)
            continue;
        longest = s->to_ns - s->from_ns;
        *ret_ns = s->to_ns;
        waker = 0;
        for (size_t k = 0; k < all->count; k++)
            if (all->data[k].kind == TAC_SIGHT_READY && all->data[k].from_ns == s->to_ns)
                waker = (uint32_t)all->data[k].detail;
    }
    return waker;
}

/* Who had the lock, by the wake-up that ended the wait: an index of threads and what it was in, or
 * TAC_CAPTURE_NONE. The waker is still inside its call, or has just left it. */
static uint32_t find_holder(const struct tac_case *c, const struct tac_sight *call,
                            const struct tac_capture_memory **ret_operation)
{
    enum { JUST_NS = 100 * 1000 };
    uint64_t ns;
    uint32_t tid = waker_of(c, call, &ns);
    uint32_t thread = tid ? tac_capture_thread_of(c->capture, tid, ns) : TAC_CAPTURE_NONE;
    if (thread == TAC_CAPTURE_NONE || thread == c->cycle->thread)
        return TAC_CAPTURE_NONE;
    *ret_operation = tac_case_operation(c, thread, ns);
    return *ret_operation && (*ret_operation)->end_ns + JUST_NS > ns ? thread : TAC_CAPTURE_NONE;
}

/* " for its lock, held by thread loader in Foo::append (lib.so, foo.cpp:120), which could not run
 * for 812 us because of thread ffmpeg (1234)". Returns how sure it is that this was the wait: most
 * when the holder is proved, least when nobody is known to have been in the heap. */
static double describe_rival(const struct tac_case *c, const struct tac_sight *call, char *text,
                             size_t size)
{
    const struct tac_capture_memory *m = &c->capture->memory[call->index], *operation = NULL;
    uint32_t rival = find_holder(c, call, &operation), who;
    bool proved = rival != TAC_CAPTURE_NONE;
    rival = proved ? rival : tac_case_memory_rival(c, m->begin_ns, m->end_ns);
    text[0] = 0;
    if (rival == TAC_CAPTURE_NONE)
        return 0.6;
    const struct tac_capture_thread *t = &c->capture->threads[rival];
    char place[128];
    const char *in =
        tac_case_place(c, TAC_SIGHT_MEMORY, NULL, rival,
                       operation ? operation->begin_ns : m->begin_ns, place, sizeof place);
    int n = snprintf(text, size,
                     proved ? " for the lock held by thread %s%s%s"
                            : " while thread %s was in the heap too%s%s",
                     t->name, *in ? ", in " : "", in);
    uint64_t away =
        c->has & TAC_HAS_SCHED ? tac_case_displaced(c, t->tid, m->begin_ns, m->end_ns, &who) : 0;
    char name[64];
    if (away * 2 > m->end_ns - m->begin_ns && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, ", which could not run for %.0f us because of %s",
                 (double)away / 1e3, tac_case_who(c, who, name, sizeof name));
    return proved ? 0.97 : 0.9;
}

static void check(struct tac_case *c)
{
    uint64_t ns = c->open_ns[TAC_ACCOUNT_ALLOCATOR_WAIT];
    const struct tac_sight *call = longest_call(c);
    if (!ns || !call)
        return;
    const struct tac_capture_memory *m = &c->capture->memory[call->index];
    char other[TAC_VERDICT_TEXT_MAX - 32];
    double sure = describe_rival(c, call, other, sizeof other);
    tac_claim(c, TAC_ACCOUNT_ALLOCATOR_WAIT, ns, sure, "slept %.0f us inside %s%s",
              (double)ns / 1e3, m->op == TAC_MEMORY_FREE ? "free" : "malloc", other);
    uint64_t retries = tac_case_sum(c, TAC_ACCOUNT_ALLOCATOR, slept_in, NULL);
    tac_claim(c, TAC_ACCOUNT_ALLOCATOR, retries, sure < 0.9 ? sure : 0.9,
              "ran %.0f us in retries%s", (double)retries / 1e3, other);
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
