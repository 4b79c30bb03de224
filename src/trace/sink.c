/* SPDX-License-Identifier: MIT
 * sink.c - chunks to a descriptor, see sink.h.
 *
 * The flight ring holds entries {u64 time, u32 bytes, chunk}, byte by byte around the end, oldest
 * at `first`. A new entry pushes out as many old ones as it needs room, and those past the span. */
#include "trace/sink.h"

#include "base/clock.h"
#include "base/crc.h"
#include "trace/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ENTRY_HEAD = 12 };

int tac_sink_init(struct tac_sink *sink, int fd, uint64_t span_ns, size_t flight_bytes)
{
    *sink = (struct tac_sink){.fd = fd, .span_ns = span_ns};
    if (!span_ns)
        return 0;
    sink->size = flight_bytes ? flight_bytes : (size_t)16 << 20;
    sink->ring = malloc(sink->size);
    return sink->ring ? 0 : -ENOMEM;
}

void tac_sink_fini(struct tac_sink *sink)
{
    free(sink->ring);
    sink->ring = NULL;
}

/* Wait until a non-blocking descriptor takes more; false after a second without progress. */
static bool wait_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 1000) > 0;
}

static void write_all(struct tac_sink *sink, struct iovec *iov, int count)
{
    while (count && !sink->error) {
        ssize_t n = writev(sink->fd, iov, count);
        if (n < 0 && errno == EAGAIN && wait_writable(sink->fd))
            continue;
        if (n < 0 && errno != EINTR)
            sink->error = -errno;
        if (n <= 0)
            continue;
        sink->bytes += (uint64_t)n;
        while (count && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count) {
            iov->iov_base = (char *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
}

/* A whole chunk in at most two pieces. */
static bool give(struct tac_sink *sink, const struct tac_format_chunk *head, struct iovec *iov,
                 int count)
{
    if (!sink->stream) {
        write_all(sink, iov, count);
        return true;
    }
    bool taken = tac_wire_put(sink->stream, head, iov, count);
    for (int i = 0; taken && i < count; i++)
        sink->bytes += iov[i].iov_len;
    return taken;
}

static void ring_in(struct tac_sink *sink, const void *bytes, size_t n)
{
    size_t at = (sink->first + sink->used) % sink->size;
    size_t head = n < sink->size - at ? n : sink->size - at;
    memcpy(sink->ring + at, bytes, head);
    memcpy(sink->ring, (const char *)bytes + head, n - head);
    sink->used += n;
}

static void ring_peek(const struct tac_sink *sink, void *bytes, size_t n)
{
    size_t head = n < sink->size - sink->first ? n : sink->size - sink->first;
    memcpy(bytes, sink->ring + sink->first, head);
    memcpy((char *)bytes + head, sink->ring, n - head);
}

static void ring_skip(struct tac_sink *sink, size_t n)
{
    sink->first = (sink->first + n) % sink->size;
    sink->used -= n;
}

static uint64_t oldest(const struct tac_sink *sink, uint32_t *ret_bytes)
{
    unsigned char head[ENTRY_HEAD];
    uint64_t ns;
    ring_peek(sink, head, sizeof head);
    memcpy(&ns, head, 8);
    memcpy(ret_bytes, head + 8, 4);
    return ns;
}

static void keep_entry(struct tac_sink *sink, const struct tac_format_chunk *head,
                       const void *payload, uint32_t bytes)
{
    uint64_t now = tac_clock_ns();
    uint32_t total = (uint32_t)sizeof *head + bytes, old;
    if ((size_t)total + ENTRY_HEAD > sink->size)
        return;
    while (sink->used && (sink->size - sink->used < (size_t)total + ENTRY_HEAD ||
                          oldest(sink, &old) + sink->span_ns < now)) {
        oldest(sink, &old);
        ring_skip(sink, (size_t)ENTRY_HEAD + old);
    }
    ring_in(sink, &now, 8);
    ring_in(sink, &total, 4);
    ring_in(sink, head, sizeof *head);
    ring_in(sink, payload, bytes);
}

/* Whether the flight recorder keeps a chunk back. Clock pairs wait among the events that they date,
 * but for the first and the last, which are written whatever happens. */
static bool waits(struct tac_sink *sink, const struct tac_format_chunk *head, const void *payload)
{
    if (tac_chunk_is_evidence(head->kind))
        return true;
    return head->kind == TAC_CHUNK_CLOCK && !sink->stream && !sink->ends &&
           !tac_clock_is_early(&sink->first_pair_ns, payload);
}

bool tac_sink_put(struct tac_sink *sink, struct tac_format_chunk *head, const void *payload,
                  uint32_t bytes)
{
    head->magic = TAC_FORMAT_MAGIC;
    head->bytes = bytes;
    head->crc = 0;
    head->crc = tac_crc32c(tac_crc32c(0, head, sizeof *head), payload, bytes);
    bool back = sink->ring && waits(sink, head, payload);
    if (back && tac_clock_ns() > sink->keep_until_ns) {
        keep_entry(sink, head, payload, bytes);
        return true;
    }
    if (back && !tac_sink_go_on(sink))
        return false; /* older ones come first */
    struct iovec iov[2] = {{head, sizeof *head}, {(void *)(uintptr_t)payload, bytes}};
    return give(sink, head, iov, bytes ? 2 : 1);
}

/* The oldest entry goes on its way; false when it has to wait. */
static bool give_oldest(struct tac_sink *sink)
{
    unsigned char both[ENTRY_HEAD + sizeof(struct tac_format_chunk)];
    struct tac_format_chunk head;
    uint32_t bytes;
    oldest(sink, &bytes);
    ring_peek(sink, both, sizeof both);
    memcpy(&head, both + ENTRY_HEAD, sizeof head);
    size_t at = (sink->first + ENTRY_HEAD) % sink->size;
    size_t first = bytes < sink->size - at ? bytes : sink->size - at;
    struct iovec iov[2] = {{sink->ring + at, first}, {sink->ring, bytes - first}};
    if (!give(sink, &head, iov, bytes > first ? 2 : 1))
        return false;
    ring_skip(sink, (size_t)ENTRY_HEAD + bytes);
    return true;
}

bool tac_sink_go_on(struct tac_sink *sink)
{
    bool keeps = sink->ring && tac_clock_ns() <= sink->keep_until_ns;
    while (keeps && sink->used)
        if (!give_oldest(sink))
            return false;
    return true;
}

void tac_sink_keep(struct tac_sink *sink, uint64_t now_ns)
{
    if (!sink->ring)
        return;
    sink->keep_until_ns = now_ns + sink->span_ns;
    (void)tac_sink_go_on(sink);
}
