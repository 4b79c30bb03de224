/* SPDX-License-Identifier: MIT
 * pack.c - see pack.h. The list of sites is searched by a small direct-mapped table; a site that it
 * has lost is listed again, which costs bytes and no correctness. */
#include "trace/pack.h"

#include <stdbool.h>
#include <string.h>

enum { SLOTS = 256, PLACES = 3 };

struct packer {
    unsigned char *to;
    uint64_t counter;
    uint64_t data[16][PLACES];
    uint64_t site[SLOTS];
    uint32_t index[SLOTS], sites;
};

static unsigned char *put_varint(unsigned char *to, uint64_t value)
{
    while (value > 127) {
        *to++ = (unsigned char)(value | 128);
        value >>= 7;
    }
    *to++ = (unsigned char)value;
    return to;
}

static void put(struct packer *p, uint64_t value)
{
    p->to = put_varint(p->to, value);
}

static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static bool names_site(uint32_t type)
{
    return type == TAC_REC_ZONE_BEGIN || type == TAC_REC_PLOT || type == TAC_REC_MESSAGE;
}

static void put_time(struct packer *p, uint32_t type, uint64_t counter)
{
    if (type == TAC_REC_ZONE_VALUE) {
        put(p, counter);
        return;
    }
    put(p, counter - p->counter);
    p->counter = counter;
}

static void put_site_event(struct packer *p, uint32_t type, uint64_t counter, uint64_t site)
{
    uint32_t slot = (uint32_t)(site * 0x9e3779b97f4a7c15ull >> 56);
    bool known = p->sites && p->site[slot] == site && p->index[slot] < p->sites;
    uint32_t nibble = !known ? 15 : p->index[slot] < 14 ? p->index[slot] : 14;
    *p->to++ = (unsigned char)(type | nibble << 4);
    put_time(p, type, counter);
    if (!known) {
        p->site[slot] = site;
        p->index[slot] = p->sites++;
        for (int i = 0; i < 7; i++)
            *p->to++ = (unsigned char)(site >> 8 * i);
    } else if (nibble == 14) {
        put(p, p->index[slot]);
    }
}

static void put_head(struct packer *p, const struct tac_format_record *r)
{
    uint32_t type = (uint32_t)(r->word >> 56) & 15;
    uint64_t payload = r->word & 0x00ffffffffffffffull;
    if (names_site(type)) {
        put_site_event(p, type, r->counter, payload);
        return;
    }
    *p->to++ = (unsigned char)type;
    put_time(p, type, r->counter);
    if (type != TAC_REC_ZONE_END)
        put(p, payload);
}

uint32_t tac_pack(const struct tac_format_record *records, uint32_t n, unsigned char *ret_bytes)
{
    struct packer p = {.to = ret_bytes};
    for (uint32_t i = 0; i < n;) {
        const struct tac_format_record *head = &records[i];
        uint32_t type = (uint32_t)(head->word >> 56) & 15, extra = tac_record_extra(head->word);
        put_head(&p, head);
        for (uint32_t k = 1; k <= extra && i + k < n; k++) {
            uint64_t *before = &p.data[type][k <= PLACES ? k - 1 : PLACES - 1];
            put(&p, zigzag(head[k].counter - *before));
            put(&p, head[k].word);
            *before = head[k].counter;
        }
        i += 1 + extra;
    }
    return (uint32_t)(p.to - ret_bytes);
}

/* ---- kernel events ----------------------------------------------------------------------------
 */

struct kernel_packer {
    unsigned char *to;
    uint64_t ns;
    uint32_t tid;
    uint16_t cpu;
    uint32_t half[TAC_KERNEL_TYPES][4];
};

static uint32_t zigzag32(uint32_t difference)
{
    return difference << 1 ^ (uint32_t)((int32_t)difference >> 31);
}

static void put_kernel(struct kernel_packer *p, const struct tac_format_kernel *e)
{
    const uint32_t half[4] = {(uint32_t)(e->a >> 32), (uint32_t)e->a, (uint32_t)(e->b >> 32),
                              (uint32_t)e->b};
    uint32_t type = e->type < TAC_KERNEL_TYPES ? e->type : 0;
    *p->to++ = (unsigned char)(type | (e->cpu != p->cpu ? 128 : 0));
    if (e->cpu != p->cpu)
        p->to = put_varint(p->to, e->cpu);
    p->to = put_varint(p->to, zigzag(e->ns - p->ns));
    p->to = put_varint(p->to, zigzag32(e->tid - p->tid));
    for (int i = 0; i < 4; i++) {
        p->to = put_varint(p->to, zigzag32(half[i] - p->half[type][i]));
        p->half[type][i] = half[i];
    }
    p->cpu = e->cpu;
    p->ns = e->ns;
    p->tid = type == TAC_KERNEL_SWITCH ? half[0] : e->tid;
}

uint32_t tac_pack_kernel(const struct tac_format_kernel *events, uint32_t n,
                         unsigned char *ret_bytes)
{
    struct kernel_packer p = {.to = ret_bytes, .cpu = 0xffff};
    for (uint32_t i = 0; i < n; i++)
        put_kernel(&p, &events[i]);
    return (uint32_t)(p.to - ret_bytes);
}
