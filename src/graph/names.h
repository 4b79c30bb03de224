/* SPDX-License-Identifier: MIT
 * names.h - a table from names to numbers.
 *
 * How     Open addressing with linear probing over a power of two of slots, at most half full;
 *         hash of base/hash.h. The strings are the caller's and must outlive the table.
 * Threads one at a time, control. Cost: constant on average. */
#ifndef TAC_GRAPH_NAMES_H
#define TAC_GRAPH_NAMES_H

#include "base/hash.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct tac_names_slot {
    const char *name; /* NULL: free */
    uint32_t value;
};

/* {0} is an empty table. */
struct tac_names {
    struct tac_names_slot *slot;
    uint32_t capacity, count;
};

static inline uint64_t tac_names_hash(const char *name)
{
    uint64_t hash = tac_hash_bytes(TAC_HASH_BEGIN, name, strlen(name));
    return hash ^ hash >> 32;
}

/* The slot that holds the name or would; capacity must not be 0. */
static inline struct tac_names_slot *tac_names_slot(const struct tac_names *names, const char *name)
{
    uint32_t mask = names->capacity - 1, i = (uint32_t)tac_names_hash(name) & mask;
    while (names->slot[i].name && strcmp(names->slot[i].name, name))
        i = (i + 1) & mask;
    return &names->slot[i];
}

/* The value of the name, or -1. */
static inline int64_t tac_names_find(const struct tac_names *names, const char *name)
{
    struct tac_names_slot *s = names->capacity ? tac_names_slot(names, name) : NULL;
    return s && s->name ? (int64_t)s->value : -1;
}

static inline bool tac_names_grow(struct tac_names *names)
{
    struct tac_names bigger = {.capacity = names->capacity ? names->capacity * 2 : 64};
    bigger.slot = (struct tac_names_slot *)calloc(bigger.capacity, sizeof *bigger.slot);
    if (!bigger.slot)
        return false;
    for (uint32_t i = 0; i < names->capacity; i++)
        if (names->slot[i].name)
            *tac_names_slot(&bigger, names->slot[i].name) = names->slot[i];
    bigger.count = names->count;
    free(names->slot);
    *names = bigger;
    return true;
}

/* Add a name that is not there. False when the heap is exhausted. */
static inline bool tac_names_add(struct tac_names *names, const char *name, uint32_t value)
{
    if (names->count * 2 >= names->capacity && !tac_names_grow(names))
        return false;
    *tac_names_slot(names, name) = (struct tac_names_slot){name, value};
    names->count++;
    return true;
}

/* Room for so many more. False when the heap is exhausted. */
static inline bool tac_names_reserve(struct tac_names *names, uint32_t more)
{
    while (((uint64_t)names->count + more) * 2 > names->capacity)
        if (!tac_names_grow(names))
            return false;
    return true;
}

static inline void tac_names_fini(struct tac_names *names)
{
    free(names->slot);
    *names = (struct tac_names){0};
}

#endif
