/* SPDX-License-Identifier: MIT
 * bits.c - what each block in each variant computes, as numbers that any other bit changes.
 *
 * usage: contract_bits [FILE]
 *
 * Alone it prints one line a block and variant: names, then a hash (FNV-1a, 64 bits) of all outputs
 * over calls of several lengths, with parameters at rest and moving, and the same of the first lane
 * alone. compilers.py holds the first numbers of two compilers against each other. With a FILE of
 * such lines, made on another kind of processor, it is a test: the first lanes are held against
 * that file's variant of one lane which rounds products and sums as this processor does (vec.h). */
#include "rig.h"
#include "test.h"

#include <stdio.h>

struct hashes {
    uint64_t all, first;
};

static uint64_t add(uint64_t hash, const float *x, size_t floats, size_t stride)
{
    for (size_t i = 0; i < floats; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i * stride], sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3u;
    }
    return hash;
}

static struct hashes hashes_of(const struct tac_variant *variant, uint32_t index)
{
    static struct rig r;
    struct hashes h = {0xcbf29ce484222325u, 0xcbf29ce484222325u};
    for (int moving = 0; moving < 2; moving++) {
        rig_open(&r, variant, index, moving, 11);
        for (uint32_t f = 0, frames = 1; f < RIG_FRAMES; f += frames, frames = frames % 61 + 7)
            rig_process(&r, f, RIG_FRAMES - f < frames ? RIG_FRAMES - f : frames);
        for (uint32_t o = 0; o < r.outs; o++) {
            h.all = add(h.all, r.out[o], (size_t)RIG_FRAMES * r.lanes, 1);
            h.first = add(h.first, r.out[o], RIG_FRAMES, r.lanes);
        }
        rig_close(&r);
    }
    return h;
}

static void print_all(void)
{
    for (uint32_t v = 0; tac_blocks_variant(v); v++)
        for (uint32_t index = 0; index < tac_blocks_count(); index++) {
            struct hashes h = hashes_of(tac_blocks_variant(v), index);
            printf("%s %s %016llx %016llx\n", tac_blocks_variant(v)->name,
                   tac_blocks_get(index)->name, (unsigned long long)h.all,
                   (unsigned long long)h.first);
        }
}

/* ---- as a test ---- */

static const char *reference;

/* Where products and sums are rounded once here, that is a variant with such an instruction. */
static const char *variant_alike(void)
{
#if defined(__aarch64__) || defined(__FMA__)
    return "avx2_1";
#else
    return "base1";
#endif
}

/* The first lane's number of a block in the file; false when it is not there. */
static bool find_reference(FILE *file, const char *block, unsigned long long *ret_first)
{
    char line[160], variant[32], name[64];
    unsigned long long all, first;
    rewind(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%31s %63s %llx %llx", variant, name, &all, &first) == 4 &&
            !strcmp(variant, variant_alike()) && !strcmp(name, block)) {
            *ret_first = first;
            return true;
        }
    return false;
}

static void every_block_has_the_bits_of_the_other_processor(void)
{
    FILE *file = fopen(reference, "re");
    unsigned long long first;
    if (!file || !find_reference(file, tac_blocks_get(0)->name, &first)) {
        if (file)
            fclose(file);
        SKIP("no numbers of another processor are there");
    }
    for (uint32_t v = 0; tac_blocks_variant(v); v++)
        for (uint32_t index = 0; index < tac_blocks_count(); index++) {
            const char *block = tac_blocks_get(index)->name;
            bool found = find_reference(file, block, &first);
            CHECK_MSG(found && hashes_of(tac_blocks_variant(v), index).first == first, "%s in %s",
                      block, tac_blocks_variant(v)->name);
        }
    fclose(file);
}

int main(int argc, char **argv)
{
    reference = argc > 1 ? argv[1] : NULL;
    if (!reference) {
        print_all();
        return 0;
    }
    TEST(every_block_has_the_bits_of_the_other_processor);
    return test_end();
}
