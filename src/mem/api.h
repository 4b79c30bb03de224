/* SPDX-License-Identifier: MIT
 * api.h - the parts of the entry points that tac_heap_* and the malloc family share. */
#ifndef TAC_MEM_API_H
#define TAC_MEM_API_H

#include <stddef.h>

void *tac_api_calloc(size_t count, size_t bytes);
void *tac_api_realloc(void *block, size_t bytes);
/* alignment is a power of two; site is who called the entry point. */
void *tac_api_aligned(size_t alignment, size_t bytes, const void *site);
size_t tac_api_usable(const void *block);

#endif
