/* SPDX-License-Identifier: MIT
 * spared.c - the accounts of cycles that began without them.
 *
 * How     Such a cycle has the sums since the accounts that its thread wrote last. What belongs to
 *         the time between those and its begin is taken off: switches and faults by counting the
 *         thread's own kernel events, CPU time by the time between them. A thread is also charged
 *         for a piece of its way back to the CPU (Linux, wakeup_preempt() in kernel/sched/core.c):
 *         what one way back costs is the median of the last such stretches.
 * Invariants
 *   I1    Where an event may be missing there are no accounts: evidence is lost, not made.
 * Cost    O(k) for k kernel events of a stretch; stretches of a thread do not overlap but for the
 *         cycle itself. Threads: one. Real-time: no. */
#include "capture/reader.h"

#include <stdlib.h>
#include <string.h>

enum { HABITS = 16, HABITS_LEAST = 4 };

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

static bool is_missing(const struct tac_reader *r, uint32_t tid, uint64_t from_ns, uint64_t to_ns)
{
    const struct tac_capture_gap *g = r->gaps.data;
    for (size_t i = 0; i < r->gaps.count && g[i].begin_ns < to_ns; i++)
        if (g[i].thread == TAC_CAPTURE_NONE && g[i].tid == tid && g[i].end_ns > from_ns)
            return true;
    return false;
}

static struct stretch look(const struct tac_reader *r, uint32_t tid, uint64_t from_ns,
                           uint64_t to_ns)
{
    const struct tac_capture_kernel *k = r->kernel.data;
    struct stretch s = {.is_whole = !is_missing(r, tid, from_ns, to_ns)};
    uint64_t left_ns = 0;
    for (size_t i = tac_reader_kernel_at(r, from_ns); i < r->kernel.count && k[i].ns <= to_ns;
         i++) {
        if (k[i].tid != tid)
            continue;
        if (k[i].type == TAC_KERNEL_OUT) {
            s.is_whole = s.is_whole && !left_ns;
            s.voluntary += !k[i].a;
            s.involuntary += k[i].a != 0;
            left_ns = k[i].ns;
        } else if (k[i].type == TAC_KERNEL_IN) {
            s.is_whole = s.is_whole && left_ns;
            s.off_ns += k[i].ns - left_ns;
            left_ns = 0;
        }
        s.minor += k[i].type == TAC_KERNEL_FAULT_MINOR;
        s.major += k[i].type == TAC_KERNEL_FAULT_MAJOR;
    }
    s.is_whole = s.is_whole && !left_ns;
    return s;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t usual_extra(const struct habit *h)
{
    uint64_t sorted[HABITS];
    uint32_t n = h->count < HABITS ? h->count : HABITS;
    if (n < HABITS_LEAST)
        return 0;
    memcpy(sorted, h->extra_ns, sizeof sorted);
    qsort(sorted, n, sizeof *sorted, compare);
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

static void settle(const struct tac_reader *r, struct habit *habit,
                   const struct tac_reader_spared *spared)
{
    const struct tac_reader_accounts *before =
        (const struct tac_reader_accounts *)r->accounts.data + spared->before;
    const struct tac_reader_accounts *upto =
        (const struct tac_reader_accounts *)r->accounts.data + spared->upto;
    struct tac_capture_cycle *c = (struct tac_capture_cycle *)r->cycles.data + spared->cycle;
    uint32_t tid = ((const struct tac_capture_thread *)r->threads.data)[c->thread].tid;
    struct stretch s = look(r, tid, before->ns, c->begin_ns);
    if (!s.is_whole) {
        c->flags &= ~(uint32_t)TAC_CYCLE_EVIDENCE;
        return;
    }
    uint64_t ran = time_on_cpu(&s, before->ns, c->begin_ns) + s.voluntary * usual_extra(habit);
    struct stretch all = look(r, tid, before->ns, upto->ns);
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
    struct habit *habits = calloc(r->threads.count + 1, sizeof *habits);
    if (!habits)
        return false;
    const struct tac_capture_cycle *c = r->cycles.data;
    for (size_t i = 0; i < r->spared.count; i++)
        settle(r, &habits[c[s[i].cycle].thread], &s[i]);
    free(habits);
    return true;
}
