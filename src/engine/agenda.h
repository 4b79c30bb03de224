/* SPDX-License-Identifier: MIT
 * agenda.h - events that are still to come, the next one first.
 *
 * How     A binary heap by frame; events of the same frame leave it in the order in which they
 *         came. Parameter changes that found no free ramp queue behind it, and are tried again in
 *         order.
 * Bound   Both together hold TAC_EVENTS_MAX; putting one in or taking one out moves at most
 *         log2(TAC_EVENTS_MAX) events, in whatever order they come.
 * Threads: the audio thread. Real-time: yes. */
#ifndef TAC_ENGINE_AGENDA_H
#define TAC_ENGINE_AGENDA_H

#include "engine/inbox.h"

#include <stddef.h>

struct tac_agenda_item {
    struct tac_event event;
    uint64_t serial;
};

struct tac_agenda {
    uint32_t count, late_first, late_count;
    uint64_t serial;
    struct tac_agenda_item item[TAC_EVENTS_MAX]; /* the heap: item i before 2 i + 1 and 2 i + 2 */
    struct tac_event late[TAC_EVENTS_MAX];       /* a ring */
};

static inline bool tac_agenda_is_full(const struct tac_agenda *a)
{
    return a->count + a->late_count == TAC_EVENTS_MAX;
}

static inline bool tac_agenda_comes_before(const struct tac_agenda_item *x,
                                           const struct tac_agenda_item *y)
{
    return x->event.due != y->event.due ? x->event.due < y->event.due : x->serial < y->serial;
}

/* Not when it is full. */
static inline void tac_agenda_push(struct tac_agenda *a, const struct tac_event *event)
{
    struct tac_agenda_item item = {*event, a->serial++};
    uint32_t at = a->count++;
    for (; at && tac_agenda_comes_before(&item, &a->item[(at - 1) / 2]); at = (at - 1) / 2)
        a->item[at] = a->item[(at - 1) / 2];
    a->item[at] = item;
}

/* The next event, or NULL. */
static inline const struct tac_event *tac_agenda_next(const struct tac_agenda *a)
{
    return a->count ? &a->item[0].event : NULL;
}

/* Take the next event out; there is one. */
static inline struct tac_event tac_agenda_pop(struct tac_agenda *a)
{
    struct tac_event next = a->item[0].event;
    const struct tac_agenda_item last = a->item[--a->count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < a->count; child = 2 * at + 1) {
        child +=
            child + 1 < a->count && tac_agenda_comes_before(&a->item[child + 1], &a->item[child]);
        if (!tac_agenda_comes_before(&a->item[child], &last))
            break;
        a->item[at] = a->item[child];
        at = child;
    }
    a->item[at] = last;
    return next;
}

/* An event that was taken out and could not be done. */
static inline void tac_agenda_put_off(struct tac_agenda *a, const struct tac_event *event)
{
    a->late[(a->late_first + a->late_count++) % TAC_EVENTS_MAX] = *event;
}

/* The first that was put off, or NULL; and it is done. */
static inline const struct tac_event *tac_agenda_late(const struct tac_agenda *a)
{
    return a->late_count ? &a->late[a->late_first] : NULL;
}

static inline void tac_agenda_drop_late(struct tac_agenda *a)
{
    a->late_first = (a->late_first + 1) % TAC_EVENTS_MAX;
    a->late_count--;
}

#endif
