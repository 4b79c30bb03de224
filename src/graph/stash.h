/* SPDX-License-Identifier: MIT
 * stash.h - memory for a structure that is built piece by piece and dropped as one.
 *
 * How     Chunks from the heap, doubled as the structure grows, with a bump pointer in the last.
 * Invariants: what was taken never moves; everything is zeroed. Threads: one at a time, control.
 * Cost    constant but for a chunk each doubling. */
#ifndef TAC_GRAPH_STASH_H
#define TAC_GRAPH_STASH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct tac_stash_chunk {
    struct tac_stash_chunk *next;
    size_t bytes, used;
    _Alignas(16) unsigned char data[];
};

/* {0} is an empty stash. */
struct tac_stash {
    struct tac_stash_chunk *last;
};

/* Zeroed, aligned to 16, or NULL when the heap is exhausted. */
static inline void *tac_stash_take(struct tac_stash *stash, size_t bytes)
{
    struct tac_stash_chunk *c = stash->last;
    bytes = (bytes + 15) & ~(size_t)15;
    if (!c || bytes > c->bytes - c->used) {
        size_t room = c && c->bytes < (1u << 22) ? c->bytes * 2 : c ? c->bytes : 4096;
        room = bytes > room ? bytes : room;
        c = (struct tac_stash_chunk *)calloc(1, sizeof *c + room);
        if (!c)
            return NULL;
        c->bytes = room;
        c->next = stash->last;
        stash->last = c;
    }
    void *taken = c->data + c->used;
    c->used += bytes;
    return taken;
}

static inline char *tac_stash_string(struct tac_stash *stash, const char *text, size_t length)
{
    char *copy = (char *)tac_stash_take(stash, length + 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

static inline void tac_stash_fini(struct tac_stash *stash)
{
    while (stash->last) {
        struct tac_stash_chunk *c = stash->last;
        stash->last = c->next;
        free(c);
    }
}

#endif
