/* SPDX-License-Identifier: MIT
 * delete_sized.c - C++'s operators delete that know a size, in the debug library, which checks it.
 *
 * Where the program replaces the operator behind them (new_entry.c) that is called instead, as the
 * C++ library does. Who answers is looked up at the first call. Those of arrays are left to the C++
 * library. Threads: any. Real-time: no. */
#include "mem/entry.h"

#include <dlfcn.h>

#define EXPORT __attribute__((visibility("default"), used, weak))

#if SIZE_MAX > 0xffffffffu
#define DELETE_SIZED _ZdlPvm
#define DELETE_SIZED_ALIGNED _ZdlPvmSt11align_val_t
#else
#define DELETE_SIZED _ZdlPvj
#define DELETE_SIZED_ALIGNED _ZdlPvjSt11align_val_t
#endif

typedef void delete_fn(void *block);
typedef void delete_aligned_fn(void *block, size_t alignment);

extern delete_fn _ZdlPv;
extern delete_aligned_fn _ZdlPvSt11align_val_t;

/* The address of that name for the process, kept in *known. RTLD_DEFAULT would begin with this
 * library, which is linked with -Bsymbolic. */
static uintptr_t answering(const char *name, _Atomic uintptr_t *known)
{
    uintptr_t address = atomic_load(known);
    if (!address) {
        address = (uintptr_t)dlsym(dlopen(NULL, RTLD_LAZY), name);
        atomic_store(known, address);
    }
    return address;
}

EXPORT void DELETE_SIZED(void *block, size_t bytes);
EXPORT void DELETE_SIZED(void *block, size_t bytes)
{
    static _Atomic uintptr_t known;
    uintptr_t address = answering("_ZdlPv", &known);
    if (address == (uintptr_t)_ZdlPv || !address)
        TAC_ENTRY_FREE_SIZED(block, bytes);
    else
        ((delete_fn *)address)(block); /* NOLINT: the program's own */
}

EXPORT void DELETE_SIZED_ALIGNED(void *block, size_t bytes, size_t alignment);
EXPORT void DELETE_SIZED_ALIGNED(void *block, size_t bytes, size_t alignment)
{
    static _Atomic uintptr_t known;
    uintptr_t address = answering("_ZdlPvSt11align_val_t", &known);
    if (address == (uintptr_t)_ZdlPvSt11align_val_t || !address)
        TAC_ENTRY_FREE_SIZED(block, bytes);
    else
        ((delete_aligned_fn *)address)(block, alignment); /* NOLINT: the program's own */
}
