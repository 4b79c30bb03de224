/* SPDX-License-Identifier: MIT
 * debug.h - the checked heap of libtactus-mem-debug.
 *
 * Every block has a head and canaries around it, and is told apart from its neighbours:
 *   raw block   ... [struct tac_debug_head, ends with 16 bytes of canary][bytes][canary, >= 16]
 * A freed block is filled, kept back in a quarantine, and looked at again when it leaves it. So are
 * found: writes before and behind a block, at its free and at exit; a second free; a free of what
 * is no block, or with a wrong size; writes to a freed block. Each report names the program's call
 * sites: where the block was allocated, where it was freed, where the fault was found. At exit
 * blocks that nothing points to any more are listed by the place that allocated them.
 *
 * A fault ends the program (abort), so that a debugger or core file has it.
 * Threads: any; no locks, so fork and signal handlers are as safe as in the other library.
 * Real-time: no (fills, compares). Cost: at least 80 bytes more a block. */
#ifndef TAC_MEM_DEBUG_H
#define TAC_MEM_DEBUG_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

void *tac_debug_malloc(size_t bytes, const void *site);
void *tac_debug_calloc(size_t count, size_t bytes, const void *site);
void *tac_debug_realloc(void *block, size_t bytes, const void *site);
void *tac_debug_aligned(size_t alignment, size_t bytes, const void *site);
/* bytes: what the caller says that the block has; SIZE_MAX: it says nothing. */
void tac_debug_free(void *block, size_t bytes, const void *site);
size_t tac_debug_usable(void *block);

enum { TAC_DEBUG_CANARY = 16, TAC_DEBUG_LIVE_MAX = 1 << 22 };

/* 64 bytes with any size of pointer, the canary last. */
struct tac_debug_head {
    _Atomic uint64_t state;
    alignas(8) size_t bytes;
    alignas(8) const void *alloc_site;
    alignas(8) const void *free_site;
    alignas(8) uint64_t number; /* of allocations of the process, for a debugger's condition */
    uint32_t into;              /* the block's distance from the raw one */
    uint32_t slot;              /* in the table of live blocks; 0: it was full */
    unsigned char canary[TAC_DEBUG_CANARY];
};

_Static_assert(sizeof(struct tac_debug_head) == 64, "blocks stay aligned");
_Static_assert(offsetof(struct tac_debug_head, canary) == 48, "the canary touches the block");

/* ---- debug_leaks.c ---- */

/* Enter into, and take out of, the table of live blocks. */
uint32_t tac_debug_live_add(struct tac_debug_head *head);
void tac_debug_live_remove(uint32_t slot);
/* At exit: what nothing points to any more. visit first checks each live block. */
void tac_debug_leaks(void (*check)(struct tac_debug_head *head));

/* "function in module" or "module+0x12" for a call site. Returns buffer. */
const char *tac_debug_site(const void *site, char *buffer, size_t size);

#endif
