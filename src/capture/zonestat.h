/* SPDX-License-Identifier: MIT
 * zonestat.h - what the zones of one name cost together, counted while events come.
 *
 * Self time is the duration without the zones directly inside; the total of a zone that is open
 * within itself is that of the outermost. Memory: one histogram for each site
 * that has zones. */
#ifndef TAC_CAPTURE_ZONESTAT_H
#define TAC_CAPTURE_ZONESTAT_H

#include "base/histogram.h"
#include "capture/events.h"
#include "capture/list.h"

struct tac_zonestat {
    uint32_t site;        /* index in sites[] */
    uint64_t count, open; /* open: had no end, not in the times */
    uint64_t total_ns, self_ns;
    struct tac_histogram *histogram; /* of whole durations */
};

struct tac_zonestats { /* {0} is empty */
    struct tac_list
        stats; /* struct tac_zonestat; by site until finish, then the largest total first */
    struct tac_list threads; /* struct tac_list of what is open */
    uint64_t lost;           /* events in gaps */
    bool failed;
};

/* As struct tac_event_taker wants it; me: struct tac_zonestats. */
void tac_zonestats_event(void *me, const struct tac_capture *c, const struct tac_event *event);

/* Count what is still open, and sort. 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_zonestats_finish(struct tac_zonestats *stats);
void tac_zonestats_fini(struct tac_zonestats *stats);

static inline const struct tac_zonestat *tac_zonestats_get(const struct tac_zonestats *stats,
                                                           size_t i)
{
    return (const struct tac_zonestat *)stats->stats.data + i;
}

/* All of a recording, finished. 0, or what tac_capture_open fails with. ret_problems may be NULL.
 * The capture has the definitions; close it with tac_walk_close(*ret_walk). */
struct tac_walk;
TAC_MUST_CHECK int tac_zonestats_read(const char *path, struct tac_zonestats *stats,
                                      struct tac_walk **ret_walk, struct tac_error *err);

#endif
