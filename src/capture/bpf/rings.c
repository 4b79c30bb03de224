/* SPDX-License-Identifier: MIT
 * rings.c - see rings.h. */
#include "capture/bpf/rings.h"

#include "base/clock.h"

#include <stdbool.h>

/* 0: none were. */
static void tell_lost(int cpu, uint64_t lost, uint64_t ns, tac_bpf_hear *hear, void *owner)
{
    struct tac_format_kernel e = {
        .ns = ns, .type = TAC_KERNEL_LOST, .cpu = (uint16_t)cpu, .a = lost};
    if (lost)
        hear(owner, &e);
}

/* The lap, modulo 65536, in which an event is written that follows `tail` others. */
static uint16_t lap_of(uint64_t tail)
{
    return (uint16_t)(tail / TAC_BPF_EVENTS + 1);
}

/* The event that follows `tail` others. False: it is not written yet, or, with *ret_is_gone, it was
 * written over, if only in part: who does so moves the head first, and `what` last. */
static bool copy(const struct tac_bpf_ring *r, int cpu, uint64_t tail,
                 struct tac_format_kernel *ret_event, bool *ret_is_gone)
{
    const struct tac_bpf_event *slot = &r->event[tail % TAC_BPF_EVENTS];
    uint64_t what = __atomic_load_n(&slot->what, __ATOMIC_ACQUIRE);
    struct tac_format_kernel e = {.type = (uint16_t)what,
                                  .cpu = (uint16_t)cpu,
                                  .tid = (uint32_t)(what >> 32),
                                  /* acquire, so that the head is read after the last of these */
                                  .ns = __atomic_load_n(&slot->ns, __ATOMIC_ACQUIRE),
                                  .a = __atomic_load_n(&slot->a, __ATOMIC_ACQUIRE),
                                  .b = __atomic_load_n(&slot->b, __ATOMIC_ACQUIRE)};
    *ret_is_gone = __atomic_load_n(&r->head, __ATOMIC_RELAXED) - tail > TAC_BPF_EVENTS;
    *ret_event = e;
    return !*ret_is_gone && (uint16_t)(what >> 16) == lap_of(tail);
}

/* An event that is still being written ends the pass; one that was written over is lost. */
void tac_bpf_ring_read(const struct tac_bpf_ring *r, int cpu, uint64_t *ret_tail,
                       tac_bpf_hear *hear, void *owner)
{
    uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE), tail = *ret_tail, lost = 0;
    if (head - tail > TAC_BPF_EVENTS) {
        lost = head - tail - TAC_BPF_EVENTS;
        tail = head - TAC_BPF_EVENTS;
    }
    for (; tail != head; tail++) {
        struct tac_format_kernel e;
        bool is_gone;
        if (copy(r, cpu, tail, &e, &is_gone)) {
            tell_lost(cpu, lost, e.ns, hear, owner);
            lost = 0;
            hear(owner, &e);
        } else if (!is_gone) {
            break;
        } else {
            lost++;
        }
    }
    *ret_tail = tail;
    tell_lost(cpu, lost, tac_clock_ns(), hear, owner);
}
