/* SPDX-License-Identifier: MIT
 * tracefs.h - small file operations inside tracefs, all relative to a directory descriptor. */
#ifndef TAC_CAPTURE_TRACEFS_H
#define TAC_CAPTURE_TRACEFS_H

#include <stddef.h>

/* A descriptor of the root of tracefs: the mounted one, or a detached mount. Negative errno. */
int tac_tracefs_open(void);

/* A descriptor of the root of such a file system (tracefs, debugfs), mounted for it alone. Negative
 * errno: it takes privilege, and Linux 5.2. */
int tac_tracefs_mount(const char *type);

/* Write a text to a file (lists grow by it), or read one (terminated). 0 or bytes, or negative
 * errno. */
int tac_tracefs_write(int dir, const char *path, const char *text);
int tac_tracefs_read(int dir, const char *path, char *buffer, size_t size);

/* Make the private instance tactus-PID and return its descriptor; remove those of dead processes.
 */
int tac_tracefs_instance(int root, char *ret_name, size_t size);

#endif
