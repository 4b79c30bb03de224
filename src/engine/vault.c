/* SPDX-License-Identifier: MIT
 * vault.c - chunks of base/region.h with a bump pointer in the last one; each new chunk adds half
 * of what is there, a quarter when that is much, so that their number stays within a small bound.
 * Large ones ask for huge pages: a plan of thousands of nodes spends most of its building on the
 * first touch of its pages. What is expected to become that large begins with one. Where one takes
 * the place of another, the chunks of the one before that serve it. */
#include "engine/vault.h"

#include "base/bits.h"

#include <stdint.h>
#include <string.h>

enum { HUGE_BYTES = 1 << 21, WASTE = 2 /* times what a new chunk would have, at most */ };

static void set_bytes(struct tac_shelf *shelf, size_t bytes)
{
    atomic_store_explicit(&shelf->bytes, bytes, memory_order_relaxed);
}

/* What a new chunk with that room has. */
static size_t chunk_bytes(size_t room)
{
    return room > HUGE_BYTES / 2 ? tac_align_up(room, HUGE_BYTES) : room;
}

/* The smallest chunk on the shelf that has the room, and not much more: else what was large once
 * would be handed on from plan to plan for ever. False: there is none. */
static bool take_from_shelf(struct tac_vault *vault, size_t room, struct tac_region *ret_chunk)
{
    size_t most = WASTE * chunk_bytes(room);
    struct tac_shelf *shelf = vault->shelf;
    struct tac_region *best = NULL;
    for (unsigned i = 0; shelf && i < shelf->chunks; i++) {
        struct tac_region *r = &shelf->chunk[i];
        if (r->bytes >= room && r->bytes <= most && (!best || r->bytes < best->bytes))
            best = r;
    }
    if (!best)
        return false;
    *ret_chunk = *best;
    set_bytes(shelf, tac_shelf_bytes(shelf) - best->bytes);
    *best = shelf->chunk[--shelf->chunks];
    return true;
}

static bool open_chunk(const struct tac_vault *vault, size_t room, struct tac_region *ret_chunk)
{
    unsigned flags = TAC_REGION_POPULATE | (vault->lock ? TAC_REGION_TRY_LOCK : 0u);
    if (room > HUGE_BYTES / 2)
        flags |= TAC_REGION_HUGE;
    return tac_region_open(chunk_bytes(room), flags, ret_chunk) >= 0;
}

static bool add_chunk(struct tac_vault *vault, size_t bytes)
{
    if (vault->chunks == TAC_VAULT_CHUNKS_MAX)
        return false;
    size_t more = vault->bytes / (vault->bytes > HUGE_BYTES ? 4 : 2);
    if (!vault->chunks && vault->expected > HUGE_BYTES / 2)
        more = vault->expected;
    size_t room = more > TAC_VAULT_CHUNK_BYTES ? more : TAC_VAULT_CHUNK_BYTES;
    room = (bytes > room ? bytes : room) + TAC_VAULT_SLACK_BYTES;
    struct tac_region *r = &vault->chunk[vault->chunks];
    bool stale = take_from_shelf(vault, room, r);
    if (!stale && !open_chunk(vault, room, r))
        return false;
    vault->stale = stale;
    vault->unlocked = vault->unlocked || !r->locked;
    vault->chunks++;
    vault->bytes += r->bytes;
    vault->used = 0;
    return true;
}

void *tac_vault_take(struct tac_vault *vault, size_t bytes)
{
    if (bytes > PTRDIFF_MAX / 2)
        return NULL;
    bytes = tac_align_up(bytes ? bytes : 1, 64);
    size_t room = 0;
    if (vault->chunks)
        room = vault->chunk[vault->chunks - 1].bytes - TAC_VAULT_SLACK_BYTES - vault->used;
    if (bytes > room && !add_chunk(vault, bytes))
        return NULL;
    unsigned char *base = vault->chunk[vault->chunks - 1].base;
    void *taken = base + vault->used;
    vault->used += bytes;
    return vault->stale ? memset(taken, 0, bytes) : taken;
}

void tac_shelf_clear(struct tac_shelf *shelf)
{
    while (shelf->chunks)
        tac_region_close(&shelf->chunk[--shelf->chunks]);
    set_bytes(shelf, 0);
}

static void put_on_shelf(struct tac_shelf *shelf, struct tac_region *chunk)
{
    if (!shelf || tac_shelf_bytes(shelf) + chunk->bytes > TAC_SHELF_BYTES_MAX) {
        tac_region_close(chunk);
        return;
    }
    shelf->chunk[shelf->chunks++] = *chunk;
    set_bytes(shelf, tac_shelf_bytes(shelf) + chunk->bytes);
}

void tac_vault_fini(struct tac_vault *vault)
{
    if (vault->shelf)
        tac_shelf_clear(vault->shelf);
    while (vault->chunks)
        put_on_shelf(vault->shelf, &vault->chunk[--vault->chunks]);
    vault->bytes = vault->used = 0;
}
