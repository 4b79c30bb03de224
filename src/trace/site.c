/* SPDX-License-Identifier: MIT
 * site.c - sites made at run time, and the safe reading of any site. See site.h. */
#include "trace/site.h"

#include "tactus/trace.h"
#include "trace/format.h"
#include "trace/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int tac_site_table_init(struct tac_site_table *table)
{
    table->count = 0;
    table->slot = calloc(2u * TAC_SITES_MAX, sizeof *table->slot);
    return table->slot ? 0 : -ENOMEM;
}

void tac_site_table_fini(struct tac_site_table *table)
{
    free(table->slot);
    *table = (struct tac_site_table){0};
}

void tac_site_table_clear(struct tac_site_table *table)
{
    memset(table->slot, 0, 2 * TAC_SITES_MAX * sizeof *table->slot);
    table->count = 0;
}

bool tac_site_table_add(struct tac_site_table *table, uint64_t address)
{
    const uint32_t mask = 2u * TAC_SITES_MAX - 1;
    /* Fibonacci hashing: Knuth, The Art of Computer Programming, vol. 3, 6.4 */
    uint32_t i = (uint32_t)((address >> 3) * 0x9e3779b97f4a7c15ull >> 40) & mask;
    while (table->slot[i] && table->slot[i] != address)
        i = (i + 1) & mask;
    if (table->slot[i] || table->count == TAC_SITES_MAX)
        return false;
    table->slot[i] = address;
    table->count++;
    return true;
}

/* Up to n bytes from an address of this process; how many could be read. */
static size_t peek(uint64_t address, void *to, size_t n)
{
    struct iovec local = {to, n};
    struct iovec remote = {(void *)(uintptr_t)address, n};
    ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (got < 0 && (errno == ENOSYS || errno == EPERM)) {
        /* a sandbox without the call: trust the pointer, sites are static by contract */
        memcpy(to, (const void *)(uintptr_t)address, n);
        return n;
    }
    return got < 0 ? 0 : (size_t)got;
}

/* A string of at most 254 bytes, read piece by piece so that the end of a mapping is no harm. */
static uint32_t peek_string(const char *address, char *to)
{
    uint32_t n = 0;
    while (address && n < 254) {
        uintptr_t at = (uintptr_t)address + n;
        size_t piece = 64 - at % 64; /* never across a page */
        piece = piece > 254 - n ? 254 - n : piece;
        size_t got = peek(at, to + n, piece);
        size_t length = strnlen(to + n, got);
        n += (uint32_t)length;
        if (length < piece)
            break;
    }
    to[n] = 0;
    return n + 1;
}

uint32_t tac_site_resolve(uint64_t address, unsigned char *ret_payload)
{
    struct tac_trace_site site = {.name = "?"};
    char *to = (char *)ret_payload + sizeof(struct tac_format_site);
    if (peek(address, &site, sizeof site) != sizeof site)
        site = (struct tac_trace_site){.name = "?"};
    struct tac_format_site fixed = {address, site.line, site.category, site.level, {0, 0}};
    memcpy(ret_payload, &fixed, sizeof fixed);
    to += peek_string(site.name, to);
    to += peek_string(site.function, to);
    to += peek_string(site.file, to);
    to += peek_string(site.unit, to);
    return (uint32_t)(to - (char *)ret_payload);
}

/* ---- sites made at run time, found again by a hash of their names --------------------------- */

struct made {
    struct tac_trace_site site;
    struct made *next;
    char text[];
};

enum { BUCKETS = 4096 };

static struct made *bucket[BUCKETS]; /* under the control mutex, as is the count */
static uint32_t made_count;

/* FNV-1a: Fowler, Noll, Vo */
static uint32_t bucket_of(const char *name, uint32_t category)
{
    uint32_t hash = 2166136261u ^ category;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (hash ^ hash >> 16) % BUCKETS;
}

static struct made *make(const char *name, uint32_t category, const char *unit)
{
    size_t name_bytes = strlen(name) + 1, unit_bytes = strlen(unit) + 1;
    struct made *m = calloc(1, sizeof *m + name_bytes + unit_bytes);
    if (!m)
        return NULL;
    memcpy(m->text, name, name_bytes);
    memcpy(m->text + name_bytes, unit, unit_bytes);
    m->site = (struct tac_trace_site){
        .name = m->text, .unit = m->text + name_bytes, .category = (uint8_t)category, .level = 1};
    return m;
}

const struct tac_trace_site *tac_trace_site_new(const char *name, uint32_t category,
                                                const char *unit)
{
    if (!name || category >= TAC_CAT_MAX)
        return NULL;
    unit = unit ? unit : "";
    struct made **link = &bucket[bucket_of(name, category)], *m;
    tac_control_lock();
    for (m = *link; m; m = m->next)
        if (m->site.category == category && !strcmp(m->site.name, name) &&
            !strcmp(m->site.unit, unit))
            break;
    if (!m && made_count < TAC_SITES_MAX && (m = make(name, category, unit))) {
        m->next = *link;
        *link = m;
        made_count++;
    }
    tac_control_unlock();
    return m ? &m->site : NULL;
}
