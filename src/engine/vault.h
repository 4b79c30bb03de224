/* SPDX-License-Identifier: MIT
 * vault.h - memory that the audio thread may touch: mapped, pre-touched, locked where permitted.
 *
 * Built piece by piece on a control thread, dropped as one. What was taken is zeroed, aligned to 64
 * and never moves. Threads: one at a time, control. Cost: constant but for a mapping each time that
 * it has grown by a half or a quarter; what comes from a shelf is cleared as it is taken. */
#ifndef TAC_ENGINE_VAULT_H
#define TAC_ENGINE_VAULT_H

#include "base/region.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Slack: mapped memory behind the last piece of a chunk, for readers whose result nobody wants and
 * who may read a slice too much (a helper that was stopped, workers.h). */
enum {
    TAC_VAULT_CHUNKS_MAX = 80,
    TAC_VAULT_CHUNK_BYTES = 1 << 17,
    TAC_VAULT_SLACK_BYTES = 64 * 16 * 4,
    TAC_SHELF_BYTES_MAX = 32 << 20, /* what lies on a shelf does so until the next edit */
};

/* What the vault that was dropped last had, for the one that is built next: a plan follows another
 * of about the same size, and to map, touch and lock its memory took longer than to build it. */
struct tac_shelf {
    unsigned chunks;
    _Atomic size_t bytes; /* also read by other threads */
    struct tac_region chunk[TAC_VAULT_CHUNKS_MAX];
};

static inline size_t tac_shelf_bytes(const struct tac_shelf *shelf)
{
    return atomic_load_explicit(&shelf->bytes, memory_order_relaxed);
}

/* {.lock = wanted, .shelf = or none} is an empty vault. */
struct tac_vault {
    bool lock;
    bool unlocked; /* true: some chunk could not be locked */
    bool stale;    /* the last chunk comes from the shelf: what is taken of it is zeroed */
    struct tac_shelf *shelf; /* NULL: none */
    size_t expected;         /* bytes that will be taken at least; 0: nobody knows */
    unsigned chunks;
    size_t used; /* of the last chunk */
    size_t bytes;
    struct tac_region chunk[TAC_VAULT_CHUNKS_MAX];
};

/* bytes of memory, or NULL when there is none. */
void *tac_vault_take(struct tac_vault *vault, size_t bytes);
void tac_vault_fini(struct tac_vault *vault);

/* Give back what lies on the shelf. */
void tac_shelf_clear(struct tac_shelf *shelf);

#define TAC_VAULT_NEW(vault, type, count)                                                          \
    ((type *)tac_vault_take((vault), (size_t)(count) * sizeof(type)))

#endif
