/* SPDX-License-Identifier: MIT
 * bulk.h - memory for arrays that may become long: the heap's while they are short, mappings of
 * their own in huge pages once they are long.
 *
 * Ten million events fill 240 MiB, which in pages of 4 KiB are 60 000 faults: on a virtual machine
 * most of the time that it takes to read them. A long block grows by moving its pages to another
 * address (mremap), not its bytes; what it does not use of its length is never touched, so doubling
 * costs address space alone. A kernel without huge pages gives small ones.
 *
 * Threads: any, each its own blocks. Real-time: no. Cost: a long block is a multiple of 2 MiB. */
#ifndef TAC_CAPTURE_BULK_H
#define TAC_CAPTURE_BULK_H

#include <stddef.h>

/* A block of `bytes` (> 0, and not less than before), which begins as the old one did (NULL, 0:
 * none) and takes its place. The rest is not zeroed. NULL: not enough memory, and the old one
 * stays. */
void *tac_bulk_resize(void *block, size_t old_bytes, size_t bytes);

/* bytes: as it was last asked for. NULL is fine. */
void tac_bulk_free(void *block, size_t bytes);

#endif
