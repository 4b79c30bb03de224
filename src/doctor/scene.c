/* SPDX-License-Identifier: MIT
 * scene.c - what rules ask about other threads in the time of a late cycle; see rule.h. */
#include "doctor/rule.h"

#include <stdlib.h>

/* Heap operations begin in order; one that is longer than this before the window is not looked for.
 */
enum { LOOK_BACK_NS = 200 * 1000 * 1000 };

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
        if (m->thread == c->cycle->thread || m->thread >= 64 || to <= from)
            continue;
        time[m->thread] += to - from;
        if (time[m->thread] > most) {
            most = time[m->thread];
            best = m->thread;
        }
    }
    return best;
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

enum { DISPLACED_BEFORE_NS = 50 * 1000 * 1000 };

uint64_t tac_case_displaced(const struct tac_case *c, uint32_t tid, uint64_t from_ns,
                            uint64_t to_ns, uint32_t *ret_who)
{
    const struct tac_capture *cap = c->capture;
    uint64_t start = from_ns > DISPLACED_BEFORE_NS ? from_ns - DISPLACED_BEFORE_NS : 0;
    uint64_t total = 0, ready = 0;
    uint32_t who = 0, other = 0;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, start);
         i < cap->kernel_count && cap->kernel[i].ns < to_ns; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        if (e->type == TAC_KERNEL_SWITCH && e->tid == tid) { /* only the states that can run */
            ready = e->b >> 32 & 0xff ? 0 : e->ns;
            other = (uint32_t)(e->a >> 32);
        } else if (e->type == TAC_KERNEL_WAKING && (uint32_t)(e->a >> 32) == tid && !ready) {
            ready = e->ns;
            other = 0;
        } else if (e->tid == tid && ready && e->type != TAC_KERNEL_WAKING && e->ns > from_ns) {
            total += e->ns - (ready > from_ns ? ready : from_ns);
            who = other ? other : who;
            ready = 0;
        } else if (e->type == TAC_KERNEL_SWITCH && (uint32_t)(e->a >> 32) == tid) {
            if (ready && e->ns > from_ns) {
                total += e->ns - (ready > from_ns ? ready : from_ns);
                who = other ? other : e->tid;
            }
            ready = 0;
        }
    }
    if (ready) {
        total += to_ns - (ready > from_ns ? ready : from_ns);
        who = other ? other : who;
    }
    if (ret_who)
        *ret_who = who;
    return total;
}

/* CLONE_VM of clone(2): the child shares the memory, so nothing is copied. */
enum { CLONE_SHARES_MEMORY = 0x100 };

static bool is_own(const struct tac_capture *cap, uint32_t tid)
{
    const char *pid = tac_capture_meta(cap, "pid");
    if (pid && tid == (uint32_t)strtoul(pid, NULL, 10))
        return true;
    for (size_t i = 0; i < cap->threads_count; i++)
        if (cap->threads[i].tid == tid)
            return true;
    return false;
}

const struct tac_capture_kernel *tac_case_fork(const struct tac_case *c, uint64_t from_ns,
                                               uint64_t to_ns, bool alive)
{
    const struct tac_capture *cap = c->capture;
    const struct tac_capture_kernel *last = NULL;
    for (size_t i = TAC_CAPTURE_LOWER(cap, kernel, ns, from_ns);
         i < cap->kernel_count && cap->kernel[i].ns < to_ns; i++) {
        const struct tac_capture_kernel *e = &cap->kernel[i];
        if (e->type == TAC_KERNEL_FORK && !(e->b & CLONE_SHARES_MEMORY) && is_own(cap, e->tid) &&
            !is_own(cap, (uint32_t)e->a))
            last = e;
        else if (alive && last && e->type == TAC_KERNEL_EXIT && e->tid == (uint32_t)last->a)
            last = NULL;
    }
    return last;
}
