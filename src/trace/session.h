/* SPDX-License-Identifier: MIT
 * session.h - one recording in progress: what the helper thread owns.
 *
 * Threads: the helper, and control threads while they hold the control mutex. The helper holds the
 * mutex for each pass over the lanes, so a registration may wait for one pass; a traced thread
 * never takes it. */
#ifndef TAC_TRACE_SESSION_H
#define TAC_TRACE_SESSION_H

#include "base/clock.h"
#include "tactus/cycle.h"
#include "trace/lane.h"
#include "trace/pack.h"
#include "trace/perf.h"
#include "trace/refuge.h"
#include "trace/sink.h"
#include "trace/site.h"

#include <pthread.h>

enum { TAC_DRAIN_RECORDS = 4096, TAC_DRAIN_KERNEL = 1024, TAC_META_MAX = 256 };

struct tac_session {
    struct tac_trace_config config;
    struct tac_sink sink;
    struct tac_site_table sites;
    bool owns_fd;
    char *meta[TAC_META_MAX + 1]; /* streams: lines that a new recording must get again */
    uint32_t meta_count;
    pthread_t helper;
    struct tac_refuge refuge;
    pthread_cond_t wake;
    bool stopping;
    uint32_t sources_announced;
    uint64_t modules_seen; /* loads and unloads when the modules were written last */
    uint64_t stored, dropped_ended, suppressed_ended, unregistered_base;
    /* what a stream had no room for; the end of the recording tells */
    uint64_t lost_kernel_untold, lost_stacks; /* kernel events of ended lanes; call stacks */
    /* counter to nanoseconds, good enough to see a miss; the reader does better */
    struct tac_clock_pair first, last;
    uint64_t deadline_ns[TAC_CYCLE_SOURCES_MAX]; /* of the open cycle of a source */
    int perf_error;
    struct tac_perf_config perf;          /* asked for, and how */
    bool stacks_refused, samples_refused; /* for some thread */
    struct tac_format_record buffer[TAC_DRAIN_RECORDS];
    unsigned char packed[TAC_PACK_BYTES_MAX(TAC_DRAIN_RECORDS)];
    struct tac_format_kernel kernel[TAC_DRAIN_KERNEL];
    unsigned char kernel_stacks[1 << 16];
};
static_assert(TAC_PACK_KERNEL_BYTES_MAX(TAC_DRAIN_KERNEL) <= TAC_PACK_BYTES_MAX(TAC_DRAIN_RECORDS),
              "packed holds either");

/* modules.c: the mapped objects of the process; check: only when they changed since. */
void tac_facts_write_modules(struct tac_session *session);
void tac_facts_check_modules(struct tac_session *session);

/* facts.c: the header lines of the recording; what the kernel's evidence is, after the lanes. */
void tac_facts_write(struct tac_session *session);
void tac_facts_write_perf(struct tac_session *session);
void tac_facts_write_blind(struct tac_session *session);  /* what the evidence cannot see */
void tac_facts_write_untold(struct tac_session *session); /* what is lost, if any */
bool tac_facts_is_virtual(void);                          /* the machine is known to be one */
void tac_facts_write_line(struct tac_session *session, const char *key, const char *value);

/* drain.c */
void tac_drain_leave(void); /* in the child of a fork: the kernel's rings are the parent's */
void tac_drain_lane_begin(struct tac_session *session, struct tac_lane *lane); /* names it */
void tac_drain_lane_end(struct tac_session *session, struct tac_lane *lane);   /* all, and closes */
/* Events lost to a full ring or a stream without room, since the recording began. */
uint64_t tac_drain_dropped(const struct tac_lane *lane);
uint64_t tac_drain_suppressed(const struct tac_lane *lane); /* beyond the budget of cycles */
/* Events that lie in the ring still. */
uint64_t tac_drain_waiting(const struct tac_lane *lane);
/* One pass over everything; true when some ring was more than half full. */
bool tac_drain_all(struct tac_session *session);
void tac_drain_clock(struct tac_session *session);
/* Before records are drained: true when the clocks were paired anew. */
bool tac_drain_clock_if_due(struct tac_session *session);

#endif
