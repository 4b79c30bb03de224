/* SPDX-License-Identifier: MIT
 * idmap.c - see idmap.h. The hash is Fibonacci's: the upper half of id times 2^64 / phi. */
#include "capture/idmap.h"

#include <stdlib.h>

enum { FIRST = 256 };

void tac_idmap_fini(struct tac_idmap *map)
{
    free(map->slot);
    *map = (struct tac_idmap){0};
}

static uint32_t place(const struct tac_idmap *map, uint64_t id)
{
    uint32_t i = (uint32_t)(id * 0x9e3779b97f4a7c15ull >> 32) & map->mask;
    while (map->slot[i].number && map->slot[i].id != id)
        i = (i + 1) & map->mask;
    return i;
}

uint32_t tac_idmap_get(const struct tac_idmap *map, uint64_t id)
{
    return map->slot ? map->slot[place(map, id)].number : 0;
}

static bool grow(struct tac_idmap *map)
{
    uint32_t slots = map->slot ? map->mask + 1 : 0;
    struct tac_idmap old = *map;
    struct tac_idmap_slot *slot = calloc(slots ? 2 * (size_t)slots : FIRST, sizeof *slot);
    if (!slot)
        return false;
    map->slot = slot;
    map->mask = slots ? 2 * slots - 1 : FIRST - 1;
    for (uint32_t i = 0; i < slots; i++)
        if (old.slot[i].number)
            map->slot[place(map, old.slot[i].id)] = old.slot[i];
    free(old.slot);
    return true;
}

bool tac_idmap_put(struct tac_idmap *map, uint64_t id, uint32_t number)
{
    if ((!map->slot || map->count * 2 > map->mask) && !grow(map))
        return false;
    map->slot[place(map, id)] = (struct tac_idmap_slot){id, number};
    map->count++;
    return true;
}
