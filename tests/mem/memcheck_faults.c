/* SPDX-License-Identifier: MIT
 * memcheck_faults.c - faults that Valgrind's memcheck must find in blocks of this heap, one after
 * the other; with an argument the same program without them (memcheck.sh). */
#include "tactus/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef USE_MALLOC
#define ALLOC malloc
#define ALIGNED aligned_alloc
#define CALLOC calloc
#define REALLOC realloc
#define FREE free
#else
#define ALLOC tac_heap_malloc
#define ALIGNED tac_heap_aligned_alloc
#define CALLOC tac_heap_calloc
#define REALLOC tac_heap_realloc
#define FREE tac_heap_free
#endif

static volatile char sink;

static void use_well(void)
{
    void *slot[300] = {NULL};
    for (unsigned i = 0; i < 6000; i++) {
        size_t bytes = i * 7919 % (i % 50 ? 3000 : 90000);
        unsigned k = i % 300;
        FREE(slot[k]);
        slot[k] = i % 7 == 0 ? ALIGNED(64, bytes) : i % 7 == 1 ? CALLOC(1, bytes) : ALLOC(bytes);
        if (i % 5 == 0)
            slot[k] = REALLOC(slot[k], bytes = bytes * 2 + 1);
        memset(slot[k], 1, bytes);
    }
    for (int i = 0; i < 300; i++)
        FREE(slot[i]);
}

__attribute__((noinline)) static void lose(void)
{
    char *volatile block = ALLOC(1234);
    block[0] = 1;
    block = NULL;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        use_well();
        return 0;
    }
    char *volatile block = ALLOC(100);
    block[100] = 1;  /* overrun */
    block[-1] = 1;   /* underrun */
    sink = block[7]; /* undefined: a jump that depends on it */
    if (sink)
        sink = 2;
    FREE(block);
    sink = block[9]; /* freed */
    block = ALIGNED(64, 200);
    block[200] = 1;
    FREE(block);
    lose();
    return 0;
}
