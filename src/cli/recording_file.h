/* SPDX-License-Identifier: MIT
 * recording_file.h - the place of a recording that the library in a program will write.
 *
 * That library refuses to write over a file, since programs start others that record too; so an
 * earlier recording is removed first. Only a plain file ever is: the name of a device, a link or a
 * folder is refused. The kernel's events of the same time come from a file of ours and are
 * appended. Threads: one. */
#ifndef TAC_CLI_RECORDING_FILE_H
#define TAC_CLI_RECORDING_FILE_H

#include "tactus/error.h"

#include <stddef.h>

/* Writes the absolute path to full and makes its place free. err says what and what to do. */
TAC_MUST_CHECK int tac_recording_file_prepare(const char *path, char *full, size_t size,
                                              struct tac_error *err);

/* Put the kernel's chunks, a file of their own, behind those of the program, and drop their file.
 * Where no program has recorded there is nothing to put them behind. */
TAC_MUST_CHECK int tac_recording_file_append(const char *path, const char *from,
                                             struct tac_error *err);

/* Remove a file that holds nothing; leaves alone what is not a plain file. */
void tac_recording_file_remove(const char *path);

#endif
