/* SPDX-License-Identifier: MIT
 * zip.h - payloads of chunks compressed with zstd (flag TAC_CHUNK_ZSTD), on the side of the tools;
 * the traced program does without.
 *
 * Form: u32, the bytes when plain, then one zstd frame. Threads: a state belongs to one thread.
 * Source: RFC 8878, through libzstd. */
#ifndef TAC_CAPTURE_ZIP_H
#define TAC_CAPTURE_ZIP_H

#include <stddef.h>
#include <stdint.h>

struct tac_zip;

/* NULL when out of memory. */
struct tac_zip *tac_zip_new(void);
void tac_zip_free(struct tac_zip *zip); /* NULL is fine */

/* Compress. *ret_zipped belongs to zip and lasts until the next call. Returns its bytes; 0 when
 * that would save nothing (or memory is short): write it plain. */
size_t tac_zip_in(struct tac_zip *zip, const void *plain, size_t bytes, const void **ret_zipped);

/* Undo it. *ret_plain belongs to zip and lasts until the next call. Returns the plain bytes (at
 * most TAC_CHUNK_BYTES_MAX), or -EBADMSG for what is not of the form, or -ENOMEM. */
long tac_zip_out(struct tac_zip *zip, const void *zipped, size_t bytes, const void **ret_plain);

#endif
