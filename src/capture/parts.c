/* SPDX-License-Identifier: MIT
 * parts.c - see parts.h. Chunks are kept as they stand in the file: definitions for good, events
 * and clock pairs while they belong to the part or to the surroundings of the next one. Clock pairs
 * come ten times a second; they tell where in time the row of chunks is. */
#include "capture/parts.h"

#include "capture/chunkfile.h"
#include "capture/list.h"
#include "capture/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    unsigned char *data;
    size_t used, room;
};

/* A clock pair among the kept chunks. */
struct moment {
    uint64_t ns;
    size_t at; /* in `events` */
};

struct tac_parts {
    struct tac_chunkfile file;
    uint64_t events_max, fresh; /* events since the last part */
    uint64_t from_ns;           /* of the next part */
    struct bytes definitions, events, whole;
    struct tac_list moments; /* struct moment */
    bool ended;
};

int tac_parts_open(const char *path, uint64_t events, struct tac_error *err,
                   struct tac_parts **ret_parts)
{
    struct tac_parts *p = calloc(1, sizeof *p);
    if (!p)
        return tac_error_set(err, -ENOMEM, path, 0, 0, "not enough memory");
    p->events_max = events;
    int error = tac_chunkfile_open(&p->file, path, err);
    if (error) {
        free(p);
        return error;
    }
    *ret_parts = p;
    return 0;
}

void tac_parts_close(struct tac_parts *p)
{
    if (!p)
        return;
    tac_chunkfile_close(&p->file);
    free(p->definitions.data);
    free(p->events.data);
    free(p->whole.data);
    tac_list_fini(&p->moments);
    free(p);
}

static bool append(struct bytes *b, const void *data, size_t n)
{
    if (!n)
        return true;
    if (b->used + n > b->room) {
        size_t room = b->used + n + (b->used + n) / 2;
        unsigned char *grown = realloc(b->data, room);
        if (!grown)
            return false;
        b->data = grown;
        b->room = room;
    }
    memcpy(b->data + b->used, data, n);
    b->used += n;
    return true;
}

/* The time of a clock chunk is its last pair's; 0: there is none. */
static uint64_t clock_ns(const struct tac_format_chunk *head, const unsigned char *payload)
{
    struct tac_format_clock pair = {.ns = 0};
    if (!(head->flags & TAC_CHUNK_ZSTD) && head->bytes >= sizeof pair)
        memcpy(&pair, payload + head->bytes - sizeof pair, sizeof pair);
    return pair.ns;
}

static bool keep(struct tac_parts *p, const struct tac_format_chunk *head,
                 const unsigned char *payload)
{
    bool passes = tac_chunk_is_evidence(head->kind) || head->kind == TAC_CHUNK_CLOCK;
    struct bytes *to = passes ? &p->events : &p->definitions;
    uint64_t ns = head->kind == TAC_CHUNK_CLOCK ? clock_ns(head, payload) : 0;
    struct moment *m = ns ? tac_list_add(&p->moments, sizeof *m) : NULL;
    if (m)
        *m = (struct moment){ns, to->used};
    if (head->kind != TAC_CHUNK_CLOCK && passes)
        p->fresh += head->count;
    return !p->moments.failed && append(to, head, sizeof *head) && append(to, payload, head->bytes);
}

/* Drop what lies before the surroundings of a time. */
static void forget(struct tac_parts *p, uint64_t ns)
{
    struct moment *m = p->moments.data;
    size_t drop = 0;
    while (drop + 1 < p->moments.count && m[drop + 1].ns + TAC_PARTS_AROUND_NS <= ns)
        drop++;
    if (!drop)
        return;
    size_t bytes = m[drop].at;
    p->events.used -= bytes;
    memmove(p->events.data, p->events.data + bytes, p->events.used);
    p->moments.count -= drop;
    memmove(m, m + drop, p->moments.count * sizeof *m);
    for (size_t i = 0; i < p->moments.count; i++)
        m[i].at -= bytes;
}

static int make(struct tac_parts *p, uint64_t to_ns, struct tac_part *ret_part,
                struct tac_error *err)
{
    bool whole = !p->from_ns && p->ended;
    p->whole.used = 0;
    if (!append(&p->whole, p->definitions.data, p->definitions.used) ||
        !append(&p->whole, p->events.data, p->events.used))
        return tac_error_set(err, -ENOMEM, p->file.name, 0, 0, "not enough memory");
    struct tac_capture *c;
    int error = tac_capture_open_part(p->whole.data, p->whole.used, p->file.name, !whole, err, &c);
    if (error)
        return error;
    *ret_part = (struct tac_part){c, p->from_ns, to_ns};
    p->from_ns = to_ns;
    p->fresh = 0;
    forget(p, to_ns);
    return 1;
}

/* Whether the chunks that are there are a part; then until when. */
static bool is_full(const struct tac_parts *p, uint64_t *ret_ns)
{
    const struct moment *m = p->moments.data;
    if (p->fresh < p->events_max || !p->moments.count)
        return false;
    uint64_t last = m[p->moments.count - 1].ns;
    *ret_ns = last > TAC_PARTS_AROUND_NS ? last - TAC_PARTS_AROUND_NS : 0;
    return *ret_ns > p->from_ns && *ret_ns > m[0].ns;
}

int tac_parts_next(struct tac_parts *p, struct tac_part *ret_part, struct tac_error *err)
{
    struct tac_format_chunk head;
    const unsigned char *payload;
    uint64_t to_ns;
    int more;
    if (p->ended)
        return 0;
    while ((more = tac_chunkfile_next(&p->file, &head, &payload, err)) > 0) {
        if (!keep(p, &head, payload))
            return tac_error_set(err, -ENOMEM, p->file.name, 0, 0, "not enough memory");
        if (head.kind == TAC_CHUNK_CLOCK && is_full(p, &to_ns))
            return make(p, to_ns, ret_part, err);
    }
    p->ended = true;
    return more < 0 ? more : make(p, UINT64_MAX, ret_part, err);
}
