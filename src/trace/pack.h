/* SPDX-License-Identifier: MIT
 * pack.h - records as a row of small numbers: about 3 bytes a zone event instead of 16.
 *
 * The form (flag TAC_CHUNK_PACKED; docs/recording-format.md): each event is a byte with the type in
 * the low four bits, then numbers as base-128 varints, low groups first.
 *   - The time is the difference to the head record before it in the chunk (0 before the first).
 * The value of ZONE_VALUE stands there as it is.
 *   - A site is a number in the chunk's own list, made as sites appear: the high four bits of the
 * byte when below 14; 14: a varint follows the time; 15: a new site, 7 bytes after the time.
 *   - Any other payload is a varint after the time.
 *   - Of data records, the first word is the zigzag difference to the first word of the last data
 * record of the same type and place; the second is as it is. A chunk stands for itself: nothing is
 * carried from one to the next. */
#ifndef TAC_TRACE_PACK_H
#define TAC_TRACE_PACK_H

#include "trace/format.h"

/* What n records may need at most. */
#define TAC_PACK_BYTES_MAX(n) ((uint32_t)(n)*21u)

/* Pack n records, whole events. Returns the bytes. */
uint32_t tac_pack(const struct tac_format_record *records, uint32_t n, unsigned char *ret_bytes);

#endif
