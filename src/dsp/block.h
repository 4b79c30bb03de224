/* SPDX-License-Identifier: MIT
 * block.h - how a block file under blocks/ defines itself, and the registry of all blocks.
 *
 * In a block file, TAC_BLOCK(name) = { ... }; defines the descriptor of this variant. The list of
 * names in blocks/meson.build yields both the sources and the registry, so a new block costs one
 * file and one word. */
#ifndef TAC_DSP_BLOCK_H
#define TAC_DSP_BLOCK_H

#include "tactus/block.h"

#define TAC_JOIN_(a, b, c, d) a##b##c##d
#define TAC_JOIN(a, b, c, d) TAC_JOIN_(a, b, c, d)

/* The symbol of a block's descriptor in a variant: tac_block_<name>_<variant>. */
#define TAC_BLOCK_SYMBOL(name, variant) TAC_JOIN(tac_block_, name, _, variant)

#define TAC_BLOCK(name)                                                                            \
    extern const struct tac_block TAC_BLOCK_SYMBOL(name, TAC_VARIANT);                             \
    const struct tac_block TAC_BLOCK_SYMBOL(name, TAC_VARIANT)

/* A variant: one instruction set, one number of lanes. Variants that the running CPU cannot execute
 * are not listed by tac_blocks_variant(). */
struct tac_variant {
    const char *name; /* "base1", "base4", "avx2_8" ... */
    const char *isa;  /* "" for the baseline, else "avx2", "avx512" */
    uint32_t lanes;
    const struct tac_block *const *blocks; /* in registry order, NULL-terminated */
};

/* How many blocks there are; indices 0 .. count - 1 are the same in every variant. */
uint32_t tac_blocks_count(void);

/* The variants that this CPU can run, widest last; NULL past the end. Order and content depend only
 * on the CPU and on TACTUS_ISA (base, avx2 or avx512: an upper limit, for tests). */
const struct tac_variant *tac_blocks_variant(uint32_t index);

/* The best variant for a node of that many lanes: the narrowest that holds them in one bank, else
 * the widest. Never NULL. */
const struct tac_variant *tac_blocks_variant_for(uint32_t lanes);

/* Index of the block of that name, or -1. */
int tac_blocks_find(const char *name);

/* The metadata of block index: any variant's descriptor (process differs, the rest does not). */
const struct tac_block *tac_blocks_get(uint32_t index);

#endif
