/* SPDX-License-Identifier: MIT
 * pool.c - objects of one size from one piece of memory.
 *
 * Free objects form a stack of indexes beside the objects, so an object's bytes are its holder's
 * alone. Each object has a generation that counts gets and puts: odd while in use, so that a second
 * put and an old handle are seen. Shared mode is R. K. Treiber's stack with the head's upper half
 * as a counter against ABA; a lost race is tried again TRIES times. A pool that steals keeps the
 * objects in use in a ring by age: next and prev of an index, entry 0 is the ring's head.
 *
 * The pool begins with what statistics show (outside.h), and stands in the heap's table of pools.
 * Threads: see pool.h. Cost: constant. */
#include "tactus/pool.h"

#include "base/bits.h"
#include "base/check.h"
#include "mem/outside.h"
#include "mem/sizing.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 8, NONE = 0, COUNT_MAX = (1 << 24) - 1 };

struct tac_pool {
    struct tac_outside_pool shown;
    alignas(TAC_LINE_BYTES) _Atomic uint64_t head; /* counter << 32 | index + 1 */
    struct tac_pool_config config;
    size_t stride;
    char *objects;
    _Atomic uint32_t *next; /* by index + 1, as all links: of the free stack, or of the age ring */
    _Atomic uint32_t *prev; /* of the age ring; NULL without steal */
    _Atomic uint32_t *generation;
};

_Static_assert(offsetof(struct tac_pool, shown) == 0, "read by other processes");

/* The table is changed by control threads under a lock, so that a visit finds every pool whole. It
 * is the number of the process whose thread has it, or 0: a forked child finds its parent's there
 * when another thread had it, which does not exist in the child. Each change is one store, so the
 * table is whole at any moment. */
static _Atomic pid_t all_holder;

static void all_lock(void)
{
    pid_t self = getpid(), holder = 0;
    while (!atomic_compare_exchange_weak(&all_holder, &holder, self))
        if (holder == self) {
            sched_yield();
            holder = 0;
        }
}

static void all_unlock(void)
{
    atomic_store(&all_holder, 0);
}

static void table_replace(struct tac_pool *from, struct tac_pool *to)
{
    all_lock();
    for (unsigned i = 0; i < TAC_OUTSIDE_POOLS; i++)
        if (atomic_load(&tac_outside()->pool[i]) == from) {
            atomic_store(&tac_outside()->pool[i], to);
            break;
        }
    all_unlock();
}

static void fill(struct tac_pool *pool)
{
    for (unsigned i = 1; i <= pool->config.count; i++)
        atomic_init(&pool->next[i], i < pool->config.count ? i + 1 : NONE);
    atomic_init(&pool->head, 1);
    struct tac_outside_pool *shown = &pool->shown;
    if (pool->config.name)
        strncpy(shown->name, pool->config.name, sizeof shown->name - 1);
    shown->object_bytes = pool->config.object_bytes;
    shown->count = pool->config.count;
    shown->is_shared = pool->config.mode == TAC_POOL_SHARED;
}

int tac_pool_new(const struct tac_pool_config *config, struct tac_pool **ret_pool)
{
    if (!config->object_bytes || !config->count || config->count > COUNT_MAX ||
        (config->steal && config->mode == TAC_POOL_SHARED))
        return -EINVAL;
    size_t count = config->count, links = count + 1, objects, total;
    size_t tables = tac_align_up(3 * links * sizeof(uint32_t), TAC_LINE_BYTES);
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
    pool->generation = pool->next + links;
    pool->prev = config->steal ? pool->generation + links : NULL;
    fill(pool);
    table_replace(NULL, pool);
    *ret_pool = pool;
    return 0;
}

void tac_pool_free(struct tac_pool *pool)
{
    if (!pool)
        return;
    table_replace(pool, NULL);
    struct tac_pool_stats stats;
    tac_pool_stats_get(pool, &stats);
    tac_sizing_note_pool(&stats);
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
        uint64_t after = head_with(head, atomic_load(&pool->next[entry]));
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
        atomic_store_explicit(&pool->next[entry], (uint32_t)head, memory_order_relaxed);
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

/* ---- objects in use by age; owner mode only ---- */

static uint32_t age_next(const struct tac_pool *pool, uint32_t entry)
{
    return atomic_load_explicit(&pool->next[entry], memory_order_relaxed);
}

static uint32_t age_prev(const struct tac_pool *pool, uint32_t entry)
{
    return atomic_load_explicit(&pool->prev[entry], memory_order_relaxed);
}

static void age_link(struct tac_pool *pool, uint32_t before, uint32_t after)
{
    atomic_store_explicit(&pool->next[before], after, memory_order_relaxed);
    atomic_store_explicit(&pool->prev[after], before, memory_order_relaxed);
}

static void age_add(struct tac_pool *pool, uint32_t entry)
{
    age_link(pool, age_prev(pool, 0), entry);
    age_link(pool, entry, 0);
}

static void age_remove(struct tac_pool *pool, uint32_t entry)
{
    age_link(pool, age_prev(pool, entry), age_next(pool, entry));
}

long tac_pool_oldest(struct tac_pool *pool, void *user)
{
    (void)user;
    return pool->prev ? (long)age_next(pool, 0) - 1 : -1;
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

static void add64(const struct tac_pool *pool, _Atomic uint64_t *counter)
{
    if (pool->config.mode == TAC_POOL_SHARED)
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    else
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                              memory_order_relaxed);
}

static void note_get(struct tac_pool *pool)
{
    struct tac_outside_pool *shown = &pool->shown;
    add64(pool, &shown->gets);
    add32(pool, &shown->used, 1);
    uint32_t used = atomic_load_explicit(&shown->used, memory_order_relaxed);
    uint32_t peak = atomic_load_explicit(&shown->used_peak, memory_order_relaxed);
    for (int tries = 0; used > peak && tries < TRIES; tries++)
        if (atomic_compare_exchange_weak_explicit(&shown->used_peak, &peak, used,
                                                  memory_order_relaxed, memory_order_relaxed))
            break;
}

/* Take an object from its holder: two generations on, so that it is in use and its handle is new.
 */
static void *steal(struct tac_pool *pool)
{
    long index = pool->config.steal ? pool->config.steal(pool, pool->config.user) : -1;
    bool good = index >= 0 && index < (long)pool->config.count &&
                atomic_load(&pool->generation[index + 1]) & 1;
    if (!good) {
        add64(pool, &pool->shown.failures);
        return NULL;
    }
    uint32_t entry = (uint32_t)index + 1;
    add32(pool, &pool->generation[entry], 2);
    add64(pool, &pool->shown.steals);
    add64(pool, &pool->shown.gets);
    age_remove(pool, entry);
    age_add(pool, entry);
    return tac_pool_at(pool, (unsigned)index);
}

static __attribute__((noinline)) void tell(const struct tac_pool *pool, void *object, bool is_put,
                                           const void *site)
{
    struct tac_thread *thread = &tac_thread;
    void (*hear)(void *, size_t, const void *) =
        is_put ? thread->hooks->pool_put : thread->hooks->pool_get;
    if (!hear || thread->busy)
        return;
    thread->busy = 1;
    hear(object, pool->config.object_bytes, site);
    thread->busy = 0;
}

static void *get(struct tac_pool *pool, bool *ret_stolen)
{
    uint32_t entry = stack_pop(pool);
    *ret_stolen = entry == NONE;
    if (TAC_UNLIKELY(entry == NONE))
        return steal(pool);
    add32(pool, &pool->generation[entry], 1);
    if (pool->prev)
        age_add(pool, entry);
    note_get(pool);
    return pool->objects + pool->stride * (entry - 1);
}

void *tac_pool_get(struct tac_pool *pool)
{
    bool stolen;
    void *object = get(pool, &stolen);
    if (TAC_UNLIKELY(tac_thread.hooks != NULL)) {
        if (stolen && object)
            tell(pool, object, true, __builtin_return_address(0));
        tell(pool, object, false, __builtin_return_address(0));
    }
    return object;
}

/* Even generation: not in use. In shared mode two puts of one object race for the same change. */
static bool leave(struct tac_pool *pool, uint32_t entry)
{
    uint32_t generation = atomic_load_explicit(&pool->generation[entry], memory_order_relaxed);
    if (!(generation & 1))
        return false;
    if (pool->config.mode == TAC_POOL_SHARED)
        return atomic_compare_exchange_strong(&pool->generation[entry], &generation,
                                              generation + 1);
    add32(pool, &pool->generation[entry], 1);
    return true;
}

int tac_pool_put(struct tac_pool *pool, void *object)
{
    long index = tac_pool_index(pool, object);
    if (index < 0)
        return -EINVAL;
    uint32_t entry = (uint32_t)index + 1;
    if (!leave(pool, entry))
        return -EALREADY;
    if (pool->prev)
        age_remove(pool, entry);
    /* before the push: once another thread can get it, it must not count twice */
    add32(pool, &pool->shown.used, (uint32_t)-1);
    /* and told before it too: the next get comes after in any recording */
    if (TAC_UNLIKELY(tac_thread.hooks != NULL))
        tell(pool, object, true, __builtin_return_address(0));
    if (stack_push(pool, entry))
        return 0;
    add32(pool, &pool->shown.used, 1);
    atomic_fetch_sub(&pool->generation[entry], 1);
    if (TAC_UNLIKELY(tac_thread.hooks != NULL)) /* it stays in use after all */
        tell(pool, object, false, __builtin_return_address(0));
    return -EAGAIN;
}

tac_pool_handle tac_pool_handle_of(const struct tac_pool *pool, const void *object)
{
    long index = tac_pool_index(pool, object);
    uint32_t generation = index < 0 ? 0 : atomic_load(&pool->generation[index + 1]);
    return generation & 1 ? (uint64_t)generation << 32 | ((uint32_t)index + 1) : 0;
}

void *tac_pool_at_handle(const struct tac_pool *pool, tac_pool_handle handle)
{
    uint32_t entry = (uint32_t)handle;
    if (!entry || entry > pool->config.count ||
        atomic_load(&pool->generation[entry]) != handle >> 32)
        return NULL;
    return tac_pool_at(pool, entry - 1);
}

void tac_pool_stats_get(const struct tac_pool *pool, struct tac_pool_stats *ret_stats)
{
    const struct tac_outside_pool *shown = &pool->shown;
    *ret_stats = (struct tac_pool_stats){
        .name = pool->config.name,
        .object_bytes = pool->config.object_bytes,
        .count = pool->config.count,
        .used = atomic_load(&shown->used),
        .used_peak = atomic_load(&shown->used_peak),
        .gets = atomic_load(&shown->gets),
        .failures = atomic_load(&shown->failures),
        .steals = atomic_load(&shown->steals),
    };
}

void tac_pool_each(void (*visit)(const struct tac_pool_stats *stats, void *user), void *user)
{
    if (!tac_mem.lines)
        return;
    all_lock();
    for (unsigned i = 0; i < TAC_OUTSIDE_POOLS; i++) {
        const struct tac_pool *pool = atomic_load(&tac_outside()->pool[i]);
        struct tac_pool_stats stats;
        if (!pool)
            continue;
        tac_pool_stats_get(pool, &stats);
        visit(&stats, user);
    }
    all_unlock();
}
