/* SPDX-License-Identifier: MIT
 * test_capture.c - the reader on recordings made by hand: values, order, look-ups; and on files
 * that were cut anywhere or had bits flipped. */
#include "capture/capture.h"
#include "capture/list.h"

#include "make_recording.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static void make(void)
{
    struct tac_make *m = tac_make_open(path);
    struct tac_make_evidence e = {400, 2, 1, 5, 3, 1};
    const uint64_t pc[3] = {0x1010, 0x2020, 0x3030};
    tac_make_meta(m, "heap", "tactus");
    tac_make_source(m, 3, "callback", 1000);
    uint32_t audio = tac_make_thread(m, 11, "audio"), gui = tac_make_thread(m, 12, "gui");
    tac_make_zone(m, gui, TAC_CAT_APP, "draw", 900, 2500);
    tac_make_cycle(m, audio, 3, 1000, 2000, 1900, 64, &e);
    tac_make_zone(m, audio, TAC_CAT_NODE, "osc", 1100, 1500);
    tac_make_zone(m, audio, TAC_CAT_NODE, "table", 1200, 1300);
    tac_make_cycle(m, audio, 3, 2000, 3000, 3500, 64, NULL);
    tac_make_memory(m, audio, TAC_MEMORY_ALLOC, 0xabc, 24, 2100, 2400);
    tac_make_lock_wait(m, audio, 0x77, 12, 2500, 3100);
    tac_make_stack(m, audio, 3101, pc, 3);
    tac_make_gap(m, audio, 3200, 3300, 9);
    tac_make_plot(m, gui, "memory", "B", 1000, 4096);
    tac_make_message(m, gui, "loading", 1001);
    tac_make_kernel(m, (struct tac_format_kernel){2600, TAC_KERNEL_SWITCH, 1, 11, 12ull << 32 | 120,
                                                  1ull << 32 | 19});
    tac_make_comm(m, 99, "kworker");
    tac_make_module(m, 0x2000, 0x2800, "/lib/libx.so");
    tac_make_close(m);
}

static void everything_is_found_on_one_clock(void)
{
    struct tac_capture *c;
    make();
    REQUIRE(tac_capture_open(path, NULL, &c) == 0);
    CHECK(c->problems == 0 && c->threads_count == 2 && c->cycles_count == 2);
    CHECK(c->begin_ns == 900 && c->end_ns == 3500);
    CHECK_STR(tac_capture_meta(c, "heap"), "tactus");
    const struct tac_capture_cycle *k = c->cycles;
    CHECK(k[0].begin_ns == 1000 && k[0].deadline_ns == 2000 && k[0].end_ns == 1900);
    CHECK(k[0].flags == (TAC_CYCLE_EVIDENCE | TAC_CYCLE_DENORMAL) && k[0].cpu_ns == 400);
    CHECK(k[0].switches_voluntary == 2 && k[0].switches_involuntary == 1);
    CHECK(k[0].faults_minor == 5 && k[0].faults_major == 3);
    CHECK(tac_capture_late_ns(&k[0]) == 0 && tac_capture_late_ns(&k[1]) == 500);
    CHECK(k[1].flags == TAC_CYCLE_GAP);
    CHECK(c->sources[k[0].source].id == 3 && c->sources[k[0].source].period_ns == 1000);
    REQUIRE(c->zones_count == 3);
    CHECK_STR(c->sites[c->zones[0].site].name, "draw");
    CHECK(c->zones[2].parent == 1 && c->zones[2].depth == 1 && c->zones[2].end_ns == 1300);
    CHECK(c->memory[0].begin_ns == 2100 && c->memory[0].end_ns == 2400 && c->memory[0].bytes == 24);
    CHECK(c->locks[0].begin_ns == 2500 && c->locks[0].holder_tid == 12);
    CHECK(c->stacks[0].count == 3 && c->stacks[0].pc[1] == 0x2020);
    CHECK(c->gaps_count == 1 && c->gaps[0].dropped == 9 && c->gaps[0].begin_ns == 3200);
    CHECK(c->kernel_count == 1 && c->kernel[0].b >> 32 == 1);
    CHECK_STR(tac_capture_comm(c, 99), "kworker");
    CHECK_STR(tac_capture_comm(c, 11), "audio");
    CHECK(!tac_capture_comm(c, 98));
    REQUIRE(tac_capture_module_of(c, 0x2020));
    CHECK_STR(tac_capture_module_of(c, 0x2020)->path, "/lib/libx.so");
    CHECK(!tac_capture_module_of(c, 0x2800) && !tac_capture_module_of(c, 0x1fff));
    CHECK(TAC_CAPTURE_LOWER(c, zones, begin_ns, 901) == 1);
    CHECK(TAC_CAPTURE_LOWER(c, zones, begin_ns, 99999) == 3);
    tac_capture_close(c);
}

static unsigned char *load(size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);
    *ret_size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

/* A copy of exactly n bytes, so that a sanitizer sees each byte too far. */
static int open_copy(const unsigned char *bytes, size_t n)
{
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    struct tac_capture *c = NULL;
    int error = tac_capture_open_memory(copy, n, "copy", NULL, &c);
    for (size_t i = 0; !error && i < c->zones_count; i++)
        CHECK(*c->sites[c->zones[i].site].name && c->zones[i].thread < c->threads_count);
    tac_capture_close(c);
    free(copy);
    return error;
}

static void any_prefix_is_readable(void)
{
    size_t size, opened = 0;
    make();
    unsigned char *bytes = load(&size);
    struct tac_format_chunk head;
    memcpy(&head, bytes, sizeof head);
    size_t first = sizeof head + head.bytes;
    for (size_t n = 0; n < size; n++) {
        int error = open_copy(bytes, n);
        CHECK_MSG(n < first ? error == -TAC_E_TRUNCATED : error == 0, "%zu of %zu: %d", n, size,
                  error);
        opened += !error;
    }
    CHECK(opened == size - first);
    free(bytes);
}

static void a_cut_is_told(void)
{
    size_t size;
    struct tac_capture *c;
    make();
    unsigned char *bytes = load(&size);
    REQUIRE(tac_capture_open_memory(bytes, size - 1, "cut", NULL, &c) == 0);
    CHECK(c->problems == (TAC_CAPTURE_TRUNCATED | TAC_CAPTURE_NOT_CLOSED));
    CHECK(c->cycles_count == 2);
    tac_capture_close(c);
    free(bytes);
}

static void flipped_bits_never_break_the_reader(void)
{
    size_t size;
    make();
    unsigned char *bytes = load(&size);
    for (size_t at = 0; at < size; at++) {
        bytes[at] ^= (unsigned char)(1u << at % 8);
        struct tac_capture *c = NULL;
        int error = tac_capture_open_memory(bytes, size, "flip", NULL, &c);
        CHECK_MSG(!error && c->problems & (TAC_CAPTURE_DAMAGED | TAC_CAPTURE_TRUNCATED),
                  "byte %zu: %d", at, error);
        CHECK(error || c->bytes_damaged > 0);
        tac_capture_close(c);
        bytes[at] ^= (unsigned char)(1u << at % 8);
    }
    free(bytes);
}

static void garbage_is_refused(void)
{
    struct tac_error err;
    struct tac_capture *c;
    unsigned char noise[4096];
    srand(1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)rand();
    CHECK(tac_capture_open_memory(noise, sizeof noise, "noise", &err, &c) == -TAC_E_SYNTAX);
    CHECK(tac_capture_open_memory(noise, 0, "empty", &err, &c) == -TAC_E_TRUNCATED);
    CHECK(tac_capture_open("/no/such/file", &err, &c) < 0 && strstr(err.text, "No such file"));
    CHECK(tac_capture_open("/tmp", &err, &c) == -EINVAL);
}

/* Nothing but headers of chunks of eight MiB, each inside the one before: with a sum for each it
 * would be a matter of hours. Sanitizers, which take fifty times as long, get smaller ones. */
static void headers_that_lie_cost_little(void)
{
    const uint32_t chunk = TAC_SANITIZED ? TAC_CHUNK_BYTES_MAX / 32 : TAC_CHUNK_BYTES_MAX;
    const size_t size = (size_t)chunk * 3;
    struct tac_format_chunk head = {.magic = TAC_FORMAT_MAGIC, .kind = TAC_CHUNK_RECORDS};
    head.bytes = chunk;
    size_t good;
    unsigned char *whole = load(&good), *bytes = malloc(good + size);
    REQUIRE(whole && bytes);
    memcpy(bytes, whole, good);
    for (size_t at = 0; at + sizeof head <= size; at += sizeof head)
        memcpy(bytes + good + at, &head, sizeof head);
    struct tac_capture *c = NULL;
    REQUIRE(tac_capture_open_memory(bytes, good + size, "lies", NULL, &c) == 0);
    CHECK(c->problems & TAC_CAPTURE_DAMAGED && c->zones_count > 0);
    tac_capture_close(c);
    free(bytes);
    free(whole);
}

/* Three threads by turns, whose times meet; long enough for a mapping that has to move. */
static void long_lists_are_sorted(void)
{
    enum { ITEMS = 600000, ROW = 50 };
    struct item {
        uint64_t ns, was;
    };
    struct tac_list list = {0}, place = {0};
    for (uint64_t i = 0; i < ITEMS; i++) {
        struct item *item = tac_list_add(&list, sizeof *item);
        REQUIRE(item);
        *item = (struct item){i / ROW / 3 * ROW + i % ROW, i};
    }
    REQUIRE(tac_list_sort(&list, sizeof(struct item), &place));
    const struct item *item = list.data;
    const uint32_t *went = place.data;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        wrong += went[item[i].was] != i;
        wrong += i && (item[i - 1].ns > item[i].ns ||
                       (item[i - 1].ns == item[i].ns && item[i - 1].was > item[i].was));
    }
    CHECK(list.count == ITEMS && place.count == ITEMS && wrong == 0);
    tac_list_fini(&place);
    CHECK(tac_list_sort(&list, sizeof(struct item), &place) && place.count == 0);
    tac_list_fini(&place);
    tac_list_fini(&list);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-capture-%d", (int)getpid());
    TEST(everything_is_found_on_one_clock);
    TEST(any_prefix_is_readable);
    TEST(a_cut_is_told);
    TEST(flipped_bits_never_break_the_reader);
    TEST(garbage_is_refused);
    TEST(headers_that_lie_cost_little);
    TEST(long_lists_are_sorted);
    unlink(path);
    return test_end();
}
