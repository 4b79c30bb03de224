/* SPDX-License-Identifier: MIT
 * misses.h - sees late cycles in chunks while they pass. */
#ifndef TAC_CAPTURE_MISSES_H
#define TAC_CAPTURE_MISSES_H

#include "capture/clockmap.h"
#include "capture/idmap.h"
#include "capture/zip.h"

#include <stdbool.h>

struct tac_misses { /* {0} has seen nothing */
    struct tac_clockmap clock;
    struct tac_idmap place_of; /* lane << 16 | source -> place in deadlines + 1 */
    struct tac_list deadlines; /* uint64_t: of the open cycle; 0: none */
    struct tac_zip *zip;
    struct tac_format_record *records;
    uint32_t room;
};

/* How many cycles ended late in it. */
uint32_t tac_misses_in(struct tac_misses *misses, const struct tac_format_chunk *head,
                       const void *payload);
void tac_misses_fini(struct tac_misses *misses);

#endif
