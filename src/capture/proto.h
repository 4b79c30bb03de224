/* SPDX-License-Identifier: MIT
 * proto.h - writes protocol-buffer messages into a byte buffer of fixed size.
 *
 * Nested messages get a length of five bytes that is filled in at their end (a varint may be
 * padded: protobuf.dev, "Encoding"), so that nothing is moved. Strings are cut to 255 bytes. */
#ifndef TAC_CAPTURE_PROTO_H
#define TAC_CAPTURE_PROTO_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TAC_PROTO_BYTES = 49152 };

struct tac_proto {
    size_t n;
    unsigned char
        bytes[TAC_PROTO_BYTES]; /* our largest packet is far below; what is beyond is cut */
};

static inline void tac_proto_varint(struct tac_proto *p, uint64_t value)
{
    do {
        if (p->n < TAC_PROTO_BYTES)
            p->bytes[p->n++] = (unsigned char)((value & 127) | (value > 127 ? 128 : 0));
        value >>= 7;
    } while (value);
}

static inline void tac_proto_uint(struct tac_proto *p, uint32_t field, uint64_t value)
{
    tac_proto_varint(p, (uint64_t)field << 3);
    tac_proto_varint(p, value);
}

static inline void tac_proto_raw(struct tac_proto *p, const void *bytes, size_t n)
{
    n = n < TAC_PROTO_BYTES - p->n ? n : TAC_PROTO_BYTES - p->n;
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}

static inline void tac_proto_fixed64(struct tac_proto *p, uint32_t field, uint64_t value)
{
    tac_proto_varint(p, (uint64_t)field << 3 | 1);
    tac_proto_raw(p, &value, sizeof value);
}

static inline void tac_proto_double(struct tac_proto *p, uint32_t field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    tac_proto_fixed64(p, field, bits);
}

static inline void tac_proto_bytes(struct tac_proto *p, uint32_t field, const void *bytes, size_t n)
{
    tac_proto_varint(p, (uint64_t)field << 3 | 2);
    tac_proto_varint(p, n);
    tac_proto_raw(p, bytes, n);
}

static inline void tac_proto_string(struct tac_proto *p, uint32_t field, const char *text)
{
    size_t n = strlen(text);
    tac_proto_bytes(p, field, text, n < 255 ? n : 255);
}

/* Returns what tac_proto_end wants. */
static inline size_t tac_proto_begin(struct tac_proto *p, uint32_t field)
{
    tac_proto_varint(p, (uint64_t)field << 3 | 2);
    size_t at = p->n;
    tac_proto_raw(p, "\x80\x80\x80\x80\0", 5);
    return at;
}

static inline void tac_proto_end(struct tac_proto *p, size_t at)
{
    if (at + 5 > p->n)
        return;
    size_t length = p->n - at - 5;
    for (int i = 0; i < 4; i++)
        p->bytes[at + (size_t)i] = (unsigned char)((length >> 7 * i & 127) | 128);
    p->bytes[at + 4] = (unsigned char)(length >> 28);
}

#endif
