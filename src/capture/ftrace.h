/* SPDX-License-Identifier: MIT
 * ftrace.h - raw pages of the kernel's ring buffer to our kernel events.
 *
 * The places of fields, of the page header and the ids of events are read from the kernel's own
 * `format` and `header_page` files; only the packing of the event header (5 bits of length, 27 bits
 * of time, types 29 to 31) is fixed, as header_event states it. */
#ifndef TAC_CAPTURE_FTRACE_H
#define TAC_CAPTURE_FTRACE_H

#include "trace/format.h"

#include <stddef.h>

struct tac_ftrace_field {
    uint32_t offset, bytes, is_signed;
};

enum { TAC_FTRACE_FIELDS = 7, TAC_FTRACE_IDS = 4096, TAC_FTRACE_COMMS = 8192 };

/* One kind of event: where it is, which fields we want, and how it becomes one of ours. */
struct tac_ftrace_kind {
    const char *path;   /* below events/ */
    const char *filter; /* or NULL */
    uint16_t type;      /* enum tac_kernel_type */
    uint16_t form;      /* how the fields are packed, see ftrace.c */
    const char *field[TAC_FTRACE_FIELDS];
    uint64_t constant; /* a, where no field gives it */
};

extern const struct tac_ftrace_kind tac_ftrace_kinds[];
extern const uint32_t tac_ftrace_kinds_count;

struct tac_ftrace {
    uint8_t kind_of[TAC_FTRACE_IDS]; /* event id -> kind + 1 */
    struct tac_ftrace_field field[32][TAC_FTRACE_FIELDS];
    struct tac_ftrace_field commit, data, flags, pid;
    struct tac_format_comm comm[TAC_FTRACE_COMMS];  /* last name seen, by tid */
    struct tac_format_comm fresh[TAC_FTRACE_COMMS]; /* names to be written */
    uint32_t fresh_count;
};

/* Read the layout of the page header. 0 or -TAC_E_VERSION when it cannot be understood. */
int tac_ftrace_learn_page(struct tac_ftrace *f, const char *header_page);

/* Read the format file of kind i. 0, or -TAC_E_VERSION when a field is missing. */
int tac_ftrace_learn_event(struct tac_ftrace *f, uint32_t i, const char *format);

/* Decode one page of `bytes` into at most max events; returns how many. *ret_lost grows by what the
 * kernel says it dropped before this page. */
uint32_t tac_ftrace_decode(struct tac_ftrace *f, const unsigned char *page, size_t bytes,
                           uint16_t cpu, struct tac_format_kernel *ret_events, uint32_t max,
                           uint64_t *ret_lost);

#endif
