/* SPDX-License-Identifier: MIT
 * reader.h - the two passes behind tac_capture_open: chunks, then events. Internal to capture. */
#ifndef TAC_CAPTURE_READER_H
#define TAC_CAPTURE_READER_H

#include "capture/capture.h"
#include "capture/clockmap.h"
#include "capture/list.h"
#include "capture/zip.h"

struct tac_reader_comm {
    uint64_t tid; /* 64 bits: the sort key */
    const char *name;
};

/* The capture and what only the reader needs. `pub` is first: close gets back to it. */
struct tac_reader {
    struct tac_capture pub;
    const unsigned char *bytes;
    size_t size;
    unsigned char *owned; /* the file, when we read it */
    struct tac_clockmap clock;
    struct tac_zip *zip;    /* made when first needed */
    struct tac_list keeps;  /* char *: strings and stacks that are ours */
    struct tac_list chunks; /* struct tac_reader_chunk */
    struct tac_list meta, threads, sources, sites, cycles, zones, memory, locks, holds, plots,
        messages, flows, stacks, kernel, kernel_stacks, symbols, gaps, modules, pairs, comms;
    uint32_t *site_slot; /* open addressing over sites: index + 1 */
    uint32_t site_mask;
    bool flight;
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

/* define.c: META, CLOCK, SITE, LANE, SOURCE, COMM, MODULE, END. */
void tac_reader_define(struct tac_reader *reader);
uint32_t tac_reader_site(struct tac_reader *reader, uint64_t id);
const char *tac_reader_keep(struct tac_reader *reader, const char *text, size_t bytes);

/* events.c: RECORDS and KERNEL. */
void tac_reader_events(struct tac_reader *reader);

#endif
