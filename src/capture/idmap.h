/* SPDX-License-Identifier: MIT
 * idmap.h - from 64-bit ids (addresses, thread ids, uuids) to small numbers; open addressing,
 * grows, nothing is taken out. {0} is empty. */
#ifndef TAC_CAPTURE_IDMAP_H
#define TAC_CAPTURE_IDMAP_H

#include <stdbool.h>
#include <stdint.h>

struct tac_idmap {
    struct tac_idmap_slot {
        uint64_t id;
        uint32_t number; /* 0: free */
    } * slot;
    uint32_t mask, count;
};

void tac_idmap_fini(struct tac_idmap *map);

/* The number of an id, or 0. */
uint32_t tac_idmap_get(const struct tac_idmap *map, uint64_t id);

/* Put an id that is not there; number > 0. False when memory ran out. */
bool tac_idmap_put(struct tac_idmap *map, uint64_t id, uint32_t number);

#endif
