/* SPDX-License-Identifier: MIT
 * new_entry.c - C++'s operators new and delete, all replaceable forms: throwing and nothrow, array,
 * sized, aligned (ISO C++20, [new.delete]).
 *
 * libstdc++ makes them from malloc by itself; here they are one call shorter, and the call site
 * that guard, samples and the debug library see is the program's and not the library's. Written in
 * C: the names are those of the Itanium C++ ABI. On failure the new-handler is called as long as
 * there is one, then std::bad_alloc is thrown by the C++ run-time library's own function for it;
 * both are weak references, for there may be no C++ in the process at all. */
#include "mem/entry.h"

#include <stdlib.h>

#define EXPORT __attribute__((visibility("default"), used))
#define COLD __attribute__((noinline, cold))

/* std::get_new_handler(), std::__throw_bad_alloc() */
extern void (*_ZSt15get_new_handlerv(void))(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));

/* mangled size_t: m with 64 bits, j with 32 */
#if SIZE_MAX > 0xffffffffu
#define NEW(suffix) _Znwm##suffix
#define NEW_ARRAY(suffix) _Znam##suffix
#define DELETE_SIZED(suffix) _ZdlPvm##suffix
#define DELETE_ARRAY_SIZED(suffix) _ZdaPvm##suffix
#else
#define NEW(suffix) _Znwj##suffix
#define NEW_ARRAY(suffix) _Znaj##suffix
#define DELETE_SIZED(suffix) _ZdlPvj##suffix
#define DELETE_ARRAY_SIZED(suffix) _ZdaPvj##suffix
#endif

/* After a failed attempt: true when a handler may have made room. */
static bool ask_handler(void)
{
    void (*handler)(void) = _ZSt15get_new_handlerv ? _ZSt15get_new_handlerv() : NULL;
    if (!handler)
        return false;
    handler();
    return true;
}

static COLD void *new_again(size_t alignment, size_t bytes, bool throws)
{
    while (ask_handler()) {
        void *block = alignment ? TAC_ENTRY_ALIGNED(alignment, bytes) : TAC_ENTRY_MALLOC(bytes);
        if (block)
            return block;
    }
    if (throws && _ZSt17__throw_bad_allocv)
        _ZSt17__throw_bad_allocv();
    if (throws)
        tac_mem_fatal("operator new found no memory and no C++ library to say so", NULL);
    return NULL;
}

#ifdef TAC_MEM_DEBUG
#define PLAIN(bytes) TAC_ENTRY_MALLOC(bytes)
#else
#define PLAIN(bytes) tac_heap_malloc_fast_at(bytes, __builtin_return_address(0))
#endif

#define DEFINE_NEW(name, throws, ...)                                                              \
    EXPORT void *name(size_t bytes __VA_ARGS__);                                                   \
    EXPORT void *name(size_t bytes __VA_ARGS__)                                                    \
    {                                                                                              \
        void *block = PLAIN(bytes);                                                                \
        return TAC_LIKELY(block) ? block : new_again(0, bytes, throws);                            \
    }

#define DEFINE_NEW_ALIGNED(name, throws, ...)                                                      \
    EXPORT void *name(size_t bytes, size_t alignment __VA_ARGS__);                                 \
    EXPORT void *name(size_t bytes, size_t alignment __VA_ARGS__)                                  \
    {                                                                                              \
        void *block = TAC_ENTRY_ALIGNED(alignment, bytes);                                         \
        return TAC_LIKELY(block) ? block : new_again(alignment, bytes, throws);                    \
    }

#define DEFINE_DELETE(name, ...)                                                                   \
    EXPORT void name(void *block __VA_ARGS__);                                                     \
    EXPORT void name(void *block __VA_ARGS__)                                                      \
    {                                                                                              \
        TAC_ENTRY_FREE(block);                                                                     \
    }

#define DEFINE_DELETE_SIZED(name, ...)                                                             \
    EXPORT void name(void *block, size_t bytes __VA_ARGS__);                                       \
    EXPORT void name(void *block, size_t bytes __VA_ARGS__)                                        \
    {                                                                                              \
        TAC_ENTRY_FREE_SIZED(block, bytes);                                                        \
    }

#define NOTHROW , const void *nothrow __attribute__((unused))
#define ALIGNMENT , size_t alignment __attribute__((unused))

DEFINE_NEW(NEW(), true)
DEFINE_NEW(NEW_ARRAY(), true)
DEFINE_NEW(NEW(RKSt9nothrow_t), false, NOTHROW)
DEFINE_NEW(NEW_ARRAY(RKSt9nothrow_t), false, NOTHROW)
DEFINE_NEW_ALIGNED(NEW(St11align_val_t), true)
DEFINE_NEW_ALIGNED(NEW_ARRAY(St11align_val_t), true)
DEFINE_NEW_ALIGNED(NEW(St11align_val_tRKSt9nothrow_t), false, NOTHROW)
DEFINE_NEW_ALIGNED(NEW_ARRAY(St11align_val_tRKSt9nothrow_t), false, NOTHROW)

DEFINE_DELETE(_ZdlPv)
DEFINE_DELETE(_ZdaPv)
DEFINE_DELETE(_ZdlPvRKSt9nothrow_t, NOTHROW)
DEFINE_DELETE(_ZdaPvRKSt9nothrow_t, NOTHROW)
DEFINE_DELETE(_ZdlPvSt11align_val_t, ALIGNMENT)
DEFINE_DELETE(_ZdaPvSt11align_val_t, ALIGNMENT)
DEFINE_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, ALIGNMENT NOTHROW)
DEFINE_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, ALIGNMENT NOTHROW)
DEFINE_DELETE_SIZED(DELETE_SIZED())
DEFINE_DELETE_SIZED(DELETE_ARRAY_SIZED())
DEFINE_DELETE_SIZED(DELETE_SIZED(St11align_val_t), ALIGNMENT)
DEFINE_DELETE_SIZED(DELETE_ARRAY_SIZED(St11align_val_t), ALIGNMENT)
