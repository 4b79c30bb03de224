/* SPDX-License-Identifier: MIT
 * recording_file.h - the place of a recording that the library in a program will write.
 *
 * That library refuses to write over a file, since programs start others that record too; so an
 * earlier recording is set aside first, and comes back where nothing was recorded: a command that
 * did nothing costs nobody a recording. Only a plain file ever is: the name of a device, a link or
 * a folder is refused. The kernel's events of the same time come from a file of ours and are
 * appended. Threads: one. */
#ifndef TAC_CLI_RECORDING_FILE_H
#define TAC_CLI_RECORDING_FILE_H

#include "tactus/error.h"

#include <limits.h>
#include <stdbool.h>

/* The place of a recording, and where what was there before waits. */
struct tac_recording_file {
    char path[PATH_MAX];        /* absolute */
    char before[PATH_MAX + 16]; /* "": nothing was there */
};

/* Finds the absolute path and makes its place free. err says what and what to do; nothing has
 * changed then. */
TAC_MUST_CHECK int tac_recording_file_prepare(struct tac_recording_file *file, const char *path,
                                              struct tac_error *err);

/* The same for a place that may be anything: only a plain file is set aside. */
void tac_recording_file_set_aside(struct tac_recording_file *file, const char *path);

/* The end of it, once. recorded: what was there before is dropped. Else it comes back, and what was
 * made in its place since then, a plain file or the folder of a format that is one, is removed. */
void tac_recording_file_settle(struct tac_recording_file *file, bool recorded);

/* Put the kernel's chunks, a file of their own, behind those of the program, and drop their file.
 * Where no program has recorded there is nothing to put them behind. */
TAC_MUST_CHECK int tac_recording_file_append(const char *path, const char *from,
                                             struct tac_error *err);

#endif
