/* SPDX-License-Identifier: MIT
 * own_heap.c - an allocator that a program brings along as a library: blocks of an array, counted.
 * It cannot take a block that is not its own. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)
size_t own_heap_blocks(void);
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *block, size_t bytes);
void free(void *block);
int posix_memalign(void **ret_block, size_t alignment, size_t bytes);
size_t malloc_usable_size(void *block);
#pragma GCC visibility pop

static _Alignas(64) unsigned char array[1 << 22];
static size_t used, blocks;

size_t own_heap_blocks(void)
{
    return __atomic_load_n(&blocks, __ATOMIC_RELAXED);
}

int posix_memalign(void **ret_block, size_t alignment, size_t bytes)
{
    size_t room = (bytes + alignment + 64 + 15) & ~(size_t)15;
    size_t at = __atomic_fetch_add(&used, room, __ATOMIC_RELAXED);
    if (bytes > sizeof array || at + room > sizeof array)
        return ENOMEM;
    uintptr_t base = (uintptr_t)array + at + 16;
    unsigned char *block = array + at + 16 + (alignment - base % alignment) % alignment;
    memcpy(block - 16, &bytes, sizeof bytes);
    __atomic_fetch_add(&blocks, 1, __ATOMIC_RELAXED);
    *ret_block = block;
    return 0;
}

size_t malloc_usable_size(void *block)
{
    size_t bytes = 0;
    if (block)
        memcpy(&bytes, (unsigned char *)block - 16, sizeof bytes);
    return bytes;
}

void *malloc(size_t bytes)
{
    void *block = NULL;
    if (posix_memalign(&block, 16, bytes))
        errno = ENOMEM;
    return block;
}

void *calloc(size_t count, size_t bytes)
{
    return bytes && count > sizeof array / bytes ? NULL : malloc(count * bytes);
}

void free(void *block)
{
    if (block && ((unsigned char *)block < array || (unsigned char *)block >= array + sizeof array))
        abort();
    if (block)
        __atomic_fetch_sub(&blocks, 1, __ATOMIC_RELAXED);
}

void *realloc(void *old, size_t bytes)
{
    void *block = malloc(bytes);
    size_t kept = malloc_usable_size(old);
    if (block && old)
        memcpy(block, old, kept < bytes ? kept : bytes);
    free(old);
    return block;
}
