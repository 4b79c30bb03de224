/* SPDX-License-Identifier: MIT
 * bulk.c - see bulk.h. Long blocks begin at a multiple of a huge page, also where they move to:
 * only so does the kernel move huge pages whole. */
#include "capture/bulk.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/region.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LONG_FROM = 2 * TAC_HUGE_BYTES, SMALL_PAGE = 4096 };

static bool is_long(size_t bytes)
{
    return bytes >= LONG_FROM;
}

static size_t mapped(size_t bytes)
{
    return tac_align_up(bytes, TAC_HUGE_BYTES);
}

/* Where small pages are larger, as on some arm64, a huge one has 32 or 512 MiB. */
static void *first(size_t bytes)
{
    void *block = tac_region_map(mapped(bytes), PROT_READ | PROT_WRITE);
    if (block && sysconf(_SC_PAGESIZE) == SMALL_PAGE)
        madvise(block, mapped(bytes), MADV_HUGEPAGE);
    return block;
}

/* Where it is, if what follows is free; else elsewhere, over space that is reserved for it. */
static void *grow(void *block, size_t old_bytes, size_t bytes)
{
    if (bytes == old_bytes || mremap(block, old_bytes, bytes, 0) != MAP_FAILED)
        return block;
    void *to = tac_region_map(bytes, PROT_NONE);
    if (!to)
        return NULL;
    /* the reservation is gone either way, or was only address space */
    void *moved = mremap(block, old_bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    return moved != MAP_FAILED ? moved : NULL;
}

void *tac_bulk_resize(void *block, size_t old_bytes, size_t bytes)
{
    TAC_ASSERT(bytes >= old_bytes);
    if (bytes > PTRDIFF_MAX - 2 * (size_t)TAC_HUGE_BYTES)
        return NULL;
    if (is_long(old_bytes))
        return grow(block, mapped(old_bytes), mapped(bytes));
    if (!is_long(bytes))
        return realloc(block, bytes);
    void *longer = first(bytes);
    if (longer && old_bytes)
        memcpy(longer, block, old_bytes);
    if (longer)
        free(block);
    return longer;
}

void tac_bulk_free(void *block, size_t bytes)
{
    if (block && is_long(bytes))
        munmap(block, mapped(bytes));
    else
        free(block);
}
