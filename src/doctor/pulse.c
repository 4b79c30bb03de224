/* SPDX-License-Identifier: MIT
 * pulse.c - see pulse.h. */
#include "doctor/pulse.h"

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

int tac_pulse_find(const struct tac_capture *capture, uint32_t tid, struct tac_sights *ret_spans)
{
    struct pulse p = {0};
    int r = 0;
    for (size_t i = 0; i < capture->kernel_count && r == 0; i++) {
        const struct tac_capture_kernel *e = &capture->kernel[i];
        if (e->tid != tid)
            continue;
        if (e->type == TAC_KERNEL_LOST)
            p = (struct pulse){0};
        else if (e->type == TAC_KERNEL_PULSE && e->a)
            r = on_mark(&p, e, ret_spans);
        else
            on_switch(&p, e);
    }
    return r;
}
