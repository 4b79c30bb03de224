/* SPDX-License-Identifier: MIT
 * witness.c - see witness.h. Cost: O(kernel events x threads with cycles) once, then O(log n + s) a
 * cycle. */
#include "doctor/witness.h"

#include "doctor/doctor.h"
#include "tactus/trace.h"

#include <errno.h>
#include <stdlib.h>

enum { FOLLOWED_MAX = 64, CPUS_MAX = 1024, PRIO_UNKNOWN = 255 };

enum state { RUNNING, ASLEEP, READY, UNKNOWN };

/* A thread with cycles, on its way through the kernel's events. */
struct followed {
    uint32_t tid, thread;
    enum state state;
    uint32_t cpu;
    struct tac_sight now;                    /* the open ASLEEP or READY */
    struct tac_sight inner[TAC_SIGHT_SPANS]; /* open IRQ, MMAP ... by kind; from_ns 0: none */
};

struct reader {
    struct tac_witness *witness;
    struct followed followed[FOLLOWED_MAX];
    size_t count;
    bool system_wide;
    uint32_t on_cpu[CPUS_MAX]; /* tid that runs there */
    uint8_t prio[CPUS_MAX];
    int error;
};

static unsigned kernel_evidence(uint16_t type)
{
    switch (type) {
    case TAC_KERNEL_SWITCH:
        return TAC_HAS_SCHED;
    case TAC_KERNEL_OUT:
        return TAC_HAS_SWITCHES;
    case TAC_KERNEL_FAULT_MINOR:
    case TAC_KERNEL_FAULT_MAJOR:
    case TAC_KERNEL_FAULT:
        return TAC_HAS_FAULTS;
    case TAC_KERNEL_IRQ_BEGIN:
    case TAC_KERNEL_SOFTIRQ_BEGIN:
        return TAC_HAS_IRQ;
    case TAC_KERNEL_MMAP_WAIT:
    case TAC_KERNEL_RECLAIM_BEGIN:
    case TAC_KERNEL_COMPACT_BEGIN:
    case TAC_KERNEL_PAGES:
        return TAC_HAS_MM;
    default:
        return 0;
    }
}

static unsigned evidence_of(const struct tac_capture *c)
{
    unsigned has = 0;
    for (size_t i = 0; i < c->kernel_count; i++)
        has |= kernel_evidence(c->kernel[i].type);
    for (size_t i = 0; i < c->cycles_count && !(has & TAC_HAS_CLOCK); i++)
        has |= c->cycles[i].flags & TAC_CYCLE_EVIDENCE ? TAC_HAS_CLOCK : 0;
    has |= c->memory_count ? TAC_HAS_MEMORY : 0;
    has |= c->locks_count ? TAC_HAS_LOCKS : 0;
    for (size_t i = 0; i < c->sites_count; i++)
        has |= c->sites[i].category == TAC_CAT_CALL ? TAC_HAS_CALLS : 0;
    return has;
}

static void note(struct reader *r, struct followed *f, struct tac_sight sight)
{
    if (r->error == 0 && (sight.to_ns > sight.from_ns || sight.kind >= TAC_SIGHT_SPANS))
        r->error = tac_sights_add(&r->witness->kernel[f->thread], sight);
}

static void leave(struct reader *r, struct followed *f, uint64_t ns)
{
    if (f->state == ASLEEP || f->state == READY) {
        f->now.to_ns = ns;
        note(r, f, f->now);
    }
    f->state = RUNNING;
}

static void enter(struct followed *f, enum state state, struct tac_sight sight)
{
    f->state = state;
    f->now = sight;
    f->now.kind = state == ASLEEP ? TAC_SIGHT_ASLEEP : TAC_SIGHT_READY;
}

static struct followed *follow(struct reader *r, uint32_t tid)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->followed[i].tid == tid)
            return &r->followed[i];
    return NULL;
}

/* Others that were ready on this CPU now wait behind someone else. */
static void next_in_front(struct reader *r, const struct tac_capture_kernel *e, uint32_t index,
                          uint32_t next, uint8_t prio)
{
    for (size_t i = 0; i < r->count; i++) {
        struct followed *f = &r->followed[i];
        if (f->state != READY || f->cpu != e->cpu || f->tid == next || f->now.from_ns == e->ns)
            continue;
        uint8_t hard = f->now.hard;
        leave(r, f, e->ns);
        enter(f, READY,
              (struct tac_sight){
                  .from_ns = e->ns, .index = index, .who = next, .prio = prio, .hard = hard});
    }
}

static void on_switch(struct reader *r, const struct tac_capture_kernel *e, uint32_t index)
{
    uint32_t next = (uint32_t)(e->a >> 32);
    uint32_t prio = (uint32_t)e->a < PRIO_UNKNOWN ? (uint32_t)e->a : PRIO_UNKNOWN;
    uint32_t left_as = (uint32_t)(e->b >> 32);
    struct followed *out = follow(r, e->tid), *in = follow(r, next);
    if (in) {
        leave(r, in, e->ns);
        in->cpu = e->cpu;
    }
    if (out) {
        leave(r, out, e->ns);
        out->cpu = e->cpu;
        enter(out, left_as ? ASLEEP : READY,
              (struct tac_sight){.from_ns = e->ns,
                                 .index = index,
                                 .who = next,
                                 .prio = (uint8_t)prio,
                                 .hard = (uint8_t)left_as});
    }
    next_in_front(r, e, index, next, (uint8_t)prio);
    if (e->cpu < CPUS_MAX) {
        r->on_cpu[e->cpu] = next;
        r->prio[e->cpu] = (uint8_t)prio;
    }
}

static void on_waking(struct reader *r, const struct tac_capture_kernel *e, uint32_t index)
{
    struct followed *f = follow(r, (uint32_t)(e->a >> 32));
    if (!f || f->state != ASLEEP)
        return;
    uint32_t cpu = (uint32_t)(e->b >> 32);
    leave(r, f, e->ns);
    f->cpu = cpu;
    enter(f, READY,
          (struct tac_sight){.from_ns = e->ns,
                             .index = index,
                             .who = cpu < CPUS_MAX ? r->on_cpu[cpu] : 0,
                             .prio = cpu < CPUS_MAX ? r->prio[cpu] : PRIO_UNKNOWN,
                             .hard = (uint8_t)(e->b & 1)});
}

static void on_own_switch(struct reader *r, const struct tac_capture_kernel *e, uint32_t index)
{
    struct followed *f = follow(r, e->tid);
    if (!f || r->system_wide)
        return;
    leave(r, f, e->ns);
    if (e->type == TAC_KERNEL_OUT)
        enter(f, e->a ? READY : ASLEEP,
              (struct tac_sight){
                  .from_ns = e->ns, .index = index, .prio = PRIO_UNKNOWN, .hard = e->a ? 0 : 1});
}

/* Interrupts hit whoever runs; a thread that waits for that CPU is hit as well. */
static bool concerns(const struct followed *f, const struct tac_capture_kernel *e, uint8_t kind)
{
    if (f->tid == e->tid)
        return true;
    return (kind == TAC_SIGHT_IRQ || kind == TAC_SIGHT_SOFTIRQ) && f->state == READY &&
           f->cpu == e->cpu;
}

static void on_span(struct reader *r, const struct tac_capture_kernel *e, uint32_t index,
                    uint8_t kind, bool begins)
{
    for (size_t i = 0; i < r->count; i++) {
        struct followed *f = &r->followed[i];
        struct tac_sight *open = &f->inner[kind];
        if (!concerns(f, e, kind))
            continue;
        if (begins) {
            *open =
                (struct tac_sight){.from_ns = e->ns, .detail = e->a, .index = index, .kind = kind};
        } else if (open->from_ns) {
            open->to_ns = e->ns;
            note(r, f, *open);
            open->from_ns = 0;
        }
    }
}

static void on_moment(struct reader *r, const struct tac_capture_kernel *e, uint32_t index,
                      uint8_t kind)
{
    struct followed *f = follow(r, e->tid);
    if (f)
        note(r, f,
             (struct tac_sight){e->ns, e->ns, e->a, index, 0, kind,
                                e->type == TAC_KERNEL_FAULT_MAJOR, 0});
}

static void on_event(struct reader *r, const struct tac_capture_kernel *e, uint32_t index)
{
    switch (e->type) {
    case TAC_KERNEL_SWITCH:
        on_switch(r, e, index);
        break;
    case TAC_KERNEL_WAKING:
        on_waking(r, e, index);
        break;
    case TAC_KERNEL_OUT:
    case TAC_KERNEL_IN:
        on_own_switch(r, e, index);
        break;
    case TAC_KERNEL_IRQ_BEGIN:
    case TAC_KERNEL_IRQ_END:
        on_span(r, e, index, TAC_SIGHT_IRQ, e->type == TAC_KERNEL_IRQ_BEGIN);
        break;
    case TAC_KERNEL_SOFTIRQ_BEGIN:
    case TAC_KERNEL_SOFTIRQ_END:
        on_span(r, e, index, TAC_SIGHT_SOFTIRQ, e->type == TAC_KERNEL_SOFTIRQ_BEGIN);
        break;
    case TAC_KERNEL_MMAP_WAIT:
    case TAC_KERNEL_MMAP_GOT:
        on_span(r, e, index, TAC_SIGHT_MMAP, e->type == TAC_KERNEL_MMAP_WAIT);
        break;
    case TAC_KERNEL_RECLAIM_BEGIN:
    case TAC_KERNEL_RECLAIM_END:
        on_span(r, e, index, TAC_SIGHT_RECLAIM, e->type == TAC_KERNEL_RECLAIM_BEGIN);
        break;
    case TAC_KERNEL_COMPACT_BEGIN:
    case TAC_KERNEL_COMPACT_END:
        on_span(r, e, index, TAC_SIGHT_COMPACT, e->type == TAC_KERNEL_COMPACT_BEGIN);
        break;
    case TAC_KERNEL_FAULT_MINOR:
    case TAC_KERNEL_FAULT_MAJOR:
    case TAC_KERNEL_FAULT:
        on_moment(r, e, index, TAC_SIGHT_FAULT);
        break;
    case TAC_KERNEL_PAGES:
        on_moment(r, e, index, TAC_SIGHT_PAGES);
        break;
    case TAC_KERNEL_SIGNAL:
        on_moment(r, e, index, TAC_SIGHT_SIGNAL);
        break;
    default:
        break;
    }
}

static void find_followed(struct reader *r)
{
    const struct tac_capture *c = r->witness->capture;
    for (size_t i = 0; i < c->cycles_count; i++) {
        uint32_t thread = c->cycles[i].thread;
        if (thread >= c->threads_count || follow(r, c->threads[thread].tid))
            continue;
        if (r->count == FOLLOWED_MAX)
            return;
        r->followed[r->count++] =
            (struct followed){.tid = c->threads[thread].tid, .thread = thread, .state = UNKNOWN};
    }
}

static int compare_ends(const void *a, const void *b)
{
    const struct tac_sight *x = a, *y = b;
    if (x->to_ns != y->to_ns)
        return x->to_ns < y->to_ns ? -1 : 1;
    return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

static void read_kernel(struct reader *r)
{
    const struct tac_capture *c = r->witness->capture;
    for (size_t i = 0; i < c->kernel_count && r->error == 0; i++)
        on_event(r, &c->kernel[i], (uint32_t)i);
    for (size_t i = 0; i < r->count; i++) {
        leave(r, &r->followed[i], c->end_ns);
        struct tac_sights *s = &r->witness->kernel[r->followed[i].thread];
        if (s->count)
            qsort(s->data, s->count, sizeof *s->data, compare_ends);
    }
}

int tac_witness_init(const struct tac_capture *capture, struct tac_witness *witness)
{
    *witness = (struct tac_witness){.capture = capture, .has = evidence_of(capture)};
    witness->kernel = calloc(capture->threads_count + 1, sizeof *witness->kernel);
    struct reader *r = calloc(1, sizeof *r);
    int error = witness->kernel && r ? 0 : -ENOMEM;
    if (error == 0) {
        r->witness = witness;
        r->system_wide = witness->has & TAC_HAS_SCHED;
        find_followed(r);
        read_kernel(r);
        error = r->error;
    }
    free(r);
    if (error)
        tac_witness_fini(witness);
    return error;
}

void tac_witness_fini(struct tac_witness *witness)
{
    for (size_t i = 0; witness->kernel && i < witness->capture->threads_count; i++)
        free(witness->kernel[i].data);
    free(witness->kernel);
    witness->kernel = NULL;
}

/* ---- one cycle ---- */

static bool kernel_was_lost(const struct tac_capture *c, uint64_t from_ns, uint64_t to_ns)
{
    for (size_t i = 0; i < c->gaps_count; i++)
        if (c->gaps[i].thread == TAC_CAPTURE_NONE && c->gaps[i].begin_ns < to_ns &&
            c->gaps[i].end_ns > from_ns)
            return true;
    return false;
}

static int add_kernel(const struct tac_witness *w, struct tac_layout *l, uint64_t to_ns)
{
    const struct tac_sights *all = &w->kernel[l->cycle->thread];
    size_t low = 0, high = all->count;
    while (low < high) { /* the first that ends at or after the release */
        size_t middle = low + (high - low) / 2;
        if (all->data[middle].to_ns < l->release_ns)
            low = middle + 1;
        else
            high = middle;
    }
    int r = 0;
    size_t beyond = 0; /* sights that lie about each other: a few may begin before their order */
    for (size_t i = low; i < all->count && beyond < 64 && r == 0; i++) {
        beyond = all->data[i].from_ns > to_ns ? beyond + 1 : beyond;
        if (all->data[i].from_ns <= to_ns)
            r = tac_sights_add(&l->sights, all->data[i]);
    }
    return r;
}

static int add_memory(const struct tac_capture *c, struct tac_layout *l)
{
    size_t i = TAC_CAPTURE_LOWER(c, memory, begin_ns, l->cycle->begin_ns);
    int r = 0;
    for (; i < c->memory_count && c->memory[i].begin_ns < l->cycle->end_ns && r == 0; i++)
        if (c->memory[i].thread == l->cycle->thread)
            r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = c->memory[i].begin_ns,
                                                              .to_ns = c->memory[i].end_ns,
                                                              .detail = c->memory[i].bytes,
                                                              .index = (uint32_t)i,
                                                              .kind = TAC_SIGHT_MEMORY});
    return r;
}

static int add_locks(const struct tac_capture *c, struct tac_layout *l)
{
    size_t i = TAC_CAPTURE_LOWER(c, locks, begin_ns, l->cycle->begin_ns);
    int r = 0;
    for (; i < c->locks_count && c->locks[i].begin_ns < l->cycle->end_ns && r == 0; i++)
        if (c->locks[i].thread == l->cycle->thread)
            r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = c->locks[i].begin_ns,
                                                              .to_ns = c->locks[i].end_ns,
                                                              .detail = c->locks[i].lock,
                                                              .index = (uint32_t)i,
                                                              .who = c->locks[i].holder_tid,
                                                              .kind = TAC_SIGHT_LOCK});
    return r;
}

static int add_calls(const struct tac_capture *c, struct tac_layout *l)
{
    size_t i = TAC_CAPTURE_LOWER(c, zones, begin_ns, l->cycle->begin_ns);
    int r = 0;
    for (; i < c->zones_count && c->zones[i].begin_ns < l->cycle->end_ns && r == 0; i++)
        if (c->zones[i].thread == l->cycle->thread &&
            c->sites[c->zones[i].site].category == TAC_CAT_CALL)
            r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = c->zones[i].begin_ns,
                                                              .to_ns = c->zones[i].end_ns,
                                                              .index = (uint32_t)i,
                                                              .kind = TAC_SIGHT_CALL});
    return r;
}

static int add_gaps(const struct tac_capture *c, struct tac_layout *l)
{
    int r = 0;
    for (size_t i = 0; i < c->gaps_count && r == 0; i++)
        if (c->gaps[i].thread == l->cycle->thread && c->gaps[i].begin_ns < l->cycle->end_ns &&
            c->gaps[i].end_ns > l->cycle->begin_ns)
            r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = c->gaps[i].begin_ns,
                                                              .to_ns = c->gaps[i].end_ns,
                                                              .detail = c->gaps[i].dropped,
                                                              .index = (uint32_t)i,
                                                              .kind = TAC_SIGHT_GAP});
    return r;
}

int tac_witness_cycle(const struct tac_witness *witness, struct tac_layout *layout)
{
    const struct tac_capture *c = witness->capture;
    const unsigned kernel =
        TAC_HAS_SWITCHES | TAC_HAS_SCHED | TAC_HAS_FAULTS | TAC_HAS_IRQ | TAC_HAS_MM;
    unsigned has = witness->has;
    if (!(layout->cycle->flags & TAC_CYCLE_EVIDENCE))
        has &= ~(unsigned)TAC_HAS_CLOCK;
    layout->sights.count = 0;
    int r = 0;
    if (kernel_was_lost(c, layout->release_ns, layout->cycle->end_ns))
        has &= ~kernel;
    else
        r = add_kernel(witness, layout, layout->cycle->end_ns);
    if (r == 0)
        r = add_memory(c, layout);
    if (r == 0)
        r = add_locks(c, layout);
    if (r == 0)
        r = add_calls(c, layout);
    if (r == 0)
        r = add_gaps(c, layout);
    return r < 0 ? r : (int)has;
}
