/* SPDX-License-Identifier: MIT
 * walk.c - see walk.h. */
#include "capture/walk.h"

#include "capture/chunkfile.h"
#include "capture/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tac_walk {
    struct tac_reader *reader;
    unsigned char *waiting; /* chunks, header and payload, one behind the other */
    size_t used, room;
    bool failed;
};

int tac_walk_open(const struct tac_event_taker *taker, struct tac_walk **ret_walk)
{
    struct tac_walk *f = calloc(1, sizeof *f);
    struct tac_reader *r = f ? calloc(1, sizeof *r) : NULL;
    if (!r) {
        free(f);
        return -ENOMEM;
    }
    r->follows = true;
    r->taker = *taker;
    r->pub.problems = TAC_CAPTURE_NOT_CLOSED;
    r->pub.begin_ns = UINT64_MAX;
    f->reader = r;
    *ret_walk = f;
    return 0;
}

void tac_walk_close(struct tac_walk *f)
{
    if (!f)
        return;
    tac_reader_free(f->reader);
    free(f->waiting);
    free(f);
}

const struct tac_capture *tac_walk_capture(const struct tac_walk *f)
{
    return &f->reader->pub;
}

static void take(struct tac_walk *f, const struct tac_reader_chunk *chunk)
{
    struct tac_reader *r = f->reader;
    struct tac_reader_chunk plain;
    uint16_t kind = chunk->head.kind;
    if (!tac_reader_plain(r, chunk, &plain))
        return;
    if (tac_chunk_is_evidence(kind)) {
        tac_reader_events(r, &plain);
        return;
    }
    tac_reader_define(r, &plain);
    f->failed = f->failed || !tac_reader_sort_names(r, kind) || !tac_reader_show(r);
}

static void take_waiting(struct tac_walk *f)
{
    struct tac_reader_chunk chunk;
    for (size_t at = 0; at < f->used; at += sizeof chunk.head + chunk.head.bytes) {
        memcpy(&chunk.head, f->waiting + at, sizeof chunk.head);
        chunk.payload = f->waiting + at + sizeof chunk.head;
        take(f, &chunk);
    }
    f->used = 0;
}

static bool wait_for_clock(struct tac_walk *f, const struct tac_format_chunk *head,
                           const void *payload)
{
    size_t need = f->used + sizeof *head + head->bytes;
    if (need > f->room) {
        size_t room = need + need / 2;
        unsigned char *grown = realloc(f->waiting, room);
        if (!grown)
            return false;
        f->waiting = grown;
        f->room = room;
    }
    memcpy(f->waiting + f->used, head, sizeof *head);
    memcpy(f->waiting + f->used + sizeof *head, payload, head->bytes);
    f->used = need;
    return true;
}

int tac_walk_chunk(struct tac_walk *f, const struct tac_format_chunk *head, const void *payload)
{
    struct tac_reader *r = f->reader;
    r->pub.bytes += sizeof *head + head->bytes;
    if (head->kind == TAC_CHUNK_CLOCK) {
        struct tac_reader_chunk chunk = {*head, payload};
        take(f, &chunk);
        if (r->clock.pairs.count > 1)
            take_waiting(f);
    } else {
        if (f->used + head->bytes > TAC_WALK_BYTES)
            take_waiting(f);
        f->failed = !wait_for_clock(f, head, payload) || f->failed;
    }
    return f->failed || r->keeps.failed ? -ENOMEM : 0;
}

int tac_walk_end(struct tac_walk *f)
{
    take_waiting(f);
    tac_reader_events_end(f->reader);
    if (f->reader->clock.pairs.count < 2)
        f->reader->pub.problems |= TAC_CAPTURE_CLOCK_POOR;
    f->reader->pub.problems |= f->reader->clock.problems;
    return f->failed || !tac_reader_show(f->reader) ? -ENOMEM : 0;
}

static int walk(struct tac_walk *f, struct tac_chunkfile *file, struct tac_error *err)
{
    struct tac_format_chunk head;
    const unsigned char *payload;
    int more;
    while ((more = tac_chunkfile_next(file, &head, &payload, err)) > 0) {
        int error = tac_walk_chunk(f, &head, payload);
        if (error)
            return tac_error_set(err, error, file->name, 0, 0,
                                 "not enough memory to read the recording");
    }
    f->reader->pub.problems |= file->problems;
    f->reader->pub.bytes = file->total;
    f->reader->pub.bytes_damaged = file->damaged;
    return more < 0 ? more : tac_walk_end(f);
}

int tac_walk_file(struct tac_walk *f, const char *path, struct tac_error *err)
{
    struct tac_chunkfile file;
    int error = tac_chunkfile_open(&file, path, err);
    if (error)
        return error;
    error = walk(f, &file, err);
    tac_chunkfile_close(&file);
    return error;
}

int tac_walk_memory(struct tac_walk *f, const void *bytes, size_t size, const char *name,
                    struct tac_error *err)
{
    struct tac_chunkfile file;
    tac_chunkfile_memory(&file, bytes, size, name);
    int error = walk(f, &file, err);
    tac_chunkfile_close(&file);
    return error;
}
