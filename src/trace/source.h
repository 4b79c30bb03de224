/* SPDX-License-Identifier: MIT
 * source.h - the table of cycle sources, read by the helper thread. */
#ifndef TAC_TRACE_SOURCE_H
#define TAC_TRACE_SOURCE_H

#include "tactus/cycle.h"
#include "trace/format.h"

#include <stdatomic.h>

extern _Atomic uint32_t tac_sources_count;  /* entries below it are complete and constant */
extern _Atomic uint32_t tac_cycle_evidence; /* 1: take the thread's accounts at begin and end */

/* The entry below the count; it stays where it is. */
const struct tac_format_source *tac_source_at(uint32_t index);

#endif
