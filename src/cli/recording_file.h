/* SPDX-License-Identifier: MIT
 * recording_file.h - the place of a recording that the library in a program will write.
 *
 * That library refuses to write over a file, since programs start others that record too; so an
 * earlier recording is removed first. Only a plain file ever is: the name of a device, a link or a
 * folder is refused. Threads: any. */
#ifndef TAC_CLI_RECORDING_FILE_H
#define TAC_CLI_RECORDING_FILE_H

#include "tactus/error.h"

#include <stddef.h>

/* Writes the absolute path to full and makes its place free. err says what and what to do. */
TAC_MUST_CHECK int tac_recording_file_prepare(const char *path, char *full, size_t size,
                                              struct tac_error *err);

/* Remove a file that holds nothing; leaves alone what is not a plain file. */
void tac_recording_file_remove(const char *path);

#endif
