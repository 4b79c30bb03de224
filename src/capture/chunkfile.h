/* SPDX-License-Identifier: MIT
 * chunkfile.h - the chunks of a file (or of memory) one after the other, whatever lies between
 * them.
 *
 * A chunk counts when its magic, its length and its CRC fit. Where one does not, the search goes on
 * for the next magic; what was passed over is counted as damage. Memory: one chunk. Internal to
 * capture. */
#ifndef TAC_CAPTURE_CHUNKFILE_H
#define TAC_CAPTURE_CHUNKFILE_H

#include "capture/capture.h"

struct tac_chunkfile {
    int fd; /* -1: bytes are all there is */
    const unsigned char *bytes;
    unsigned char *buffer; /* ours: bytes point into it */
    size_t size, at, room;
    bool at_end; /* nothing comes after bytes */
    const char *name;
    uint64_t total, damaged; /* bytes */
    uint64_t in_vain;        /* bytes of which sums were made that were wrong */
    uint64_t chunks;
    uint32_t problems; /* enum tac_capture_problem */
};

/* {0} is no file. A path, or memory that stays until close. */
TAC_MUST_CHECK int tac_chunkfile_open(struct tac_chunkfile *file, const char *path,
                                      struct tac_error *err);
void tac_chunkfile_memory(struct tac_chunkfile *file, const void *bytes, size_t size,
                          const char *name);
void tac_chunkfile_close(struct tac_chunkfile *file);

/* 1 and the chunk (the payload is good until the next call), 0 at the end, or what tac_capture_open
 * fails with. */
TAC_MUST_CHECK int tac_chunkfile_next(struct tac_chunkfile *file, struct tac_format_chunk *ret_head,
                                      const unsigned char **ret_payload, struct tac_error *err);

#endif
