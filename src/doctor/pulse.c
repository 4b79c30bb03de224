/* SPDX-License-Identifier: MIT
 * pulse.c - see pulse.h. */
#include "doctor/pulse.h"

#include "capture/idmap.h"

#include <errno.h>
#include <stdlib.h>

/* A timer comes later than LATE after it was due where interrupts are not taken; and on the grid
 * when it is as near as that. Each time off the CPU moves the grid a little: the timer stops and
 * starts some microseconds away from where the switch is told. */
enum { LATE_NS = 1000 * 1000, NEAR_NS = 300 * 1000, SWITCH_NS = 25 * 1000 };

struct pulse {
    uint64_t due_ns;    /* 0: not known */
    uint64_t period_ns; /* CPU time from one to the next */
    uint64_t left_ns;   /* off its CPU: what was left until it was due */
    uint64_t near_ns;   /* how well the grid is known */
};

/* The first of the grid after ns. */
static uint64_t next_due(const struct pulse *p, uint64_t ns)
{
    return ns < p->due_ns ? p->due_ns
                          : p->due_ns + ((ns - p->due_ns) / p->period_ns + 1) * p->period_ns;
}

/* How long its CPU was not run before the mark at ns. */
static uint64_t halted(const struct pulse *p, uint64_t ns)
{
    uint64_t late = p->due_ns && ns > p->due_ns ? ns - p->due_ns : 0;
    uint64_t phase = p->period_ns ? late % p->period_ns : 0;
    return phase > LATE_NS && phase + p->near_ns < p->period_ns ? late : 0;
}

static int on_mark(struct pulse *p, const struct tac_capture_kernel *e, struct tac_sights *spans)
{
    uint64_t late = halted(p, e->ns);
    bool on_grid = p->due_ns && e->ns + NEAR_NS > p->due_ns && p->period_ns == e->a;
    p->due_ns = on_grid ? next_due(p, e->ns + NEAR_NS) : e->ns + e->a;
    p->period_ns = e->a;
    p->near_ns = NEAR_NS;
    if (!late)
        return 0;
    return tac_sights_add(spans, (struct tac_sight){.from_ns = e->ns - late,
                                                    .to_ns = e->ns,
                                                    .index = TAC_SIGHT_NONE,
                                                    .who = e->tid,
                                                    .kind = TAC_SIGHT_STILL});
}

static void on_switch(struct pulse *p, const struct tac_capture_kernel *e)
{
    if (e->type == TAC_KERNEL_OUT && p->due_ns) {
        p->left_ns = next_due(p, e->ns) - e->ns;
        p->due_ns = 0;
        p->near_ns += SWITCH_NS;
    } else if (e->type == TAC_KERNEL_IN && p->left_ns) {
        p->due_ns = e->ns + p->left_ns;
        p->left_ns = 0;
    }
}

static int on_event(struct pulse *p, const struct tac_capture_kernel *e, struct tac_sights *spans)
{
    if (e->type == TAC_KERNEL_LOST)
        *p = (struct pulse){0};
    else if (e->type == TAC_KERNEL_PULSE && e->a)
        return on_mark(p, e, spans);
    else
        on_switch(p, e);
    return 0;
}

int tac_pulse_find(const struct tac_capture *capture, struct tac_sights *ret_spans)
{
    struct tac_idmap place = {0}; /* of a thread's in pulses, from 1 on */
    struct pulse *pulses = calloc(capture->threads_count + 1, sizeof *pulses);
    bool good = pulses;
    for (size_t i = 0; i < capture->threads_count && good; i++)
        good = tac_idmap_get(&place, capture->threads[i].tid) ||
               tac_idmap_put(&place, capture->threads[i].tid, (uint32_t)i + 1);
    int r = good ? 0 : -ENOMEM;
    for (size_t i = 0; i < capture->kernel_count && r == 0; i++) {
        uint32_t at = tac_idmap_get(&place, capture->kernel[i].tid);
        if (at)
            r = on_event(&pulses[at - 1], &capture->kernel[i], ret_spans);
    }
    tac_idmap_fini(&place);
    free(pulses);
    return r;
}
