/* SPDX-License-Identifier: MIT
 * still.c - see still.h. */
#include "doctor/still.h"

#include "doctor/tick.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS_MAX = 1024, RUNS_LEAST = 20, AFTER_NS = 2 * 1000 * 1000 };

/* Distances of the scheduler's tick at CONFIG_HZ 1000, 300, 250 and 100. */
static const uint64_t tick_ns[] = {1000000, 3333333, 4000000, 10000000};

enum { TICKS = sizeof tick_ns / sizeof *tick_ns };

/* Who runs on a CPU, and when the scheduler last charged it or gave it the CPU; tid 0: idle, or not
 * known. */
struct cpu {
    uint32_t tid;
    uint64_t since;
};

static struct cpu *cpu_of(struct cpu *cpus, const struct tac_capture_kernel *e)
{
    return e->cpu < CPUS_MAX ? &cpus[e->cpu] : NULL;
}

/* Keep up with one event; returns how long its thread has run there without being charged, 0 when
 * the event tells nothing of that. */
static uint64_t advance(struct cpu *cpus, const struct tac_capture_kernel *e)
{
    struct cpu *c = cpu_of(cpus, e);
    if (!c)
        return 0;
    if (e->type == TAC_KERNEL_SWITCH) {
        *c = (struct cpu){(uint32_t)(e->a >> 32), e->ns};
        return 0;
    }
    if (e->type != TAC_KERNEL_RUNTIME || e->tid != c->tid || !c->tid)
        return 0;
    uint64_t run = e->ns - c->since;
    c->since = e->ns;
    return run;
}

/* The tick's distance in a recording that does not tell it: the shortest of the known at which
 * threads are often charged, and beyond which they hardly ever run uncharged; the longest when
 * nothing tells. */
static uint64_t find_tick(const struct tac_capture *c, struct cpu *cpus)
{
    size_t at[TICKS] = {0}, beyond[TICKS] = {0};
    for (size_t i = 0; i < c->kernel_count; i++) {
        uint64_t run = advance(cpus, &c->kernel[i]);
        for (size_t k = 0; k < TICKS; k++) {
            beyond[k] += run > tick_ns[k] / 20 * 21;
            at[k] += run > tick_ns[k] / 20 * 19 && run <= tick_ns[k] / 20 * 21;
        }
    }
    size_t k = 0;
    while (k < TICKS - 1 && (at[k] < RUNS_LEAST || beyond[k] > at[k] / 4))
        k++;
    return tick_ns[k];
}

/* A time without any event, and on how many CPUs ticks are missing in it. */
struct silence {
    uint64_t from_ns, to_ns; /* to_ns 0: none */
    uint32_t cpus;
};

static int close_silence(struct silence *s, uint64_t tick, struct tac_sights *ret_spans)
{
    uint64_t length = s->to_ns - s->from_ns;
    bool proved = s->to_ns && (s->cpus > 1 || (s->cpus == 1 && length > 5 * tick / 2));
    struct tac_sight sight = {.from_ns = s->from_ns,
                              .to_ns = s->to_ns,
                              .detail = s->cpus,
                              .index = TAC_SIGHT_NONE,
                              .kind = TAC_SIGHT_STILL};
    *s = (struct silence){0};
    return proved ? tac_sights_add(ret_spans, sight) : 0;
}

int tac_still_find(const struct tac_capture *capture, struct tac_sights *ret_spans)
{
    struct cpu *cpus = calloc(CPUS_MAX, sizeof *cpus);
    if (!cpus)
        return -ENOMEM;
    uint64_t told = tac_tick_told(capture), tick = told ? told : find_tick(capture, cpus);
    uint64_t before = 0;
    struct silence s = {0};
    int r = 0;
    memset(cpus, 0, CPUS_MAX * sizeof *cpus);
    for (size_t i = 0; i < capture->kernel_count && r == 0; i++) {
        const struct tac_capture_kernel *e = &capture->kernel[i];
        bool silent = before && e->ns - before > 3 * tick / 2;
        if (s.to_ns && (silent || e->ns > s.to_ns + AFTER_NS))
            r = close_silence(&s, tick, ret_spans);
        if (silent)
            s = (struct silence){before, e->ns, 0};
        uint64_t run = advance(cpus, e);
        s.cpus += s.to_ns && run && e->ns - run <= s.from_ns && tac_tick_is_on(capture, e->cpu);
        before = e->ns;
    }
    free(cpus);
    return r ? r : close_silence(&s, tick, ret_spans);
}
