/* SPDX-License-Identifier: MIT
 * unpack.h - packed records back to records. The form: docs/recording-format.md, "Packed records".
 */
#ifndef TAC_CAPTURE_UNPACK_H
#define TAC_CAPTURE_UNPACK_H

#include "trace/format.h"

#include <stddef.h>

/* Unpack bytes into at most max records; returns how many whole events' records there were. Input
 * that does not walk the form ends the row. */
uint32_t tac_unpack(const unsigned char *bytes, size_t n, struct tac_format_record *ret_records,
                    uint32_t max);

/* The same for kernel events; types that are not known are given as they stand. */
uint32_t tac_unpack_kernel(const unsigned char *bytes, size_t n,
                           struct tac_format_kernel *ret_events, uint32_t max);

#endif
