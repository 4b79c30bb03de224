/* SPDX-License-Identifier: MIT
 * vault.c - chunks of base/region.h with a bump pointer in the last one; each new chunk adds half
 * of what is there, a quarter when that is much, so that their number stays within a small bound.
 * Large ones ask for huge pages: a plan of thousands of nodes spends most of its building on the
 * first touch of its pages. */
#include "engine/vault.h"

#include "base/bits.h"

#include <stdint.h>

enum { HUGE_BYTES = 1 << 21 };

static bool add_chunk(struct tac_vault *vault, size_t bytes)
{
    if (vault->chunks == TAC_VAULT_CHUNKS_MAX)
        return false;
    size_t more = vault->bytes / (vault->bytes > HUGE_BYTES ? 4 : 2);
    size_t room = more > TAC_VAULT_CHUNK_BYTES ? more : TAC_VAULT_CHUNK_BYTES;
    room = (bytes > room ? bytes : room) + TAC_VAULT_SLACK_BYTES;
    unsigned flags = TAC_REGION_POPULATE | (vault->lock ? TAC_REGION_TRY_LOCK : 0u);
    if (room > HUGE_BYTES / 2) {
        room = tac_align_up(room, HUGE_BYTES);
        flags |= TAC_REGION_HUGE;
    }
    struct tac_region *r = &vault->chunk[vault->chunks];
    if (tac_region_open(room, flags, r) < 0)
        return false;
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
    return taken;
}

void tac_vault_fini(struct tac_vault *vault)
{
    while (vault->chunks)
        tac_region_close(&vault->chunk[--vault->chunks]);
    vault->bytes = vault->used = 0;
}
