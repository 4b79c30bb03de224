/* SPDX-License-Identifier: MIT
 * scene.c - what rules ask about other threads in the time of a late cycle; see rule.h. */
#include "doctor/evidence.h"
#include "doctor/kin.h"
#include "doctor/rule.h"
#include "doctor/still.h"
#include "doctor/tick.h"
#include "doctor/witness.h"

#include <stdlib.h>

/* Heap operations begin in order; one that is longer than this before the window is not looked for.
 */
enum { LOOK_BACK_NS = 200 * 1000 * 1000 };

/* What an operation counts for that was not timed (outside cycles most short ones are not). */
enum { COARSE_NS = 50 };

uint32_t tac_case_memory_rival(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    uint32_t best = TAC_CAPTURE_NONE;
    uint64_t most = 0;
    uint64_t time[64] = {0};
    uint64_t start = from_ns > LOOK_BACK_NS ? from_ns - LOOK_BACK_NS : 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, memory, begin_ns, start);
         i < cap->memory_count && cap->memory[i].begin_ns < to_ns; i++) {
        const struct tac_capture_memory *m = &cap->memory[i];
        uint64_t from = m->begin_ns > from_ns ? m->begin_ns : from_ns;
        uint64_t to = m->end_ns < to_ns ? m->end_ns : to_ns;
        bool meets = to > from || (m->begin_ns == m->end_ns && m->begin_ns >= from_ns);
        if (m->thread == c->cycle->thread || m->thread >= 64 || !meets)
            continue;
        time[m->thread] += to > from ? to - from : COARSE_NS;
        if (time[m->thread] > most) {
            most = time[m->thread];
            best = m->thread;
        }
    }
    return best;
}

const struct tac_capture_memory *tac_case_operation(const struct tac_case *c, uint32_t thread,
                                                    uint64_t ns)
{
    enum { LOOK_BACK = 1000 };
    const struct tac_capture *cap = c->capture;
    size_t at = TAC_CAPTURE_LOWER(cap, memory, begin_ns, ns + 1);
    for (size_t n = 0; at > 0 && n < LOOK_BACK; n++)
        if (cap->memory[--at].thread == thread)
            return &cap->memory[at];
    return NULL;
}

/* Whether the page of this fault (index in sights) was there and read-only: the two witnesses of a
 * fault tell of it within some microseconds of each other. */
static bool is_copy(const struct tac_layout *l, size_t at)
{
    enum { APART_NS = 50 * 1000, PAGE_BITS = 12 };
    const struct tac_sight *fault = &l->sights.data[at];
    for (size_t i = at + 1; i-- > 0;) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->to_ns + APART_NS < fault->from_ns)
            return false;
        if (s->kind == TAC_SIGHT_PROTECTED && s->detail >> PAGE_BITS == fault->detail >> PAGE_BITS)
            return true;
    }
    return false;
}

/* Faults that are other rules': the search for free pages, and what was written after a fork. */
static bool is_others(const struct tac_case *c, const struct tac_segment *s, bool copies)
{
    if (s->sight == TAC_SIGHT_NONE)
        return false;
    const struct tac_sight *sight = &c->layout->sights.data[s->sight];
    return sight->kind == TAC_SIGHT_RECLAIM || sight->kind == TAC_SIGHT_COMPACT ||
           (copies && sight->kind == TAC_SIGHT_FAULTING && is_copy(c->layout, s->sight));
}

uint64_t tac_case_faults_in_heap(const struct tac_case *c)
{
    uint64_t sum = 0, all = c->layout->ns[TAC_ACCOUNT_FAULT], open = c->open_ns[TAC_ACCOUNT_FAULT];
    bool copies = tac_case_is_claimed(c, "fault_cow");
    for (size_t i = 0; i < c->layout->segments; i++) {
        const struct tac_segment *s = &c->layout->segment[i];
        uint64_t length = s->to_ns - s->from_ns;
        if (s->account != TAC_ACCOUNT_FAULT)
            continue;
        const struct tac_capture_memory *m = tac_case_operation(c, c->cycle->thread, s->from_ns);
        if (is_others(c, s, copies))
            all -= length < all ? length : all;
        else if (m && m->end_ns > s->from_ns)
            sum += length;
    }
    return sum < all ? (uint64_t)((double)open * ((double)sum / (double)all)) : sum ? open : 0;
}

/* The scheduler credits CPU time at each switch and at ticks. Between two such moments of a thread
 * that kept its CPU, wall time minus credit is time in which the machine was not run. Source:
 * kernel/sched, update_curr() and CONFIG_PARAVIRT_TIME_ACCOUNTING. */
enum { CREDIT_BEFORE_NS = 20 * 1000 * 1000, CREDIT_AFTER_NS = 10 * 1000 * 1000 };

uint64_t tac_case_uncharged(const struct tac_case *c, uint32_t tid, uint64_t from_ns,
                            uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    uint64_t start = from_ns > CREDIT_BEFORE_NS ? from_ns - CREDIT_BEFORE_NS : 0, since = 0;
    uint64_t uncharged = 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, start);
         i < cap->kernel_count && cap->kernel[i].ns < to_ns + CREDIT_AFTER_NS; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        bool comes = e->type == TAC_KERNEL_SWITCH && (uint32_t)(e->a >> 32) == tid;
        bool credited = e->type == TAC_KERNEL_RUNTIME && e->tid == tid;
        if (credited && since && e->ns > from_ns) {
            uint64_t wall = e->ns - since;
            uncharged += wall > e->a ? wall - e->a : 0;
            if (e->ns >= to_ns)
                break;
        }
        if (comes || credited)
            since = e->ns;
        if (e->type == TAC_KERNEL_SWITCH && e->tid == tid)
            since = 0;
    }
    return uncharged < to_ns - from_ns ? uncharged : to_ns - from_ns;
}

enum { DISPLACED_BEFORE_NS = 50 * 1000 * 1000, RUNNERS = 16 };

/* A wait for a CPU, followed through the events; who runs there gets its time. */
struct wait {
    uint64_t from_ns, to_ns; /* the window */
    uint64_t since;          /* when it became ready, or the runner changed; 0: it runs or sleeps */
    uint64_t total_ns;
    uint32_t cpu, runner;
    struct {
        uint32_t tid;
        uint64_t ns;
    } ran[RUNNERS]; /* who ran for how long; a late comer takes the place of the least */
};

static void wait_upto(struct wait *w, uint64_t ns)
{
    uint64_t from = w->since > w->from_ns ? w->since : w->from_ns;
    uint64_t to = ns < w->to_ns ? ns : w->to_ns;
    uint64_t span = w->since && to > from ? to - from : 0;
    w->total_ns += span;
    w->since = ns;
    unsigned at = 0;
    for (unsigned i = 0; i < RUNNERS && w->ran[at].tid != w->runner; i++)
        if (w->ran[i].tid == w->runner || w->ran[i].ns < w->ran[at].ns)
            at = i;
    if (w->ran[at].tid != w->runner)
        w->ran[at].ns = 0;
    w->ran[at].tid = w->runner;
    w->ran[at].ns += span;
}

static uint32_t longest_runner(const struct wait *w)
{
    unsigned best = 0;
    for (unsigned i = 1; i < RUNNERS; i++)
        if (w->ran[i].ns > w->ran[best].ns)
            best = i;
    return w->ran[best].tid;
}

static void wait_event(struct wait *w, uint32_t tid, const struct tac_capture_kernel *e)
{
    uint32_t next = (uint32_t)(e->a >> 32);
    bool is_switch = e->type == TAC_KERNEL_SWITCH;
    if (e->type == TAC_KERNEL_OUT) /* SWITCH has said it */
        return;
    if (is_switch && e->tid == tid) {
        w->since = e->b >> 32 & 0xff ? 0 : e->ns; /* only a state that can run */
        w->cpu = e->cpu;
        w->runner = next;
    } else if (e->type == TAC_KERNEL_WAKING && next == tid && !w->since) {
        w->since = e->ns;
        w->cpu = (uint32_t)(e->b >> 32);
        w->runner = 0;
    } else if (w->since &&
               ((is_switch && next == tid) || (e->tid == tid && e->type != TAC_KERNEL_WAKING))) {
        w->runner = is_switch && !w->runner ? e->tid : w->runner;
        wait_upto(w, e->ns);
        w->since = 0;
    } else if (w->since && e->cpu == w->cpu && (is_switch ? next : e->tid) != w->runner) {
        wait_upto(w, e->ns);
        w->runner = is_switch ? next : e->tid;
    }
}

uint64_t tac_case_displaced(const struct tac_case *c, uint32_t tid, uint64_t from_ns,
                            uint64_t to_ns, uint32_t *ret_who)
{
    const struct tac_capture *cap = c->capture;
    uint64_t start = from_ns > DISPLACED_BEFORE_NS ? from_ns - DISPLACED_BEFORE_NS : 0;
    struct wait w = {.from_ns = from_ns, .to_ns = to_ns};
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, start);
         i < cap->kernel_count && cap->kernel[i].ns < to_ns; i++)
        wait_event(&w, tid, &cap->kernel[i]);
    if (w.since)
        wait_upto(&w, to_ns);
    if (ret_who)
        *ret_who = longest_runner(&w);
    return w.total_ns;
}

uint64_t tac_case_slept(const struct tac_case *c, uint32_t tid, uint64_t from_ns, uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    uint64_t start = from_ns > DISPLACED_BEFORE_NS ? from_ns - DISPLACED_BEFORE_NS : 0;
    uint64_t since = 0, sum = 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, start);
         i < cap->kernel_count && cap->kernel[i].ns < to_ns; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        uint32_t other = (uint32_t)(e->a >> 32);
        if (e->type == TAC_KERNEL_SWITCH && e->tid == tid) {
            bool sleeps = e->b >> 32 & 0xff;
            since = sleeps ? (e->ns > from_ns ? e->ns : from_ns) : 0;
        } else if ((e->type == TAC_KERNEL_WAKING || e->type == TAC_KERNEL_SWITCH) && other == tid) {
            sum += since && e->ns > since ? e->ns - since : 0;
            since = 0;
        }
    }
    return sum + (since ? to_ns - since : 0);
}

/* A wake-up, and not the rest of a wait that another thread or CPU has cut off. */
static bool is_wake(const struct tac_case *c, const struct tac_sight *s)
{
    return s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_WOKEN &&
           s->index < c->capture->kernel_count &&
           c->capture->kernel[s->index].type == TAC_KERNEL_WAKING;
}

struct tac_timed_wake tac_case_late_timer(const struct tac_case *c, uint64_t least_ns)
{
    struct tac_timed_wake timed = {0};
    const struct tac_sights *all = &c->layout->sights;
    const struct tac_sight *wake = NULL;
    for (size_t i = 0; i < all->count; i++)
        if (is_wake(c, &all->data[i]) && all->data[i].from_ns <= c->cycle->begin_ns &&
            (!wake || all->data[i].from_ns >= wake->from_ns))
            wake = &all->data[i];
    if (!wake || !(wake->flags & TAC_SIGHT_HARD) ||
        wake->from_ns <= c->layout->release_ns + least_ns)
        return timed;
    timed.wake = wake;
    timed.is_timer = !(wake->flags & TAC_SIGHT_DEVICE);
    for (size_t i = 0; i < all->count; i++)
        if (all->data[i].kind == TAC_SIGHT_ASLEEP && all->data[i].to_ns == wake->from_ns)
            timed.sleep = &all->data[i];
    return timed;
}

/* The cycle before `at` on this one's source, among those that began not long before. */
static const struct tac_capture_cycle *cycle_before(const struct tac_case *c,
                                                    const struct tac_capture_cycle *at)
{
    enum { NEAR = 64 };
    for (unsigned i = 0; i < NEAR && at-- > c->capture->cycles; i++)
        if (at->source == c->cycle->source)
            return at;
    return NULL;
}

bool tac_case_falls_behind(const struct tac_case *c)
{
    enum { BEFORE = 3 };
    uint64_t period = c->cycle->deadline_ns - c->layout->release_ns;
    uint64_t late = c->cycle->begin_ns - c->layout->release_ns;
    const struct tac_capture_cycle *at = cycle_before(c, c->cycle);
    if (!at || at->end_ns > c->layout->release_ns + late / 4)
        return false;
    for (unsigned i = 0; i < BEFORE; i++) {
        const struct tac_capture_cycle *older = cycle_before(c, at);
        uint64_t release = at->deadline_ns - period;
        if (!older || at->deadline_ns < period || at->begin_ns < release + late / 4 * 3 ||
            older->end_ns > release + late / 4)
            return false;
        at = older;
    }
    return true;
}

bool tac_timed_wake_is_wanted(const struct tac_case *c, struct tac_timed_wake timed)
{
    return timed.is_timer &&
           ((timed.sleep && timed.sleep->from_ns > c->layout->release_ns) ||
            (timed.wake->from_ns > c->layout->previous_ns && tac_case_falls_behind(c)));
}

bool tac_case_is_started(const struct tac_case *c, uint32_t tid)
{
    const struct tac_birth *b = tac_kin_birth(c->diagnosis->kin, tid, c->cycle->end_ns);
    return b && b->ns >= c->cycle->begin_ns &&
           b->parent == c->capture->threads[c->cycle->thread].tid;
}

bool tac_case_cpu_lived(const struct tac_case *c, uint32_t cpu, uint64_t from_ns, uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, from_ns + 1);
         i < cap->kernel_count && cap->kernel[i].ns < to_ns; i++)
        if (cap->kernel[i].cpu == cpu)
            return true;
    return false;
}

uint64_t tac_case_silence(const struct tac_case *c, uint64_t from_ns, uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    uint64_t last = from_ns, longest = 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, from_ns); i <= cap->kernel_count; i++) {
        bool is_end = i == cap->kernel_count || cap->kernel[i].ns >= to_ns;
        uint64_t at = is_end ? to_ns : cap->kernel[i].ns;
        longest = at - last > longest ? at - last : longest;
        last = at;
        if (is_end)
            break;
    }
    return longest;
}

uint64_t tac_case_unticked(const struct tac_case *c, uint32_t cpu, uint64_t from_ns, uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    uint64_t before = 0, begin = 0, end = 0, sum = 0;
    uint64_t start = from_ns > TAC_STILL_CPU_NS ? from_ns - TAC_STILL_CPU_NS : 0;
    if (!tac_tick_is_on(cap, cpu))
        return 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, start); i < cap->kernel_count; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        if (e->cpu != cpu)
            continue;
        if (before && e->ns - before > TAC_STILL_CPU_NS) {
            begin = before > from_ns ? before : from_ns;
            end = e->ns < to_ns ? e->ns : to_ns;
        }
        before = e->ns;
        if (end && e->type == TAC_KERNEL_RUNTIME) { /* the first charge behind the silence */
            sum += end > begin && e->a * 2 > end - begin ? end - begin : 0;
            end = 0;
        }
        if (e->ns > to_ns && !end)
            break;
    }
    return sum;
}

/* When the thread next gives a sign behind ns: an event of the kernel that tells of it, or one of
 * the rising signs; to_ns when none comes before. */
static uint64_t next_sign(const struct tac_case *c, const uint64_t *sign, size_t count, uint64_t ns,
                          uint64_t to_ns)
{
    const struct tac_capture *cap = c->capture;
    uint32_t tid = cap->threads[c->cycle->thread].tid;
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sign[middle] <= ns)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < count && sign[low] < to_ns)
        to_ns = sign[low];
    for (size_t k = TAC_CAPTURE_LOWER(cap, kernel, ns, ns + 1);
         k < cap->kernel_count && cap->kernel[k].ns < to_ns; k++)
        if (cap->kernel[k].tid == tid)
            return cap->kernel[k].ns;
    return to_ns;
}

/* The longest time on the account of own work, and in no call, without a sign of the thread. */
static struct tac_segment longest_silence(const struct tac_case *c)
{
    struct tac_segment longest = {0};
    uint64_t *sign;
    size_t count;
    if (tac_witness_signs(c->capture, c->layout, &sign, &count) < 0)
        return longest;
    for (size_t i = 0; i < c->layout->segments; i++) {
        const struct tac_segment *s = &c->layout->segment[i];
        bool is_own = s->account == TAC_ACCOUNT_OWN && s->sight == TAC_SIGHT_NONE;
        for (uint64_t from = s->from_ns, to; is_own && from < s->to_ns; from = to) {
            to = next_sign(c, sign, count, from, s->to_ns);
            if (to - from > longest.to_ns - longest.from_ns)
                longest = (struct tac_segment){.from_ns = from, .to_ns = to};
        }
    }
    free(sign);
    return longest;
}

bool tac_case_may_be_halted(const struct tac_case *c, uint64_t *ret_from_ns, uint64_t *ret_to_ns)
{
    double own = (double)c->open_ns[TAC_ACCOUNT_OWN], usual = c->nominal->ns[TAC_ACCOUNT_OWN];
    if (own <= 0 || !tac_evidence_is_virtual(c->capture) ||
        c->nominal->often_own_ns >= usual + own / 2)
        return false;
    struct tac_segment silence = longest_silence(c);
    if ((double)(silence.to_ns - silence.from_ns) <= own / 2)
        return false;
    *ret_from_ns = silence.from_ns;
    *ret_to_ns = silence.to_ns;
    return true;
}
