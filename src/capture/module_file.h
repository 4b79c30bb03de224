/* SPDX-License-Identifier: MIT
 * module_file.h - where on this machine the file of a recorded module may be: the path that the
 * recording names, then the folders that the caller gives (a sysroot, a folder of binaries, a tree
 * of .build-id/xx/rest.debug), then /usr/lib/debug. Internal to capture. */
#ifndef TAC_CAPTURE_MODULE_FILE_H
#define TAC_CAPTURE_MODULE_FILE_H

/* The folders that the caller gives, or, NULL, those of the environment's TACTUS_SYMBOLS, or "". */
const char *tac_module_folders(const char *given);

/* The first of these places with which `try` succeeds (does not return NULL): what it returned.
 * folders: separated by colons. */
void *tac_module_file_find(const char *path, const char *build_id, const char *folders,
                           void *(*try)(void *me, const char *path), void *me);

#endif
