/* SPDX-License-Identifier: MIT
 * unpack.c - see unpack.h. Nothing of the input is trusted. */
#include "capture/unpack.h"

#include <stdbool.h>
#include <stdlib.h>

enum { PLACES = 3 };

struct unpacker {
    const unsigned char *at, *end;
    bool bad;
    uint64_t counter;
    uint64_t data[16][PLACES];
    uint64_t *site; /* the chunk's list; no longer than the chunk has events */
    uint32_t sites;
};

static uint64_t take(struct unpacker *u)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && u->at < u->end; shift += 7) {
        uint64_t byte = *u->at++;
        value |= (byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    u->bad = true;
    return 0;
}

static uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static uint64_t take_new_site(struct unpacker *u)
{
    uint64_t site = 0;
    if (u->end - u->at < 7) {
        u->bad = true;
        return 0;
    }
    for (int i = 0; i < 7; i++)
        site |= (uint64_t)*u->at++ << 8 * i;
    u->site[u->sites++] = site;
    return site;
}

static uint64_t take_site(struct unpacker *u, uint32_t nibble)
{
    if (nibble == 15)
        return take_new_site(u);
    uint64_t index = nibble == 14 ? take(u) : nibble;
    if (index >= u->sites)
        u->bad = true;
    return u->bad ? 0 : u->site[index];
}

static struct tac_format_record take_head(struct unpacker *u)
{
    uint32_t byte = *u->at++, type = byte & 15;
    uint64_t time = take(u), payload = 0;
    if (type != TAC_REC_ZONE_VALUE)
        time = u->counter += time;
    if (type == TAC_REC_ZONE_BEGIN || type == TAC_REC_PLOT || type == TAC_REC_MESSAGE)
        payload = take_site(u, byte >> 4);
    else if (type != TAC_REC_ZONE_END)
        payload = take(u);
    return (struct tac_format_record){time, (uint64_t)type << 56 | payload};
}

uint32_t tac_unpack(const unsigned char *bytes, size_t n, struct tac_format_record *ret_records,
                    uint32_t max)
{
    struct unpacker u = {.at = bytes, .end = bytes + n};
    uint32_t done = 0;
    u.site = malloc((n / 8 + 1) * sizeof *u.site); /* a new site takes nine bytes at least */
    while (u.site && u.at < u.end && done < max) {
        struct tac_format_record *head = &ret_records[done];
        *head = take_head(&u);
        uint32_t type = (uint32_t)(head->word >> 56) & 15, extra = tac_record_extra(head->word);
        if (u.bad || head->word >> 56 != type || extra > max - done - 1)
            break;
        for (uint32_t k = 1; k <= extra; k++) {
            uint64_t *before = &u.data[type][k <= PLACES ? k - 1 : PLACES - 1];
            head[k].counter = *before += unzigzag(take(&u));
            head[k].word = take(&u);
        }
        if (u.bad)
            break;
        done += 1 + extra;
    }
    free(u.site);
    return done;
}

static uint32_t unzigzag32(uint64_t value)
{
    return (uint32_t)(value >> 1) ^ (0 - (uint32_t)(value & 1));
}

struct kernel_state {
    uint64_t ns;
    uint32_t tid;
    uint16_t cpu;
    uint32_t half[128][4];
};

static struct tac_format_kernel take_kernel(struct unpacker *u, struct kernel_state *s)
{
    uint32_t byte = *u->at++, type = byte & 127, *half = s->half[type];
    if (byte & 128)
        s->cpu = (uint16_t)take(u);
    s->ns += unzigzag(take(u));
    s->tid += unzigzag32(take(u));
    for (int i = 0; i < 4; i++)
        half[i] += unzigzag32(take(u));
    struct tac_format_kernel e = {s->ns,
                                  (uint16_t)type,
                                  s->cpu,
                                  s->tid,
                                  (uint64_t)half[0] << 32 | half[1],
                                  (uint64_t)half[2] << 32 | half[3]};
    if (type == TAC_KERNEL_SWITCH)
        s->tid = half[0];
    return e;
}

uint32_t tac_unpack_kernel(const unsigned char *bytes, size_t n,
                           struct tac_format_kernel *ret_events, uint32_t max)
{
    struct unpacker u = {.at = bytes, .end = bytes + n};
    struct kernel_state state = {.cpu = 0xffff};
    uint32_t done = 0;
    while (u.at < u.end && done < max) {
        struct tac_format_kernel e = take_kernel(&u, &state);
        if (u.bad)
            break;
        ret_events[done++] = e;
    }
    return done;
}
