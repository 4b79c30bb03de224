/* SPDX-License-Identifier: MIT
 * region.h - memory from the kernel, mapped once, pre-touched and locked.
 *
 * The one place where Tactus maps memory that real-time threads use. A region never grows and never
 * moves. Populating writes every page once, so that no later access faults; locking keeps it so.
 * Threads: control. Real-time: no. */
#ifndef TAC_BASE_REGION_H
#define TAC_BASE_REGION_H

#include <stddef.h>

enum { TAC_HUGE_BYTES = 1 << 21 }; /* a huge page, where small ones have 4 KiB */

enum tac_region_flags {
    TAC_REGION_POPULATE = 1, /* touch every page now */
    TAC_REGION_LOCK = 2,     /* mlock; implies populate. Failure: -TAC_E_MEMLOCK, nothing mapped */
    TAC_REGION_TRY_LOCK = 4, /* mlock if permitted; region.locked says whether it was */
    TAC_REGION_HUGE = 8,     /* ask for huge pages before touching */
};

struct tac_region {
    void *base;
    size_t bytes; /* rounded up to the page size */
    int locked;
};

/* Map bytes (> 0) of zeroed memory. Returns 0, -ENOMEM, -EINVAL or -TAC_E_MEMLOCK. */
int tac_region_open(size_t bytes, unsigned flags, struct tac_region *ret_region);

/* Address space of so many bytes (whole pages) that begins at a multiple of TAC_HUGE_BYTES, for who
 * wants to grow it or to move it; protection: as of mmap, PROT_NONE only reserves it. NULL: no
 * room. */
void *tac_region_map(size_t bytes, int protection);

/* Unmap; a zeroed or closed region is fine. */
void tac_region_close(struct tac_region *region);

/* Write to each page of a stack or other memory of one's own so that later use does not fault. */
void tac_region_touch(void *base, size_t bytes);

#endif
