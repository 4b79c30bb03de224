/* SPDX-License-Identifier: MIT
 * lane.h - a registered thread's ring, and the table of all of them.
 *
 * A lane is mapped, touched and, where permitted, locked when its thread registers. The owner
 * thread writes the first part; the helper (or, with no session, nobody) moves the tail; the
 * control mutex guards the rest. Lanes are reused after their thread has ended and their rest was
 * drained. A thread that unregisters inside open zones keeps its lane until it ends, registers
 * again, or unregisters outside of them: the zones' ends go where their begins went.
 *
 * Invariants
 *   I1  tail <= head <= tail + records (free-running, unsigned).
 *   I2  ring.limit - head never exceeds records - (head - tail) - tac_lane_open(): room for every
 *       owed end.
 *   I3  told_dropped and told_suppressed are what dropped and suppressed were at the last GAP
 * record. What they have grown by since, or since the recording began when that was later, is a
 * gap: the next event that finds room writes it first. */
#ifndef TAC_TRACE_LANE_H
#define TAC_TRACE_LANE_H

#include "base/region.h"
#include "tactus/trace.h"
#include "trace/format.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TAC_LANES_MAX = 1024,
    TAC_LANE_RECORDS = 8192,
    TAC_LANE_RECORDS_MIN = 64,
    TAC_LANE_RECORDS_MAX = 1 << 20,
};

/* Whether the kernel tells a reader about the thread, so that a cycle can begin without accounts.
 */
enum tac_lane_told {
    TAC_LANE_UNTOLD,
    TAC_LANE_TOLD_FROM_NOW, /* the next accounts are the first to count from */
    TAC_LANE_TOLD,
};

/* Why the owner's last event is not in the ring, which holds while head does not move. */
enum tac_lane_refused { TAC_LANE_STORED, TAC_LANE_UNWANTED, TAC_LANE_DROPPED, TAC_LANE_SUPPRESSED };

enum tac_lane_state { TAC_LANE_FREE, TAC_LANE_LIVE, TAC_LANE_ENDED };

struct tac_perf; /* perf.h */

struct tac_lane {
    struct tac_trace_lane ring; /* first: the macros see this */
    uint32_t budget_end;        /* head + open may not pass it; valid when budgeted */
    uint32_t budgeted;
    uint64_t told_dropped, told_suppressed, gap_counter;
    _Atomic uint64_t dropped, suppressed; /* written by the owner alone */
    uint32_t refused_head;                /* head when an event was refused last */
    uint32_t refused_why;                 /* enum tac_lane_refused */
    uint64_t half_ns; /* CLOCK_MONOTONIC, half way from begin to deadline of the cycle begun last */
    uint32_t cycles;  /* begun */
    int source;       /* of the last */
    _Atomic uint32_t told; /* enum tac_lane_told: set when the lane begins, and by the owner */
    /* the helper's line */
    _Alignas(64) _Atomic uint32_t tail;
    uint64_t sequence;                              /* records drained since the recording began */
    _Atomic uint64_t dropped_base, suppressed_base; /* counters when it began; the owner reads */
    uint32_t announced; /* version of the name that the recording has; 0: none */
    uint32_t lost_kernel;
    struct tac_format_lost lost; /* what a stream refused and the recording does not tell yet */
    uint64_t lost_events;        /* in all */
    /* under the control mutex */
    uint32_t state, id, tid, version;
    uint64_t begin_counter, end_counter;
    struct tac_perf *perf;
    struct tac_region region;
    char name[32];
};

/* The owner-side stand-ins of threads without a ring. */
extern struct tac_lane tac_lane_none;   /* counts */
extern struct tac_lane tac_lane_silent; /* the helper's own: does not count */
extern _Atomic uint64_t tac_lane_unregistered;
extern _Atomic uint32_t tac_lane_budget; /* of the running session */

/* All lanes, in use or free. Look with the control mutex held. */
extern struct tac_lane *tac_lanes[TAC_LANES_MAX];
extern _Atomic uint32_t tac_lanes_count; /* high-water mark */

void tac_control_lock(void);
void tac_control_unlock(void);
/* Give the mutex up until the condition is signalled or the CLOCK_MONOTONIC time has come. */
void tac_control_wait(pthread_cond_t *cond, const struct timespec *until);

/* Called with the mutex held when a lane appears or ends during a session; set by session.c. */
extern void (*tac_lane_appears)(struct tac_lane *lane);
extern void (*tac_lane_ends)(struct tac_lane *lane);

static inline struct tac_lane *tac_lane_of(struct tac_trace_lane *ring)
{
    return (struct tac_lane *)(void *)ring;
}

/* Owner: the event that comes is of a category that is not recorded. */
void tac_lane_refuse(struct tac_trace_lane *ring);
/* Owner: whether the event before was stored. If not, what would follow it has its fate. */
bool tac_lane_follows(struct tac_trace_lane *ring);

/* Owner: zones whose end is owed. */
static inline uint32_t tac_lane_open(const struct tac_trace_lane *ring)
{
    return ring->reach - ring->limit;
}

/* Owner: what comes may move head up to here, ends that are owed left out. */
static inline void tac_lane_set_limit(struct tac_trace_lane *ring, uint32_t limit)
{
    ring->reach = limit + tac_lane_open(ring);
    ring->limit = limit;
}

/* Owner: room for n plain records, then where they go; NULL: counted as dropped. */
static inline struct tac_trace_lane *tac_lane_claim(uint32_t n)
{
    struct tac_trace_lane *ring = tac_trace_lane_here;
    if (__builtin_expect((int32_t)(ring->limit - ring->head) < (int32_t)n, 0) &&
        !tac_trace_room(ring, n, 1))
        return NULL;
    return ring;
}

/* Owner: the i-th record after head. */
static inline void tac_lane_put(struct tac_trace_lane *ring, uint32_t i, uint64_t a, uint64_t b)
{
    ring->record[(ring->head + i) & ring->mask] = (struct tac_trace_record){a, b};
}

/* Owner: publish n records. */
static inline void tac_lane_publish(struct tac_trace_lane *ring, uint32_t n)
{
    __atomic_store_n(&ring->head, ring->head + n, __ATOMIC_RELEASE);
}

#endif
