/* SPDX-License-Identifier: MIT
 * pool.c - objects of one size from one piece of memory.
 *
 * Free objects form a stack of indexes beside the objects, so an object's bytes are its holder's
 * alone. Each object has a generation that counts gets and puts: odd while in use, so that a second
 * put and an old handle are seen. Shared mode is R. K. Treiber's stack with the head's upper half
 * as a counter against ABA; a lost race is tried again TRIES times. Threads: see pool.h. Cost:
 * constant. */
#include "tactus/pool.h"

#include "base/bits.h"
#include "base/check.h"
#include "mem/heap.h"

#include <errno.h>
#include <string.h>

enum { TRIES = 8, NONE = 0, COUNT_MAX = (1 << 24) - 1 };

struct tac_pool {
    alignas(TAC_LINE_BYTES) _Atomic uint64_t head; /* counter << 32 | index + 1 */
    _Atomic uint32_t used, used_peak;
    _Atomic uint64_t failures, steals;
    struct tac_pool_config config;
    size_t stride;
    char *objects;
    _Atomic uint32_t *next; /* index + 1 */
    _Atomic uint32_t *generation;
    struct tac_pool *sibling;
};

/* All pools, for statistics; changed by control threads under a flag. */
static struct tac_pool *all_pools;
static atomic_flag all_busy = ATOMIC_FLAG_INIT;

static void all_lock(void)
{
    while (atomic_flag_test_and_set(&all_busy))
        continue;
}

static void all_unlock(void)
{
    atomic_flag_clear(&all_busy);
}

static void fill(struct tac_pool *pool)
{
    for (unsigned i = 0; i < pool->config.count; i++)
        atomic_init(&pool->next[i], i + 1 < pool->config.count ? i + 2 : NONE);
    atomic_init(&pool->head, 1);
}

int tac_pool_new(const struct tac_pool_config *config, struct tac_pool **ret_pool)
{
    if (!config->object_bytes || !config->count || config->count > COUNT_MAX ||
        (config->steal && config->mode == TAC_POOL_SHARED))
        return -EINVAL;
    size_t count = config->count, objects, total;
    size_t tables = tac_align_up(2 * count * sizeof(uint32_t), TAC_LINE_BYTES);
    if (config->object_bytes > PTRDIFF_MAX - TAC_LINE_BYTES)
        return -ENOMEM;
    size_t stride = tac_align_up(config->object_bytes, TAC_LINE_BYTES);
    if (__builtin_mul_overflow(stride, count, &objects) ||
        __builtin_add_overflow(objects, tables + sizeof(struct tac_pool), &total))
        return -ENOMEM;
    struct tac_pool *pool = tac_heap_aligned_alloc(TAC_LINE_BYTES, total);
    if (!pool)
        return -ENOMEM;
    memset(pool, 0, total);
    pool->config = *config;
    pool->stride = stride;
    pool->objects = (char *)(pool + 1);
    pool->next = (_Atomic uint32_t *)(void *)(pool->objects + objects);
    pool->generation = pool->next + count;
    fill(pool);
    all_lock();
    pool->sibling = all_pools;
    all_pools = pool;
    all_unlock();
    *ret_pool = pool;
    return 0;
}

void tac_pool_free(struct tac_pool *pool)
{
    if (!pool)
        return;
    all_lock();
    struct tac_pool **link = &all_pools;
    while (*link != pool)
        link = &(*link)->sibling;
    *link = pool->sibling;
    all_unlock();
    tac_heap_free(pool);
}

void *tac_pool_at(const struct tac_pool *pool, unsigned index)
{
    return index < pool->config.count ? pool->objects + pool->stride * index : NULL;
}

long tac_pool_index(const struct tac_pool *pool, const void *object)
{
    size_t offset = (size_t)((const char *)object - pool->objects);
    if ((uintptr_t)object < (uintptr_t)pool->objects || offset % pool->stride ||
        offset / pool->stride >= pool->config.count)
        return -1;
    return (long)(offset / pool->stride);
}

/* ---- the stack of free indexes ---- */

static uint64_t head_with(uint64_t before, uint32_t entry)
{
    return ((before >> 32) + 1) << 32 | entry;
}

/* index + 1, NONE when the pool is empty or too many races were lost. */
static uint32_t stack_pop(struct tac_pool *pool)
{
    uint64_t head = atomic_load(&pool->head);
    for (int tries = 0; tries < TRIES && (uint32_t)head; tries++) {
        uint32_t entry = (uint32_t)head;
        uint64_t after = head_with(head, atomic_load(&pool->next[entry - 1]));
        if (pool->config.mode == TAC_POOL_OWNER) {
            atomic_store_explicit(&pool->head, after, memory_order_relaxed);
            return entry;
        }
        if (atomic_compare_exchange_strong(&pool->head, &head, after))
            return entry;
    }
    return NONE;
}

static bool stack_push(struct tac_pool *pool, uint32_t entry)
{
    uint64_t head = atomic_load(&pool->head);
    for (int tries = 0; tries < TRIES; tries++) {
        atomic_store_explicit(&pool->next[entry - 1], (uint32_t)head, memory_order_relaxed);
        uint64_t after = head_with(head, entry);
        if (pool->config.mode == TAC_POOL_OWNER) {
            atomic_store_explicit(&pool->head, after, memory_order_relaxed);
            return true;
        }
        if (atomic_compare_exchange_strong(&pool->head, &head, after))
            return true;
    }
    return false;
}

/* ---- get and put ---- */

/* Owner mode needs no atomic addition: nobody else writes. */
static void add32(const struct tac_pool *pool, _Atomic uint32_t *counter, uint32_t n)
{
    if (pool->config.mode == TAC_POOL_SHARED)
        atomic_fetch_add(counter, n);
    else
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

static void note_get(struct tac_pool *pool)
{
    add32(pool, &pool->used, 1);
    uint32_t used = atomic_load_explicit(&pool->used, memory_order_relaxed);
    if (used > atomic_load_explicit(&pool->used_peak, memory_order_relaxed))
        atomic_store_explicit(&pool->used_peak, used, memory_order_relaxed);
}

/* Take an object from its holder: two generations on, so that it is in use and its handle is new.
 */
static void *steal(struct tac_pool *pool)
{
    long index = pool->config.steal ? pool->config.steal(pool->config.user) : -1;
    bool good =
        index >= 0 && index < (long)pool->config.count && atomic_load(&pool->generation[index]) & 1;
    if (!good) {
        atomic_fetch_add_explicit(&pool->failures, 1, memory_order_relaxed);
        return NULL;
    }
    atomic_fetch_add(&pool->generation[index], 2);
    atomic_fetch_add_explicit(&pool->steals, 1, memory_order_relaxed);
    return tac_pool_at(pool, (unsigned)index);
}

void *tac_pool_get(struct tac_pool *pool)
{
    uint32_t entry = stack_pop(pool);
    if (TAC_UNLIKELY(entry == NONE))
        return steal(pool);
    add32(pool, &pool->generation[entry - 1], 1);
    note_get(pool);
    return pool->objects + pool->stride * (entry - 1);
}

/* Even generation: not in use. In shared mode two puts of one object race for the same change. */
static bool leave(struct tac_pool *pool, long index)
{
    uint32_t generation = atomic_load(&pool->generation[index]);
    return generation & 1 &&
           atomic_compare_exchange_strong(&pool->generation[index], &generation, generation + 1);
}

int tac_pool_put(struct tac_pool *pool, void *object)
{
    long index = tac_pool_index(pool, object);
    if (index < 0)
        return -EINVAL;
    if (!leave(pool, index))
        return -EALREADY;
    if (!stack_push(pool, (uint32_t)index + 1)) {
        atomic_fetch_sub(&pool->generation[index], 1);
        return -EAGAIN;
    }
    add32(pool, &pool->used, (uint32_t)-1);
    return 0;
}

tac_pool_handle tac_pool_handle_of(const struct tac_pool *pool, const void *object)
{
    long index = tac_pool_index(pool, object);
    uint32_t generation = index < 0 ? 0 : atomic_load(&pool->generation[index]);
    return generation & 1 ? (uint64_t)generation << 32 | ((uint32_t)index + 1) : 0;
}

void *tac_pool_at_handle(const struct tac_pool *pool, tac_pool_handle handle)
{
    uint32_t entry = (uint32_t)handle;
    if (!entry || entry > pool->config.count ||
        atomic_load(&pool->generation[entry - 1]) != handle >> 32)
        return NULL;
    return tac_pool_at(pool, entry - 1);
}

void tac_pool_stats_get(const struct tac_pool *pool, struct tac_pool_stats *ret_stats)
{
    uint64_t puts_and_gets = 0;
    for (unsigned i = 0; i < pool->config.count; i++)
        puts_and_gets += (atomic_load_explicit(&pool->generation[i], memory_order_relaxed) + 1) / 2;
    *ret_stats = (struct tac_pool_stats){
        .name = pool->config.name,
        .object_bytes = pool->config.object_bytes,
        .count = pool->config.count,
        .used = atomic_load(&pool->used),
        .used_peak = atomic_load(&pool->used_peak),
        .gets = puts_and_gets,
        .failures = atomic_load(&pool->failures),
        .steals = atomic_load(&pool->steals),
    };
}

void tac_pool_each(void (*visit)(const struct tac_pool_stats *stats, void *user), void *user)
{
    all_lock();
    for (const struct tac_pool *pool = all_pools; pool; pool = pool->sibling) {
        struct tac_pool_stats stats;
        tac_pool_stats_get(pool, &stats);
        visit(&stats, user);
    }
    all_unlock();
}
