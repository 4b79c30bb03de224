/* SPDX-License-Identifier: MIT
 * make_long.c - a recording as a program leaves it that runs for a while: each millisecond a cycle
 * with ten zones, each 100 ms a clock pair and the chunk of that time, each second a late cycle,
 * and a lane that never says anything more after its first event. The counter is the nanosecond.
 * usage: make_long FILE EVENTS */
#include "base/crc.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZONES = 10, CYCLES = 100, RECORDS = CYCLES * (4 + 2 * ZONES), EVENTS = 2 + 2 * ZONES };
static const uint64_t start_ns = 5000000000, ms = 1000000, site_id = 0x1000;

static FILE *file;

static void put(struct tac_format_chunk head, const void *payload, size_t bytes)
{
    head.magic = TAC_FORMAT_MAGIC;
    head.bytes = (uint32_t)bytes;
    head.crc = tac_crc32c(tac_crc32c(0, &head, sizeof head), payload, bytes);
    fwrite(&head, 1, sizeof head, file);
    fwrite(payload, 1, bytes, file);
}

static void put_lane(uint32_t id, const char *name)
{
    struct tac_format_lane lane = {.lane = id, .pid = 10, .tid = 10 + id, .counter = start_ns};
    strncpy(lane.name, name, sizeof lane.name - 1);
    put((struct tac_format_chunk){.kind = TAC_CHUNK_LANE, .id = id, .count = 1}, &lane,
        sizeof lane);
}

static void put_opening(void)
{
    static const char meta[] = "format=1\npid=10\nprogram=long\ncounter=tsc\n";
    struct {
        struct tac_format_site fixed;
        char names[16];
    } site = {{.id = site_id}, "node\0f\0c"};
    struct tac_format_source source = {.id = 0, .period_ns = ms, .name = "callback"};
    put((struct tac_format_chunk){.kind = TAC_CHUNK_META, .count = 1}, meta, sizeof meta - 1);
    put((struct tac_format_chunk){.kind = TAC_CHUNK_SITE, .count = 1}, &site, sizeof site);
    put((struct tac_format_chunk){.kind = TAC_CHUNK_SOURCE, .count = 1}, &source, sizeof source);
    put_lane(1, "audio");
    put_lane(2, "quiet");
}

static void put_clock(uint64_t ns)
{
    struct tac_format_clock pair = {.counter = ns, .ns = ns, .width = 1};
    put((struct tac_format_chunk){.kind = TAC_CHUNK_CLOCK, .count = 1}, &pair, sizeof pair);
}

static size_t add(struct tac_format_record *r, size_t n, uint64_t a, uint64_t b)
{
    r[n] = (struct tac_format_record){a, b};
    return n + 1;
}

static uint64_t word(enum tac_record_type type, uint64_t payload)
{
    return (uint64_t)type << 56 | payload;
}

static size_t add_cycle(struct tac_format_record *r, size_t n, uint64_t ns, bool late)
{
    n = add(r, n, ns, word(TAC_REC_CYCLE_BEGIN, 48));
    n = add(r, n, ns + ms / 2, 0);
    for (uint64_t i = 0; i < ZONES; i++) {
        n = add(r, n, ns + 1000 + 20000 * i, word(TAC_REC_ZONE_BEGIN, site_id));
        n = add(r, n, ns + 9000 + 20000 * i, word(TAC_REC_ZONE_END, 0));
    }
    n = add(r, n, ns + (late ? 700000 : 300000), word(TAC_REC_CYCLE_END, 0));
    return add(r, n, 0, 0);
}

int main(int argc, char **argv)
{
    static struct tac_format_record record[RECORDS];
    uint64_t wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, cycle = 0, sequence = 0;
    file = argc > 2 ? fopen(argv[1], "wb") : NULL;
    if (!file)
        return 2;
    put_opening();
    put_clock(start_ns);
    const struct tac_format_record once = {start_ns, word(TAC_REC_FLOW, 1)};
    put((struct tac_format_chunk){.kind = TAC_CHUNK_RECORDS, .id = 2, .count = 1}, &once,
        sizeof once);
    while (cycle * EVENTS < wanted) {
        size_t n = 0;
        for (int i = 0; i < CYCLES; i++, cycle++)
            n = add_cycle(record, n, start_ns + cycle * ms, cycle % 1000 == 500);
        put(
            (struct tac_format_chunk){
                .kind = TAC_CHUNK_RECORDS, .id = 1, .count = (uint32_t)n, .sequence = sequence},
            record, n * sizeof *record);
        sequence += n;
        put_clock(start_ns + cycle * ms);
    }
    return fclose(file) != 0;
}
