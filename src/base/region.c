/* SPDX-License-Identifier: MIT
 * region.c - mmap, pre-touch and mlock in the order that neither over-commits nor leaves a
 * half-made mapping behind. */
#include "base/region.h"

#include "base/bits.h"
#include "tactus/error.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *tac_region_map(size_t bytes, int protection)
{
    unsigned char *base =
        mmap(NULL, bytes + TAC_HUGE_BYTES, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)base % TAC_HUGE_BYTES;
    if (before)
        munmap(base, before);
    munmap(base + before + bytes, TAC_HUGE_BYTES - before);
    return base + before;
}

/* A huge page begins at a multiple of its size: elsewhere the ends of a region, up to one such page
 * in all, would be small ones. */
static void *map(size_t bytes, bool huge)
{
    if (huge)
        return tac_region_map(bytes, PROT_READ | PROT_WRITE);
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return base != MAP_FAILED ? base : NULL;
}

int tac_region_open(size_t bytes, unsigned flags, struct tac_region *ret_region)
{
    size_t page = page_bytes();
    if (!bytes || bytes > PTRDIFF_MAX - page - TAC_HUGE_BYTES)
        return -EINVAL;
    bytes = tac_align_up(bytes, page);
    void *base = map(bytes, flags & TAC_REGION_HUGE);
    if (!base)
        return -ENOMEM;
    madvise(base, bytes, flags & TAC_REGION_HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    int locked = 0;
    if (flags & (TAC_REGION_LOCK | TAC_REGION_TRY_LOCK))
        locked = mlock(base, bytes) == 0;
    if (!locked && flags & TAC_REGION_LOCK) {
        munmap(base, bytes);
        return -TAC_E_MEMLOCK;
    }
    if (!locked && flags & (TAC_REGION_POPULATE | TAC_REGION_TRY_LOCK))
        tac_region_touch(base, bytes);
    *ret_region = (struct tac_region){base, bytes, locked};
    return 0;
}

void tac_region_close(struct tac_region *region)
{
    if (region->base)
        munmap(region->base, region->bytes);
    *region = (struct tac_region){0};
}

void tac_region_touch(void *base, size_t bytes)
{
    size_t page = page_bytes();
    volatile unsigned char *p = (volatile unsigned char *)base;
    for (size_t i = 0; i < bytes; i += page)
        p[i] = p[i];
    if (bytes)
        p[bytes - 1] = p[bytes - 1];
}
