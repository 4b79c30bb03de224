/* SPDX-License-Identifier: MIT
 * test_perfetto.c - the exported trace, read back by a strict reader of our own: every byte belongs
 * to a known field of the right wire type, slices nest on their tracks, and nothing of the capture
 * is missing. Where protoc is installed, its generic decoder must accept the file too. */
#include "capture/export.h"

#include "make_recording.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64], out_path[80];

struct span {
    const unsigned char *at, *end;
    int bad;
};

static uint64_t varint(struct span *s)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (s->at == s->end) {
            s->bad = 1;
            return 0;
        }
        uint64_t byte = *s->at++;
        value |= (byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    s->bad = 1;
    return 0;
}

struct field {
    uint32_t number, wire;
    uint64_t value;
    struct span message;
};

static int next_field(struct span *s, struct field *f)
{
    if (s->bad || s->at == s->end)
        return 0;
    uint64_t tag = varint(s);
    *f = (struct field){.number = (uint32_t)(tag >> 3), .wire = (uint32_t)tag & 7};
    if (f->wire == 0) {
        f->value = varint(s);
    } else if (f->wire == 1 && s->end - s->at >= 8) {
        memcpy(&f->value, s->at, 8);
        s->at += 8;
    } else if (f->wire == 2) {
        uint64_t n = varint(s);
        if (n > (uint64_t)(s->end - s->at)) {
            s->bad = 1;
            return 0;
        }
        f->message = (struct span){s->at, s->at + n, 0};
        s->at += n;
    } else {
        s->bad = 1;
    }
    return !s->bad;
}

enum { TRACKS = 64, SEQUENCES = 64 };

static struct {
    uint64_t uuid[TRACKS], last_ns[TRACKS];
    int depth[TRACKS], tracks;
    int begins, ends, instants, counters, switches, wakings, dropped, packets, unknown;
    int frames, mappings, callstacks, with_stack, lost_bundles, irqs;
    char names[8192], interned[4096];
    unsigned char build_id[20];
    size_t build_id_bytes;
} seen;

static int track(uint64_t uuid)
{
    for (int i = 0; i < seen.tracks; i++)
        if (seen.uuid[i] == uuid)
            return i;
    return -1;
}

static void read_descriptor(struct span s)
{
    struct field f;
    while (next_field(&s, &f)) {
        if (f.number == 1 && f.wire == 0 && seen.tracks < TRACKS)
            seen.uuid[seen.tracks++] = f.value;
        else if (!((f.number >= 2 && f.number <= 4 && f.wire == 2) ||
                   (f.number == 5 && f.wire == 0) || (f.number == 8 && f.wire == 2)))
            seen.unknown++;
    }
    seen.unknown += s.bad;
}

static void read_event(struct span s, uint64_t ns)
{
    struct field f;
    uint64_t type = 0, uuid = 0;
    while (next_field(&s, &f)) {
        if (f.number == 9 && f.wire == 0)
            type = f.value;
        else if (f.number == 11 && f.wire == 0)
            uuid = f.value;
        else if (f.number == 23 && f.wire == 2)
            strncat(strncat(seen.names, (const char *)f.message.at,
                            (size_t)(f.message.end - f.message.at)),
                    ";", 2);
        else if (f.number == 56 && f.wire == 0)
            seen.with_stack += f.value > 0 && f.value <= (uint64_t)seen.callstacks;
        else if (!((f.number == 4 || f.number == 22 || f.number == 33 || f.number == 55) &&
                   f.wire == 2) &&
                 !((f.number == 44 || f.number == 47 || f.number == 48) && f.wire == 1))
            seen.unknown++;
    }
    int t = track(uuid);
    seen.unknown += s.bad || t < 0;
    if (t < 0)
        return;
    seen.begins += type == 1;
    seen.ends += type == 2;
    seen.instants += type == 3;
    seen.counters += type == 4;
    seen.depth[t] += type == 1 ? 1 : type == 2 ? -1 : 0;
    CHECK(seen.depth[t] >= 0);
    if (type == 1 || type == 2) {
        CHECK(ns >= seen.last_ns[t]);
        seen.last_ns[t] = ns;
    }
}

static void read_bundle(struct span s)
{
    struct field f, e;
    while (next_field(&s, &f)) {
        seen.lost_bundles += f.number == 3 && f.value == 1;
        if (f.number != 2) {
            seen.unknown += f.number != 1 && f.number != 3;
            continue;
        }
        while (next_field(&f.message, &e)) {
            seen.switches += e.number == 4 && e.wire == 2;
            seen.wakings += e.number == 20 && e.wire == 2;
            seen.irqs += e.number == 36 && e.wire == 2;
        }
        seen.unknown += f.message.bad;
    }
    seen.unknown += s.bad;
}

/* Each entry has its number, counted from 1. */
static void read_interned(struct span s)
{
    struct field f, e;
    while (next_field(&s, &f)) {
        if (f.wire != 2) {
            seen.unknown++;
            continue;
        }
        seen.frames += f.number == 6;
        seen.callstacks += f.number == 7;
        seen.mappings += f.number == 19;
        seen.unknown +=
            f.number != 5 && f.number != 6 && f.number != 7 && (f.number < 16 || f.number > 19);
        while (next_field(&f.message, &e)) {
            if (f.number == 6 && e.number == 1)
                CHECK(e.value == (uint64_t)seen.frames);
            if ((f.number == 5 || f.number == 17 || f.number == 18) && e.number == 2)
                strncat(strncat(seen.interned, (const char *)e.message.at,
                                (size_t)(e.message.end - e.message.at)),
                        ";", 2);
            if (f.number == 16 && e.number == 2) {
                seen.build_id_bytes = (size_t)(e.message.end - e.message.at);
                memcpy(seen.build_id, e.message.at,
                       seen.build_id_bytes < 20 ? seen.build_id_bytes : 20);
            }
        }
        seen.unknown += f.message.bad;
    }
    seen.unknown += s.bad;
}

static void read_packet(struct span s)
{
    struct field f, event = {0};
    uint64_t ns = 0, sequence = 0;
    while (next_field(&s, &f)) {
        if (f.number == 8 && f.wire == 0)
            ns = f.value;
        else if (f.number == 10 && f.wire == 0)
            sequence = f.value;
        else if (f.number == 42 && f.wire == 0)
            seen.dropped++;
        else if (f.number == 12 && f.wire == 2)
            read_interned(f.message);
        else if (f.number == 13 && f.wire == 0)
            CHECK(f.value == (seen.callstacks ? 2 : 3));
        else if (f.number == 45 && f.wire == 2)
            continue;
        else if (f.number == 60 && f.wire == 2)
            read_descriptor(f.message);
        else if (f.number == 1 && f.wire == 2)
            read_bundle(f.message);
        else if (f.number == 11 && f.wire == 2)
            event = f;
        else
            seen.unknown++;
    }
    if (event.number)
        read_event(event.message, ns);
    seen.packets++;
    seen.unknown += s.bad || sequence == 0;
}

static void make(void)
{
    struct tac_make *m = tac_make_open(path);
    tac_make_source(m, 0, "callback", 1000);
    uint32_t audio = tac_make_thread(m, 11, "audio"), gui = tac_make_thread(m, 12, "gui");
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t t = 1000 * (i + 1);
        tac_make_cycle(m, audio, 0, t, t + 800, t + (i == 5 ? 900 : 700), 64, NULL);
        tac_make_zone(m, audio, TAC_CAT_NODE, "outer", t + 10, t + 300);
        tac_make_zone(m, audio, TAC_CAT_NODE, "inner", t + 10, t + 20);
        tac_make_zone(m, audio, TAC_CAT_NODE, "second", t + 20, t + 30);
        tac_make_memory(m, audio, TAC_MEMORY_ALLOC, 1, 64, t + 40, t + 50);
        tac_make_zone(m, gui, TAC_CAT_APP, "draw", t - 5, t + 500);
        tac_make_plot(m, gui, "memory", "B", t, (double)i);
    }
    tac_make_lock_wait(m, audio, 0x99, 12, 2100, 2200);
    tac_make_message(m, gui, "hello", 3000);
    tac_make_gap(m, audio, 4400, 4500, 3);
    tac_make_mapping(m, 0x10000, 0x20000, 0x1000, "0011223344556677889900112233445566778899",
                     "/opt/synth");
    tac_make_stack(m, audio, 5001, (uint64_t[]){0x10010, 0x10020, 0x999}, 3);
    tac_make_stack(m, audio, 5002, (uint64_t[]){0x10010, 0x10030}, 2);
    tac_make_kernel(m, (struct tac_format_kernel){2500, TAC_KERNEL_IRQ_BEGIN, 0, 12, 9, 0});
    tac_make_kernel(m, (struct tac_format_kernel){2510, TAC_KERNEL_LOST, 0, 0, 70, 0});
    tac_make_kernel(m, (struct tac_format_kernel){2520, TAC_KERNEL_IRQ_BEGIN, 0, 12, 9, 0});
    tac_make_kernel(m, (struct tac_format_kernel){2530, TAC_KERNEL_PAGES, 0, 12, 4, 0});
    tac_make_kernel(m, (struct tac_format_kernel){2600, TAC_KERNEL_SWITCH, 1, 11, 12ull << 32 | 120,
                                                  1ull << 32 | 19});
    tac_make_kernel(m, (struct tac_format_kernel){2700, TAC_KERNEL_WAKING, 1, 12, 11ull << 32 | 19,
                                                  1ull << 32 | 1});
    tac_make_close(m);
}

static void everything_is_in_the_exported_trace(void)
{
    make();
    struct tac_export_mark mark = {2000, 2900, "verdicts", "pre-empted", "by gui"};
    struct tac_export_options options = {.symbols = ""};
    struct tac_export *export;
    struct tac_error err;
    uint32_t problems = 99;
    REQUIRE(tac_export_open(tac_export_named("perfetto"), out_path, &options, &err, &export) == 0);
    REQUIRE(tac_export_read(export, path, &problems, &err) == 0);
    tac_export_mark(export, tac_export_capture(export), &mark);
    REQUIRE(tac_export_close(export, &err) == 0);
    CHECK(problems == 0);
    FILE *file = fopen(out_path, "rb");
    REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    unsigned char *bytes = malloc((size_t)size);
    rewind(file);
    REQUIRE(fread(bytes, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    struct span s = {bytes, bytes + size, 0};
    struct field f;
    while (next_field(&s, &f)) {
        REQUIRE(f.number == 1 && f.wire == 2);
        read_packet(f.message);
    }
    CHECK_MSG(!s.bad && seen.unknown == 0, "%d", seen.unknown);
    /* 40 zones, 10 cycles, 10 memory operations, a wait, a gap, a mark */
    CHECK_MSG(seen.begins == 63 && seen.ends == 63, "%d, %d", seen.begins, seen.ends);
    /* a message, two stacks, the loss of kernel events, and pages */
    CHECK_MSG(seen.counters == 10 && seen.instants == 5, "%d", seen.instants);
    CHECK(seen.switches == 1 && seen.wakings == 1 && seen.dropped == 1);
    CHECK(seen.irqs == 2 && seen.lost_bundles == 1);
    CHECK(strstr(seen.names, "missed;") && strstr(seen.names, "lock held by gui;"));
    CHECK(strstr(seen.names, "events lost;") && strstr(seen.names, "hello;"));
    CHECK(strstr(seen.names, "pre-empted;") && strstr(seen.names, "pages in one piece;"));
    CHECK(seen.frames == 4 && seen.callstacks == 2 && seen.with_stack == 2 && seen.mappings == 1);
    CHECK(strstr(seen.interned, "/opt/synth;"));
    CHECK(seen.build_id_bytes == 20 && seen.build_id[1] == 0x11 && seen.build_id[19] == 0x99);
    for (int i = 0; i < seen.tracks; i++)
        CHECK(seen.depth[i] == 0);
    free(bytes);
}

static void protoc_accepts_the_trace(void)
{
    char command[256];
    if (system("command -v protoc >/dev/null 2>&1"))
        SKIP("protoc is not installed");
    snprintf(command, sizeof command, "protoc --decode_raw <%s >/dev/null", out_path);
    CHECK(system(command) == 0);
}

static void csv_has_a_line_for_each_zone(void)
{
    char line[512], all[4096] = "", csv[96];
    snprintf(csv, sizeof csv, "%s.csv", path);
    CHECK(tac_export_for(csv) == tac_export_named("csv"));
    REQUIRE(tac_export_file(tac_export_for(csv), path, csv, NULL, NULL, NULL) == 0);
    FILE *file = fopen(csv, "r");
    REQUIRE(file);
    int lines = 0;
    while (fgets(line, sizeof line, file)) {
        strncat(all, line, sizeof all - strlen(all) - 1);
        lines++;
    }
    fclose(file);
    unlink(csv);
    CHECK(lines == 6);
    CHECK_MSG(strstr(all, "\"outer\",\"\",0,2,10,0,2900,2700,290,290,") != NULL, "%s", all);
    CHECK(strstr(all, "\"(events lost)\",\"\",0,0,73,"));
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    snprintf(path, sizeof path, "/tmp/tactus-test-perfetto-%d", (int)getpid());
    snprintf(out_path, sizeof out_path, "%s.pftrace", path);
    TEST(everything_is_in_the_exported_trace);
    TEST(protoc_accepts_the_trace);
    TEST(csv_has_a_line_for_each_zone);
    unlink(path);
    unlink(out_path);
    return test_end();
}
