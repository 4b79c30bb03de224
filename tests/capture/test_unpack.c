/* SPDX-License-Identifier: MIT
 * test_unpack.c - packing and unpacking give the same records and kernel events back, for every
 * type and any values, compressed or not; and no input makes an unpacker read or write where it
 * must not.
 */
#include "capture/unpack.h"
#include "capture/zip.h"
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

static struct tac_format_kernel kernel_in[RECORDS], kernel_out[RECORDS];
static unsigned char kernel_bytes[TAC_PACK_KERNEL_BYTES_MAX(RECORDS)];

/* Two threads that hand over to each other and to idle, as a scheduler reports it. */
static void make_switches(void)
{
    static const uint32_t tid[3] = {4211, 4212, 0};
    uint64_t ns = 1000000000000;
    for (uint32_t i = 0, now = 0; i < RECORDS; i++) {
        uint32_t other = (now + 1 + (uint32_t)(next() % 2)) % 3;
        ns += 800 + next() % 3000;
        kernel_in[i] = i % 2 ? (struct tac_format_kernel){ns,
                                                          TAC_KERNEL_SWITCH,
                                                          1,
                                                          tid[now],
                                                          (uint64_t)tid[other] << 32 | 120,
                                                          (uint64_t)1 << 32 | 120}
                             : (struct tac_format_kernel){ns,
                                                          TAC_KERNEL_WAKING,
                                                          1,
                                                          tid[now],
                                                          (uint64_t)tid[other] << 32 | 120,
                                                          (uint64_t)1 << 32};
        now = i % 2 ? other : now;
    }
}

static void kernel_events_come_back_as_they_were(void)
{
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < RECORDS; i++)
            kernel_in[i] =
                (struct tac_format_kernel){next(),
                                           (uint16_t)(1 + next() % (TAC_KERNEL_TYPES - 1)),
                                           (uint16_t)(next() % 3),
                                           (uint32_t)next(),
                                           next(),
                                           next()};
        uint32_t bytes_packed = tac_pack_kernel(kernel_in, RECORDS, kernel_bytes);
        REQUIRE(bytes_packed <= sizeof kernel_bytes);
        REQUIRE(tac_unpack_kernel(kernel_bytes, bytes_packed, kernel_out, RECORDS) == RECORDS);
        CHECK(memcmp(kernel_in, kernel_out, sizeof kernel_in) == 0);
    }
}

static void switches_take_at_most_four_bytes_an_event(void)
{
    const void *zipped, *plain;
    struct tac_zip *zip = tac_zip_new();
    REQUIRE(zip);
    make_switches();
    uint32_t packed = tac_pack_kernel(kernel_in, RECORDS, kernel_bytes);
    size_t n = tac_zip_in(zip, kernel_bytes, packed, &zipped);
    CHECK_MSG(n && n <= 4 * RECORDS, "%.2f packed, %.2f zipped", (double)packed / RECORDS,
              (double)n / RECORDS);
    unsigned char *copy = malloc(n + 1);
    memcpy(copy, zipped, n);
    long back = tac_zip_out(zip, copy, n, &plain);
    CHECK(back == (long)packed && !memcmp(plain, kernel_bytes, packed));
    for (size_t i = 0; i < n; i += 7) {
        copy[i] ^= (unsigned char)(1 + next() % 255);
        long bad = tac_zip_out(zip, copy, n - next() % 8, &plain);
        CHECK(bad < 0 || bad <= (long)TAC_CHUNK_BYTES_MAX);
    }
    CHECK(tac_zip_out(zip, copy, 3, &plain) < 0);
    free(copy);
    tac_zip_free(zip);
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
        struct tac_format_kernel *events = malloc((max + 1) * sizeof *events);
        CHECK(tac_unpack_kernel(noise, size, events, max) <= max);
        free(events);
        free(noise);
    }
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(records_come_back_as_they_were);
    TEST(zones_take_at_most_four_bytes_an_event);
    TEST(kernel_events_come_back_as_they_were);
    TEST(switches_take_at_most_four_bytes_an_event);
    TEST(no_input_harms);
    return test_end();
}
