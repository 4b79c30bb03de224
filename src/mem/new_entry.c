/* SPDX-License-Identifier: MIT
 * new_entry.c - C++'s operators new and delete, the four that all others are made of: plain and
 * aligned (ISO C++20, [new.delete]).
 *
 * libstdc++ makes them from malloc by itself; here they are one call shorter, and the call site
 * that guard, samples and the debug library see is the program's and not the library's. Arrays,
 * sizes and nothrow are the C++ library's, which calls these four, or the program's own where it
 * replaces them: a form of ours behind a replaced one would take a block for what it is not. They
 * are weak as the C++ library's are, so that a static program may replace one of the four.
 *
 * Written in C: the names are those of the Itanium C++ ABI. On failure the new-handler is called as
 * long as there is one, then std::bad_alloc is thrown by the C++ run-time library's own function
 * for it; both are weak references, for there may be no C++ in the process at all. */
#include "mem/entry.h"

#include <stdlib.h>

#define EXPORT __attribute__((visibility("default"), used, weak))
#define COLD __attribute__((noinline, cold))

/* std::get_new_handler(), std::__throw_bad_alloc() */
extern void (*_ZSt15get_new_handlerv(void))(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));

/* mangled size_t: m with 64 bits, j with 32 */
#if SIZE_MAX > 0xffffffffu
#define NEW _Znwm
#define NEW_ALIGNED _ZnwmSt11align_val_t
#else
#define NEW _Znwj
#define NEW_ALIGNED _ZnwjSt11align_val_t
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

static COLD void *new_again(size_t alignment, size_t bytes, const void *site)
{
    while (ask_handler()) {
        void *block = alignment ? TAC_ENTRY_ALIGNED_AT(alignment, bytes, site)
                                : TAC_ENTRY_MALLOC_AT(bytes, site);
        if (block)
            return block;
    }
    if (_ZSt17__throw_bad_allocv)
        _ZSt17__throw_bad_allocv();
    tac_mem_fatal("operator new found no memory and no C++ library to say so", NULL);
}

EXPORT void *NEW(size_t bytes);
EXPORT void *NEW(size_t bytes)
{
    const void *site = __builtin_return_address(0);
    void *block = TAC_ENTRY_MALLOC_AT(bytes, site);
    return TAC_LIKELY(block) ? block : new_again(0, bytes, site);
}

EXPORT void *NEW_ALIGNED(size_t bytes, size_t alignment);
EXPORT void *NEW_ALIGNED(size_t bytes, size_t alignment)
{
    const void *site = __builtin_return_address(0);
    void *block = TAC_ENTRY_ALIGNED_AT(alignment, bytes, site);
    return TAC_LIKELY(block) ? block : new_again(alignment, bytes, site);
}

EXPORT void _ZdlPv(void *block);
EXPORT void _ZdlPv(void *block)
{
    TAC_ENTRY_FREE(block);
}

EXPORT void _ZdlPvSt11align_val_t(void *block, size_t alignment);
EXPORT void _ZdlPvSt11align_val_t(void *block, size_t alignment)
{
    (void)alignment;
    TAC_ENTRY_FREE(block);
}
