/* SPDX-License-Identifier: MIT
 * outlet.c - see outlet.h.
 *
 * The flight ring holds entries {u64 time, chunk}, byte by byte around the end, oldest at `first`.
 * A new entry pushes out as many old ones as it needs room, and those past the span. */
#include "capture/outlet.h"

#include "base/clock.h"
#include "base/crc.h"
#include "capture/export.h"
#include "capture/misses.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FLIGHT_BYTES = 16 << 20 };

struct tac_outlet {
    struct tac_outlet_config config;
    pthread_mutex_t lock;
    int fd; /* -1: export */
    struct tac_export *export;
    struct tac_zip *zip;
    struct tac_misses misses;
    struct tac_outlet_stats stats;
    int error;
    uint64_t first_pair_ns;
    /* flight recorder */
    unsigned char *ring, *entry;
    size_t first, used, entry_room;
    uint64_t keep_until_ns;
};

static int open_target(struct tac_outlet *o, struct tac_error *err)
{
    const char *path = o->config.path;
    const struct tac_export_format *format = tac_export_for(path);
    o->fd = -1;
    if (format)
        return tac_export_open(format, path, NULL, err, &o->export);
    o->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (o->fd >= 0)
        return 0;
    int error = -errno;
    return tac_error_set(err, error, path, 0, 0, "cannot be written: %s",
                         tac_error_sentence(error));
}

int tac_outlet_open(const struct tac_outlet_config *config, struct tac_error *err,
                    struct tac_outlet **ret_outlet)
{
    struct tac_outlet *o = calloc(1, sizeof *o);
    if (o) {
        o->config = *config;
        o->config.flight_bytes = config->flight_bytes ? config->flight_bytes : FLIGHT_BYTES;
        o->zip = tac_zip_new();
        o->ring = config->flight_s ? malloc(o->config.flight_bytes) : NULL;
    }
    if (!o || !o->zip || (config->flight_s && !o->ring)) {
        if (o)
            tac_zip_free(o->zip);
        free(o);
        return tac_error_set(err, -ENOMEM, config->path, 0, 0, "not enough memory");
    }
    int error = open_target(o, err);
    if (error) {
        tac_zip_free(o->zip);
        free(o->ring);
        free(o);
        return error;
    }
    pthread_mutex_init(&o->lock, NULL);
    *ret_outlet = o;
    return 0;
}

/* ---- the end of the way ---- */

/* All of a chunk, or nothing of it. */
static int write_chunk(struct tac_outlet *o, const struct tac_format_chunk *head,
                       const void *payload)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)head, sizeof *head},
                           {(void *)(uintptr_t)payload, head->bytes}};
    size_t total = sizeof *head + head->bytes, done = 0;
    while (done < total) {
        ssize_t n = writev(o->fd, iov, 2);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int error = n < 0 ? -errno : -ENOSPC;
            if (done && !ftruncate(o->fd, (off_t)o->stats.bytes))
                lseek(o->fd, (off_t)o->stats.bytes, SEEK_SET);
            return error;
        }
        done += (size_t)n;
        size_t first = (size_t)n < iov[0].iov_len ? (size_t)n : iov[0].iov_len;
        iov[0].iov_base = (char *)iov[0].iov_base + first;
        iov[0].iov_len -= first;
        iov[1].iov_base = (char *)iov[1].iov_base + ((size_t)n - first);
        iov[1].iov_len -= (size_t)n - first;
    }
    o->stats.bytes += total;
    return 0;
}

/* Compress what is not yet and gains by it. */
static int write_zipped(struct tac_outlet *o, const struct tac_format_chunk *head,
                        const void *payload)
{
    const void *zipped;
    size_t n = head->flags & TAC_CHUNK_ZSTD || head->bytes < 64
                   ? 0
                   : tac_zip_in(o->zip, payload, head->bytes, &zipped);
    if (!n)
        return write_chunk(o, head, payload);
    struct tac_format_chunk packed = *head;
    packed.flags |= TAC_CHUNK_ZSTD;
    packed.bytes = (uint32_t)n;
    packed.crc = 0;
    packed.crc = tac_crc32c(tac_crc32c(0, &packed, sizeof packed), zipped, n);
    return write_chunk(o, &packed, zipped);
}

static void finish_chunk(struct tac_outlet *o, const struct tac_format_chunk *head,
                         const void *payload)
{
    if (o->error)
        return;
    if (o->config.bytes_max && o->stats.bytes >= o->config.bytes_max &&
        tac_chunk_is_events(head->kind)) {
        o->stats.left_out++;
        return;
    }
    if (o->export) {
        o->error = tac_export_chunk(o->export, head, payload);
        o->stats.bytes = tac_export_bytes(o->export);
    } else {
        o->error = write_zipped(o, head, payload);
    }
}

/* ---- flight recorder ---- */

static void ring_in(struct tac_outlet *o, const void *bytes, size_t n)
{
    size_t size = o->config.flight_bytes, at = (o->first + o->used) % size;
    size_t head = n < size - at ? n : size - at;
    memcpy(o->ring + at, bytes, head);
    memcpy(o->ring, (const char *)bytes + head, n - head);
    o->used += n;
}

static void ring_peek(const struct tac_outlet *o, size_t skip, void *bytes, size_t n)
{
    size_t size = o->config.flight_bytes, at = (o->first + skip) % size;
    size_t head = n < size - at ? n : size - at;
    memcpy(bytes, o->ring + at, head);
    memcpy((char *)bytes + head, o->ring, n - head);
}

static void ring_skip(struct tac_outlet *o, size_t n)
{
    o->first = (o->first + n) % o->config.flight_bytes;
    o->used -= n;
}

static size_t oldest(const struct tac_outlet *o, uint64_t *ret_ns, struct tac_format_chunk *head)
{
    ring_peek(o, 0, ret_ns, sizeof *ret_ns);
    ring_peek(o, sizeof *ret_ns, head, sizeof *head);
    return sizeof *ret_ns + sizeof *head + head->bytes;
}

static void wait_in_ring(struct tac_outlet *o, const struct tac_format_chunk *head,
                         const void *payload, uint64_t now)
{
    size_t need = sizeof now + sizeof *head + head->bytes;
    uint64_t span = (uint64_t)o->config.flight_s * TAC_NS_PER_S, ns;
    struct tac_format_chunk old;
    if (need > o->config.flight_bytes)
        return;
    while (o->used) {
        size_t bytes = oldest(o, &ns, &old);
        if (o->config.flight_bytes - o->used >= need && ns + span >= now)
            break;
        ring_skip(o, bytes);
    }
    ring_in(o, &now, sizeof now);
    ring_in(o, head, sizeof *head);
    ring_in(o, payload, head->bytes);
}

static void keep(struct tac_outlet *o, uint64_t now)
{
    uint64_t ns;
    struct tac_format_chunk head;
    if (!o->ring)
        return;
    o->stats.kept += now > o->keep_until_ns;
    o->keep_until_ns = now + (uint64_t)o->config.flight_s * TAC_NS_PER_S;
    while (o->used && !o->error) {
        size_t bytes = oldest(o, &ns, &head);
        if (!o->entry || head.bytes > o->entry_room) {
            size_t room = head.bytes > 65536 ? head.bytes : 65536;
            unsigned char *grown = realloc(o->entry, room);
            if (!grown) {
                o->error = -ENOMEM;
                return;
            }
            o->entry = grown;
            o->entry_room = room;
        }
        ring_peek(o, sizeof ns + sizeof head, o->entry, head.bytes);
        ring_skip(o, bytes);
        finish_chunk(o, &head, o->entry);
    }
}

static bool waits(struct tac_outlet *o, const struct tac_format_chunk *head, const void *payload)
{
    if (!o->ring)
        return false;
    if (head->kind == TAC_CHUNK_CLOCK && head->bytes >= sizeof(struct tac_format_clock))
        return !tac_clock_is_early(&o->first_pair_ns, payload);
    return tac_chunk_is_evidence(head->kind);
}

static void put(struct tac_outlet *o, const struct tac_format_chunk *head, const void *payload)
{
    uint64_t now = o->ring ? tac_clock_ns() : 0;
    uint32_t missed = o->ring ? tac_misses_in(&o->misses, head, payload) : 0;
    o->stats.chunks++;
    o->stats.misses += missed;
    if (missed && o->config.on_miss)
        keep(o, now);
    if (waits(o, head, payload) && now > o->keep_until_ns)
        wait_in_ring(o, head, payload, now);
    else
        finish_chunk(o, head, payload);
}

static void put_meta(struct tac_outlet *o, const char *key, const char *value)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s=%s\n", key, value);
    n = n < (int)sizeof line ? n : (int)sizeof line - 1;
    struct tac_format_chunk head = {
        .magic = TAC_FORMAT_MAGIC, .kind = TAC_CHUNK_META, .bytes = (uint32_t)n, .count = 1};
    head.crc = tac_crc32c(tac_crc32c(0, &head, sizeof head), line, (size_t)n);
    put(o, &head, line);
}

int tac_outlet_put(struct tac_outlet *o, const struct tac_format_chunk *head, const void *payload)
{
    pthread_mutex_lock(&o->lock);
    bool begins = !o->stats.chunks;
    if (begins &&
        (head->kind != TAC_CHUNK_META || head->bytes < 7 || memcmp(payload, "format=", 7)))
        put_meta(o, "format", "1"); /* the first chunk tells what this is */
    put(o, head, payload);
    if (begins && o->ring) { /* so that a reader does not take what was thrown away for damage */
        char text[16];
        snprintf(text, sizeof text, "%u", o->config.flight_s);
        put_meta(o, "flight_s", text);
    }
    int error = o->error;
    pthread_mutex_unlock(&o->lock);
    return error;
}

int tac_outlet_meta(struct tac_outlet *o, const char *key, const char *value)
{
    pthread_mutex_lock(&o->lock);
    put_meta(o, key, value);
    int error = o->error;
    pthread_mutex_unlock(&o->lock);
    return error;
}

void tac_outlet_keep(struct tac_outlet *o)
{
    pthread_mutex_lock(&o->lock);
    keep(o, tac_clock_ns());
    pthread_mutex_unlock(&o->lock);
}

struct tac_outlet_stats tac_outlet_stats(struct tac_outlet *o)
{
    pthread_mutex_lock(&o->lock);
    struct tac_outlet_stats stats = o->stats;
    pthread_mutex_unlock(&o->lock);
    return stats;
}

int tac_outlet_close(struct tac_outlet *o, struct tac_error *err)
{
    if (!o)
        return 0;
    int error = o->error;
    if (o->export) {
        int closed = tac_export_close(o->export, err);
        error = error ? error : closed;
    } else if (close(o->fd) && !error) {
        error = -errno;
    }
    struct stat st;
    if (!o->stats.chunks && !stat(o->config.path, &st) && S_ISREG(st.st_mode))
        unlink(o->config.path);
    if (error)
        tac_error_set(err, error, o->config.path, 0, 0, "cannot be written: %s",
                      tac_error_sentence(error));
    pthread_mutex_destroy(&o->lock);
    tac_misses_fini(&o->misses);
    tac_zip_free(o->zip);
    free(o->ring);
    free(o->entry);
    free(o);
    return error;
}
