/* SPDX-License-Identifier: MIT
 * test_unpack.c - packing and unpacking give the same records back, for every type and any values;
 * and no input makes the unpacker read or write where it must not. */
#include "capture/unpack.h"
#include "trace/pack.h"

#include "test.h"

#include <stdlib.h>

enum { RECORDS = 4000 };

static uint64_t seed = 1;

/* xorshift64: Marsaglia 2003, "Xorshift RNGs" */
static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static struct tac_format_record in[RECORDS + 32], out[RECORDS + 32];
static unsigned char bytes[TAC_PACK_BYTES_MAX(RECORDS + 32)];

/* Random events; wild: any 64 bits, otherwise as a program makes them. */
static uint32_t make(int wild)
{
    uint32_t n = 0;
    uint64_t time = next();
    while (n < RECORDS) {
        uint64_t type = 1 + next() % 15, payload = wild ? next() >> 8 : next() % 40 * 64 + 4096;
        if (type == TAC_REC_ZONE_END)
            payload = 0;
        time += wild ? next() : next() % 5000;
        in[n] = (struct tac_format_record){time, type << 56 | payload};
        uint32_t extra = tac_record_extra(in[n].word);
        for (uint32_t i = 1; i <= extra; i++)
            in[n + i] = (struct tac_format_record){next(), next()};
        n += 1 + extra;
    }
    return n;
}

static void records_come_back_as_they_were(void)
{
    for (int round = 0; round < 50; round++) {
        uint32_t n = make(round & 1);
        uint32_t packed = tac_pack(in, n, bytes);
        REQUIRE(packed <= sizeof bytes);
        REQUIRE(tac_unpack(bytes, packed, out, n) == n);
        CHECK(memcmp(in, out, n * sizeof *in) == 0);
    }
}

static void zones_take_at_most_four_bytes_an_event(void)
{
    uint32_t n = 0;
    for (uint64_t time = 1000; n < RECORDS; n += 2, time += 5000 + next() % 2000) {
        in[n] = (struct tac_format_record){time, 1ull << 56 | (0x7f0000001000 + next() % 30 * 64)};
        in[n + 1] = (struct tac_format_record){time + 2600, 2ull << 56};
    }
    uint32_t packed = tac_pack(in, n, bytes);
    CHECK_MSG(packed <= 4 * n, "%.2f bytes", (double)packed / n);
}

static void no_input_harms(void)
{
    for (int round = 0; round < 2000; round++) {
        size_t size = (size_t)(next() % 300);
        unsigned char *noise = malloc(size + 1);
        for (size_t i = 0; i < size; i++)
            noise[i] = (unsigned char)(next() >> 20);
        uint32_t max = (uint32_t)(next() % 64);
        struct tac_format_record *room = malloc((max + 1) * sizeof *room);
        CHECK(tac_unpack(noise, size, room, max) <= max);
        free(room);
        free(noise);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(records_come_back_as_they_were);
    TEST(zones_take_at_most_four_bytes_an_event);
    TEST(no_input_harms);
    return test_end();
}
