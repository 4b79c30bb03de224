/* SPDX-License-Identifier: MIT
 * heap_system.c - see heap_system.h. One thread runs at the time of the first allocation. */
#include "watch/heap_system.h"

#include "base/bits.h"
#include "watch/watch.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *block);

static size_t usable_size(void *block)
{
    return TAC_WATCH_REAL(malloc_usable_size)(block);
}

struct tac_system_heap tac_system_heap = {__libc_malloc,   __libc_calloc, __libc_realloc,
                                          __libc_memalign, __libc_free,   usable_size};

/* Another heap's functions. What they call of the family in turn comes to us again, and is theirs.
 */
static struct tac_system_heap other;
static int (*other_posix_memalign)(void **ret_block, size_t alignment, size_t bytes);

#define ASK_OTHER(type, call)                                                                      \
    struct tac_watch_thread *t = tac_watch_thread();                                               \
    t->shim++;                                                                                     \
    type result = call;                                                                            \
    t->shim--;                                                                                     \
    return result;

static void *other_malloc(size_t bytes)
{
    ASK_OTHER(void *, other.malloc(bytes))
}

static void *other_calloc(size_t count, size_t bytes)
{
    ASK_OTHER(void *, other.calloc(count, bytes))
}

static void *other_realloc(void *block, size_t bytes)
{
    ASK_OTHER(void *, other.realloc(block, bytes))
}

static void *aligned(size_t alignment, size_t bytes)
{
    void *block = NULL;
    int error =
        other_posix_memalign(&block, alignment < sizeof block ? sizeof block : alignment, bytes);
    if (error)
        errno = error;
    return error ? NULL : block;
}

static void *other_aligned(size_t alignment, size_t bytes)
{
    ASK_OTHER(void *, aligned(alignment, bytes))
}

static void other_free(void *block)
{
    struct tac_watch_thread *t = tac_watch_thread();
    t->shim++;
    other.free(block);
    t->shim--;
}

static bool is_libc(const void *function)
{
    Dl_info there, libc;
    return !function || !dladdr(function, &there) ||
           !dladdr((void *)(uintptr_t)__libc_free, &libc) || there.dli_fbase == libc.dli_fbase;
}

#define NEXT(name) (__typeof__(&name))(uintptr_t)tac_watch_dlsym(RTLD_NEXT, #name)

void tac_system_heap_find(void)
{
    struct tac_watch_shim shim = tac_watch_shim_begin();
    if (!is_libc(tac_watch_dlsym(RTLD_NEXT, "malloc"))) {
        other_posix_memalign = NEXT(posix_memalign);
        other = (struct tac_system_heap){.malloc = NEXT(malloc),
                                         .calloc = NEXT(calloc),
                                         .realloc = NEXT(realloc),
                                         .free = NEXT(free)};
        tac_system_heap = (struct tac_system_heap){other_malloc,  other_calloc, other_realloc,
                                                   other_aligned, other_free,   usable_size};
    }
    tac_watch_shim_end(&shim);
}

_Alignas(64) unsigned char tac_early[TAC_EARLY_BYTES];
static _Atomic size_t early_used;

enum { HEAD = 16 };

void *tac_early_alloc(size_t alignment, size_t bytes)
{
    alignment = alignment < HEAD ? HEAD : alignment;
    if (bytes > TAC_EARLY_BYTES || alignment > TAC_EARLY_BYTES)
        return NULL;
    size_t used = atomic_load(&early_used), at, end;
    do {
        at = tac_align_up((uintptr_t)tac_early + used + HEAD, alignment) - (uintptr_t)tac_early;
        end = at + tac_align_up(bytes, HEAD);
        if (end > TAC_EARLY_BYTES)
            return NULL;
    } while (!atomic_compare_exchange_weak(&early_used, &used, end));
    *(size_t *)(void *)(tac_early + at - HEAD) = bytes;
    return tac_early + at;
}

size_t tac_early_usable_size(const void *block)
{
    return *(const size_t *)(const void *)((const unsigned char *)block - HEAD);
}
