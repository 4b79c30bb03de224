/* SPDX-License-Identifier: MIT
 * registry.c - all blocks in all variants, and which variants this CPU can run.
 *
 * Threads: any; the list of runnable variants is worked out at each call from constants (the
 * compiler's CPU model is initialised before main), so there is no state. Cost: a walk over a
 * handful of variants. */
#include "dsp/block.h"

#include "dsp/block_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DECLARE(name, variant) extern const struct tac_block tac_block_##name##_##variant;
#define ENTRY(name, variant) &tac_block_##name##_##variant,
#define TABLE(variant, isa, lanes)                                                                 \
    TAC_BLOCK_LIST(DECLARE, variant)                                                               \
    static const struct tac_block *const blocks_##variant[] = {TAC_BLOCK_LIST(ENTRY, variant) NULL};
#define VARIANT(variant, isa, lanes) {#variant, isa, lanes, blocks_##variant},

TAC_VARIANT_LIST(TABLE)

static const struct tac_variant variants[] = {TAC_VARIANT_LIST(VARIANT)};
enum {
    VARIANTS = sizeof variants / sizeof *variants,
    BLOCKS = sizeof blocks_base1 / sizeof *blocks_base1 - 1,
};

/* 0 base, 1 avx2, 2 avx512. */
static int isa_rank(const char *isa)
{
    return !strcmp(isa, "avx512") ? 2 : !strcmp(isa, "avx2") ? 1 : 0;
}

static int cpu_rank(void)
{
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512bw"))
        return 1;
    return 2;
#else
    return 0;
#endif
}

static bool can_run(const struct tac_variant *v)
{
    const char *limit = getenv("TACTUS_ISA");
    int rank = isa_rank(v->isa);
    return rank <= cpu_rank() && (!limit || rank <= isa_rank(limit));
}

uint32_t tac_blocks_count(void)
{
    return BLOCKS;
}

const struct tac_variant *tac_blocks_variant(uint32_t index)
{
    for (uint32_t i = 0; i < VARIANTS; i++)
        if (can_run(&variants[i]) && index-- == 0)
            return &variants[i];
    return NULL;
}

const struct tac_variant *tac_blocks_variant_for(uint32_t lanes)
{
    const struct tac_variant *best = &variants[0];
    for (uint32_t i = 1; i < VARIANTS; i++) {
        const struct tac_variant *v = &variants[i];
        if (!can_run(v))
            continue;
        bool fits = v->lanes >= lanes, best_fits = best->lanes >= lanes;
        if (fits != best_fits ? fits : fits ? v->lanes <= best->lanes : v->lanes >= best->lanes)
            best = v;
    }
    return best;
}

int tac_blocks_find(const char *name)
{
    for (int i = 0; i < BLOCKS; i++)
        if (!strcmp(blocks_base1[i]->name, name))
            return i;
    return -1;
}

const struct tac_block *tac_blocks_get(uint32_t index)
{
    return blocks_base1[index];
}
