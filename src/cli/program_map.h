/* SPDX-License-Identifier: MIT
 * program_map.h - the mappings of a process, in the form in which symbols are looked up in a
 * recording's (capture/symbols.h). */
#ifndef TAC_CLI_PROGRAM_MAP_H
#define TAC_CLI_PROGRAM_MAP_H

#include "capture/symbols.h"

#include <stdio.h>

enum { TAC_PROGRAM_MAP_MAX = 4096 };

struct tac_program_map {
    struct tac_capture capture; /* has modules alone */
    struct tac_capture_module module[TAC_PROGRAM_MAP_MAX];
};

/* From the text of /proc/PID/maps. NULL when there is no memory. */
struct tac_program_map *tac_program_map_new(FILE *maps);
void tac_program_map_free(struct tac_program_map *map); /* NULL is fine */

#endif
