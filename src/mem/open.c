/* SPDX-License-Identifier: MIT
 * open.c - the heap comes into being: one mapping for tables and arena, populated and locked as
 * configured.
 *
 * Runs once, at the first call of the process or in tac_heap_open(). A thread that comes second
 * waits; this is before anything is real-time. When address space is short (RLIMIT_AS, overcommit)
 * a reservation is halved until it fits; a size that somebody asked for is not. */
#include "mem/heap.h"
#include "mem/memcheck.h"
#include "mem/outside.h"
#include "mem/sizing.h"

#include "base/bits.h"
#include "base/region.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

struct tac_mem tac_mem;

enum { CLOSED, OPENING, OPEN, FAILED };
static _Atomic int state;

#define MIB ((size_t)1 << 20)
#define ARENA_ALIGN ((size_t)1 << (TAC_UNIT_SHIFT + 6)) /* a word of the span layer's level 0 */
#define RESERVATION_STEP (64 * MIB)                     /* a word of the span layer's level 1 */
#define ARENA_MIN (4 * MIB)
#define HUGE_FROM MIB                  /* of a heap that is not populated */
#define HUGE_PAGE 4096                 /* with small pages of that size huge ones have 2 MiB */
#define CLOSED_BYTES ((size_t)1 << 16) /* the largest page that a kernel may have */

static uint64_t machine_bytes(void)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 1024 * (uint64_t)MIB;
}

/* What a reservation without a size takes: as much as the machine has, half of what RLIMIT_AS lets
 * this process have. */
static size_t reservation_bytes(void)
{
    struct rlimit limit;
    uint64_t bytes = machine_bytes();
    uint64_t most = sizeof(void *) == 4 ? 768 * (uint64_t)MIB : 64 * 1024 * (uint64_t)MIB;
    bytes = bytes > most ? most : bytes;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur / 2 < bytes)
        bytes = limit.rlim_cur / 2;
    if (bytes > RESERVATION_STEP) /* else the odd end would be used first, as the tightest fit */
        bytes -= bytes % RESERVATION_STEP;
    return (size_t)bytes;
}

struct tac_mem_layout tac_mem_lay_out(size_t arena, unsigned threads)
{
    struct tac_mem_layout l = {.arena = tac_align_up(arena, ARENA_ALIGN), .threads = threads};
    l.lines = l.arena >> TAC_UNIT_SHIFT << TAC_SLAB_SHIFT;
    l.remotes = 3 * l.lines;
    l.spans = tac_align_up(tac_spans_table_bytes(l.arena >> TAC_UNIT_SHIFT), TAC_LINE_BYTES);
    l.heaps = threads * sizeof(struct tac_heap);
    l.tables = l.lines + l.remotes + l.spans + l.heaps;
    l.total = TAC_OUTSIDE_BYTES + l.tables + l.arena + 2 * ARENA_ALIGN;
    return l;
}

/* Mapped without access and then opened, so that a process under mlockall(MCL_FUTURE) does not
 * populate all of it here. The first pages stay closed, see outside.h; so does what follows. */
static char *map(const struct tac_mem_layout *l)
{
    size_t total = l->total + 2 * CLOSED_BYTES;
    char *base = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    munlock(base, total);
    if (mprotect(base + CLOSED_BYTES, l->total, PROT_READ | PROT_WRITE) == 0)
        return base + CLOSED_BYTES;
    munmap(base, total);
    return NULL;
}

static char *map_some(const struct tac_heap_config *config, struct tac_mem_layout *ret_layout)
{
    size_t bytes = config->size_bytes;
    if (config->full == TAC_HEAP_FULL_GROW || !bytes) {
        size_t most = reservation_bytes();
        bytes = bytes > most ? bytes : most;
    }
    size_t least = config->size_bytes ? config->size_bytes : ARENA_MIN;
    for (; bytes >= least; bytes = bytes / 2 < least && bytes > least ? least : bytes / 2) {
        *ret_layout = tac_mem_lay_out(bytes, config->threads ? config->threads : 1024);
        char *base = map(ret_layout);
        if (base)
            return base;
    }
    return NULL;
}

/* The block for readers outside first, then tables, the arena at the next chunk edge: an odd one,
 * so that its huge pages begin at its second chunk. */
void tac_mem_place(char *base, const struct tac_mem_layout *l)
{
    char *lines = base + TAC_OUTSIDE_BYTES;
    tac_mem.lines = lines;
    tac_mem.remotes = lines + l->lines;
    char *spans = tac_mem.remotes + l->remotes;
    tac_mem.heaps = (struct tac_heap *)(void *)(spans + l->spans);
    tac_mem.threads = l->threads;
    tac_mem.units = l->arena >> TAC_UNIT_SHIFT;
    tac_mem.base = tac_align_up((uintptr_t)lines + l->tables, ARENA_ALIGN) | ARENA_ALIGN;
    tac_spans_init(&tac_mem.spans, tac_mem.units, spans);
}

static bool lock_range(char *base, size_t bytes)
{
    return mlock(base, bytes) == 0;
}

static void *arena_at(size_t offset)
{
    return (void *)(tac_mem.base + offset); /* NOLINT: base is the arena */
}

/* For what is populated on touch: huge pages everywhere or nowhere, if that was said. Else a heap
 * of one MiB (and the tables) has small ones, also where the kernel gives huge ones unasked, and
 * what a program needs beyond has huge ones; unless a size was given for real-time work, since the
 * first touch of one takes as long as it takes to clear 2 MiB, or one has 32 or 512 MiB, as those
 * of arm64 have beside small ones of 16 and 64 KiB: then all have small ones. */
static void choose_lazy_pages(const struct tac_heap_config *config, char *base, size_t populated)
{
    size_t arena = tac_mem.units << TAC_UNIT_SHIFT, from = arena;
    if (config->huge > 0) { /* with the end of the tables, which shares one with the first MiB */
        char *before = (char *)arena_at(0) - ARENA_ALIGN;
        before = before > base ? before : base;
        madvise(before, (size_t)((char *)arena_at(arena) - before), MADV_HUGEPAGE);
    }
    if (config->huge >= 0)
        return;
    if (!config->size_bytes && sysconf(_SC_PAGESIZE) == HUGE_PAGE)
        from = tac_align_up(populated > HUGE_FROM ? populated : HUGE_FROM, ARENA_ALIGN);
    from = from < arena ? from : arena;
    madvise(base, (size_t)((char *)arena_at(from) - base), MADV_NOHUGEPAGE);
    if (from < arena)
        madvise(arena_at(from), arena - from, MADV_HUGEPAGE);
}

/* Touch and lock the tables, the first part of the arena, and our own code. Huge pages, unless they
 * are not wanted; where the kernel had none it must not put some in later, as it would take the
 * small ones away from a running program for that. */
static int populate_first(const struct tac_heap_config *config, char *base, size_t first)
{
    size_t bytes = (size_t)((char *)arena_at(first) - base);
    int r = 0;
    if (config->huge)
        madvise(base, bytes, MADV_HUGEPAGE);
    if (config->lock != TAC_HEAP_LOCK_NO && lock_range(base, bytes))
        tac_mem.locked_bytes = first;
    else
        r = config->lock == TAC_HEAP_LOCK_YES ? -TAC_E_MEMLOCK : 0;
    if (!tac_mem.locked_bytes)
        tac_region_touch(base, bytes);
    if (config->huge < 0)
        madvise(base, bytes, MADV_NOHUGEPAGE);
    tac_mem_image_populate(tac_mem.locked_bytes);
    tac_mem.populated_bytes = first;
    return r;
}

/* To be populated at start, as far as the arena goes. */
static size_t first_bytes(const struct tac_heap_config *config)
{
    return config->populate_bytes == SIZE_MAX ? config->size_bytes : config->populate_bytes;
}

static int populate(const struct tac_heap_config *config, char *base)
{
    size_t arena = tac_mem.units << TAC_UNIT_SHIFT, first = first_bytes(config);
    first = first > arena ? arena : first;
    tac_mem.lazy = first < arena;
    if (tac_mem.lazy)
        choose_lazy_pages(config, base, first);
    return first ? populate_first(config, base, first) : 0;
}

/* At most half: an arena of which other threads may have nothing refuses their every call. */
static void keep_reserve(const struct tac_heap_config *config)
{
    size_t units = config->reserve_bytes >> TAC_UNIT_SHIFT, half = tac_mem.units / 2;
    if (config->full == TAC_HEAP_FULL_RESERVE && !config->reserve_bytes)
        units = tac_mem.units / 8;
    tac_mem.reserve_units = units < half ? units : half;
}

/* More than the machine has, filled at start, would not fail here: the kernel would end some
 * process for it. */
static bool is_too_much(const struct tac_heap_config *config)
{
    uint64_t first = first_bytes(config);
    bool grows = config->full == TAC_HEAP_FULL_GROW || !config->size_bytes;
    if (!grows && first > config->size_bytes)
        first = config->size_bytes;
    return first > machine_bytes();
}

static int open_now(const struct tac_heap_config *config)
{
    struct tac_mem_layout l;
    if (is_too_much(config))
        return -ENOMEM;
    char *base = map_some(config, &l);
    int r = base ? tac_thread_key_init() : -ENOMEM;
    if (r)
        return r;
    tac_mem_place(base, &l);
    tac_outside_init(l.tables);
    if (config->outside)
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    r = populate(config, base);
    keep_reserve(config);
    tac_helper_configure(config->ahead_bytes);
    if (config->low_bytes)
        tac_heap_low_water_set(config->low_bytes, NULL, NULL);
#ifndef TAC_MEM_DEBUG /* which reports in any case */
    if (config->stats_exit)
#endif
        tac_mem_report_at_exit(config->stats_exit);
    tac_sizing_begin();
    tac_memcheck_begin();
    /* from here on the heap is open; pairs with the acquire load of a thread's first call */
    __atomic_store_n(&tac_mem.bytes, l.arena, __ATOMIC_RELEASE);
    return r;
}

static bool is_good(const struct tac_heap_config *config)
{
    return config->size_bytes <= TAC_ARENA_MAX && config->threads <= TAC_HEAP_THREADS_MAX &&
           (unsigned)config->lock <= TAC_HEAP_LOCK_YES &&
           (unsigned)config->full <= TAC_HEAP_FULL_RESERVE;
}

int tac_heap_open(const struct tac_heap_config *config)
{
    int expected = CLOSED;
    if (!is_good(config))
        return -EINVAL;
    if (!atomic_compare_exchange_strong(&state, &expected, OPENING)) {
        while (atomic_load(&state) == OPENING)
            sched_yield();
        return -EALREADY;
    }
    int r = open_now(config);
    atomic_store(&state, tac_mem.bytes ? OPEN : FAILED);
    if (tac_mem.bytes)
        tac_thread_heap(); /* which is not real-time yet, so its first call need not be short */
    return r;
}

/* What was asked for and is not, of a heap that is open. */
static void say_what_is_not(const struct tac_heap_config *config)
{
    size_t reserve = tac_mem.reserve_units * TAC_UNIT_BYTES;
    if (config->lock == TAC_HEAP_LOCK_YES && !tac_mem.locked_bytes)
        tac_mem_say("TACTUS_HEAP: lock=yes locks what is populated at start, which is nothing "
                    "without size= or populate=");
    if (config->reserve_bytes >= reserve + TAC_UNIT_BYTES)
        tac_mem_say("TACTUS_HEAP: the reserve is half of the arena, %zu MiB, since more would "
                    "leave too little to other threads",
                    reserve / MIB);
}

bool tac_mem_open_default(void)
{
    if (atomic_load(&state) == FAILED)
        return false;
    struct tac_heap_config config;
    tac_heap_config_environment(&config);
    int r = tac_heap_open(&config);
    if (r == -TAC_E_MEMLOCK)
        tac_mem_say("cannot lock %zu MiB of memory, going on unlocked; raise the limit "
                    "(ulimit -l, or memlock in /etc/security/limits.conf)",
                    config.size_bytes / MIB);
    else if (r < 0 && r != -EALREADY)
        tac_mem_say("cannot map %zu MiB for the heap (the machine has %zu): no allocation will "
                    "succeed; make size= smaller or raise ulimit -v",
                    (config.size_bytes ? config.size_bytes : ARENA_MIN) / MIB,
                    (size_t)(machine_bytes() / MIB));
    else if (r == 0)
        say_what_is_not(&config);
    return atomic_load(&state) == OPEN;
}
