/* SPDX-License-Identifier: MIT
 * sizing.h - the record of a run from which `tactus size` says what would have sufficed.
 *
 * The program, started with TACTUS_HEAP_RECORD=FILE, maps that file shared and counts in it: for
 * each call site and size the blocks and how many lived at once; the arena's peak; at the end
 * the pools and the mappings, for symbols. What is counted is in the file at once, so a program
 * that crashes has left its record. One process writes: not those that it forks or starts. Threads:
 * any. Real-time: no (every call leaves the fast path and enters the kernel once). */
#ifndef TAC_MEM_SIZING_H
#define TAC_MEM_SIZING_H

#include "tactus/pool.h"

#include <stdatomic.h>
#include <stdint.h>

#define TAC_SIZING_MAGIC "tactus sizes 2\n"

enum {
    TAC_SIZING_SITES = 32768, /* a power of two */
    TAC_SIZING_BYTES_MAX = 65535,
    TAC_SIZING_POOLS = 256,
    TAC_SIZING_MAPS = 512 * 1024,
    TAC_SIZING_NAME = 32,
};

/* Blocks of one size from one place; longer ones than TAC_SIZING_BYTES_MAX are not counted. */
struct tac_sizing_site {
    _Atomic uint64_t key; /* bytes << 48 | address; 0: free */
    _Atomic uint64_t live, live_peak, allocations;
};

static inline uint64_t tac_sizing_address(const struct tac_sizing_site *s)
{
    return atomic_load_explicit(&s->key, memory_order_relaxed) << 16 >> 16;
}

static inline unsigned tac_sizing_bytes(const struct tac_sizing_site *s)
{
    return (unsigned)(atomic_load_explicit(&s->key, memory_order_relaxed) >> 48);
}

struct tac_sizing_pool {
    char name[TAC_SIZING_NAME];
    uint64_t object_bytes, gets, failures, steals;
    uint32_t count, used_peak;
};

/* The file. */
struct tac_sizing {
    char magic[16];
    uint64_t pid;
    uint64_t ended; /* 1: the program came to its end */
    _Atomic uint64_t arena_bytes, taken_peak_bytes, largest_bytes, failures;
    _Atomic uint64_t alignment_bytes;           /* the greatest, beyond a unit */
    _Atomic uint64_t gap_bytes, gap_peak_bytes; /* what aligned blocks keep from others at most */
    _Atomic uint64_t threads_peak;
    _Atomic uint64_t sites_lost; /* allocations that found the table full */
    _Atomic uint32_t pools;
    uint32_t maps_bytes;
    struct tac_sizing_pool pool[TAC_SIZING_POOLS];
    struct tac_sizing_site site[TAC_SIZING_SITES];
    char maps[TAC_SIZING_MAPS]; /* of /proc/PID/maps */
};

_Static_assert(sizeof(struct tac_sizing_site) == 32, "in files");
_Static_assert(sizeof(struct tac_sizing_pool) == 72, "in files");

/* When the environment asks for it: begin, as part of opening the heap. */
void tac_sizing_begin(void);
/* A block that was allocated with that alignment, after the hooks heard of it. */
void tac_sizing_note_aligned(const void *block, size_t alignment);
/* A pool that ends, or is there at the end. */
void tac_sizing_note_pool(const struct tac_pool_stats *stats);

#endif
