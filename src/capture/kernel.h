/* SPDX-License-Identifier: MIT
 * kernel.h - the kernel's own account of the whole machine: who ran on which core, who woke whom,
 * interrupts, softirqs, reclaim, compaction, forks, signals. Needs root.
 *
 * Two tiers, each said in the recording with what it cannot see. tracefs: a private instance
 * (nothing of anybody else's is touched) with the clock `mono`, or on x86 the counter that user
 * space reads, related to it by pairs; read as raw pages per CPU. bpf: switches and wake-ups alone,
 * at less cost, through libtactus-bpf, which is loaded when it is there. A thread of
 * normal priority reads, and appends chunks to a recording that the traced program writes at the
 * same time. Where tracefs is not mounted, a detached mount is used. All of it is gone at the end;
 * when this process is killed, a small child that waits for its end removes the instance, and what
 * outlives even that goes at the next start. Threads: control. */
#ifndef TAC_CAPTURE_KERNEL_H
#define TAC_CAPTURE_KERNEL_H

#include "tactus/error.h"

#include <stdint.h>

struct tac_kernel;

enum tac_kernel_tier_id { TAC_KERNEL_TIER_AUTO, TAC_KERNEL_TIER_TRACEFS, TAC_KERNEL_TIER_BPF };

/* Groups of events beside those that are always taken. */
enum tac_kernel_want {
    TAC_KERNEL_WANT_FAULTS = 1, /* page faults of all threads (x86); many */
    TAC_KERNEL_WANT_BLOCK = 2,  /* requests to disks */
    TAC_KERNEL_WANT_STACKS = 4, /* kernel stacks where a real-time thread leaves its CPU, and, with
                                   FAULTS, of faults */
    TAC_KERNEL_WANT_MMAP_LOCK = 8, /* also when locks of address spaces are given back */
    TAC_KERNEL_ONLY_SWITCHES = 16, /* switches and wake-ups, nothing else: the cheapest */
};

struct tac_kernel_config {
    const char *path;             /* the recording; appended to, made when missing */
    uint32_t buffer_kb;           /* per CPU; 0 = 4096 */
    uint32_t want;                /* TAC_KERNEL_WANT_... or'ed */
    enum tac_kernel_tier_id tier; /* AUTO: tracefs */
    const uint32_t *pids; /* only events that these processes or threads, or what they fork from
                             when it is read (20 ms late at most), take part in; NULL: all */
    uint32_t pids_count;
    const char *cpus; /* "0-3,6": only these; NULL: all */
};

struct tac_kernel_stats {
    uint64_t events, lost, bytes;
    uint32_t kinds; /* kinds of events that could be switched on */
};

/* 0; -EACCES/-EPERM without privilege, -ENOENT where the kernel has no tracefs, -TAC_E_NOT_BUILT
 * without the tier, -EINVAL for CPUs that are not understood, or another -errno; err (may be NULL)
 * then holds one sentence. */
TAC_MUST_CHECK int tac_kernel_start(const struct tac_kernel_config *config, struct tac_error *err,
                                    struct tac_kernel **ret_kernel);

/* Read what is left, remove what was set up. 0 or the first -errno of a write. NULL is fine. */
int tac_kernel_stop(struct tac_kernel *kernel, struct tac_kernel_stats *ret_stats);

#endif
