/* SPDX-License-Identifier: MIT
 * kernel_filter.h - keeps the kernel events that chosen threads take part in.
 *
 * Done on our side of the kernel: its own filter (set_event_pid) leaves out every switch from idle
 * to a chosen thread, seen on Linux 6.18, so that a thread would sleep for ever. A set of bits, one
 * a thread id; children join when their fork is read. Threads: one. */
#ifndef TAC_CAPTURE_KERNEL_FILTER_H
#define TAC_CAPTURE_KERNEL_FILTER_H

#include "trace/format.h"

#include <stdbool.h>
#include <stdint.h>

struct tac_kernel_filter;

/* The threads of these processes, and these threads. NULL when out of memory. */
struct tac_kernel_filter *tac_kernel_filter_new(const uint32_t *pids, uint32_t count);
void tac_kernel_filter_free(struct tac_kernel_filter *filter); /* NULL is fine */

bool tac_kernel_filter_has(const struct tac_kernel_filter *filter, uint32_t tid);

/* True when a chosen thread takes part: it is on the CPU, comes or goes, wakes or is woken, moves.
 */
bool tac_kernel_filter_keeps(struct tac_kernel_filter *filter,
                             const struct tac_format_kernel *event);

#endif
