/* SPDX-License-Identifier: MIT
 * kernel_tier.h - what a source of kernel events provides. kernel.c drives it from one thread. */
#ifndef TAC_CAPTURE_KERNEL_TIER_H
#define TAC_CAPTURE_KERNEL_TIER_H

#include "capture/kernel.h"
#include "capture/kernel_writer.h"

/* Where events go, as pointers, because a tier may live in a library that is loaded. */
struct tac_kernel_out {
    struct tac_kernel_writer *writer;
    void (*event)(struct tac_kernel_writer *writer, const struct tac_format_kernel *event);
    void (*comm)(struct tac_kernel_writer *writer, uint32_t tid, const char *name);
};

struct tac_kernel_tier {
    const char *name;  /* of the META lines: evidence.NAME */
    const char *blind; /* what it cannot see, for evidence.NAME.blind */
    /* Set up and begin. 0 or -errno. *ret_kinds: kinds of events that are on. */
    int (*start)(const struct tac_kernel_config *config, const struct tac_kernel_out *out,
                 void **ret_state, uint32_t *ret_kinds);
    void (*read)(void *state); /* one pass over what is there */
    void (*halt)(void *state); /* no new events; read() takes the rest */
    void (*stop)(void *state); /* remove everything */
};

extern const struct tac_kernel_tier tac_kernel_tier_tracefs;

/* The name under which libtactus-bpf has its tier, and the revision of this header. */
#define TAC_KERNEL_TIER_BPF_SYMBOL "tac_kernel_tier_bpf_1"

#endif
