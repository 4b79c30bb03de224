/* SPDX-License-Identifier: MIT
 * hazard_heap.c - a program with an allocator of its own, as a library: its blocks must come from
 * there under the watch library, too, whichever function asks for them. */
#include "tactus/cycle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t own_heap_blocks(void);

static char *early;
static __attribute__((constructor)) void allocate_early(void)
{
    early = strdup("early");
}

int main(void)
{
    int bad = strcmp(early, "early") != 0, source = tac_cycle_source_open("loop", 1000000);
    if (tac_thread_register("guest", 0) < 0)
        return 1;
    size_t before = own_heap_blocks();
    void *block[6];
    tac_cycle_begin(source, 0, 64);
    block[0] = malloc(1111);
    block[1] = calloc(10, 10);
    block[2] = realloc(NULL, 50);
    block[3] = aligned_alloc(256, 512);
    block[4] = strdup("a copy");
    bad += posix_memalign(&block[5], 4096, 100) != 0;
    tac_cycle_end(source);
    bad += own_heap_blocks() != before + 6;
    bad += (uintptr_t)block[3] % 256 != 0 || (uintptr_t)block[5] % 4096 != 0;
    for (int i = 0; i < 6; i++)
        free(block[i]);
    bad += own_heap_blocks() != before;
    free(early);
    return bad;
}
