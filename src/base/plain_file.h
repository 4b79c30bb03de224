/* SPDX-License-Identifier: MIT
 * plain_file.h - the bytes of a file that a person named: never waits, never endless.
 *
 * A pipe, a device or a socket could keep the reader waiting for ever, or never end; they are
 * refused, and so is a directory. Any thread. Not real-time. */
#ifndef TAC_BASE_PLAIN_FILE_H
#define TAC_BASE_PLAIN_FILE_H

#include <stddef.h>

/* Up to most + 1 bytes, so that *ret_size > most says that there are more. The caller frees
 * *ret_bytes. Negative errno on failure: -EINVAL, and *ret_other says what it is ("a pipe"), where
 * it is no file; otherwise *ret_other is NULL. */
int tac_plain_file_read(const char *path, size_t most, char **ret_bytes, size_t *ret_size,
                        const char **ret_other);

#endif
