/* SPDX-License-Identifier: MIT
 * follow.c - see follow.h. */
#include "doctor/follow.h"

#include "doctor/evidence.h"
#include "doctor/prio.h"
#include "doctor/pulse.h"
#include "doctor/still.h"
#include "doctor/tick.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FOLLOWED_MAX = 64, CPUS_MAX = 1024, NEAR_NS = 2000, EARLY_NS = 50000 };
static_assert(FOLLOWED_MAX <= 64, "a bit each in who_is_there()");

enum state { RUNNING, ASLEEP, READY, UNKNOWN };

/* A thread with cycles, on its way through the kernel's events. */
struct followed {
    uint32_t tid, thread;
    enum state state;
    uint32_t cpu;
    struct tac_sight now;                    /* the open ASLEEP or READY */
    struct tac_sight early;                  /* the last wake-up while it ran; from_ns 0: none */
    struct tac_sight inner[TAC_SIGHT_SPANS]; /* open IRQ, MMAP ... by kind; from_ns 0: none */
    uint64_t *proof;                         /* moments at which it ran, rising */
    size_t proofs;
};

/* A time without any event on a CPU, and (a bit each) which followed threads had it or stood ready
 * for it then. */
struct silence {
    uint64_t last_ns; /* of the last event */
    uint64_t from_ns, to_ns;
    uint64_t there;
};

struct walk {
    const struct tac_capture *capture;
    struct tac_sights *sights, *halts; /* halts: may be NULL */
    struct followed followed[FOLLOWED_MAX];
    size_t count;
    bool system_wide, ends_of_faults; /* what the recording has */
    bool own_alone;                   /* the system's events are there, and left aside */
    uint32_t on_cpu[CPUS_MAX];        /* tid that runs there */
    bool unfair[CPUS_MAX];            /* it was chosen although a real-time thread was ready */
    struct silence silence[CPUS_MAX];
    struct tac_sight interrupt[CPUS_MAX][2]; /* what is open there: IRQ, SOFTIRQ; from_ns 0: none */
    bool is_virtual, timer_is_silent;        /* its interrupts leave no events */
    struct tac_prios prios;
    int error;
};

/* ---- states ---- */

static void note(struct walk *w, struct followed *f, struct tac_sight sight)
{
    if (w->error == 0 && (sight.to_ns > sight.from_ns || sight.kind >= TAC_SIGHT_SPANS))
        w->error = tac_sights_add(&w->sights[f->thread], sight);
}

/* The first moment after from at which the thread is known to have run; to when none before it. */
static uint64_t first_proof(const struct followed *f, uint64_t from, uint64_t to)
{
    size_t low = 0, high = f->proofs;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->proof[middle] <= from + NEAR_NS)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->proofs && f->proof[low] < to ? f->proof[low] : to;
}

/* An interrupt that has the CPU when a thread becomes ready for it stands in front of it from then
 * on, and no longer than it waits. */
static const uint8_t interrupts[] = {TAC_SIGHT_IRQ, TAC_SIGHT_SOFTIRQ};

/* A CPU that switches is in none, whatever became of its end. After a loss no end is known, nor to
 * those that wait behind it. */
static void forget_interrupts(struct walk *w, uint32_t cpu, bool is_lost)
{
    if (cpu < CPUS_MAX)
        memset(w->interrupt[cpu], 0, sizeof w->interrupt[cpu]);
    for (size_t i = 0; i < w->count; i++)
        for (size_t k = 0; k < sizeof interrupts; k++)
            if (w->followed[i].cpu == cpu && (is_lost || w->followed[i].state != READY))
                w->followed[i].inner[interrupts[k]].from_ns = 0;
}

static void begin_behind(const struct walk *w, struct followed *f, uint64_t ns)
{
    for (size_t i = 0; i < sizeof interrupts && f->cpu < CPUS_MAX; i++)
        if (w->interrupt[f->cpu][i].from_ns) {
            f->inner[interrupts[i]] = w->interrupt[f->cpu][i];
            f->inner[interrupts[i]].from_ns = ns;
        }
}

static void end_behind(struct walk *w, struct followed *f, uint64_t ns)
{
    for (size_t i = 0; i < sizeof interrupts; i++) {
        struct tac_sight *open = &f->inner[interrupts[i]];
        open->to_ns = ns;
        if (open->from_ns)
            note(w, f, *open);
        open->from_ns = 0;
    }
}

static void leave(struct walk *w, struct followed *f, uint64_t ns)
{
    if (f->state == ASLEEP || f->state == READY) {
        f->now.to_ns = first_proof(f, f->now.from_ns, ns);
        note(w, f, f->now);
    }
    if (f->state == READY)
        end_behind(w, f, f->now.to_ns);
    f->state = RUNNING;
}

static void enter(const struct walk *w, struct followed *f, enum state state,
                  struct tac_sight sight)
{
    f->state = state;
    f->now = sight;
    f->now.kind = state == ASLEEP ? TAC_SIGHT_ASLEEP : TAC_SIGHT_READY;
    f->now.prio = tac_prios_of(&w->prios, sight.who);
    f->now.own_prio = tac_prios_of(&w->prios, f->tid);
    if (state == READY)
        begin_behind(w, f, sight.from_ns);
}

/* A wake-up may overtake the switch: the thread is already no longer among those that can run when
 * it is woken, and on its way off the CPU. When nobody woke it later and yet it came back, that was
 * the one, and it has stood ready since it left. */
static void wake_early(struct followed *f)
{
    if (f->state != ASLEEP || !f->early.from_ns || f->now.from_ns - f->early.from_ns > EARLY_NS)
        return;
    f->state = READY;
    f->now.kind = TAC_SIGHT_READY;
    f->now.detail = f->early.detail;
    f->now.flags |= f->early.flags;
}

static struct followed *follow(struct walk *w, uint32_t tid)
{
    for (size_t i = 0; tid && i < w->count; i++)
        if (w->followed[i].tid == tid)
            return &w->followed[i];
    return NULL;
}

/* Others that were ready on this CPU now wait behind someone else, by the scheduler's choice. */
static void next_in_front(struct walk *w, const struct tac_capture_kernel *e, uint32_t index,
                          uint32_t next)
{
    for (size_t i = 0; i < w->count; i++) {
        struct followed *f = &w->followed[i];
        if (f->state != READY || f->cpu != e->cpu || f->tid == next || f->now.from_ns == e->ns)
            continue;
        struct tac_sight sight = f->now;
        leave(w, f, e->ns);
        sight.from_ns = e->ns;
        sight.index = index;
        sight.who = next;
        sight.flags |= TAC_SIGHT_CHOSEN;
        enter(w, f, READY, sight);
    }
}

static void switch_in(struct walk *w, struct followed *f, const struct tac_capture_kernel *e)
{
    /* whoever it takes the CPU from had it before, whatever was believed */
    if (f->state == READY && !f->now.who && e->tid) {
        f->now.who = e->tid;
        f->now.prio = tac_prios_of(&w->prios, e->tid);
    }
    wake_early(f);
    leave(w, f, e->ns);
    f->early.from_ns = 0;
    f->cpu = e->cpu;
}

static void switch_out(struct walk *w, struct followed *f, const struct tac_capture_kernel *e,
                       uint32_t index, uint32_t next)
{
    uint8_t left_as = (uint8_t)(e->b >> 32); /* the bits above: pre-empted inside the kernel */
    leave(w, f, e->ns);
    f->cpu = e->cpu;
    struct tac_sight sight = {.from_ns = e->ns, .index = index, .who = next, .state = left_as};
    if (!left_as)
        sight.flags = TAC_SIGHT_CHOSEN;
    enter(w, f, left_as ? ASLEEP : READY, sight);
}

static void on_switch(struct walk *w, const struct tac_capture_kernel *e, uint32_t index)
{
    uint32_t next = (uint32_t)(e->a >> 32);
    tac_prios_learn(&w->prios, next, (uint32_t)e->a);
    tac_prios_learn(&w->prios, e->tid, (uint32_t)e->b);
    forget_interrupts(w, e->cpu, false);
    struct followed *out = follow(w, e->tid), *in = follow(w, next);
    if (in)
        switch_in(w, in, e);
    if (out)
        switch_out(w, out, e, index, next);
    next_in_front(w, e, index, next);
    if (e->cpu >= CPUS_MAX)
        return;
    bool was_urgent = (uint32_t)e->b < TAC_PRIO_NORMAL && !(e->b >> 32 & 0xff);
    w->unfair[e->cpu] =
        (uint32_t)e->a >= TAC_PRIO_NORMAL && (was_urgent || (w->unfair[e->cpu] && e->tid));
    w->on_cpu[e->cpu] = next;
}

static uint32_t runner(const struct walk *w, uint32_t cpu)
{
    return cpu < CPUS_MAX ? w->on_cpu[cpu] : 0;
}

/* Whether the CPU is in an interrupt that is no timer's. The CPU's own timer leaves no event on
 * x86, but on others, so there the soft interrupts have to tell; in those of timers nothing else
 * runs. */
static bool is_in_device(const struct walk *w, uint32_t cpu)
{
    enum { TIMER = 1, HRTIMER = 8 };
    if (cpu >= CPUS_MAX)
        return false;
    const struct tac_sight *hard = &w->interrupt[cpu][0], *soft = &w->interrupt[cpu][1];
    return (w->timer_is_silent && hard->from_ns) ||
           (soft->from_ns && soft->detail != TIMER && soft->detail != HRTIMER);
}

static void on_waking(struct walk *w, const struct tac_capture_kernel *e, uint32_t index)
{
    uint32_t target = (uint32_t)(e->a >> 32), cpu = (uint32_t)(e->b >> 32);
    tac_prios_learn(&w->prios, target, (uint32_t)e->a);
    struct followed *f = follow(w, target);
    if (!f)
        return;
    bool hard = e->b & 1, unfair = cpu < CPUS_MAX && w->unfair[cpu];
    bool device = hard && is_in_device(w, e->cpu);
    struct tac_sight woken = {.from_ns = e->ns,
                              .index = index,
                              .who = runner(w, cpu),
                              .detail = hard ? 0 : e->tid,
                              .flags = TAC_SIGHT_WOKEN | (hard ? TAC_SIGHT_HARD : 0) |
                                       (device ? TAC_SIGHT_DEVICE : 0)};
    if (f->state == RUNNING)
        f->early = woken;
    if (f->state != ASLEEP)
        return;
    leave(w, f, e->ns);
    f->cpu = cpu;
    woken.flags |= unfair ? TAC_SIGHT_CHOSEN : 0;
    enter(w, f, READY, woken);
    f->early.from_ns = 0;
}

static void on_migrate(struct walk *w, const struct tac_capture_kernel *e, uint32_t index)
{
    struct followed *f = follow(w, (uint32_t)e->a);
    if (!f || f->state != READY)
        return;
    struct tac_sight sight = f->now;
    leave(w, f, e->ns);
    f->cpu = (uint32_t)e->b;
    sight.from_ns = e->ns;
    sight.index = index;
    sight.who = runner(w, f->cpu);
    sight.flags &= (uint8_t)~TAC_SIGHT_CHOSEN;
    enter(w, f, READY, sight);
}

static void on_own_switch(struct walk *w, const struct tac_capture_kernel *e, uint32_t index)
{
    struct followed *f = follow(w, e->tid);
    if (!f)
        return;
    if (e->type == TAC_KERNEL_IN) {
        leave(w, f, e->ns);
    } else if (!w->system_wide) {
        leave(w, f, e->ns);
        enter(w, f, e->a ? READY : ASLEEP,
              (struct tac_sight){.from_ns = e->ns, .index = index, .state = e->a ? 0 : 1});
    }
}

/* An event in the context of a thread: it runs there, whoever was thought to. */
static void on_sign_of_life(struct walk *w, const struct tac_capture_kernel *e)
{
    struct followed *f = follow(w, e->tid);
    if (f && f->state != RUNNING && e->ns > f->now.from_ns + NEAR_NS && w->system_wide)
        leave(w, f, e->ns);
    if (e->cpu < CPUS_MAX && e->tid && e->type != TAC_KERNEL_RUNTIME)
        w->on_cpu[e->cpu] = e->tid;
}

/* ---- one CPU that is not run ---- */

static uint64_t who_is_there(const struct walk *w, uint32_t cpu)
{
    uint64_t there = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct followed *f = &w->followed[i];
        if (f->cpu == cpu && (f->state == READY || f->state == RUNNING))
            there |= 1ull << i;
    }
    return there;
}

static void keep_halt(struct walk *w, const struct tac_sight *s)
{
    if (w->halts && w->error == 0 && s->kind == TAC_SIGHT_STILL)
        w->error = tac_sights_add(w->halts, *s);
}

static void note_still(struct walk *w, const struct silence *s, uint32_t charged)
{
    struct tac_sight still = {
        .from_ns = s->from_ns, .to_ns = s->to_ns, .index = TAC_SIGHT_NONE, .kind = TAC_SIGHT_STILL};
    keep_halt(w, &still);
    for (size_t i = 0; i < w->count; i++) {
        struct followed *f = &w->followed[i];
        bool waits = f->state == READY && f->now.from_ns < s->to_ns;
        if (!(s->there >> i & 1) || (!waits && f->tid != charged))
            continue;
        still.from_ns = waits && f->now.from_ns > s->from_ns ? f->now.from_ns : s->from_ns;
        note(w, f, still);
    }
}

/* A CPU that runs a thread has ticks, at which it is charged. One that leaves no event for longer
 * than interrupts are ever off, and then charges a thread for most of that in one piece, was not
 * run by its host, which let the thread's clock go on. */
static void watch_silence(struct walk *w, const struct tac_capture_kernel *e)
{
    if (!w->is_virtual || !w->system_wide || e->cpu >= CPUS_MAX)
        return;
    struct silence *s = &w->silence[e->cpu];
    if (s->last_ns && e->ns - s->last_ns > TAC_STILL_CPU_NS && tac_tick_is_on(w->capture, e->cpu))
        *s = (struct silence){
            .from_ns = s->last_ns, .to_ns = e->ns, .there = who_is_there(w, e->cpu)};
    s->last_ns = e->ns;
    if (e->type != TAC_KERNEL_RUNTIME || !s->to_ns)
        return;
    if (e->a > (s->to_ns - s->from_ns) / 2)
        note_still(w, s, e->tid);
    s->to_ns = 0;
}

/* ---- what happens inside ---- */

/* Interrupts hit whoever runs; a thread that waits for that CPU is hit as well. */
static bool concerns(const struct followed *f, const struct tac_capture_kernel *e, uint8_t kind)
{
    if (f->tid == e->tid)
        return true;
    return (kind == TAC_SIGHT_IRQ || kind == TAC_SIGHT_SOFTIRQ) && f->state == READY &&
           f->cpu == e->cpu;
}

static void on_span(struct walk *w, const struct tac_capture_kernel *e, uint32_t index,
                    uint8_t kind, bool begins)
{
    struct tac_sight begin = {.from_ns = e->ns, .detail = e->a, .index = index, .kind = kind};
    for (size_t i = 0; i < sizeof interrupts && e->cpu < CPUS_MAX; i++)
        if (interrupts[i] == kind)
            w->interrupt[e->cpu][i] = begins ? begin : (struct tac_sight){0};
    for (size_t i = 0; i < w->count; i++) {
        struct followed *f = &w->followed[i];
        struct tac_sight *open = &f->inner[kind];
        if (!concerns(f, e, kind))
            continue;
        if (begins) {
            *open = begin;
        } else if (open->from_ns) {
            open->to_ns = e->ns;
            note(w, f, *open);
            open->from_ns = 0;
        }
    }
}

static void on_moment(struct walk *w, const struct tac_capture_kernel *e, uint32_t index,
                      uint8_t kind)
{
    struct followed *f = follow(w, e->tid);
    if (f)
        note(w, f,
             (struct tac_sight){
                 .from_ns = e->ns, .to_ns = e->ns, .detail = e->a, .index = index, .kind = kind});
}

/* A fault begins and ends in the thread's own context. Where only its begin is recorded, that is a
 * moment. */
static void on_fault(struct walk *w, const struct tac_capture_kernel *e, uint32_t index)
{
    struct followed *f = follow(w, e->tid);
    if (!f)
        return;
    struct tac_sight *open = &f->inner[TAC_SIGHT_FAULTING];
    struct tac_sight moment = {
        .from_ns = e->ns, .to_ns = e->ns, .detail = e->a, .index = index, .kind = TAC_SIGHT_FAULT};
    if (e->type == TAC_KERNEL_FAULT) {
        if (!w->ends_of_faults)
            note(w, f, moment);
        *open = moment;
        open->kind = TAC_SIGHT_FAULTING;
        return;
    }
    if (open->from_ns && open->detail == e->a) {
        open->to_ns = e->ns;
        note(w, f, *open);
    }
    open->from_ns = 0;
    note(w, f, moment);
}

/* Kinds of events that open or close a sight, or are one. */
static const struct {
    uint8_t kind, what; /* what: 0 begins, 1 ends, 2 a moment */
} meaning[TAC_KERNEL_TYPES] = {
    [TAC_KERNEL_IRQ_BEGIN] = {TAC_SIGHT_IRQ, 0},
    [TAC_KERNEL_IRQ_END] = {TAC_SIGHT_IRQ, 1},
    [TAC_KERNEL_SOFTIRQ_BEGIN] = {TAC_SIGHT_SOFTIRQ, 0},
    [TAC_KERNEL_SOFTIRQ_END] = {TAC_SIGHT_SOFTIRQ, 1},
    [TAC_KERNEL_MMAP_WAIT] = {TAC_SIGHT_MMAP, 0},
    [TAC_KERNEL_MMAP_GOT] = {TAC_SIGHT_MMAP, 1},
    [TAC_KERNEL_RECLAIM_BEGIN] = {TAC_SIGHT_RECLAIM, 0},
    [TAC_KERNEL_RECLAIM_END] = {TAC_SIGHT_RECLAIM, 1},
    [TAC_KERNEL_COMPACT_BEGIN] = {TAC_SIGHT_COMPACT, 0},
    [TAC_KERNEL_COMPACT_END] = {TAC_SIGHT_COMPACT, 1},
    [TAC_KERNEL_PAGES] = {TAC_SIGHT_PAGES, 2},
    [TAC_KERNEL_SIGNAL] = {TAC_SIGHT_SIGNAL, 2},
    [TAC_KERNEL_IPI] = {TAC_SIGHT_IPI, 2},
    [TAC_KERNEL_FAULT_PROTECTED] = {TAC_SIGHT_PROTECTED, 2},
};

static void on_event(struct walk *w, const struct tac_capture_kernel *e, uint32_t index)
{
    if (w->own_alone && e->type != TAC_KERNEL_OUT && e->type != TAC_KERNEL_IN)
        return;
    watch_silence(w, e);
    if (e->type == TAC_KERNEL_SWITCH) {
        on_switch(w, e, index);
        return;
    }
    if (e->type == TAC_KERNEL_OUT || e->type == TAC_KERNEL_IN) {
        on_own_switch(w, e, index);
        return;
    }
    on_sign_of_life(w, e);
    if (e->type == TAC_KERNEL_LOST)
        forget_interrupts(w, e->cpu, true);
    else if (e->type == TAC_KERNEL_WAKING)
        on_waking(w, e, index);
    else if (e->type == TAC_KERNEL_MIGRATE)
        on_migrate(w, e, index);
    else if (e->type >= TAC_KERNEL_FAULT_MINOR && e->type <= TAC_KERNEL_FAULT)
        on_fault(w, e, index);
    else if (e->type < TAC_KERNEL_TYPES && meaning[e->type].kind && meaning[e->type].what == 2)
        on_moment(w, e, index, meaning[e->type].kind);
    else if (e->type < TAC_KERNEL_TYPES && meaning[e->type].kind)
        on_span(w, e, index, meaning[e->type].kind, meaning[e->type].what == 0);
}

/* ---- whom to follow ---- */

static void find_followed(struct walk *w)
{
    const struct tac_capture *c = w->capture;
    for (size_t i = 0; i < c->cycles_count; i++) {
        uint32_t thread = c->cycles[i].thread;
        if (thread >= c->threads_count || follow(w, c->threads[thread].tid))
            continue;
        if (w->count == FOLLOWED_MAX)
            return;
        w->followed[w->count++] =
            (struct followed){.tid = c->threads[thread].tid, .thread = thread, .state = UNKNOWN};
    }
}

/* A thread runs when its cycles begin and end. */
static int find_proofs(struct walk *w)
{
    const struct tac_capture *c = w->capture;
    for (size_t i = 0; i < w->count; i++) {
        w->followed[i].proof = malloc((2 * c->cycles_count + 1) * sizeof(uint64_t));
        if (!w->followed[i].proof)
            return -ENOMEM;
    }
    for (size_t i = 0; i < c->cycles_count; i++) {
        const struct tac_capture_cycle *cycle = &c->cycles[i];
        struct followed *f =
            cycle->thread < c->threads_count ? follow(w, c->threads[cycle->thread].tid) : NULL;
        if (!f || (f->proofs && cycle->begin_ns < f->proof[f->proofs - 1]))
            continue; /* cycles of two sources, one inside the other: the outer one proves enough */
        f->proof[f->proofs++] = cycle->begin_ns;
        if (cycle->end_ns != TAC_CAPTURE_OPEN && cycle->end_ns >= cycle->begin_ns)
            f->proof[f->proofs++] = cycle->end_ns;
    }
    return 0;
}

static bool gives_a_sign(const struct walk *w, const struct followed *f, uint64_t from, uint64_t to)
{
    const struct tac_capture *c = w->capture;
    if (first_proof(f, from, to) < to)
        return true;
    for (size_t i = TAC_CAPTURE_LOWER(c, kernel, ns, from + 1);
         i < c->kernel_count && c->kernel[i].ns < to; i++)
        if (c->kernel[i].tid == f->tid)
            return true;
    return false;
}

/* A thread's own timer, and the tick of the CPU that it has, tell of halts that are too short to
 * leave ticks out. Where the system's events are missing the timer tells of those of other threads
 * that gave no sign as well: hosts that halt a machine for long halt all its CPUs. */
static void note_late_timers(struct walk *w)
{
    struct tac_sights late = {0};
    if (w->error == 0 && w->is_virtual)
        w->error = tac_pulse_find(w->capture, &late);
    if (w->error == 0 && w->is_virtual && w->system_wide)
        w->error = tac_tick_find(w->capture, &late);
    for (size_t k = 0; k < late.count; k++) {
        const struct tac_sight *s = &late.data[k];
        keep_halt(w, s);
        for (size_t i = 0; i < w->count; i++) {
            struct followed *f = &w->followed[i];
            bool is_long = !w->system_wide && s->to_ns - s->from_ns > TAC_STILL_CPU_NS;
            if (f->tid == s->who || (is_long && !gives_a_sign(w, f, s->from_ns, s->to_ns)))
                note(w, f, *s);
        }
    }
    free(late.data);
}

static void walk_events(struct walk *w)
{
    const struct tac_capture *c = w->capture;
    for (size_t i = 0; i < c->kernel_count && w->error == 0; i++)
        on_event(w, &c->kernel[i], (uint32_t)i);
    struct tac_sights still = {0};
    if (w->error == 0 && w->system_wide)
        w->error = tac_still_find(c, &still);
    for (size_t k = 0; k < still.count; k++)
        keep_halt(w, &still.data[k]);
    note_late_timers(w);
    for (size_t i = 0; i < w->count; i++) {
        leave(w, &w->followed[i], c->end_ns);
        for (size_t k = 0; k < still.count; k++)
            note(w, &w->followed[i], still.data[k]);
        tac_sights_sort(&w->sights[w->followed[i].thread]);
    }
    free(still.data);
}

int tac_follow(const struct tac_capture *capture, bool system_wide, struct tac_sights *sights,
               struct tac_sights *ret_halts)
{
    struct walk *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->capture = capture;
    w->sights = sights;
    w->halts = ret_halts;
    w->system_wide = system_wide;
    w->is_virtual = tac_evidence_is_virtual(capture);
    const char *machine = tac_capture_meta(capture, "machine");
    w->timer_is_silent = !machine || !strcmp(machine, "x86_64");
    for (size_t i = 0; i < capture->kernel_count; i++) {
        uint16_t type = capture->kernel[i].type;
        w->ends_of_faults |= type == TAC_KERNEL_FAULT_MINOR || type == TAC_KERNEL_FAULT_MAJOR;
        w->own_alone |= !system_wide && type == TAC_KERNEL_SWITCH;
    }
    find_followed(w);
    int error = find_proofs(w);
    if (error == 0) {
        walk_events(w);
        error = w->error;
    }
    for (size_t i = 0; i < w->count; i++)
        free(w->followed[i].proof);
    free(w);
    return error;
}
