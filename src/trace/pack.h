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

/* Kernel events, one after another:
 *   - a byte: the type, and 128 when the CPU is not that of the event before (0xffff at first);
 *   - when so, the CPU as varint;
 *   - varints: the zigzag difference in time to the event before (0 at first); the zigzag
 * difference of tid to the thread on the CPU (who came in at the last SWITCH, otherwise tid of the
 * event before; 0 at first); a and b by halves, upper first, each as zigzag difference (32 bits) to
 * the same half of the last event of the type. A chunk stands for itself. */
#define TAC_PACK_KERNEL_BYTES_MAX(n) ((uint32_t)(n)*39u)

/* Pack n kernel events, types below TAC_KERNEL_TYPES. Returns the bytes. */
uint32_t tac_pack_kernel(const struct tac_format_kernel *events, uint32_t n,
                         unsigned char *ret_bytes);

#endif
