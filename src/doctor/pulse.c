/* SPDX-License-Identifier: MIT
 * pulse.c - see pulse.h. */
#include "doctor/pulse.h"

#include <errno.h>
#include <stdlib.h>

/* A timer comes later than LATE after it was due where interrupts are not taken; and on the grid
 * when it is as near as that. Each time off the CPU moves the grid a little: the timer stops and
 * starts some microseconds away from where the switch is told. After FORGET without any event of
 * the thread, as between two parts of a recording, the grid is another. */
enum {
    LATE_NS = 1000 * 1000,
    NEAR_NS = 300 * 1000,
    SWITCH_NS = 25 * 1000,
    FORGET_NS = 2000 * 1000 * 1000
};

struct pulse {
    uint64_t last_ns;   /* its last event */
    uint64_t due_ns;    /* 0: not known */
    uint64_t period_ns; /* CPU time from one to the next */
    uint64_t left_ns;   /* off its CPU: what was left until it was due */
    uint64_t near_ns;   /* how well the grid is known */
    uint64_t off_ns;    /* how far behind the grid the last mark was; 0: on it */
    size_t span;        /* of the last mark, in the list, from 1 on; 0: it made none */
};

/* The first of the grid after ns. */
static uint64_t next_due(const struct pulse *p, uint64_t ns)
{
    return ns < p->due_ns ? p->due_ns
                          : p->due_ns + ((ns - p->due_ns) / p->period_ns + 1) * p->period_ns;
}

/* How late the mark at ns is by the grid, whole distances included. */
static uint64_t lateness(const struct pulse *p, uint64_t ns)
{
    return p->due_ns && ns > p->due_ns ? ns - p->due_ns : 0;
}

/* How far behind the last of the grid that is; 0: as near to the grid as that. */
static uint64_t behind_grid(const struct pulse *p, uint64_t late, uint64_t near_ns)
{
    uint64_t phase = p->period_ns ? late % p->period_ns : 0;
    return phase > near_ns && phase + near_ns < p->period_ns ? phase : 0;
}

/* The mark before was as far off the grid, one distance ago: there was no halt, the grid is that of
 * these two. After a halt the timer is back on its own. */
static bool has_moved(const struct pulse *p, uint64_t late)
{
    uint64_t apart = late > p->off_ns ? late - p->off_ns : p->off_ns - late;
    return p->off_ns && late < p->period_ns && apart <= p->near_ns;
}

/* Anew from this mark on. */
static void anchor(struct pulse *p, const struct tac_capture_kernel *e)
{
    p->due_ns = e->ns + e->a;
    p->period_ns = e->a;
    p->near_ns = NEAR_NS;
    p->off_ns = 0;
    p->span = 0;
}

static int on_mark(struct pulse *p, const struct tac_capture_kernel *e, struct tac_sights *spans)
{
    uint64_t late = lateness(p, e->ns), off = behind_grid(p, late, p->near_ns);
    bool moved = has_moved(p, late), by_switches = !off && behind_grid(p, late, NEAR_NS);
    if (moved && p->span) /* what was told of the mark before is not so */
        spans->data[p->span - 1].from_ns = spans->data[p->span - 1].to_ns;
    if (moved || by_switches || !p->due_ns || e->ns + NEAR_NS <= p->due_ns ||
        p->period_ns != e->a) {
        anchor(p, e);
        return 0;
    }
    p->due_ns = next_due(p, e->ns + NEAR_NS);
    p->near_ns = NEAR_NS;
    p->off_ns = off;
    p->span = 0;
    if (off <= LATE_NS)
        return 0;
    p->span = spans->count + 1;
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
    if (e->type == TAC_KERNEL_LOST || e->ns > p->last_ns + FORGET_NS)
        *p = (struct pulse){0};
    p->last_ns = e->ns > p->last_ns ? e->ns : p->last_ns;
    if (e->type == TAC_KERNEL_PULSE && e->a)
        return on_mark(p, e, spans);
    on_switch(p, e);
    return 0;
}

/* Without those that were no halts. */
static void tidy(struct tac_sights *spans)
{
    size_t kept = 0;
    for (size_t i = 0; i < spans->count; i++)
        if (spans->data[i].from_ns < spans->data[i].to_ns)
            spans->data[kept++] = spans->data[i];
    spans->count = kept;
}

static bool is_of_a_pulse(uint16_t type)
{
    return type == TAC_KERNEL_PULSE || type == TAC_KERNEL_OUT || type == TAC_KERNEL_IN ||
           type == TAC_KERNEL_LOST;
}

int tac_pulse_find(const struct tac_capture *capture, struct tac_sights *ret_spans)
{
    struct pulse *pulses = calloc(capture->threads_count + 1, sizeof *pulses);
    int r = pulses ? 0 : -ENOMEM;
    for (size_t i = 0; i < capture->kernel_count && r == 0; i++) {
        const struct tac_capture_kernel *e = &capture->kernel[i];
        uint32_t at = is_of_a_pulse(e->type) ? tac_capture_thread_of(capture, e->tid, e->ns)
                                             : TAC_CAPTURE_NONE;
        if (at < capture->threads_count)
            r = on_event(&pulses[at], e, ret_spans);
    }
    free(pulses);
    tidy(ret_spans);
    return r;
}
