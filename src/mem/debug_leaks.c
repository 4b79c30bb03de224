/* SPDX-License-Identifier: MIT
 * debug_leaks.c - the table of live blocks, and at exit the search for those that nothing points
 * to.
 *
 * The table is a stack of free slots (R. K. Treiber's, a counter in its upper half against ABA) and
 * a pointer a slot. The search is a conservative mark: every aligned word of every writable mapping
 * but the heap's own, and then of every block that was reached, may be a pointer to anywhere inside
 * a block. What is left is lost for good, and listed by the place that allocated it.
 * Threads: the table any; the search the one that ends the process. */
#include "mem/debug.h"

#include "mem/outside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SITES_SHOWN = 20, MAPPING_MAX_SHIFT = 30 };

struct slot {
    _Atomic(struct tac_debug_head *) head;
    _Atomic uint32_t next;
};

static _Atomic(struct slot *) table;
static _Atomic uint64_t free_top; /* counter << 32 | slot; slot 0 is none */
static _Atomic uint32_t fresh = 1;

static struct slot *slots(void)
{
    struct slot *t = atomic_load(&table), *none = NULL;
    if (t)
        return t;
    const size_t bytes = TAC_DEBUG_LIVE_MAX * sizeof *t;
    t = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
             0);
    if (t == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(&table, &none, t))
        return t;
    munmap(t, bytes);
    return none;
}

uint32_t tac_debug_live_add(struct tac_debug_head *head)
{
    struct slot *t = slots();
    if (!t)
        return 0;
    uint64_t top = atomic_load(&free_top);
    uint32_t i;
    while ((i = (uint32_t)top)) {
        uint64_t after = ((top >> 32) + 1) << 32 | atomic_load(&t[i].next);
        if (atomic_compare_exchange_weak(&free_top, &top, after))
            break;
    }
    if (!i) {
        i = atomic_fetch_add(&fresh, 1);
        if (i >= TAC_DEBUG_LIVE_MAX) {
            atomic_store(&fresh, TAC_DEBUG_LIVE_MAX);
            return 0;
        }
    }
    atomic_store(&t[i].head, head);
    return i;
}

void tac_debug_live_remove(uint32_t i)
{
    if (!i)
        return;
    struct slot *t = slots();
    atomic_store(&t[i].head, NULL);
    uint64_t top = atomic_load(&free_top), after;
    do {
        atomic_store(&t[i].next, (uint32_t)top);
        after = ((top >> 32) + 1) << 32 | i;
    } while (!atomic_compare_exchange_weak(&free_top, &top, after));
}

/* ---- the search ---- */

struct block {
    struct tac_debug_head *head;
    size_t reached; /* 0: not */
};

struct search {
    struct block *block; /* by address */
    size_t blocks;
    size_t *todo; /* indexes of reached blocks whose content is still to be read */
    size_t todos;
    size_t memory_bytes; /* of the two lists, which are one mapping */
};

static int by_address(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    return ((uintptr_t)x->head > (uintptr_t)y->head) - ((uintptr_t)x->head < (uintptr_t)y->head);
}

static void reach(struct search *s, uintptr_t word)
{
    if (word - tac_mem.base >= tac_mem.bytes)
        return;
    size_t low = 0, high = s->blocks; /* the last block that begins at or before the word */
    while (low < high) {
        size_t half = (low + high) / 2;
        if ((uintptr_t)(s->block[half].head + 1) <= word)
            low = half + 1;
        else
            high = half;
    }
    if (!low || s->block[low - 1].reached)
        return;
    struct block *b = &s->block[low - 1];
    if (word - (uintptr_t)(b->head + 1) > b->head->bytes) /* one behind the end still counts */
        return;
    b->reached = 1;
    s->todo[s->todos++] = low - 1;
}

static void read_words(struct search *s, uintptr_t begin, uintptr_t end)
{
    for (uintptr_t at = begin; at + sizeof(uintptr_t) <= end; at += sizeof(uintptr_t))
        reach(s, *(const uintptr_t *)at); /* NOLINT: a mapping of ours */
}

/* The heap and what this search uses are no roots. The kernel joins neighbouring mappings, so this
 * is asked page by page. */
static bool is_own(const struct search *s, uintptr_t page)
{
    uintptr_t heap = (uintptr_t)tac_mem.lines - TAC_OUTSIDE_BYTES;
    return page - heap < tac_mem.base + tac_mem.bytes - heap ||
           page - (uintptr_t)atomic_load(&table) < TAC_DEBUG_LIVE_MAX * sizeof(struct slot) ||
           page - (uintptr_t)s->block < s->memory_bytes;
}

static void read_mapping(struct search *s, uintptr_t begin, uintptr_t end)
{
    for (uintptr_t page = begin; page < end; page += TAC_OUTSIDE_PAGE)
        if (!is_own(s, page))
            read_words(s, page, page + TAC_OUTSIDE_PAGE);
}

static void read_roots(struct search *s)
{
    static char line[512]; /* static: a root of its own, without pointers */
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        uint64_t begin, end;
        char mode[5], path[8] = "";
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %7s", &begin, &end, mode, path) <
                3 ||
            strncmp(mode, "rw", 2) != 0 || !strncmp(path, "/dev/", 5) ||
            (end - begin) >> MAPPING_MAX_SHIFT)
            continue;
        read_mapping(s, (uintptr_t)begin, (uintptr_t)end);
    }
    if (maps)
        fclose(maps);
}

static void read_reached(struct search *s)
{
    while (s->todos) {
        struct tac_debug_head *head = s->block[s->todo[--s->todos]].head;
        read_words(s, (uintptr_t)(head + 1), (uintptr_t)(head + 1) + head->bytes);
    }
}

static int by_site(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    if (x->reached != y->reached)
        return x->reached ? 1 : -1;
    return ((uintptr_t)x->head->alloc_site > (uintptr_t)y->head->alloc_site) -
           ((uintptr_t)x->head->alloc_site < (uintptr_t)y->head->alloc_site);
}

/* Lost blocks stand first, those of one place together. */
static void report(struct search *s)
{
    size_t shown = 0, bytes = 0, lost = 0;
    char site[160];
    qsort(s->block, s->blocks, sizeof *s->block, by_site);
    for (; lost < s->blocks && !s->block[lost].reached; lost++)
        bytes += s->block[lost].head->bytes;
    if (!lost)
        return;
    tac_mem_say("heap: %zu bytes in %zu blocks are lost: nothing points to them any more", bytes,
                lost);
    for (size_t i = 0, next; i < lost; i = next) {
        bytes = 0;
        for (next = i;
             next < lost && s->block[next].head->alloc_site == s->block[i].head->alloc_site; next++)
            bytes += s->block[next].head->bytes;
        if (shown++ < SITES_SHOWN)
            tac_mem_say("  %zu bytes in %zu blocks, allocated at %s", bytes, next - i,
                        tac_debug_site(s->block[i].head->alloc_site, site, sizeof site));
    }
    if (shown > SITES_SHOWN)
        tac_mem_say("  and %zu more places", shown - SITES_SHOWN);
}

void tac_debug_leaks(void (*check)(struct tac_debug_head *head))
{
    struct slot *t = slots();
    uint32_t used = atomic_load(&fresh);
    used = used < TAC_DEBUG_LIVE_MAX ? used : TAC_DEBUG_LIVE_MAX;
    if (!t)
        return;
    size_t room = used * (sizeof(struct block) + sizeof(size_t));
    struct search s = {.memory_bytes = room};
    void *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    s.block = memory;
    s.todo = (size_t *)(void *)(s.block + used);
    for (uint32_t i = 1; i < used; i++) {
        struct tac_debug_head *head = atomic_load(&t[i].head);
        if (!head)
            continue;
        check(head);
        s.block[s.blocks++] = (struct block){head, 0};
    }
    qsort(s.block, s.blocks, sizeof *s.block, by_address);
    read_roots(&s);
    read_reached(&s);
    report(&s);
    munmap(memory, room);
}
