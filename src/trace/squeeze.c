/* SPDX-License-Identifier: MIT
 * squeeze.c - see squeeze.h.
 *
 * The place in the stream (struct place) is followed byte by byte, by the same code on both sides.
 * A place that misunderstands what it reads costs bytes and no correctness. */
#include "trace/squeeze.h"

#include "trace/format.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum region { IN_HEAD, IN_OTHER, AT_EVENT, IN_TIME, IN_FIELD };
enum field { NEW_SITE, SITE, PAYLOAD, DATA };

enum {
    CONTEXTS = 4096,
    RATE = 5,
    HEAD_BYTES = sizeof(struct tac_format_chunk),
    INDEX_MAX = 15,
    SITE_BYTES = 7
};

struct place {
    enum region region;
    unsigned char head[HEAD_BYTES];
    uint32_t at;   /* in the header */
    uint32_t left; /* bytes of the payload */
    unsigned char last, event;
    uint32_t index; /* byte in the number */
    uint32_t field, fields;
    uint64_t value;
};

struct tac_squeeze {
    struct place place;
    int16_t chance[CONTEXTS][256]; /* of a 1, less a half, in 65536ths; by the bits before it */
};

struct tac_squeeze *tac_squeeze_new(void)
{
    return calloc(1, sizeof(struct tac_squeeze));
}

void tac_squeeze_free(struct tac_squeeze *squeeze)
{
    free(squeeze);
}

/* ---- where in the stream ---- */

static uint32_t at_most(uint32_t value, uint32_t most)
{
    return value < most ? value : most;
}

static uint32_t context(const struct place *p)
{
    uint32_t type = p->event & 15u;
    switch (p->region) {
    case IN_HEAD:
        return p->at;
    case IN_OTHER:
        return 256u | p->last;
    case AT_EVENT:
        return 512u | p->event;
    case IN_TIME:
        return 1024u | at_most(p->index, 3) << 8 | p->event;
    default:
        return 2048u | type << 7 | at_most(p->field, 7) << 4 | at_most(p->index, INDEX_MAX);
    }
}

static void begin_field(struct place *p, enum region region, uint32_t field)
{
    p->region = region;
    p->field = field;
    p->index = 0;
    p->value = 0;
}

/* The time has ended: pack.h says what comes next. */
static void follow_time(struct place *p)
{
    uint32_t type = p->event & 15u, nibble = p->event >> 4u;
    bool names_site = type == TAC_REC_ZONE_BEGIN || type == TAC_REC_PLOT || type == TAC_REC_MESSAGE;
    p->fields = 2 * (names_site ? tac_record_extra((uint64_t)type << 56) : 0);
    if (names_site && nibble >= 14)
        begin_field(p, IN_FIELD, nibble == 15 ? NEW_SITE : SITE);
    else if (names_site && p->fields)
        begin_field(p, IN_FIELD, DATA);
    else if (names_site || type == TAC_REC_ZONE_END)
        p->region = AT_EVENT;
    else
        begin_field(p, IN_FIELD, PAYLOAD);
}

static void follow_field(struct place *p)
{
    if (p->field == PAYLOAD)
        p->fields = 2 * tac_record_extra((uint64_t)(p->event & 15u) << 56 | p->value);
    else if (p->field >= DATA)
        p->fields--;
    if (p->fields)
        begin_field(p, IN_FIELD, p->field < DATA ? DATA : p->field + 1);
    else
        p->region = AT_EVENT;
}

static void step_number(struct place *p, unsigned char byte)
{
    bool ends =
        p->field == NEW_SITE && p->region == IN_FIELD ? p->index + 1 == SITE_BYTES : byte < 128;
    if (p->index < 8)
        p->value |= (uint64_t)(byte & 127) << 7 * p->index;
    p->index = at_most(p->index + 1, INDEX_MAX);
    if (ends && p->region == IN_TIME)
        follow_time(p);
    else if (ends)
        follow_field(p);
}

static void step_head(struct place *p, unsigned char byte)
{
    struct tac_format_chunk head;
    p->head[p->at++] = byte;
    if (p->at < HEAD_BYTES)
        return;
    memcpy(&head, p->head, sizeof head);
    p->at = p->last = p->event = 0;
    p->left = head.bytes;
    if (p->left)
        p->region =
            head.kind == TAC_CHUNK_RECORDS && head.flags == TAC_CHUNK_PACKED ? AT_EVENT : IN_OTHER;
}

static void step(struct place *p, unsigned char byte)
{
    if (p->region == IN_HEAD) {
        step_head(p, byte);
        return;
    }
    p->last = byte;
    if (p->region == AT_EVENT) {
        p->event = byte;
        begin_field(p, IN_TIME, 0);
    } else if (p->region != IN_OTHER) {
        step_number(p, byte);
    }
    if (--p->left == 0)
        p->region = IN_HEAD;
}

/* ---- the coder ----
 * What was coded is a number of which only the leading digits are known; it lies in [low, high],
 * of which equal leading bytes are done. */

struct coder {
    uint32_t low, high;
};

static uint32_t split(const struct coder *c, int16_t chance)
{
    uint32_t one = (uint32_t)(chance + 32768);
    return c->low + (uint32_t)((uint64_t)(c->high - c->low) * one >> 16);
}

static bool has_byte(const struct coder *c)
{
    return !((c->low ^ c->high) >> 24);
}

static void drop_byte(struct coder *c)
{
    c->low <<= 8;
    c->high = c->high << 8 | 255;
}

static void narrow(struct coder *c, uint32_t middle, uint32_t bit, int16_t *chance)
{
    if (bit) {
        c->high = middle;
        *chance = (int16_t)(*chance + ((32767 - *chance) >> RATE));
    } else {
        c->low = middle + 1;
        *chance = (int16_t)(*chance - ((*chance + 32768) >> RATE));
    }
}

size_t tac_squeeze_in(struct tac_squeeze *s, const unsigned char *plain, size_t n,
                      unsigned char *ret_bytes)
{
    struct coder c = {0, UINT32_MAX};
    unsigned char *to = ret_bytes;
    for (size_t i = 0; i < n; i++) {
        int16_t *chance = s->chance[context(&s->place)];
        uint32_t node = 1;
        for (int k = 7; k >= 0; k--) {
            uint32_t bit = plain[i] >> k & 1u;
            narrow(&c, split(&c, chance[node]), bit, &chance[node]);
            node = node << 1 | bit;
            for (; has_byte(&c); drop_byte(&c))
                *to++ = (unsigned char)(c.high >> 24);
        }
        step(&s->place, plain[i]);
    }
    if (c.low || to == ret_bytes) /* zeros follow for who reads: one byte more tells all */
        *to++ = (unsigned char)(c.high >> 24);
    return (size_t)(to - ret_bytes);
}

void tac_squeeze_pass(struct tac_squeeze *s, const unsigned char *plain, size_t n)
{
    for (size_t i = 0; i < n; i++)
        step(&s->place, plain[i]);
}

void tac_squeeze_out(struct tac_squeeze *s, const unsigned char *bytes, size_t size,
                     unsigned char *ret_plain, size_t n)
{
    struct coder c = {0, UINT32_MAX};
    uint32_t code = 0;
    size_t at = 0;
    for (; at < 4; at++)
        code = code << 8 | (at < size ? bytes[at] : 0);
    for (size_t i = 0; i < n; i++) {
        int16_t *chance = s->chance[context(&s->place)];
        uint32_t node = 1;
        while (node < 256) {
            uint32_t middle = split(&c, chance[node]), bit = code <= middle;
            narrow(&c, middle, bit, &chance[node]);
            node = node << 1 | bit;
            for (; has_byte(&c); drop_byte(&c), at++)
                code = code << 8 | (at < size ? bytes[at] : 0);
        }
        ret_plain[i] = (unsigned char)node;
        step(&s->place, ret_plain[i]);
    }
}
