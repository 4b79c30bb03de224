/* SPDX-License-Identifier: MIT
 * process_maps.h - the files that other processes run from, as MODULE chunks have them, while these
 * processes still live: the kernel's events name addresses in them.
 *
 * For each process once: its executable mappings (/proc/PID/maps) and the build-ids of their files,
 * which are read through /proc/PID/root, so that a process in a container is right, too. Cost: some
 * 100 us for a process, on the capture's thread; at most 4 096 processes. Source: proc(5),
 * ELF-64 object file format. Threads: one. */
#ifndef TAC_CAPTURE_PROCESS_MAPS_H
#define TAC_CAPTURE_PROCESS_MAPS_H

#include "base/build_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tac_process_maps;

struct tac_process_maps *tac_process_maps_new(void);       /* NULL when out of memory */
void tac_process_maps_free(struct tac_process_maps *maps); /* NULL is fine */

/* True when the thread was not asked about before and lives: then its process, and, when that is
 * new, too, lines "start end offset build-id-or-dash path\n", which stay until the next call. */
bool tac_process_maps_learn(struct tac_process_maps *maps, uint32_t tid, uint32_t *ret_pid,
                            const char **ret_text, size_t *ret_bytes);

/* "-", or the build-id of a file in hexadecimal. ret_text: TAC_BUILD_ID_TEXT bytes. */
void tac_build_id_of_file(const char *path, char *ret_text);

#endif
