/* SPDX-License-Identifier: MIT
 * quota.h - the CPU quota that holds for a control group: the tightest of its own and those of the
 * groups above it. Threads: any but real-time ones. */
#ifndef TAC_TRACE_QUOTA_H
#define TAC_TRACE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

/* "QUOTA PERIOD" in us. group: the folder of the group, which is shortened up to root_length, the
 * length of its root's path. False: none of them has a quota. */
bool tac_quota_find(char *group, size_t root_length, char *text, size_t size);

#endif
