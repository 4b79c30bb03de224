/* SPDX-License-Identifier: MIT
 * rings.h - reads the rings that switches.bpf.c writes, one a CPU, mapped and never held up.
 *
 * The writer moves the head, fills the slot, and writes `what` last, with the lap in which it
 * writes. So the reader sees by the lap whether a slot is written yet, and by the head whether it
 * was written over while it was read. What was written over is told as lost, before the event that
 * follows it, with that event's time, as the kernel's own buffers tell it.
 *
 * Threads: one reader a ring. Cost: a copy of 32 bytes an event. */
#ifndef TAC_CAPTURE_BPF_RINGS_H
#define TAC_CAPTURE_BPF_RINGS_H

#include "trace/format.h"

enum { TAC_BPF_EVENTS = 1 << 14 };

/* As in switches.bpf.c. */
struct tac_bpf_event {
    uint64_t ns, what, a, b; /* what: type, lap << 16, tid << 32 */
};

struct tac_bpf_ring {
    uint64_t head, unused[7];
    struct tac_bpf_event event[TAC_BPF_EVENTS];
};

typedef void tac_bpf_hear(void *owner, const struct tac_format_kernel *event);

/* All that is there behind *tail events, which moves on. */
void tac_bpf_ring_read(const struct tac_bpf_ring *ring, int cpu, uint64_t *tail, tac_bpf_hear *hear,
                       void *owner);

#endif
