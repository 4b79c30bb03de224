/* SPDX-License-Identifier: MIT
 * sizing.c - writes the record of a run; see sizing.h.
 *
 * The recorder is a set of hooks. Which site a block came from stands in a table beside the arena,
 * two bytes for each 16, which is reserved and populated on touch like the arena itself. */
#include "mem/sizing.h"

#include "mem/heap.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GRAIN_SHIFT = 4, PROBES = 64 };

static struct tac_sizing *record;
static _Atomic uint16_t *site_of; /* by 16 bytes of the arena; 1 + index of the site */

/* A forked child goes on without; its hooks are there but silent. */
static bool is_mine(void)
{
    return record && record->pid == (uint64_t)getpid();
}

static void raise_to(_Atomic uint64_t *what, uint64_t value)
{
    uint64_t before = atomic_load_explicit(what, memory_order_relaxed);
    while (before < value && !atomic_compare_exchange_weak(what, &before, value))
        continue;
}

/* Index of the entry, made if new; -1 when there is no room. */
static long find_site(uint64_t key)
{
    uint64_t i = key * 0x9e3779b97f4a7c15u >> 40;
    for (unsigned probe = 0; probe < PROBES; probe++) {
        struct tac_sizing_site *s = &record->site[(i + probe) % TAC_SIZING_SITES];
        uint64_t there = atomic_load(&s->key);
        if (there == 0 && atomic_compare_exchange_strong(&s->key, &there, key))
            there = key;
        if (there == key)
            return (long)((i + probe) % TAC_SIZING_SITES);
    }
    return -1;
}

static _Atomic uint16_t *site_slot(const void *block)
{
    return &site_of[((uintptr_t)block - tac_mem.base) >> GRAIN_SHIFT];
}

/* What such a block may keep from others: within a MiB it is looked for where it fits whatever the
 * alignment leaves before it, and where that is more than half nothing such lies beside it; beyond,
 * it is what is between its end and the next multiple. */
static size_t gap_units(const void *block, size_t alignment)
{
    struct tac_place place = tac_place_of(block);
    size_t bytes = tac_place_bytes(&place), align = alignment >> TAC_UNIT_SHIFT;
    size_t n = bytes >> TAC_UNIT_SHIFT, needed = n + align - 1;
    if (n < TAC_CHUNK_UNITS && align < TAC_CHUNK_UNITS)
        return (needed > TAC_CHUNK_UNITS / 2 ? TAC_CHUNK_UNITS : needed) - n;
    size_t gap = tac_align_up(n, align) - n;
    return gap < UINT16_MAX ? gap : UINT16_MAX;
}

/* The number stands behind the block's site, which one of whole units has room for. */
static void count_gap(const void *block, size_t units)
{
    if (((uintptr_t)block & (TAC_UNIT_BYTES - 1)) || !tac_place_of(block).large)
        return;
    _Atomic uint16_t *slot = site_slot(block) + 1;
    uint64_t added = (units - (uint64_t)atomic_exchange(slot, (uint16_t)units)) * TAC_UNIT_BYTES;
    if (added)
        raise_to(&record->gap_peak_bytes, atomic_fetch_add(&record->gap_bytes, added) + added);
}

void tac_sizing_note_aligned(const void *block, size_t alignment)
{
    if (alignment <= TAC_UNIT_BYTES || !is_mine())
        return;
    raise_to(&record->alignment_bytes, alignment);
    count_gap(block, gap_units(block, alignment));
}

static void note_alloc(void *block, size_t bytes, const void *site)
{
    if (!is_mine())
        return;
    raise_to(&record->taken_peak_bytes, atomic_load(&tac_mem.peak_units) * TAC_UNIT_BYTES);
    raise_to(&record->largest_bytes, bytes);
    count_gap(block, 0);
    raise_to(&record->threads_peak, (uint64_t)(tac_thread.heap ? tac_thread.heap->index + 1 : 0));
    atomic_store(site_slot(block), 0);
    if (bytes > TAC_SIZING_BYTES_MAX)
        return;
    long i = find_site((uint64_t)bytes << 48 | ((uintptr_t)site & UINT64_MAX >> 16));
    if (i < 0) {
        atomic_fetch_add(&record->sites_lost, 1);
        return;
    }
    atomic_store(site_slot(block), (uint16_t)(i + 1));
    struct tac_sizing_site *s = &record->site[i];
    atomic_fetch_add(&s->allocations, 1);
    raise_to(&s->live_peak, atomic_fetch_add(&s->live, 1) + 1);
}

static void note_free(void *block, size_t bytes, const void *site)
{
    (void)bytes;
    (void)site;
    if (!is_mine())
        return;
    count_gap(block, 0);
    unsigned i = atomic_exchange(site_slot(block), 0);
    if (i)
        atomic_fetch_sub(&record->site[i - 1].live, 1);
}

static void note_realloc(void *old_block, void *block, size_t bytes, const void *site)
{
    note_free(old_block, 0, site);
    note_alloc(block, bytes, site);
}

void tac_sizing_note_pool(const struct tac_pool_stats *stats)
{
    uint32_t i = is_mine() ? atomic_fetch_add(&record->pools, 1) : TAC_SIZING_POOLS;
    if (i >= TAC_SIZING_POOLS)
        return;
    struct tac_sizing_pool *pool = &record->pool[i];
    snprintf(pool->name, sizeof pool->name, "%s", stats->name ? stats->name : "");
    pool->object_bytes = stats->object_bytes;
    pool->count = stats->count;
    pool->used_peak = stats->used_peak;
    pool->gets = stats->gets;
    pool->failures = stats->failures;
    pool->steals = stats->steals;
}

static void copy_maps(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    for (ssize_t got;
         fd >= 0 && (got = read(fd, record->maps + n, sizeof record->maps - 1 - n)) > 0;)
        n += (size_t)got;
    if (fd >= 0)
        close(fd);
    record->maps_bytes = (uint32_t)n;
}

static void visit_pool(const struct tac_pool_stats *stats, void *user)
{
    (void)user;
    tac_sizing_note_pool(stats);
}

__attribute__((destructor)) void tac_sizing_finish(void)
{
    if (!is_mine() || record->ended)
        return;
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    raise_to(&record->taken_peak_bytes, stats.taken_peak_bytes);
    atomic_store(&record->failures, stats.failures);
    tac_pool_each(visit_pool, NULL);
    copy_maps();
    record->ended = 1;
}

static void *map_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return MAP_FAILED;
    void *file = MAP_FAILED;
    /* emptied first: a program before this one may have become it by exec */
    if (ftruncate(fd, 0) == 0 && ftruncate(fd, sizeof(struct tac_sizing)) == 0)
        file = mmap(NULL, sizeof(struct tac_sizing), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return file;
}

void tac_sizing_begin(void)
{
    static const struct tac_heap_hooks hooks = {
        .alloc = note_alloc, .free = note_free, .realloc = note_realloc};
    char buffer[512];
    const char *path = tac_mem_environment("TACTUS_HEAP_RECORD=", buffer, sizeof buffer);
    if (!path || !*path || !tac_mem_reports_here())
        return;
    size_t arena = tac_mem.units << TAC_UNIT_SHIFT;
    void *table = mmap(NULL, (arena >> GRAIN_SHIFT) * sizeof *site_of, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    void *file = table == MAP_FAILED ? MAP_FAILED : map_file(path);
    if (file == MAP_FAILED) {
        tac_mem_say("%s: the run cannot be recorded", path);
        return;
    }
    site_of = table;
    record = file;
    memcpy(record->magic, TAC_SIZING_MAGIC, sizeof record->magic);
    record->pid = (uint64_t)getpid();
    atomic_store(&record->arena_bytes, arena);
    copy_maps();
    tac_mem.hooks = &hooks;
}
