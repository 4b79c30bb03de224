/* SPDX-License-Identifier: MIT
 * malloc_entry.c - the malloc family of C, POSIX, C23 and glibc, answered by this heap.
 *
 * Linked into libtactus-mem only: whoever links the core keeps the system's heap. The C++ operators
 * are in new_entry.c. In the debug library all are checked (entry.h).
 * Where glibc and the standard differ, glibc's manual is followed: realloc(p, 0) frees; memalign
 * rounds an odd alignment up to a power of two; valloc and pvalloc exist. mallopt accepts and
 * ignores everything (nothing that it tunes exists here); malloc_info writes a short XML. */
#include "mem/entry.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default"), used))

EXPORT void *malloc(size_t bytes)
{
    return TAC_ENTRY_MALLOC(bytes);
}

EXPORT void free(void *block)
{
    TAC_ENTRY_FREE(block);
}

EXPORT void *calloc(size_t count, size_t bytes)
{
    return TAC_ENTRY_CALLOC(count, bytes);
}

EXPORT void *realloc(void *block, size_t bytes)
{
    return TAC_ENTRY_REALLOC(block, bytes);
}

EXPORT void *reallocarray(void *block, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return TAC_ENTRY_REALLOC(block, total);
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
    if (alignment > PTRDIFF_MAX) {
        errno = EINVAL;
        return NULL;
    }
    return TAC_ENTRY_ALIGNED((size_t)tac_power_of_two_ceil(alignment), bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    return memalign(alignment, bytes);
}

EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t bytes)
{
    if (alignment % sizeof(void *) || !tac_is_power_of_two(alignment))
        return EINVAL;
    int before = errno;
    void *block = TAC_ENTRY_ALIGNED(alignment, bytes);
    errno = before;
    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

EXPORT void *valloc(size_t bytes)
{
    return TAC_ENTRY_ALIGNED(page_bytes(), bytes);
}

EXPORT void *pvalloc(size_t bytes)
{
    size_t page = page_bytes();
    if (bytes > PTRDIFF_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return TAC_ENTRY_ALIGNED(page, tac_align_up(bytes ? bytes : 1, page));
}

EXPORT void cfree(void *block);
EXPORT void cfree(void *block)
{
    TAC_ENTRY_FREE(block);
}

EXPORT void free_sized(void *block, size_t bytes);
EXPORT void free_sized(void *block, size_t bytes)
{
    TAC_ENTRY_FREE_SIZED(block, bytes);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t bytes);
EXPORT void free_aligned_sized(void *block, size_t alignment, size_t bytes)
{
    (void)alignment;
    TAC_ENTRY_FREE_SIZED(block, bytes);
}

EXPORT size_t malloc_usable_size(void *block)
{
    return TAC_ENTRY_USABLE(block);
}

EXPORT int malloc_trim(size_t pad)
{
    (void)pad;
    return tac_heap_trim() != 0;
}

EXPORT int mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 1;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
    struct tac_heap_stats s;
    tac_heap_stats_get(&s);
    return (struct mallinfo2){
        .arena = s.taken_bytes - s.large_bytes,
        .ordblks = 1,
        .hblks = s.large_blocks,
        .hblkhd = s.large_bytes,
        .uordblks = s.live_bytes,
        .fordblks = s.taken_bytes - s.live_bytes,
    };
}

static int clamp(size_t n)
{
    return n > INT32_MAX ? INT32_MAX : (int)n;
}

EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 m = mallinfo2();
    return (struct mallinfo){
        .arena = clamp(m.arena),
        .ordblks = clamp(m.ordblks),
        .hblks = clamp(m.hblks),
        .hblkhd = clamp(m.hblkhd),
        .uordblks = clamp(m.uordblks),
        .fordblks = clamp(m.fordblks),
    };
}

EXPORT int malloc_info(int options, FILE *file)
{
    if (options) {
        errno = EINVAL;
        return -1;
    }
    struct tac_heap_stats s;
    tac_heap_stats_get(&s);
    fprintf(file, "<malloc version=\"tactus-1\">\n");
    fprintf(file, "<total type=\"live\" size=\"%zu\"/>\n", s.live_bytes);
    fprintf(file, "<total type=\"large\" count=\"%zu\" size=\"%zu\"/>\n", s.large_blocks,
            s.large_bytes);
    fprintf(file, "<system type=\"current\" size=\"%zu\"/>\n", s.taken_bytes);
    fprintf(file, "<system type=\"max\" size=\"%zu\"/>\n</malloc>\n", s.taken_peak_bytes);
    return 0;
}

EXPORT void malloc_stats(void)
{
    malloc_info(0, stderr);
}

/* A reserved arena must not be populated by a program that locks all its memory. */
EXPORT int mlockall(int flags)
{
    return tac_heap_lock_process(flags);
}
