/* SPDX-License-Identifier: MIT
 * test_squeeze.c - what is squeezed comes out again, whatever it is and however it is cut, and
 * chunks of packed records become a good deal smaller. */
#include "trace/squeeze.h"

#include "trace/pack.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES = 200000, CHUNKS = 200, ROUNDS = 60 };

static unsigned char plain[BYTES], back[BYTES], squeezed[TAC_SQUEEZE_BYTES_MAX];
static uint64_t state = 88172645463325252ull;

static uint32_t chance(uint32_t below)
{
    state ^= state << 13; /* xorshift64: Marsaglia 2003 */
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state % below);
}

/* Through both sides in pieces of any length; returns how many bytes travelled. */
static size_t there_and_back(size_t n)
{
    struct tac_squeeze *in = tac_squeeze_new(), *out = tac_squeeze_new();
    size_t total = 0;
    if (!CHECK(in && out))
        return SIZE_MAX;
    for (size_t at = 0, piece; at < n; at += piece) {
        piece = 1 + chance(TAC_SQUEEZE_PLAIN_MAX);
        piece = piece < n - at ? piece : n - at;
        size_t bytes = tac_squeeze_in(in, plain + at, piece, squeezed);
        CHECK(bytes <= TAC_SQUEEZE_BYTES_MAX);
        tac_squeeze_out(out, squeezed, bytes, back + at, piece);
        total += bytes;
    }
    CHECK(!memcmp(plain, back, n));
    tac_squeeze_free(in);
    tac_squeeze_free(out);
    return total;
}

/* Four threads' chunks in turns, each of zones within zones, a curve and heap operations. */
static size_t make_chunks(void)
{
    static struct tac_format_record record[8 * ROUNDS];
    uint64_t counter = 1000000, number = 0;
    size_t n = 0;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        uint32_t count = 0;
        for (int k = 0; k < ROUNDS; k++) {
            const uint64_t word[6] = {(uint64_t)TAC_REC_ZONE_BEGIN << 56 | 0x7f0000001000,
                                      (uint64_t)TAC_REC_ZONE_BEGIN << 56 | 0x7f0000001040,
                                      (uint64_t)TAC_REC_PLOT << 56 | 0x7f0000001080,
                                      (uint64_t)TAC_REC_ZONE_END << 56,
                                      (uint64_t)TAC_REC_MEMORY << 56 | 64,
                                      (uint64_t)TAC_REC_ZONE_END << 56};
            for (int w = 0; w < 6; w++) {
                record[count++] = (struct tac_format_record){counter += 40 + chance(30), word[w]};
                double value = (double)number++;
                struct tac_format_record data = {0, 0};
                if (w == 2)
                    memcpy(&data.counter, &value, sizeof value);
                if (w == 4)
                    data = (struct tac_format_record){0x7f0000100000 + 64 * chance(50), 30};
                if (tac_record_extra(word[w]))
                    record[count++] = data;
            }
        }
        struct tac_format_chunk head = {.magic = TAC_FORMAT_MAGIC,
                                        .kind = TAC_CHUNK_RECORDS,
                                        .flags = TAC_CHUNK_PACKED,
                                        .crc = chance(UINT32_MAX),
                                        .id = 1 + i % 4,
                                        .count = count,
                                        .sequence = i / 4 * count};
        head.bytes = tac_pack(record, count, plain + n + sizeof head);
        memcpy(plain + n, &head, sizeof head);
        n += sizeof head + head.bytes;
        if (n + sizeof head + TAC_PACK_BYTES_MAX(8 * ROUNDS) > BYTES)
            break;
    }
    return n;
}

static void chunks_become_smaller(void)
{
    size_t n = make_chunks(), total = there_and_back(n);
    CHECK_MSG(total * 2 < n, "%zu bytes became %zu", n, total);
    printf("# %zu bytes became %zu\n", n, total);
}

static void any_bytes_come_out_again(void)
{
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < BYTES; i++)
            plain[i] = (unsigned char)(kind == 0   ? 0
                                       : kind == 1 ? 255
                                       : kind == 2 ? chance(256)
                                                   : chance(2) * 255);
        size_t total = there_and_back(BYTES);
        CHECK_MSG(total < BYTES + BYTES / 20, "%zu", total);
    }
}

/* Chunks with bits turned over: the place is lost, the bytes are not. */
static void damaged_chunks_come_out_again(void)
{
    size_t n = make_chunks();
    for (int i = 0; i < 2000; i++)
        plain[chance((uint32_t)n)] ^= (unsigned char)(1u << chance(8));
    there_and_back(n);
}

/* One side expects the opposite of what comes, for as long as it can be. */
static void the_worst_bytes_stay_within_the_bound(void)
{
    struct tac_squeeze *in = tac_squeeze_new();
    size_t most = 0;
    REQUIRE(in);
    memset(plain, 0, TAC_SQUEEZE_PLAIN_MAX);
    for (int i = 0; i < 20; i++)
        (void)tac_squeeze_in(in, plain, TAC_SQUEEZE_PLAIN_MAX, squeezed);
    for (int i = 0; i < 200; i++) {
        memset(plain, i % 2 ? 0 : 255, TAC_SQUEEZE_PLAIN_MAX);
        size_t bytes = tac_squeeze_in(in, plain, TAC_SQUEEZE_PLAIN_MAX, squeezed);
        most = bytes > most ? bytes : most;
    }
    CHECK_MSG(most <= TAC_SQUEEZE_BYTES_MAX, "%zu", most);
    tac_squeeze_free(in);
}

static void any_bytes_can_be_taken_out(void)
{
    struct tac_squeeze *out = tac_squeeze_new();
    REQUIRE(out);
    for (int i = 0; i < 500; i++) {
        size_t bytes = chance(300);
        unsigned char *own = malloc(bytes + 1); /* so that a read past the end is one */
        REQUIRE(own);
        for (size_t k = 0; k < bytes; k++)
            own[k] = (unsigned char)chance(256);
        tac_squeeze_out(out, own, bytes, back, 1 + chance(TAC_SQUEEZE_PLAIN_MAX));
        free(own);
    }
    tac_squeeze_free(out);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(chunks_become_smaller);
    TEST(any_bytes_come_out_again);
    TEST(damaged_chunks_come_out_again);
    TEST(the_worst_bytes_stay_within_the_bound);
    TEST(any_bytes_can_be_taken_out);
    return test_end();
}
