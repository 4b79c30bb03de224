/* SPDX-License-Identifier: MIT
 * events.h - the events of a recording, one after the other, as its chunks come: what the arrays of
 * capture.h are collected from, and what exporters of any length read.
 *
 * Events of one lane, and of one CPU, come in the order in which they happened; those of different
 * lanes as their chunks stand. Where records are missing, CUT says that nothing which is open on
 * that thread will be ended, and GAP what was lost. Internal to capture. */
#ifndef TAC_CAPTURE_EVENTS_H
#define TAC_CAPTURE_EVENTS_H

#include "capture/capture.h"

#include <string.h>

/* Beside those of enum tac_record_type. */
enum tac_event_type {
    TAC_EVENT_KERNEL = 32, /* kernel */
    TAC_EVENT_KERNEL_STACK,
    TAC_EVENT_CUT,
};

struct tac_event {
    uint32_t type;
    uint32_t thread;   /* index in threads[]; TAC_CAPTURE_NONE: of the kernel */
    uint64_t ns;       /* ZONE_VALUE: of the event before */
    uint64_t begin_ns; /* MEMORY, REALLOC, LOCK_WAIT, GAP; otherwise as ns */
    uint64_t payload;
    uint64_t value;            /* ZONE_VALUE: the number */
    uint32_t site;             /* ZONE_BEGIN, PLOT, MESSAGE, ZONE_VALUE with a text: in sites[] */
    uint32_t source;           /* CYCLE_BEGIN, CYCLE_END: in sources[] */
    const unsigned char *data; /* data records; KERNEL_STACK: addresses */
    const struct tac_format_kernel *kernel;
    const struct tac_format_stack *stack;
    struct tac_capture_gap gap; /* GAP */
};

/* The i-th data record of an event. */
static inline struct tac_format_record tac_event_data(const struct tac_event *e, uint32_t i)
{
    struct tac_format_record r;
    memcpy(&r, e->data + i * sizeof r, sizeof r);
    return r;
}

/* The value of a PLOT. */
static inline double tac_event_plot(const struct tac_event *e)
{
    uint64_t bits = tac_event_data(e, 0).counter;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Who takes them. The arrays of definitions in c (threads, sites, sources, ...) hold what was read
 * so far; pointers into them are good until the next event. */
struct tac_event_taker {
    void *me;
    void (*event)(void *me, const struct tac_capture *c, const struct tac_event *event);
};

#endif
