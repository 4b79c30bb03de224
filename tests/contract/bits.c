/* SPDX-License-Identifier: MIT
 * bits.c - prints what each block in each variant computes, as a number that any other bit changes;
 * compilers.py holds two compilers' against each other.
 *
 * One line a block and variant: names, then a hash (FNV-1a, 64 bits) of all outputs over calls of
 * several lengths, with parameters at rest and moving. */
#include "rig.h"

#include <stdio.h>

static uint64_t add(uint64_t hash, const float *x, size_t floats)
{
    for (size_t i = 0; i < floats; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3u;
    }
    return hash;
}

static uint64_t hash_of(const struct tac_variant *variant, uint32_t index)
{
    static struct rig r;
    uint64_t hash = 0xcbf29ce484222325u;
    for (int moving = 0; moving < 2; moving++) {
        rig_open(&r, variant, index, moving, 11);
        for (uint32_t f = 0, frames = 1; f < RIG_FRAMES; f += frames, frames = frames % 61 + 7)
            rig_process(&r, f, RIG_FRAMES - f < frames ? RIG_FRAMES - f : frames);
        for (uint32_t o = 0; o < r.outs; o++)
            hash = add(hash, r.out[o], (size_t)RIG_FRAMES * r.lanes);
        rig_close(&r);
    }
    return hash;
}

int main(void)
{
    for (uint32_t v = 0; tac_blocks_variant(v); v++)
        for (uint32_t index = 0; index < tac_blocks_count(); index++)
            printf("%s %s %016llx\n", tac_blocks_variant(v)->name, tac_blocks_get(index)->name,
                   (unsigned long long)hash_of(tac_blocks_variant(v), index));
    return 0;
}
