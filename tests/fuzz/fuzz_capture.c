/* SPDX-License-Identifier: MIT
 * fuzz_capture.c - the reader, its parts, its summaries, the statistics and the exporters on any
 * bytes; and what is read of the files of other processes.
 *
 * A random mutation would nearly always break a chunk's CRC and end there; so each chunk that is
 * found is given the right one before the reader sees it. See fuzz_main.h for how it is run. */
#include "base/crc.h"
#include "capture/export.h"
#include "capture/lod.h"
#include "capture/misses.h"
#include "capture/parts.h"
#include "capture/process_maps.h"
#include "capture/walk.h"

#include "fuzz_main.h"

#include <dirent.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void mend(unsigned char *bytes, size_t size)
{
    struct tac_format_chunk head;
    for (size_t at = 0; at + sizeof head <= size;) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.magic != TAC_FORMAT_MAGIC || head.bytes > size - at - sizeof head) {
            at++;
            continue;
        }
        head.crc = 0;
        head.crc =
            tac_crc32c(tac_crc32c(0, &head, sizeof head), bytes + at + sizeof head, head.bytes);
        memcpy(bytes + at, &head, sizeof head);
        at += sizeof head + head.bytes;
    }
}

/* Remove a folder of files. */
static void empty(const char *path)
{
    char name[512];
    DIR *folder = opendir(path);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        unlink(name);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

/* Chunk by chunk, as from a stream. */
static void export_all(const unsigned char *bytes, size_t size)
{
    static const struct tac_export_options options = {.symbols = ""};
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/tactus-fuzz-%d", (int)getpid());
    for (const struct tac_export_format *const *f = tac_export_formats; *f; f++) {
        struct tac_walk *walk;
        void *me;
        bool is_folder = !strcmp((*f)->name, "ctf");
        if ((*f)->open(is_folder ? folder : "/dev/null", &options, &me))
            continue;
        if (tac_walk_open(&(struct tac_event_taker){me, (*f)->event}, &walk) == 0) {
            int error = tac_walk_memory(walk, bytes, size, "fuzz", NULL);
            (void)!(*f)->close(me, error ? NULL : tac_walk_capture(walk));
            tac_walk_close(walk);
        }
        if (is_folder)
            empty(folder);
    }
}

static void look_at_pictures(const struct tac_capture *c)
{
    struct tac_lod_span spans[256];
    struct tac_lod_point points[256];
    struct tac_lod *l;
    if (tac_lod_open(c, &l))
        return;
    for (int kind = 0; kind < TAC_LOD_KINDS; kind++)
        for (uint32_t lane = 0; lane < tac_lod_lanes(l, kind) && lane < 8; lane++)
            for (uint32_t row = 0; row < tac_lod_rows(l, kind, lane) && row < 8; row++) {
                (void)tac_lod_spans(l, kind, lane, row, 0, UINT64_MAX, 100, spans, 256);
                (void)tac_lod_spans(l, kind, lane, row, c->begin_ns, c->end_ns, 100, spans, 256);
            }
    for (uint32_t site = 0; site < c->sites_count && site < 8; site++)
        (void)tac_lod_points(l, site, c->begin_ns, c->end_ns, 100, points, 256);
    tac_lod_close(l);
}

static void look_for_misses(const unsigned char *bytes, size_t size)
{
    struct tac_misses misses = {0};
    struct tac_format_chunk head;
    for (size_t at = 0; at + sizeof head <= size; at += sizeof head + head.bytes) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.bytes > size - at - sizeof head)
            break;
        (void)tac_misses_in(&misses, &head, bytes + at + sizeof head);
    }
    tac_misses_fini(&misses);
}

static void look_at_parts(const char *path)
{
    struct tac_parts *parts = NULL;
    struct tac_part part;
    int r = tac_parts_open(path, 20, NULL, &parts);
    while (r >= 0 && (r = tac_parts_next(parts, &part, NULL)) > 0)
        tac_capture_close(part.capture);
    tac_parts_close(parts);
}

/* Of a program whose notes are these bytes. */
static void look_for_build_id(int fd, const char *path, const unsigned char *bytes, size_t size)
{
    char text[TAC_BUILD_ID_TEXT];
    ElfW(Ehdr) head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                                   sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32},
                       .e_phoff = sizeof head,
                       .e_phentsize = sizeof(ElfW(Phdr)),
                       .e_phnum = 1};
    ElfW(Phdr)
        segment = {.p_type = PT_NOTE, .p_offset = sizeof head + sizeof segment, .p_filesz = size};
    segment.p_align = size && bytes[0] & 1 ? 8 : 4;
    if (ftruncate(fd, 0) || pwrite(fd, &head, sizeof head, 0) < 0 ||
        pwrite(fd, &segment, sizeof segment, sizeof head) < 0 ||
        pwrite(fd, bytes, size, sizeof head + sizeof segment) < 0)
        return;
    tac_build_id_of_file(path, text);
    if (strlen(text) >= sizeof text)
        abort();
}

static void look_at_file(const unsigned char *bytes, size_t size)
{
    char path[32];
    int fd = memfd_create("tactus-fuzz", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0 && write(fd, bytes, size) == (ssize_t)size)
        look_at_parts(path);
    if (fd < 0)
        return;
    look_for_build_id(fd, path, bytes, size < 1024 ? size : 1024);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    struct tac_capture *c;
    if (size)
        memcpy(copy, bytes, size);
    mend(copy, size);
    if (tac_capture_open_memory(copy, size, "fuzz", NULL, &c) == 0) {
        look_at_pictures(c);
        tac_capture_close(c);
    }
    export_all(copy, size);
    look_for_misses(copy, size);
    look_at_file(copy, size);
    free(copy);
    return 0;
}
