/* SPDX-License-Identifier: MIT
 * fuzz_main.h - one target, three ways to run it.
 *
 *   libFuzzer   built with -Dfuzz=true and clang: `make fuzz`
 *   AFL++       the plain program, built with afl-cc: afl-fuzz ... -- PROGRAM @@
 *   make test   the plain program over the corpus: each file as it is and in MUTATIONS seeded
 *               mutations, always the same ones */
#ifndef TAC_FUZZ_MAIN_H
#define TAC_FUZZ_MAIN_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#ifdef TAC_FUZZ_MAIN
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fuzz_state = 88172645463325252ull;

static inline uint64_t fuzz_random(uint64_t below)
{
    fuzz_state ^= fuzz_state << 13; /* xorshift64: Marsaglia 2003 */
    fuzz_state ^= fuzz_state >> 7;
    fuzz_state ^= fuzz_state << 17;
    return fuzz_state % below;
}

/* A few small changes; returns the new size. */
static inline size_t fuzz_mutate(uint8_t *bytes, size_t size)
{
    static const uint8_t edges[] = {0, 1, 127, 128, 255};
    for (uint64_t n = 1 + fuzz_random(6); n && size > 8; n--) {
        size_t at = fuzz_random(size), length = 1 + fuzz_random(16), from = fuzz_random(size);
        length = length < size - at ? length : size - at;
        length = length < size - from ? length : size - from;
        switch (fuzz_random(5)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << fuzz_random(8));
            break;
        case 1:
            memset(bytes + at, edges[fuzz_random(sizeof edges)], length);
            break;
        case 2:
            memmove(bytes + at, bytes + from, length);
            break;
        case 3: /* take some out */
            memmove(bytes + at, bytes + at + length, size - at - length);
            size -= length;
            break;
        default:
            size = fuzz_random(8) ? size : at; /* seldom: cut */
            break;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 22], copy[1 << 22];
    const char *number = getenv("MUTATIONS");
    long mutations = number ? strtol(number, NULL, 10) : 0;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rbe");
        if (!file)
            return 1;
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, size);
        for (long k = 0; k < mutations; k++) {
            memcpy(copy, bytes, size);
            LLVMFuzzerTestOneInput(copy, fuzz_mutate(copy, size));
        }
    }
    return 0;
}
#endif

#endif
