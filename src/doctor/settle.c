/* SPDX-License-Identifier: MIT
 * settle.c - the moves between the accounts of one cycle, by what has counts and no place in time:
 * CPU clock, switches, silence; see account.h. Those of page faults are in price.c. */
#include "doctor/settle.h"

#include "doctor/doctor.h"
#include "doctor/still.h"

/* Differences of the CPU clock below this are the cost of the switches and readings themselves; in
 * undisturbed cycles the clocks agree within 1 us. */
enum { SLACK_NS = 20000, STEAL_NS = 50000, SURPLUS_NS = 100000, SWITCH_NS = 10000 };

/* A wake-up that asks for a switch spares the scheduler the next reading of its clock: the woken
 * thread is charged from then on, although another CPU's interrupt has yet to come through, or the
 * one in front to leave the kernel (Linux, wakeup_preempt() in kernel/sched/core.c). So a way back
 * may stand on its clock, with the interrupts in it; behind an idle CPU, whose switches are not
 * always told, only so much. */
enum { WAKE_CHARGED_NS = 200000 };

static bool may_be_charged(const struct tac_sight *s)
{
    return s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_WOKEN &&
           !(s->flags & TAC_SIGHT_CHOSEN);
}

struct off_cpu {
    uint64_t ns;         /* asleep or ready, by the sights */
    uint64_t charged_ns; /* of these may be on the thread's clock all the same */
};

static uint64_t longest_interrupt(const struct tac_layout *l)
{
    uint64_t longest = 0, from_ns = l->cycle->begin_ns, to_ns = l->cycle->end_ns;
    for (size_t i = 0; i < l->sights.count; i++) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->kind != TAC_SIGHT_IRQ && s->kind != TAC_SIGHT_SOFTIRQ)
            continue;
        uint64_t from = s->from_ns > from_ns ? s->from_ns : from_ns;
        uint64_t to = s->to_ns < to_ns ? s->to_ns : to_ns;
        longest = to > from && to - from > longest ? to - from : longest;
    }
    return longest;
}

static struct off_cpu time_off_cpu(const struct tac_layout *l)
{
    struct off_cpu off = {0};
    uint64_t interrupt = longest_interrupt(l); /* stands behind one way back alone */
    for (size_t i = 0; i < l->sights.count; i++) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->kind != TAC_SIGHT_ASLEEP && s->kind != TAC_SIGHT_READY)
            continue;
        uint64_t from = s->from_ns > l->cycle->begin_ns ? s->from_ns : l->cycle->begin_ns;
        uint64_t to = s->to_ns < l->cycle->end_ns ? s->to_ns : l->cycle->end_ns;
        uint64_t span = to > from ? to - from : 0;
        off.ns += span;
        off.charged_ns += SWITCH_NS;
        if (!may_be_charged(s) || !span)
            continue;
        uint64_t most = WAKE_CHARGED_NS + interrupt;
        uint64_t charged = s->who || span < most ? span : most;
        off.charged_ns += charged;
        if (!s->who && charged > WAKE_CHARGED_NS)
            interrupt -= charged - WAKE_CHARGED_NS;
    }
    return off;
}

/* Sights that say the thread was away for longer than its CPU clock allows are wrong: a switch was
 * lost. What they claim too much is not known to be anything. */
static void settle_surplus(struct tac_layout *l, struct off_cpu off, uint64_t missing)
{
    static const uint8_t from[] = {TAC_ACCOUNT_RUNNABLE, TAC_ACCOUNT_BLOCKED,
                                   TAC_ACCOUNT_ALLOCATOR_WAIT};
    if (off.ns < missing + off.charged_ns + SURPLUS_NS)
        return;
    uint64_t surplus = off.ns - missing;
    for (size_t i = 0; i < sizeof from; i++)
        surplus -= tac_layout_move(l, NULL, from[i], TAC_ACCOUNT_UNEXPLAINED, surplus);
}

/* Time that passed, that no switch accounts for, and that the thread was not charged for. Part of
 * it may be known already. */
static void settle_steal(struct tac_layout *l, const struct tac_nominal *nominal, uint64_t missing)
{
    if (missing < l->ns[TAC_ACCOUNT_HYPERVISOR] + STEAL_NS)
        return;
    missing -= l->ns[TAC_ACCOUNT_HYPERVISOR];
    static const uint8_t from[] = {TAC_ACCOUNT_OWN, TAC_ACCOUNT_ALLOCATOR, TAC_ACCOUNT_BLOCKED};
    for (size_t i = 0; i < sizeof from; i++)
        missing -= tac_layout_move(l, nominal, from[i], TAC_ACCOUNT_HYPERVISOR, missing);
}

/* No switches were recorded: the counters tell whether it slept, was pre-empted, or neither. */
static void settle_by_counts(struct tac_layout *l, const struct tac_nominal *nominal,
                             uint64_t missing)
{
    const struct tac_capture_cycle *c = l->cycle;
    uint64_t waits = l->ns[TAC_ACCOUNT_BLOCKED]; /* of locks: asleep with a known reason */
    if (missing <= waits + SLACK_NS)
        return;
    missing -= waits;
    bool slept = c->switches_voluntary, displaced = c->switches_involuntary;
    if (!slept && !displaced) {
        settle_steal(l, nominal, missing);
        return;
    }
    if (slept)
        missing -=
            tac_layout_move(l, nominal, TAC_ACCOUNT_ALLOCATOR, TAC_ACCOUNT_ALLOCATOR_WAIT, missing);
    enum tac_account to = slept && displaced ? TAC_ACCOUNT_UNEXPLAINED
                          : slept            ? TAC_ACCOUNT_BLOCKED
                                             : TAC_ACCOUNT_RUNNABLE;
    missing -= tac_layout_move(l, nominal, TAC_ACCOUNT_OWN, to, missing);
    missing -= tac_layout_move(l, nominal, TAC_ACCOUNT_ALLOCATOR, to, missing);
}

/* Hosts that halt a virtual machine and do not tell let the thread's clock go on. Where no other
 * evidence shows that, such time is not known to be the thread's. What it was not charged for may
 * be of the silence, and has been moved. */
static void settle_silence(struct tac_layout *l, const struct tac_nominal *nominal, uint64_t away)
{
    for (enum tac_account a = TAC_ACCOUNT_OWN; a <= TAC_ACCOUNT_ALLOCATOR; a++) {
        uint64_t moved = l->silent_ns[a] < away ? l->silent_ns[a] : away;
        uint64_t doubt = l->silent_ns[a] - moved;
        away -= moved;
        if (doubt >= TAC_STILL_CPU_NS)
            l->doubted_ns += tac_layout_move(l, nominal, a, TAC_ACCOUNT_UNEXPLAINED, doubt);
    }
}

void tac_layout_settle(struct tac_layout *layout, const struct tac_nominal *nominal, unsigned has)
{
    const struct tac_capture_cycle *c = layout->cycle;
    layout->doubted_ns = 0;
    if (c->flags & TAC_CYCLE_SPARED) /* well in time: what was seen with a place is all it needs */
        return;
    if (!(c->flags & TAC_CYCLE_EVIDENCE)) {
        if (!(has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
            tac_layout_move(layout, nominal, TAC_ACCOUNT_OWN, TAC_ACCOUNT_UNEXPLAINED, UINT64_MAX);
        return;
    }
    uint64_t wall = c->end_ns - c->begin_ns;
    uint64_t missing = wall > c->cpu_ns ? wall - c->cpu_ns : 0;
    uint64_t known = layout->ns[TAC_ACCOUNT_BLOCKED];
    if (has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)) {
        struct off_cpu off = time_off_cpu(layout);
        known = off.ns;
        settle_steal(layout, nominal, missing > known ? missing - known : 0);
        if (has & TAC_HAS_SCHED) /* otherwise a sleep holds its way back, which may be charged */
            settle_surplus(layout, off, missing);
    } else {
        settle_by_counts(layout, nominal, missing);
    }
    settle_silence(layout, nominal, missing > known ? missing - known : 0);
    tac_layout_settle_faults(layout, nominal, has);
}
