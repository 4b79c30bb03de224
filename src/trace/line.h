/* SPDX-License-Identifier: MIT
 * line.h - the first line of a small file, as the kernel writes them under /proc and /sys.
 * Threads: any but real-time ones. */
#ifndef TAC_TRACE_LINE_H
#define TAC_TRACE_LINE_H

#include <stddef.h>

/* Without its end; "" when it cannot be read. Returns buffer. */
const char *tac_line_read(const char *path, char *buffer, size_t size);

#endif
