/* SPDX-License-Identifier: MIT
 * loadable.h - a spelling of a library's path that LD_PRELOAD takes.
 *
 * The loader takes a space or a colon for the end of a name (ld.so(8)). A library whose path has
 * some is reached through a link to the folder above its own, in /tmp/tactus-UID, which nobody else
 * may write to. It stays: processes that the program leaves behind hand the name on to those that
 * they start. One link a folder, however often. Its own folder's name and its file's stay as they
 * are: no library of ours has a space there.
 * Threads: any but real-time ones. */
#ifndef TAC_BASE_LOADABLE_H
#define TAC_BASE_LOADABLE_H

#include "tactus/error.h"

/* Rewrite the path, in a buffer of so many bytes, where it needs that. 0, -EINVAL for a space or a
 * colon in the last folder's name or the file's, -ENAMETOOLONG, -EPERM when the place of the folder
 * is somebody else's, or -errno of making it. */
TAC_MUST_CHECK int tac_loadable_spell(char *library, unsigned long size);

#endif
