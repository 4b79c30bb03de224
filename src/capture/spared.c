/* SPDX-License-Identifier: MIT
 * spared.c - the accounts of cycles that began without them.
 *
 * How     Such a cycle has the sums since the accounts that its thread wrote last. What belongs to
 *         the time between those and its begin is taken off: switches and faults by counting the
 *         thread's own kernel events, CPU time by the time between them. A thread is also charged
 *         for a piece of its way back to the CPU (Linux, wakeup_preempt() in kernel/sched/core.c):
 *         what one way back costs is the median of the last such stretches.
 * Invariants
 *   I1    Where an event may be missing there are no accounts: evidence is lost, not made. But for
 *         a stretch so short that what is missing in it does not matter, as between two late
 * cycles. Cost    O(n log n) once for n kernel events, then O(k + log n) a cycle for the k events
 * of its thread's stretch; stretches of a thread do not overlap but for the cycle itself. Threads:
 * one. Real-time: no. */
#include "base/order.h"
#include "capture/holes.h"
#include "capture/reader.h"

#include <stdlib.h>
#include <string.h>

enum { HABITS = 16, HABITS_LEAST = 4, SHORT_NS = 100 * 1000 };

/* A thread's own event. */
struct own {
    uint32_t tid, event; /* event: in kernel */
};

/* By thread, then by time. */
struct index {
    const struct tac_reader *reader;
    struct own *own;
    size_t owns;
    struct tac_holes holes; /* in the kernel's events */
};

/* What one way back costs the thread, of late. */
struct habit {
    uint64_t extra_ns[HABITS];
    uint32_t count;
};

/* What a thread's own events say about a stretch of time that begins and ends on the CPU. */
struct stretch {
    uint64_t off_ns;
    uint32_t voluntary, involuntary, minor, major;
    bool is_whole; /* no event is missing */
};

void tac_reader_account(struct tac_capture_cycle *c, const struct tac_reader_accounts *from,
                        const struct tac_reader_accounts *to)
{
    c->cpu_ns = to->cpu_ns - from->cpu_ns;
    c->switches_voluntary = (uint32_t)(to->switches >> 32) - (uint32_t)(from->switches >> 32);
    c->switches_involuntary = (uint32_t)to->switches - (uint32_t)from->switches;
    c->faults_minor = (uint32_t)(to->faults >> 32) - (uint32_t)(from->faults >> 32);
    c->faults_major = (uint32_t)to->faults - (uint32_t)from->faults;
}

static int compare_owns(const void *a, const void *b)
{
    const struct own *x = a, *y = b;
    if (x->tid != y->tid)
        return x->tid < y->tid ? -1 : 1;
    return x->event < y->event ? -1 : x->event > y->event;
}

static void index_owns(struct index *x)
{
    const struct tac_capture_kernel *k = x->reader->kernel.data;
    for (size_t i = 0; i < x->reader->kernel.count; i++)
        if (tac_reader_is_of_thread(k[i].type))
            x->own[x->owns++] = (struct own){k[i].tid, (uint32_t)i};
    qsort(x->own, x->owns, sizeof *x->own, compare_owns);
}

static bool make_index(const struct tac_reader *r, struct index *ret_index)
{
    *ret_index =
        (struct index){.reader = r, .own = malloc((r->kernel.count + 1) * sizeof(struct own))};
    if (!ret_index->own ||
        tac_holes_find(r->gaps.data, r->gaps.count, TAC_HOLES_OF_KERNEL, &ret_index->holes))
        return false;
    index_owns(ret_index);
    return true;
}

/* The first of the thread's own events from this place in kernel on. */
static size_t lower(const struct index *x, uint32_t tid, uint32_t event)
{
    struct own key = {tid, event};
    size_t low = 0, high = x->owns;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_owns(&x->own[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct stretch look(const struct index *x, uint32_t tid, uint64_t from_ns, uint64_t to_ns)
{
    const struct tac_capture_kernel *k = x->reader->kernel.data;
    struct stretch s = {.is_whole = !tac_holes_within(&x->holes, tid, from_ns, to_ns)};
    uint64_t left_ns = 0;
    for (size_t i = lower(x, tid, (uint32_t)tac_reader_kernel_at(x->reader, from_ns));
         i < x->owns && x->own[i].tid == tid && k[x->own[i].event].ns <= to_ns; i++) {
        const struct tac_capture_kernel *e = &k[x->own[i].event];
        if (e->type == TAC_KERNEL_OUT) {
            s.is_whole = s.is_whole && !left_ns;
            s.voluntary += !e->a;
            s.involuntary += e->a != 0;
            left_ns = e->ns;
        } else if (e->type == TAC_KERNEL_IN) {
            s.is_whole = s.is_whole && left_ns;
            s.off_ns += e->ns - left_ns;
            left_ns = 0;
        }
        s.minor += e->type == TAC_KERNEL_FAULT_MINOR;
        s.major += e->type == TAC_KERNEL_FAULT_MAJOR;
    }
    s.is_whole = s.is_whole && !left_ns;
    return s;
}

static uint64_t usual_extra(const struct habit *h)
{
    uint64_t sorted[HABITS];
    uint32_t n = h->count < HABITS ? h->count : HABITS;
    if (n < HABITS_LEAST)
        return 0;
    memcpy(sorted, h->extra_ns, sizeof sorted);
    qsort(sorted, n, sizeof *sorted, tac_compare_u64);
    return sorted[n / 2];
}

/* Counters and the kernel's clock are matched to a microsecond or so: no time is below zero. */
static uint64_t time_on_cpu(const struct stretch *s, uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns + s->off_ns ? to_ns - from_ns - s->off_ns : 0;
}

static void learn(struct habit *h, const struct stretch *s, uint64_t on, uint64_t cpu_ns)
{
    if (!s->is_whole || !s->voluntary)
        return;
    h->extra_ns[h->count++ % HABITS] = cpu_ns > on ? (cpu_ns - on) / s->voluntary : 0;
}

static uint32_t less(uint32_t x, uint32_t y)
{
    return x > y ? x - y : 0;
}

static void settle(const struct index *x, struct habit *habit,
                   const struct tac_reader_spared *spared)
{
    const struct tac_reader *r = x->reader;
    const struct tac_reader_accounts *before =
        (const struct tac_reader_accounts *)r->accounts.data + spared->before;
    const struct tac_reader_accounts *upto =
        (const struct tac_reader_accounts *)r->accounts.data + spared->upto;
    struct tac_capture_cycle *c = (struct tac_capture_cycle *)r->cycles.data + spared->cycle;
    uint32_t tid = ((const struct tac_capture_thread *)r->threads.data)[c->thread].tid;
    struct stretch s = look(x, tid, before->ns, c->begin_ns);
    if (!s.is_whole && c->begin_ns > before->ns + SHORT_NS) {
        c->flags &= ~(uint32_t)TAC_CYCLE_EVIDENCE;
        return;
    }
    uint64_t ran = time_on_cpu(&s, before->ns, c->begin_ns) + s.voluntary * usual_extra(habit);
    struct stretch all = look(x, tid, before->ns, upto->ns);
    learn(habit, &all, time_on_cpu(&all, before->ns, upto->ns), upto->cpu_ns - before->cpu_ns);
    c->cpu_ns = c->cpu_ns > ran ? c->cpu_ns - ran : 0;
    c->switches_voluntary = less(c->switches_voluntary, s.voluntary);
    c->switches_involuntary = less(c->switches_involuntary, s.involuntary);
    c->faults_minor = less(c->faults_minor, s.minor);
    c->faults_major = less(c->faults_major, s.major);
}

bool tac_reader_settle_spared(struct tac_reader *r)
{
    const struct tac_reader_spared *s = r->spared.data;
    const struct tac_capture_cycle *c = r->cycles.data;
    struct habit *habits = calloc(r->threads.count + 1, sizeof *habits);
    struct index x = {0};
    bool good = habits && (!r->spared.count || make_index(r, &x));
    for (size_t i = 0; good && i < r->spared.count; i++)
        settle(&x, &habits[c[s[i].cycle].thread], &s[i]);
    free(habits);
    free(x.own);
    tac_holes_fini(&x.holes);
    return good;
}
