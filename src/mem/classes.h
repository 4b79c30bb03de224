/* SPDX-License-Identifier: MIT
 * classes.h - sizes of blocks that live in slabs.
 *
 *   1 .. 1024 bytes    class = size / 16 rounded up: the class is the number of 16-byte steps,
 * which costs an add and a shift, no table
 *   .. 2048            16 KiB slabs cut into 15, 14, ... 8 blocks
 *   .. 16384           64 KiB slabs cut into 32, 28, ... 4 blocks: no tail is lost
 *   .. 57344           20, 24, 28, 40 and 56 KiB: 4 or 2 blocks in whole units
 * 32 and 48 KiB and everything above are runs of units of their own. Class 0 is no class. */
#ifndef TAC_MEM_CLASSES_H
#define TAC_MEM_CLASSES_H

#include <stddef.h>
#include <stdint.h>

enum {
    TAC_CLASS_SMALL_BYTES = 1024,
    TAC_CLASS_LIST_BYTES = 16384, /* up to here every size has a class */
    TAC_CLASS_MAX_BYTES = 57344,
    TAC_CLASS_MEDIUM_FIRST = 73, /* the first class in slabs of several units */
    TAC_CLASSES = 92,
    TAC_CLASS_BLOCKS_MAX = 1024,
};

struct tac_class {
    uint32_t block_bytes;
    uint32_t reciprocal; /* offset * reciprocal >> 32 is the block's index, see classes.c */
    uint16_t capacity;   /* blocks in a slab */
    uint16_t units;      /* 16 KiB units in a slab */
    uint32_t unused;     /* so that a shift finds a class */
};

extern const struct tac_class tac_class_table[TAC_CLASSES];
extern const uint8_t tac_class_of_128[TAC_CLASS_MAX_BYTES / 128 + 1];

/* bytes is 1 .. TAC_CLASS_MAX_BYTES. 0: a run of units. */
static inline unsigned tac_class_of(size_t bytes)
{
    if (bytes <= TAC_CLASS_SMALL_BYTES)
        return (unsigned)((bytes + 15) / 16);
    return tac_class_of_128[(bytes + 127) / 128];
}

/* The same for sizes that are 0 or larger than TAC_CLASS_SMALL_BYTES, at any length. */
static inline unsigned tac_class_of_larger(size_t bytes)
{
    return bytes > TAC_CLASS_MAX_BYTES ? 0 : tac_class_of_128[(bytes + 127) / 128];
}

#endif
