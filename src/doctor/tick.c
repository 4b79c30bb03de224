/* SPDX-License-Identifier: MIT
 * tick.c - see tick.h. */
#include "doctor/tick.h"

#include <errno.h>
#include <stdlib.h>

/* A tick is late from LATE on, and in time when it charges its thread within NEAR. */
enum {
    CPUS_MAX = 1024,
    BINS = 64,
    TICK_NS_MIN = 900 * 1000,
    TICK_NS_MAX = 11 * 1000 * 1000,
    LATE_NS = 1000 * 1000,
    NEAR_NS = 100 * 1000,
    FEW = 10
};

uint64_t tac_tick_told(const struct tac_capture *capture)
{
    const char *text = tac_capture_meta(capture, "tick_ns");
    uint64_t ns = text ? strtoull(text, NULL, 10) : 0;
    return ns >= TICK_NS_MIN && ns <= TICK_NS_MAX ? ns : 0;
}

/* A list of the kernel's: "1-3,7". */
bool tac_tick_is_on(const struct tac_capture *capture, uint32_t cpu)
{
    const char *list = tac_capture_meta(capture, "nohz_full");
    for (char *end; list && *list >= '0' && *list <= '9'; list = *end == ',' ? end + 1 : NULL) {
        unsigned long from = strtoul(list, &end, 10), to = from;
        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        if (cpu >= from && cpu <= to)
            return false;
    }
    return true;
}

enum { REAL_TIME, NORMAL, KINDS };

struct cpu {
    uint64_t last_ns; /* of its last event; 0: none */
    uint32_t tid;     /* that runs there; 0: idle, or not known */
    uint8_t kind;
    uint8_t inside;         /* open interrupts */
    uint64_t due_ns;        /* a tick that a charge is awaited for; 0: none */
    uint32_t charges[BINS]; /* over the grid's distance */
    uint64_t phase_ns;      /* of the grid */
};

struct ticks {
    const struct tac_capture *capture;
    uint64_t tick_ns;
    struct cpu *cpu;
    size_t passed[KINDS], kept[KINDS]; /* ticks that were due, and that came in time */
    bool kind_is_seen[KINDS];
};

static struct cpu *cpu_of(const struct ticks *t, const struct tac_capture_kernel *e)
{
    return e->cpu < CPUS_MAX ? &t->cpu[e->cpu] : NULL;
}

/* Where charges are most frequent. Each switch charges as well, at any time. */
static void find_grid(struct ticks *t)
{
    const struct tac_capture *c = t->capture;
    for (size_t i = 0; i < c->kernel_count; i++) {
        struct cpu *cpu = cpu_of(t, &c->kernel[i]);
        if (cpu && c->kernel[i].type == TAC_KERNEL_RUNTIME)
            cpu->charges[c->kernel[i].ns % t->tick_ns * BINS / t->tick_ns]++;
    }
    for (size_t i = 0; i < CPUS_MAX; i++) {
        struct cpu *cpu = &t->cpu[i];
        uint32_t best = 0;
        for (uint32_t b = 1; b < BINS; b++)
            best = cpu->charges[b] > cpu->charges[best] ? b : best;
        cpu->phase_ns = best * t->tick_ns / BINS;
    }
}

/* The first tick of the CPU after ns. */
static uint64_t next_tick(const struct ticks *t, const struct cpu *cpu, uint64_t ns)
{
    return ns + t->tick_ns - (ns + t->tick_ns - cpu->phase_ns) % t->tick_ns;
}

static void keep_up(struct cpu *cpu, const struct tac_capture_kernel *e)
{
    cpu->last_ns = e->ns;
    switch (e->type) {
    case TAC_KERNEL_SWITCH:
        cpu->tid = (uint32_t)(e->a >> 32);
        cpu->kind = (uint32_t)e->a < TAC_PRIO_NORMAL ? REAL_TIME : NORMAL;
        cpu->inside = 0;
        break;
    case TAC_KERNEL_LOST:
        cpu->tid = 0;
        break;
    case TAC_KERNEL_IRQ_BEGIN:
    case TAC_KERNEL_SOFTIRQ_BEGIN:
        cpu->inside++;
        break;
    case TAC_KERNEL_IRQ_END:
    case TAC_KERNEL_SOFTIRQ_END:
        cpu->inside = cpu->inside ? (uint8_t)(cpu->inside - 1) : 0;
        break;
    default:
        break;
    }
}

static void forget(struct ticks *t)
{
    for (size_t i = 0; i < CPUS_MAX; i++) {
        t->cpu[i].last_ns = t->cpu[i].due_ns = 0;
        t->cpu[i].tid = 0;
        t->cpu[i].inside = 0;
    }
}

/* Which kinds of threads are seen to be charged by ticks, more often than not. */
static void learn_kinds(struct ticks *t)
{
    const struct tac_capture *c = t->capture;
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        struct cpu *cpu = cpu_of(t, e);
        if (!cpu)
            continue;
        if (cpu->due_ns && e->ns >= cpu->due_ns && cpu->tid) {
            t->passed[cpu->kind]++;
            t->kept[cpu->kind] += e->type == TAC_KERNEL_RUNTIME && e->ns < cpu->due_ns + NEAR_NS;
        }
        keep_up(cpu, e);
        cpu->due_ns = next_tick(t, cpu, e->ns);
    }
    for (int k = 0; k < KINDS; k++)
        t->kind_is_seen[k] = t->kept[k] >= FEW && t->kept[k] * 2 > t->passed[k];
    forget(t);
}

/* The last time before `to` at which the thread began something that is recorded; `from` when
 * nothing after that. */
static uint64_t last_sign(const struct tac_capture *c, uint32_t tid, uint64_t from, uint64_t to)
{
    uint32_t thread = tac_capture_thread_of(c, tid, to);
    uint64_t last = from;
    for (size_t i = TAC_CAPTURE_LOWER(c, memory, begin_ns, from);
         i < c->memory_count && c->memory[i].begin_ns < to; i++)
        last = c->memory[i].thread == thread ? c->memory[i].begin_ns : last;
    for (size_t i = TAC_CAPTURE_LOWER(c, zones, begin_ns, from);
         i < c->zones_count && c->zones[i].begin_ns < to; i++)
        if (c->zones[i].thread == thread && c->zones[i].begin_ns > last)
            last = c->zones[i].begin_ns;
    return last;
}

static int note_late(const struct ticks *t, const struct cpu *cpu,
                     const struct tac_capture_kernel *e, struct tac_sights *spans)
{
    uint64_t due = next_tick(t, cpu, cpu->last_ns), late = e->ns > due ? e->ns - due : 0;
    if (!cpu->last_ns || !cpu->tid || e->tid != cpu->tid || cpu->inside || late <= LATE_NS ||
        !t->kind_is_seen[cpu->kind] || !tac_tick_is_on(t->capture, e->cpu))
        return 0;
    uint64_t reach = e->ns - 2 * late;
    uint64_t from = reach > cpu->last_ns ? reach : cpu->last_ns;
    return tac_sights_add(spans,
                          (struct tac_sight){.from_ns = last_sign(t->capture, e->tid, from, e->ns),
                                             .to_ns = e->ns,
                                             .detail = late,
                                             .index = TAC_SIGHT_NONE,
                                             .who = e->tid,
                                             .kind = TAC_SIGHT_STILL});
}

int tac_tick_find(const struct tac_capture *capture, struct tac_sights *ret_spans)
{
    struct ticks t = {.capture = capture, .tick_ns = tac_tick_told(capture)};
    if (!t.tick_ns)
        return 0;
    t.cpu = calloc(CPUS_MAX, sizeof *t.cpu);
    int r = t.cpu ? 0 : -ENOMEM;
    if (r == 0) {
        find_grid(&t);
        learn_kinds(&t);
    }
    for (size_t i = 0; i < capture->kernel_count && r == 0; i++) {
        const struct tac_capture_kernel *e = &capture->kernel[i];
        struct cpu *cpu = cpu_of(&t, e);
        if (!cpu || e->type == TAC_KERNEL_OUT || e->type == TAC_KERNEL_IN)
            continue;
        r = note_late(&t, cpu, e, ret_spans);
        keep_up(cpu, e);
    }
    free(t.cpu);
    return r;
}
