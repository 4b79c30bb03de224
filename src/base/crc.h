/* SPDX-License-Identifier: MIT
 * crc.h - CRC-32C (Castagnoli), the check of recordings.
 *
 * How     Eight table look-ups for eight bytes ("slicing by 8"), tables made at first use.
 * Cost    about 1 ns for 1.5 bytes. Threads: any (first use included). Real-time: no (first use).
 * Source  polynomial 0x1EDC6F41, reflected 0x82F63B78: RFC 3720, appendix B.4, with its vectors;
 *         slicing: Kounavis and Berry 2005, "A systematic approach to building high performance,
 *         software-based, CRC generators". */
#ifndef TAC_BASE_CRC_H
#define TAC_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Continue crc (0 for a start) over n bytes. */
uint32_t tac_crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
