/* SPDX-License-Identifier: MIT
 * zonestat.h - what the zones of one name cost together. */
#ifndef TAC_CAPTURE_ZONESTAT_H
#define TAC_CAPTURE_ZONESTAT_H

#include "base/histogram.h"
#include "capture/capture.h"

struct tac_zonestat {
    uint32_t site;        /* index in sites[] */
    uint64_t count, open; /* open: had not ended, not in the times */
    uint64_t total_ns, self_ns;
    struct tac_histogram *histogram; /* of whole durations */
};

/* One entry for each site that has zones, the largest total first. 0 or -ENOMEM. */
TAC_MUST_CHECK int tac_zonestat_new(const struct tac_capture *capture,
                                    struct tac_zonestat **ret_stats, size_t *ret_count);
void tac_zonestat_free(struct tac_zonestat *stats, size_t count);

#endif
