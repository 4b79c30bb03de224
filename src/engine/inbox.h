/* SPDX-License-Identifier: MIT
 * inbox.h - events from any thread to the audio thread, without a lock on either side.
 *
 * How     A ring of cells, each with a sequence number that says whose turn it is. A sender takes
 *         the next position by compare-and-swap, fills the cell, and hands it over by its number.
 * Invariants: a cell's number is its position when it is free for that position, one more when it
 *         is filled. Events of one sender stay in order.
 * Threads any number push; the audio thread pops. A sender that is stopped in the middle holds up
 *         the events behind it, never a thread.
 * Cost    push: lock-free; pop: wait-free.
 * Source  D. Vyukov 2010, "Bounded MPMC queue" (1024cores.net), for one reader. */
#ifndef TAC_ENGINE_INBOX_H
#define TAC_ENGINE_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TAC_EVENTS_MAX = 1024 };

enum tac_event_kind { TAC_EVENT_PARAM, TAC_EVENT_NOTE };

struct tac_event {
    enum tac_event_kind kind;
    uint32_t target; /* id of the node; TAC_GRAPH_NONE: all voices sections */
    uint32_t param;
    float pitch, value;
    uint64_t due; /* frame; in the inbox: frames after the start of the next process call */
};

struct tac_inbox {
    _Alignas(64) _Atomic uint32_t head; /* next position to fill */
    _Alignas(64) uint32_t tail;         /* next to read: the audio thread's */
    struct {
        _Atomic uint32_t number;
        struct tac_event event;
    } cell[TAC_EVENTS_MAX];
};

static inline void tac_inbox_init(struct tac_inbox *inbox)
{
    for (uint32_t i = 0; i < TAC_EVENTS_MAX; i++)
        atomic_init(&inbox->cell[i].number, i);
}

/* False when full. */
static inline bool tac_inbox_try_push(struct tac_inbox *inbox, const struct tac_event *event)
{
    uint32_t at = atomic_load_explicit(&inbox->head, memory_order_relaxed);
    for (;;) {
        /* acquire: pairs with the release of the reader that freed the cell */
        uint32_t number =
            atomic_load_explicit(&inbox->cell[at % TAC_EVENTS_MAX].number, memory_order_acquire);
        if ((int32_t)(number - at) < 0)
            return false;
        if (number != at)
            at = atomic_load_explicit(&inbox->head, memory_order_relaxed);
        else if (atomic_compare_exchange_weak_explicit(&inbox->head, &at, at + 1,
                                                       memory_order_relaxed, memory_order_relaxed))
            break;
    }
    inbox->cell[at % TAC_EVENTS_MAX].event = *event;
    /* release: the event is complete when its number says so */
    atomic_store_explicit(&inbox->cell[at % TAC_EVENTS_MAX].number, at + 1, memory_order_release);
    return true;
}

/* The audio thread. False when empty. */
static inline bool tac_inbox_try_pop(struct tac_inbox *inbox, struct tac_event *ret_event)
{
    uint32_t at = inbox->tail;
    /* acquire: pairs with the release of the sender */
    if (atomic_load_explicit(&inbox->cell[at % TAC_EVENTS_MAX].number, memory_order_acquire) !=
        at + 1)
        return false;
    *ret_event = inbox->cell[at % TAC_EVENTS_MAX].event;
    atomic_store_explicit(&inbox->cell[at % TAC_EVENTS_MAX].number, at + TAC_EVENTS_MAX,
                          memory_order_release);
    inbox->tail++;
    return true;
}

#endif
