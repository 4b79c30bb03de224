/* SPDX-License-Identifier: MIT
 * define.c - the chunks that name things. Nothing in a payload is trusted: lengths come from the
 * chunk, strings end where the payload does. */
#include "capture/reader.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *tac_reader_keep(struct tac_reader *r, const char *text, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    char **slot = copy ? tac_list_add(&r->keeps, sizeof *slot) : NULL;
    if (!slot) {
        free(copy);
        r->keeps.failed = true;
        return "";
    }
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    *slot = copy;
    return copy;
}

const char *tac_reader_keep_text(struct tac_reader *r, const char *text, size_t bytes)
{
    const char *kept = tac_reader_keep(r, text, bytes);
    if (*kept)
        tac_text_clean(((char **)r->keeps.data)[r->keeps.count - 1]);
    return kept;
}

static void define_meta(struct tac_reader *r, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end ? (size_t)(end - (text + at)) : bytes - at;
        const char *equals = memchr(text + at, '=', length);
        struct tac_capture_meta *m = equals ? tac_list_add(&r->meta, sizeof *m) : NULL;
        if (m) {
            m->key = tac_reader_keep_text(r, text + at, (size_t)(equals - (text + at)));
            m->value =
                tac_reader_keep_text(r, equals + 1, length - (size_t)(equals - (text + at)) - 1);
            r->flight = r->flight || (!strcmp(m->key, "flight_s") && strcmp(m->value, "0") != 0);
        }
        at += length + 1;
    }
}

static void define_module(struct tac_reader *r, uint32_t pid, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end ? (size_t)(end - (text + at)) : bytes - at;
        struct tac_capture_module found;
        char line[4300], build_id[64], path[4097];
        size_t n = length < sizeof line ? length : sizeof line - 1;
        memcpy(line, text + at, n);
        line[n] = 0;
        if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %63s %4096[^\n]", &found.start,
                   &found.end, &found.offset, build_id, path) == 5) {
            struct tac_capture_module *m = tac_list_add(&r->modules, sizeof *m);
            found.build_id =
                strcmp(build_id, "-") ? tac_reader_keep_text(r, build_id, strlen(build_id)) : "";
            found.path = tac_reader_keep_text(r, path, strlen(path));
            found.pid = pid;
            if (m)
                *m = found;
        }
        at += length + 1;
    }
}

static void define_symbols(struct tac_reader *r, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end ? (size_t)(end - (text + at)) : bytes - at;
        char line[320], name[256];
        uint64_t address;
        size_t n = length < sizeof line ? length : sizeof line - 1;
        memcpy(line, text + at, n);
        line[n] = 0;
        if (sscanf(line, "%" SCNx64 " %255[^\n]", &address, name) == 2) {
            struct tac_capture_symbol *s = tac_list_add(&r->symbols, sizeof *s);
            if (s)
                *s = (struct tac_capture_symbol){address,
                                                 tac_reader_keep_text(r, name, strlen(name))};
        }
        at += length + 1;
    }
}

uint32_t tac_reader_site(struct tac_reader *r, uint64_t id)
{
    uint32_t number = tac_idmap_get(&r->site_of, id);
    if (number)
        return number - 1;
    struct tac_capture_site *s = tac_list_add(&r->sites, sizeof *s);
    if (!s)
        return 0;
    *s = (struct tac_capture_site){.id = id, .name = "?", .function = "", .file = "", .unit = ""};
    if (!tac_idmap_put(&r->site_of, id, (uint32_t)r->sites.count))
        r->keeps.failed = true;
    return (uint32_t)r->sites.count - 1;
}

static const char *take_string(struct tac_reader *r, const char **at, const char *end)
{
    size_t n = strnlen(*at, (size_t)(end - *at));
    const char *text = n ? tac_reader_keep_text(r, *at, n) : "";
    *at += n;
    *at += *at < end;
    return text;
}

static void define_site(struct tac_reader *r, const unsigned char *payload, size_t bytes)
{
    struct tac_format_site fixed;
    if (bytes < sizeof fixed)
        return;
    memcpy(&fixed, payload, sizeof fixed);
    uint32_t index = tac_reader_site(r, fixed.id);
    if (index >= r->sites.count)
        return;
    const char *at = (const char *)payload + sizeof fixed, *end = (const char *)payload + bytes;
    struct tac_capture_site *s = (struct tac_capture_site *)r->sites.data + index;
    s->line = fixed.line;
    s->category = fixed.category;
    s->level = fixed.level;
    s->name = take_string(r, &at, end);
    s->function = take_string(r, &at, end);
    s->file = take_string(r, &at, end);
    s->unit = take_string(r, &at, end);
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static struct tac_capture_thread *find_lane(struct tac_reader *r, uint32_t lane)
{
    struct tac_capture_thread *t = r->threads.data;
    for (size_t i = 0; i < r->threads.count; i++)
        if (t[i].lane == lane)
            return &t[i];
    return NULL;
}

uint32_t tac_reader_thread(struct tac_reader *r, uint32_t lane)
{
    struct tac_capture_thread *t = find_lane(r, lane);
    if (!t) { /* its definition was damaged: show the events all the same */
        t = tac_list_add(&r->threads, sizeof *t);
        if (!t)
            return TAC_CAPTURE_NONE;
        *t = (struct tac_capture_thread){.lane = lane, .name = "?", .end_ns = TAC_CAPTURE_OPEN};
        tac_reader_show(r);
    }
    return (uint32_t)(t - (struct tac_capture_thread *)r->threads.data);
}

/* Times are raw counters until the clock is known: see recording.c. */
static uint64_t time_of(struct tac_reader *r, uint64_t counter)
{
    return r->follows ? tac_clockmap_ns(&r->clock, counter) : counter;
}

static void define_lane(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_lane body;
    if (c->head.bytes < sizeof body)
        return;
    memcpy(&body, c->payload, sizeof body);
    struct tac_capture_thread *t = find_lane(r, body.lane);
    if (!t) {
        t = tac_list_add(&r->threads, sizeof *t);
        if (!t)
            return;
        *t = (struct tac_capture_thread){.lane = body.lane,
                                         .pid = body.pid,
                                         .tid = body.tid,
                                         .capacity = body.capacity,
                                         .begin_ns = time_of(r, body.counter),
                                         .end_ns = TAC_CAPTURE_OPEN};
    }
    t->name = tac_reader_keep_text(r, body.name, strnlen(body.name, sizeof body.name));
    t->dropped = c->head.dropped > t->dropped ? c->head.dropped : t->dropped;
    t->suppressed = c->head.suppressed > t->suppressed ? c->head.suppressed : t->suppressed;
    if (c->head.kind == TAC_CHUNK_LANE_END)
        t->end_ns = time_of(r, body.counter);
}

static void define_source(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_source body;
    if (c->head.bytes < sizeof body)
        return;
    memcpy(&body, c->payload, sizeof body);
    struct tac_capture_source *s = tac_list_add(&r->sources, sizeof *s);
    if (s)
        *s = (struct tac_capture_source){
            body.id, tac_reader_keep_text(r, body.name, strnlen(body.name, sizeof body.name)),
            body.period_ns};
}

/* The last name of a thread counts. */
static void define_comm(struct tac_reader *r, const struct tac_format_comm *body)
{
    uint32_t number = tac_idmap_get(&r->comm_of, body->tid);
    struct tac_reader_comm *comm = number ? (struct tac_reader_comm *)r->comms.data + number - 1
                                          : tac_list_add(&r->comms, sizeof *comm);
    if (!comm)
        return;
    if (!number && !tac_idmap_put(&r->comm_of, body->tid, (uint32_t)r->comms.count))
        r->keeps.failed = true;
    if (*body->name)
        memcpy(comm->name, body->name, sizeof comm->name - 1);
    if (body->pid)
        comm->pid = body->pid;
}

static void define_comms(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_comm body;
    for (size_t at = 0; at + sizeof body <= c->head.bytes; at += sizeof body) {
        memcpy(&body, c->payload + at, sizeof body);
        define_comm(r, &body);
    }
}

const char *tac_capture_comm(const struct tac_capture *capture, uint32_t tid)
{
    const struct tac_reader *r = (const struct tac_reader *)(const void *)capture;
    if (!tid)
        return "idle";
    for (size_t i = 0; i < capture->threads_count; i++)
        if (capture->threads[i].tid == tid)
            return capture->threads[i].name;
    uint32_t number = tac_idmap_get(&r->comm_of, tid);
    const struct tac_reader_comm *comm =
        number ? (const struct tac_reader_comm *)r->comms.data + number - 1 : NULL;
    return comm && *comm->name ? comm->name : NULL;
}

uint32_t tac_capture_pid_of(const struct tac_capture *capture, uint32_t tid)
{
    const struct tac_reader *r = (const struct tac_reader *)(const void *)capture;
    for (size_t i = 0; i < capture->threads_count; i++)
        if (capture->threads[i].tid == tid)
            return 0;
    uint32_t number = tac_idmap_get(&r->comm_of, tid);
    uint32_t pid = number ? ((const struct tac_reader_comm *)r->comms.data)[number - 1].pid : 0;
    return pid && capture->threads_count && capture->threads[0].pid == pid ? 0 : pid;
}

static void define_pairs(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_clock body;
    for (size_t at = 0; at + sizeof body <= c->head.bytes; at += sizeof body) {
        memcpy(&body, c->payload + at, sizeof body);
        struct tac_format_clock *pair = r->follows ? NULL : tac_list_add(&r->pairs, sizeof *pair);
        if (r->follows)
            tac_clockmap_push(&r->clock, &body);
        else if (pair)
            *pair = body;
    }
}

static void define_end(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_end body;
    if (c->head.bytes < sizeof body)
        return;
    memcpy(&body, c->payload, sizeof body);
    r->pub.unregistered = body.unregistered;
    r->pub.problems &= ~(uint32_t)TAC_CAPTURE_NOT_CLOSED;
}

void tac_reader_define(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    switch (c->head.kind) {
    case TAC_CHUNK_META:
        define_meta(r, (const char *)c->payload, c->head.bytes);
        break;
    case TAC_CHUNK_CLOCK:
        define_pairs(r, c);
        break;
    case TAC_CHUNK_SITE:
        define_site(r, c->payload, c->head.bytes);
        break;
    case TAC_CHUNK_LANE:
    case TAC_CHUNK_LANE_END:
        define_lane(r, c);
        break;
    case TAC_CHUNK_SOURCE:
        define_source(r, c);
        break;
    case TAC_CHUNK_COMM:
        define_comms(r, c);
        break;
    case TAC_CHUNK_MODULE:
        define_module(r, c->head.id, (const char *)c->payload, c->head.bytes);
        break;
    case TAC_CHUNK_SYMBOLS:
        define_symbols(r, (const char *)c->payload, c->head.bytes);
        break;
    case TAC_CHUNK_END:
        define_end(r, c);
        break;
    default: /* events, or a kind of a later version: not for here */
        break;
    }
}
