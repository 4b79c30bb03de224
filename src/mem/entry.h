/* SPDX-License-Identifier: MIT
 * entry.h - what stands behind malloc and its family: the fast paths, or in the debug library
 * (TAC_MEM_DEBUG) the checked ones, which want to know their caller. Included by the files that
 * define functions for programs: malloc_entry.c, new_entry.c, delete_sized.c, api.c. */
#ifndef TAC_MEM_ENTRY_H
#define TAC_MEM_ENTRY_H

#include "mem/api.h"
#include "mem/fast.h"

#define TAC_ENTRY_SITE __builtin_return_address(0)
#define TAC_ENTRY_ALIGNED(alignment, bytes) TAC_ENTRY_ALIGNED_AT(alignment, bytes, TAC_ENTRY_SITE)

#ifdef TAC_MEM_DEBUG

#include "mem/debug.h"

#define TAC_ENTRY_MALLOC(bytes) tac_debug_malloc(bytes, TAC_ENTRY_SITE)
#define TAC_ENTRY_MALLOC_AT(bytes, site) tac_debug_malloc(bytes, site)
#define TAC_ENTRY_CALLOC(count, bytes) tac_debug_calloc(count, bytes, TAC_ENTRY_SITE)
#define TAC_ENTRY_REALLOC(block, bytes) tac_debug_realloc(block, bytes, TAC_ENTRY_SITE)
#define TAC_ENTRY_ALIGNED_AT(alignment, bytes, site) tac_debug_aligned(alignment, bytes, site)
#define TAC_ENTRY_FREE(block) tac_debug_free(block, SIZE_MAX, TAC_ENTRY_SITE)
#define TAC_ENTRY_FREE_SIZED(block, bytes) tac_debug_free(block, bytes, TAC_ENTRY_SITE)
#define TAC_ENTRY_USABLE(block) tac_debug_usable(block)

#else

#define TAC_ENTRY_MALLOC(bytes) tac_heap_malloc_fast(bytes)
#define TAC_ENTRY_MALLOC_AT(bytes, site) tac_heap_malloc_fast_at(bytes, site)
#define TAC_ENTRY_CALLOC(count, bytes) tac_api_calloc(count, bytes)
#define TAC_ENTRY_REALLOC(block, bytes) tac_api_realloc(block, bytes)
#define TAC_ENTRY_ALIGNED_AT(alignment, bytes, site) tac_api_aligned(alignment, bytes, site)
#define TAC_ENTRY_FREE(block) tac_heap_free_fast(block)
#define TAC_ENTRY_FREE_SIZED(block, bytes) ((void)(bytes), tac_heap_free_fast(block))
#define TAC_ENTRY_USABLE(block) tac_api_usable(block)

#endif
#endif
