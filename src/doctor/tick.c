/* SPDX-License-Identifier: MIT
 * tick.c - see tick.h. */
#include "doctor/tick.h"

#include "base/cpulist.h"

#include <errno.h>
#include <stdlib.h>

/* A tick is late from LATE on, and in time when it charges its thread within NEAR. A charge with a
 * switch so soon behind it is of the switch. What lasts longer than BEFORE is not looked for. */
enum {
    CPUS_MAX = 1024,
    BINS = 64,
    TICK_NS_MIN = 900 * 1000,
    TICK_NS_MAX = 11 * 1000 * 1000,
    LATE_NS = 1000 * 1000,
    NEAR_NS = 100 * 1000,
    SWITCH_NS = 20 * 1000,
    BEFORE_NS = 20 * 1000 * 1000,
    FEW = 10
};

uint64_t tac_tick_told(const struct tac_capture *capture)
{
    const char *text = tac_capture_meta(capture, "tick_ns");
    uint64_t ns = text ? strtoull(text, NULL, 10) : 0;
    return ns >= TICK_NS_MIN && ns <= TICK_NS_MAX ? ns : 0;
}

bool tac_tick_is_on(const struct tac_capture *capture, uint32_t cpu)
{
    const char *list = tac_capture_meta(capture, "nohz_full");
    uint32_t group[TAC_CPULIST_MAX / 32] = {0};
    return !list || !tac_cpulist_parse(list, group) || cpu >= TAC_CPULIST_MAX ||
           !(group[cpu / 32] >> cpu % 32 & 1);
}

enum { REAL_TIME, NORMAL, KINDS };

struct cpu {
    uint64_t last_ns; /* of its last event; 0: none */
    uint32_t tid;     /* that runs there; 0: idle, or not known */
    uint8_t kind;
    uint8_t inside;         /* open interrupts */
    uint64_t due_ns;        /* a tick that a charge is awaited for; 0: none */
    uint64_t charge_ns;     /* the last, not yet counted; 0: none */
    uint32_t charges[BINS]; /* over the grid's distance */
    double sum_ns[BINS];    /* of these, from the begin of the bin */
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

static void count_charge(struct cpu *cpu, uint64_t tick_ns)
{
    uint64_t at = cpu->charge_ns % tick_ns, bin = at * BINS / tick_ns;
    if (!cpu->charge_ns)
        return;
    cpu->charges[bin]++;
    cpu->sum_ns[bin] += (double)at - (double)(bin * tick_ns) / BINS;
    cpu->charge_ns = 0;
}

/* The mean of the charges in the three bins that have most. */
static uint64_t phase_of(const struct cpu *cpu, uint64_t tick_ns)
{
    double width = (double)tick_ns / BINS, sum = 0, count = 0;
    uint32_t best = 0, most = 0;
    for (uint32_t b = 0; b < BINS; b++) {
        uint32_t three =
            cpu->charges[(b + BINS - 1) % BINS] + cpu->charges[b] + cpu->charges[(b + 1) % BINS];
        best = three > most ? b : best;
        most = three > most ? three : most;
    }
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t b = (best + BINS - 1 + k) % BINS;
        count += cpu->charges[b];
        sum += cpu->sum_ns[b] + (k * width - width) * cpu->charges[b];
    }
    double phase = best * width + (count > 0 ? sum / count : 0);
    return (uint64_t)(phase + (double)tick_ns) % tick_ns;
}

/* Where charges are most frequent, those of switches left out. Wake-ups charge as well, at any
 * time. */
static void find_grid(struct ticks *t)
{
    const struct tac_capture *c = t->capture;
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        struct cpu *cpu = cpu_of(t, e);
        if (!cpu)
            continue;
        if (e->type == TAC_KERNEL_SWITCH && e->ns < cpu->charge_ns + SWITCH_NS)
            cpu->charge_ns = 0;
        if (e->type != TAC_KERNEL_RUNTIME)
            continue;
        count_charge(cpu, t->tick_ns);
        cpu->charge_ns = e->ns;
    }
    for (size_t i = 0; i < CPUS_MAX; i++) {
        count_charge(&t->cpu[i], t->tick_ns);
        t->cpu[i].phase_ns = phase_of(&t->cpu[i], t->tick_ns);
    }
}

/* The first tick of the CPU after ns, and after the one that ns may be of. */
static uint64_t next_tick(const struct ticks *t, const struct cpu *cpu, uint64_t ns)
{
    ns += NEAR_NS;
    return ns + t->tick_ns - (ns + t->tick_ns - cpu->phase_ns) % t->tick_ns;
}

/* Events that were written where they say. */
static struct cpu *judged_cpu(const struct ticks *t, const struct tac_capture_kernel *e)
{
    return e->type == TAC_KERNEL_OUT || e->type == TAC_KERNEL_IN ? NULL : cpu_of(t, e);
}

/* Whether the event shows that its CPU had the thread alone since the event before. */
static bool had_thread(const struct ticks *t, const struct cpu *cpu,
                       const struct tac_capture_kernel *e)
{
    return cpu->last_ns && cpu->tid && e->tid == cpu->tid && !cpu->inside &&
           tac_tick_is_on(t->capture, e->cpu);
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

/* Count the tick that is awaited when it has come, or can no longer come in time. */
static void count_tick(struct ticks *t, struct cpu *cpu, const struct tac_capture_kernel *e)
{
    uint64_t due = cpu->due_ns;
    bool is_over = e->ns >= due + NEAR_NS, leaves = e->type == TAC_KERNEL_SWITCH && e->ns >= due;
    bool is_charge = e->type == TAC_KERNEL_RUNTIME && e->tid == cpu->tid;
    if (!due || e->ns + NEAR_NS < due || (!is_over && !is_charge && !leaves))
        return;
    if (had_thread(t, cpu, e) && (is_over || is_charge)) {
        t->passed[cpu->kind]++;
        t->kept[cpu->kind] += !is_over;
    }
    cpu->due_ns = 0;
}

/* Which kinds of threads are seen to be charged by ticks, nine times of ten. */
static void learn_kinds(struct ticks *t)
{
    const struct tac_capture *c = t->capture;
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        struct cpu *cpu = judged_cpu(t, e);
        if (!cpu)
            continue;
        count_tick(t, cpu, e);
        keep_up(cpu, e);
        if (!cpu->due_ns)
            cpu->due_ns = next_tick(t, cpu, e->ns);
    }
    for (int k = 0; k < KINDS; k++)
        t->kind_is_seen[k] = t->kept[k] >= FEW && t->kept[k] * 10 >= t->passed[k] * 9;
    forget(t);
}

static uint64_t later(uint64_t last, uint64_t ns, uint64_t to)
{
    return ns > last && ns < to ? ns : last;
}

/* The last time before `to` at which the thread began or ended something that is recorded; `from`
 * when nothing after that. */
static uint64_t last_sign(const struct tac_capture *c, uint32_t tid, uint64_t from, uint64_t to)
{
    uint32_t thread = tac_capture_thread_of(c, tid, to);
    uint64_t last = from, start = from > BEFORE_NS ? from - BEFORE_NS : 0;
    for (size_t i = TAC_CAPTURE_LOWER(c, memory, begin_ns, start);
         i < c->memory_count && c->memory[i].begin_ns < to; i++)
        if (c->memory[i].thread == thread)
            last = later(later(last, c->memory[i].begin_ns, to), c->memory[i].end_ns, to);
    for (size_t i = TAC_CAPTURE_LOWER(c, zones, begin_ns, start);
         i < c->zones_count && c->zones[i].begin_ns < to; i++)
        if (c->zones[i].thread == thread)
            last = later(later(last, c->zones[i].begin_ns, to), c->zones[i].end_ns, to);
    return last;
}

/* Known is the time from the tick to the event. The halt began before that: as a halt begins
 * anywhere between two ticks, up to as long before as the tick was late. A thread that gives a sign
 * behind the tick ran, so that the tick is one that left no event. */
static int note_late(const struct ticks *t, const struct cpu *cpu,
                     const struct tac_capture_kernel *e, struct tac_sights *spans)
{
    uint64_t due = next_tick(t, cpu, cpu->last_ns), late = e->ns > due ? e->ns - due : 0;
    if (late <= LATE_NS || !had_thread(t, cpu, e) || !t->kind_is_seen[cpu->kind])
        return 0;
    uint64_t from = due > late + cpu->last_ns ? due - late : cpu->last_ns;
    uint64_t sign = last_sign(t->capture, e->tid, from, e->ns);
    if (sign > due + NEAR_NS)
        return 0;
    struct tac_sight still = {.from_ns = sign > due ? sign : due,
                              .to_ns = e->ns,
                              .detail = late,
                              .index = TAC_SIGHT_NONE,
                              .who = e->tid,
                              .kind = TAC_SIGHT_STILL};
    struct tac_sight halting = still;
    halting.from_ns = sign;
    halting.to_ns = due;
    halting.kind = TAC_SIGHT_HALTING;
    int r = sign < due ? tac_sights_add(spans, halting) : 0;
    return r ? r : tac_sights_add(spans, still);
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
        struct cpu *cpu = judged_cpu(&t, e);
        if (!cpu)
            continue;
        r = note_late(&t, cpu, e, ret_spans);
        keep_up(cpu, e);
    }
    free(t.cpu);
    return r;
}
