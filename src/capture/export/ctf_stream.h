/* SPDX-License-Identifier: MIT
 * ctf_stream.h - the streams of a Common Trace Format trace, and their packets: numbers in little
 * endian and zero-ended strings, aligned to bytes.
 *
 * An event is begun, and its fields are put behind that; a packet that has no room for another is
 * written to the file of its stream. Threads: one. Source: diamon.org/ctf, version 1.8.3. */
#ifndef TAC_CAPTURE_EXPORT_CTF_STREAM_H
#define TAC_CAPTURE_EXPORT_CTF_STREAM_H

#include "capture/events.h"
#include "capture/export/export_names.h"
#include "capture/idmap.h"
#include "capture/list.h"

#include <stdbool.h>
#include <string.h>

/* A second stream of a thread, with what the kernel tells of it: it comes in chunks of its own, not
 * in order with the thread's events. */
#define TAC_CTF_OF_KERNEL 0x80000000u
enum {
    TAC_CTF_PACKET_BYTES = 16384,
    TAC_CTF_CONTEXT_BYTES = 8 + 5 * 8 + 2 * 4,
    TAC_CTF_EVENT_MAX = 1024
};
enum { TAC_CTF_STREAM_THREAD, TAC_CTF_STREAM_CPU };

struct tac_ctf_stream {
    uint32_t number; /* thread index or CPU */
    int id;
    uint64_t begin_ns, last_ns, discarded, packets;
    uint32_t zones, names[2]; /* pid and tid, or CPU */
    size_t n;
    unsigned char bytes[TAC_CTF_PACKET_BYTES];
};

struct tac_ctf {
    const struct tac_capture *c;
    char *path;
    int folder;
    struct tac_idmap place;  /* id << 32 | number -> index + 1 */
    struct tac_list streams; /* struct tac_ctf_stream * */
    struct tac_frames frames;
    uint64_t packets, bytes; /* written */
    int error;
};

static inline void tac_ctf_put(struct tac_ctf_stream *s, const void *bytes, size_t n)
{
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
}

static inline void tac_ctf_put8(struct tac_ctf_stream *s, uint64_t value)
{
    s->bytes[s->n++] = (unsigned char)value;
}

static inline void tac_ctf_put16(struct tac_ctf_stream *s, uint64_t value)
{
    tac_ctf_put8(s, value);
    tac_ctf_put8(s, value >> 8);
}

static inline void tac_ctf_put32(struct tac_ctf_stream *s, uint64_t value)
{
    tac_ctf_put16(s, value);
    tac_ctf_put16(s, value >> 16);
}

static inline void tac_ctf_put64(struct tac_ctf_stream *s, uint64_t value)
{
    tac_ctf_put32(s, value);
    tac_ctf_put32(s, value >> 32);
}

static inline void tac_ctf_put_string(struct tac_ctf_stream *s, const char *text)
{
    size_t n = strlen(text);
    tac_ctf_put(s, text, n < 255 ? n : 255);
    tac_ctf_put8(s, 0);
}

static inline bool tac_ctf_is_empty(const struct tac_ctf_stream *s)
{
    return s->n == TAC_CTF_CONTEXT_BYTES;
}

/* The stream of a thread or CPU, made when it is asked for first. NULL: out of memory, o->error
 * says so. */
struct tac_ctf_stream *tac_ctf_stream_of(struct tac_ctf *o, int id, uint32_t number);

/* Begin an event; there is room for TAC_CTF_EVENT_MAX bytes. Times within a stream never go back.
 */
void tac_ctf_event_begin(struct tac_ctf *o, struct tac_ctf_stream *s, int id, uint64_t ns);

/* What is in the packet goes to the file; failures stay in o->error. */
void tac_ctf_write_packet(struct tac_ctf *o, struct tac_ctf_stream *s);

#endif
