/* SPDX-License-Identifier: MIT
 * reader.h - what stands behind tac_capture_open: chunks, definitions, events. Internal to capture.
 */
#ifndef TAC_CAPTURE_READER_H
#define TAC_CAPTURE_READER_H

#include "capture/capture.h"
#include "capture/clockmap.h"
#include "capture/events.h"
#include "capture/idmap.h"
#include "capture/list.h"
#include "capture/unwind.h"
#include "capture/zip.h"

struct tac_reader_comm {
    char name[16];
    uint32_t pid; /* 0: not known */
};

/* Where the decoding of one lane stands. */
struct tac_reader_lane {
    uint32_t id, thread;
    uint64_t sequence;                    /* records seen or known to be lost */
    uint64_t gap_dropped, gap_suppressed; /* already shown by gaps */
    uint64_t last_ns;
};

/* What the kernel's accounts of a thread said then. */
struct tac_reader_accounts {
    uint64_t ns, cpu_ns;
    uint64_t switches, faults; /* as recorded: voluntary, minor << 32 | involuntary, major */
    uint32_t thread;
};

/* A cycle that began without accounts and ended with them. */
struct tac_reader_spared {
    uint32_t cycle;        /* in cycles, before they are sorted */
    uint32_t before, upto; /* in accounts: the last before it began, those at its end */
};

/* The capture and what only the reader needs. `pub` is first: close gets back to it. */
struct tac_reader {
    struct tac_capture pub;
    const unsigned char *bytes;
    size_t size;
    unsigned char *owned; /* the file, when we read it; bulk.h */
    size_t owned_bytes;
    struct tac_clockmap clock;
    struct tac_zip *zip;    /* made when first needed */
    struct tac_list keeps;  /* char *: strings and stacks that are ours */
    struct tac_list chunks; /* struct tac_reader_chunk */
    struct tac_list meta, threads, sources, sites, cycles, zones, memory, locks, holds, plots,
        messages, flows, stacks, kernel, kernel_stacks, symbols, gaps, modules, pairs, comms;
    struct tac_list lanes;             /* struct tac_reader_lane */
    struct tac_list accounts, spared;  /* struct tac_reader_accounts, struct tac_reader_spared */
    struct tac_list opened;            /* collect.c */
    struct tac_idmap site_of, comm_of; /* id -> index + 1 in sites; tid -> in comms */
    void *scratch;
    size_t scratch_bytes;
    struct tac_event_taker taker;
    struct tac_unwind *unwind; /* made with the first copy of a stack */
    bool is_part;              /* chunks before and behind it were left out on purpose */
    bool flight, follows;      /* follows: definitions and events come mixed, see walk.h */
};

struct tac_reader_chunk {
    struct tac_format_chunk head;
    const unsigned char *payload;
};

/* chunks.c: find all intact chunks; 0 or a -TAC_E_ code for "no recording". */
int tac_reader_scan(struct tac_reader *reader, const char *name, struct tac_error *err);

/* The chunk with its payload as it was before compression, valid until the next call; false when
 * that cannot be had. */
bool tac_reader_plain(struct tac_reader *reader, const struct tac_reader_chunk *chunk,
                      struct tac_reader_chunk *ret_plain);

/* define.c: META, CLOCK, SITE, LANE, SOURCE, COMM, MODULE, SYMBOLS, END. */
void tac_reader_define(struct tac_reader *reader, const struct tac_reader_chunk *chunk);
uint32_t tac_reader_site(struct tac_reader *reader, uint64_t id);
uint32_t tac_reader_thread(struct tac_reader *reader, uint32_t lane); /* made when not defined */
const char *tac_reader_keep(struct tac_reader *reader, const char *text, size_t bytes);
/* The same through tac_text_clean: what a recording names may be shown on a terminal. */
const char *tac_reader_keep_text(struct tac_reader *reader, const char *text, size_t bytes);

/* events.c: the events of a plain chunk to reader->taker; and what the last chunks left untold. */
void tac_reader_events(struct tac_reader *reader, const struct tac_reader_chunk *chunk);
void tac_reader_events_end(struct tac_reader *reader);

/* collect.c: the taker that fills the arrays. */
void tac_reader_collect(void *reader, const struct tac_capture *c, const struct tac_event *event);
void tac_reader_collect_end(struct tac_reader *reader);

/* lost.c: kernel gaps begin when they did; kernel is sorted, gaps are not yet. False when memory
 * ran out. */
bool tac_reader_widen_gaps(struct tac_reader *reader);

/* lost.c: whether events of the type come from the buffer of their thread alone. */
bool tac_reader_is_of_thread(uint16_t type);

/* reader.c: index of the first kernel event at or after ns; they are sorted. */
size_t tac_reader_kernel_at(const struct tac_reader *reader, uint64_t ns);

/* spared.c: what happened between two accounts of a thread, as a cycle's. */
void tac_reader_account(struct tac_capture_cycle *cycle, const struct tac_reader_accounts *from,
                        const struct tac_reader_accounts *to);

/* The accounts of cycles whose begin had none; kernel and gaps are sorted, cycles are not
 * yet. False when memory ran out. */
bool tac_reader_settle_spared(struct tac_reader *reader);

/* reader.c: look-ups want modules and symbols sorted: after chunks of this kind, or 0: all. */
bool tac_reader_sort_names(struct tac_reader *reader, uint16_t kind);

/* let reader->pub show the arrays as they are; false when one failed. */
bool tac_reader_show(struct tac_reader *reader);

/* tac_capture_open_memory; is_part: of a recording some of whose chunks are left out, as parts.c
 * does: no loss is told where the row begins and ends. */
TAC_MUST_CHECK int tac_capture_open_part(const void *bytes, size_t size, const char *name,
                                         bool is_part, struct tac_error *err,
                                         struct tac_capture **ret_capture);
void tac_reader_free(struct tac_reader *reader); /* NULL is fine */

#endif
