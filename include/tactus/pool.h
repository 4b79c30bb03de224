/* SPDX-License-Identifier: MIT
 * pool.h - objects of one size, all allocated at start.
 *
 * A pool answers get and put in a constant number of instructions and never touches the heap after
 * tac_pool_new. Two modes:
 *   TAC_POOL_OWNER   one thread gets and puts: wait-free, about 12 instructions.
 *   TAC_POOL_SHARED  any thread gets and puts: lock-free; a get or put that loses eight races in a
 *                    row gives up (NULL, or -EAGAIN), so that the bound stays.
 * A handle names an object and its generation; once the object was put, the handle finds nothing.
 * When a pool is exhausted get returns NULL, or takes an object from its holder: the one in use for
 * the longest (steal = tac_pool_oldest), or the one that a callback chooses.
 * TAC_POOL_TYPED(voice_pool, struct voice) makes functions that give struct voice pointers:
 *   struct voice *v = voice_pool_get(pool);      objects are aligned to 64 bytes
 *
 * Real-time: get, put, handles and statistics yes; new and free no. */
#ifndef TACTUS_POOL_H
#define TACTUS_POOL_H

#include "tactus/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tac_pool;

enum tac_pool_mode { TAC_POOL_OWNER, TAC_POOL_SHARED };

/* Called by get on an empty pool: choose an object in use (0 .. count - 1) to take away from its
 * holder, or a negative number for none. The object is handed out anew: its old handles find
 * nothing any more. A callback that only has to tell the holder returns tac_pool_oldest(pool,
 * NULL).
 */
typedef long tac_pool_steal_fn(struct tac_pool *pool, void *user);

struct tac_pool_config {
    const char *name; /* shown in statistics (31 bytes); lives as long as the pool; may be NULL */
    size_t object_bytes; /* > 0 */
    unsigned count;      /* 1 .. 2^24 - 1 */
    enum tac_pool_mode mode;
    tac_pool_steal_fn *steal; /* NULL: an empty pool returns NULL. Owner mode only */
    void *user;
};

/* A name for an object that outlives it safely, until the object was got 2^31 times more. 0 names
 * nothing. */
typedef uint64_t tac_pool_handle;

struct tac_pool_stats {
    const char *name;
    size_t object_bytes;
    unsigned count, used, used_peak;
    uint64_t gets, failures, steals;
};

/* Returns 0, -EINVAL or -ENOMEM. Objects are zeroed once, here. */
TAC_API int tac_pool_new(const struct tac_pool_config *config, struct tac_pool **ret_pool);
/* NULL is fine. Objects still in use go with it. */
TAC_API void tac_pool_free(struct tac_pool *pool);

/* An object, with the content that its last holder left; NULL when the pool is exhausted. */
TAC_API void *tac_pool_get(struct tac_pool *pool);

/* Give back. Returns 0; -EINVAL when it is not an object of the pool; -EALREADY when it is not in
 * use (given back twice); -EAGAIN in shared mode after eight lost races (the object stays used). */
TAC_API int tac_pool_put(struct tac_pool *pool, void *object);

/* The handle of an object in use, and back; NULL when that object was put since. */
TAC_API tac_pool_handle tac_pool_handle_of(const struct tac_pool *pool, const void *object);
TAC_API void *tac_pool_at_handle(const struct tac_pool *pool, tac_pool_handle handle);

/* Object by index 0 .. count - 1, used or not; and the index of an object. */
TAC_API void *tac_pool_at(const struct tac_pool *pool, unsigned index);
TAC_API long tac_pool_index(const struct tac_pool *pool, const void *object);

TAC_API void tac_pool_stats_get(const struct tac_pool *pool, struct tac_pool_stats *ret_stats);

/* The index of the object in use for the longest; -1 when none is, or the pool has no steal
 * function. user is not used. Owner mode. Real-time: yes. */
TAC_API long tac_pool_oldest(struct tac_pool *pool, void *user);

/* Visit the statistics of all pools of the process, the first 1024 (control thread). */
TAC_API void tac_pool_each(void (*visit)(const struct tac_pool_stats *stats, void *user),
                           void *user);

#ifdef __cplusplus
#define TAC_POOL_ASSERT_(condition, text) static_assert(condition, text)
#else
#define TAC_POOL_ASSERT_(condition, text) _Static_assert(condition, text)
#endif

/* At file scope: name_new, name_get, name_put, name_at, for objects of one type. */
#define TAC_POOL_TYPED(pool_name, type)                                                            \
    static inline int pool_name##_new(struct tac_pool_config config, struct tac_pool **ret_pool)   \
    {                                                                                              \
        config.object_bytes = sizeof(type);                                                        \
        return tac_pool_new(&config, ret_pool);                                                    \
    }                                                                                              \
    static inline type *pool_name##_get(struct tac_pool *pool)                                     \
    {                                                                                              \
        return (type *)tac_pool_get(pool);                                                         \
    }                                                                                              \
    static inline int pool_name##_put(struct tac_pool *pool, type *object)                         \
    {                                                                                              \
        return tac_pool_put(pool, object);                                                         \
    }                                                                                              \
    static inline type *pool_name##_at(const struct tac_pool *pool, tac_pool_handle handle)        \
    {                                                                                              \
        return (type *)tac_pool_at_handle(pool, handle);                                           \
    }                                                                                              \
    TAC_POOL_ASSERT_(sizeof(type) > 0, "a complete type")

#ifdef __cplusplus
}
#endif
#endif
