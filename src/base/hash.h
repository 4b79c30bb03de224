/* SPDX-License-Identifier: MIT
 * hash.h - FNV-1a over bytes, 64 bits: for tables and names of files, not against forgery.
 * Source: Fowler, Noll, Vo, 1991 (IETF draft-eastlake-fnv). Threads: any. Cost: O(bytes). */
#ifndef TAC_BASE_HASH_H
#define TAC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define TAC_HASH_BEGIN 0xcbf29ce484222325u

/* Go on from a hash (TAC_HASH_BEGIN at first) over these bytes. */
static inline uint64_t tac_hash_bytes(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

#endif
