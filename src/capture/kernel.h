/* SPDX-License-Identifier: MIT
 * kernel.h - the kernel's own account of the whole machine, through tracefs: who ran on which core,
 * who woke whom, interrupts, softirqs, reclaim, compaction, forks, signals. Needs root.
 *
 * A private tracefs instance (nothing of anybody else's is touched) with the clock `mono`, read as
 * raw pages per CPU by a thread of normal priority, and appended as chunks to a recording that the
 * traced program writes at the same time. Field places come from the `format` files. Where tracefs
 * is not mounted, a detached mount is used. The instance is removed at the end; when this process
 * is killed, a small child that waits for its end removes it. Threads: control. */
#ifndef TAC_CAPTURE_KERNEL_H
#define TAC_CAPTURE_KERNEL_H

#include "tactus/error.h"

#include <stdint.h>

struct tac_kernel;

struct tac_kernel_config {
    const char *path;     /* the recording; appended to, made when missing */
    uint32_t buffer_kb;   /* per CPU; 0 = 4096 */
    uint32_t page_faults; /* 1: faults of the whole system too (x86; many) */
};

struct tac_kernel_stats {
    uint64_t events, lost, bytes;
    uint32_t kinds; /* kinds of events that could be switched on */
};

/* 0; -EACCES/-EPERM without privilege, -ENOENT where the kernel has no tracefs, or another -errno;
 * err (may be NULL) then holds one sentence. */
TAC_MUST_CHECK int tac_kernel_start(const struct tac_kernel_config *config, struct tac_error *err,
                                    struct tac_kernel **ret_kernel);

/* Read what is left, remove the instance. 0 or the first -errno of a write. NULL is fine. */
int tac_kernel_stop(struct tac_kernel *kernel, struct tac_kernel_stats *ret_stats);

#endif
