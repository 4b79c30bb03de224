/* SPDX-License-Identifier: MIT
 * test_pool.c - pools: every object once, handles that age, exhaustion, threads. */
#include "tactus/pool.h"

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

static struct tac_pool *pool_new(unsigned count, enum tac_pool_mode mode)
{
    struct tac_pool *pool = NULL;
    struct tac_pool_config config = {"voices", 100, count, mode, NULL, NULL};
    return tac_pool_new(&config, &pool) == 0 ? pool : NULL;
}

static void every_object_is_given_once(void)
{
    struct tac_pool *pool = pool_new(50, TAC_POOL_OWNER);
    REQUIRE(pool);
    char *object[50];
    for (int i = 0; i < 50; i++) {
        object[i] = tac_pool_get(pool);
        REQUIRE(object[i] && (uintptr_t)object[i] % 64 == 0);
        CHECK(object[i][0] == 0 && object[i][99] == 0);
        memset(object[i], i + 1, 100);
    }
    for (int i = 0; i < 50; i++)
        CHECK(object[i][0] == i + 1 && object[i][99] == i + 1);
    CHECK(!tac_pool_get(pool));
    for (int i = 0; i < 50; i++)
        CHECK(tac_pool_put(pool, object[i]) == 0);
    struct tac_pool_stats stats;
    tac_pool_stats_get(pool, &stats);
    CHECK(stats.used == 0 && stats.used_peak == 50 && stats.failures == 1 && stats.gets == 50);
    tac_pool_free(pool);
}

static void wrong_puts_are_refused(void)
{
    struct tac_pool *pool = pool_new(3, TAC_POOL_OWNER);
    char *a = tac_pool_get(pool);
    int other;
    CHECK(tac_pool_put(pool, &other) == -EINVAL);
    CHECK(tac_pool_put(pool, a + 1) == -EINVAL);
    CHECK(tac_pool_put(pool, NULL) == -EINVAL);
    CHECK(tac_pool_put(pool, a) == 0);
    CHECK(tac_pool_put(pool, a) == -EALREADY);
    tac_pool_free(pool);
    tac_pool_free(NULL);
}

static void old_handles_find_nothing(void)
{
    struct tac_pool *pool = pool_new(1, TAC_POOL_SHARED);
    void *a = tac_pool_get(pool);
    tac_pool_handle first = tac_pool_handle_of(pool, a);
    CHECK(first && tac_pool_at_handle(pool, first) == a);
    tac_pool_put(pool, a);
    CHECK(!tac_pool_at_handle(pool, first) && !tac_pool_handle_of(pool, a));
    CHECK(tac_pool_get(pool) == a);
    CHECK(!tac_pool_at_handle(pool, first));
    CHECK(tac_pool_at_handle(pool, tac_pool_handle_of(pool, a)) == a);
    CHECK(!tac_pool_at_handle(pool, 0) && !tac_pool_at_handle(pool, 99));
    tac_pool_free(pool);
}

static long in_turn(struct tac_pool *pool, void *user)
{
    (void)pool;
    return (*(long *)user)++;
}

static void exhausted_pool_steals_by_callback(void)
{
    long turn = 0;
    struct tac_pool *pool;
    struct tac_pool_config config = {"steal", 8, 2, TAC_POOL_OWNER, in_turn, &turn};
    REQUIRE(tac_pool_new(&config, &pool) == 0);
    void *a = tac_pool_get(pool);
    tac_pool_handle handle = tac_pool_handle_of(pool, a);
    tac_pool_get(pool);
    CHECK(tac_pool_get(pool) == tac_pool_at(pool, 0));
    CHECK(!tac_pool_at_handle(pool, handle));
    CHECK(tac_pool_get(pool) == tac_pool_at(pool, 1));
    CHECK(!tac_pool_get(pool)); /* the callback names one that does not exist */
    tac_pool_free(pool);
}

/* The oldest goes first; objects put and got again are young. */
static void exhausted_pool_steals_the_oldest(void)
{
    struct tac_pool *pool;
    struct tac_pool_config config = {"oldest", 8, 4, TAC_POOL_OWNER, tac_pool_oldest, NULL};
    REQUIRE(tac_pool_new(&config, &pool) == 0);
    CHECK(tac_pool_oldest(pool, NULL) == -1);
    void *object[4];
    for (int i = 0; i < 4; i++)
        object[i] = tac_pool_get(pool);
    tac_pool_put(pool, object[1]);
    CHECK(tac_pool_get(pool) == object[1]);
    void *const order[] = {object[0], object[2], object[3], object[1], object[0]};
    for (int i = 0; i < 5; i++) {
        tac_pool_handle handle = tac_pool_handle_of(pool, order[i]);
        CHECK(tac_pool_get(pool) == order[i] && !tac_pool_at_handle(pool, handle));
    }
    struct tac_pool_stats stats;
    tac_pool_stats_get(pool, &stats);
    CHECK(stats.steals == 5 && stats.used == 4 && stats.failures == 0 && stats.gets == 10);
    for (int i = 0; i < 4; i++)
        CHECK(tac_pool_put(pool, object[i]) == 0);
    CHECK(tac_pool_oldest(pool, NULL) == -1);
    tac_pool_free(pool);
}

struct grain {
    double phase;
    int voice;
};
TAC_POOL_TYPED(grain_pool, struct grain);

static void typed_pool_gives_its_type(void)
{
    struct tac_pool *pool;
    REQUIRE(grain_pool_new((struct tac_pool_config){.name = "grains", .count = 2}, &pool) == 0);
    struct grain *grain = grain_pool_get(pool);
    REQUIRE(grain);
    grain->voice = 7;
    tac_pool_handle handle = tac_pool_handle_of(pool, grain);
    CHECK(grain_pool_at(pool, handle)->voice == 7);
    CHECK(grain_pool_put(pool, grain) == 0 && !grain_pool_at(pool, handle));
    tac_pool_free(pool);
}

static void count_pool(const struct tac_pool_stats *stats, void *user)
{
    *(int *)user += stats->name && !strcmp(stats->name, "voices");
}

/* More pools than the table has places: the first are shown, all work. */
static void pools_are_listed(void)
{
    static struct tac_pool *pool[1100];
    int shown = 0;
    for (int i = 0; i < 1100; i++)
        REQUIRE((pool[i] = pool_new(2, TAC_POOL_OWNER)));
    tac_pool_each(count_pool, &shown);
    CHECK_MSG(shown == 1024, "%d", shown);
    for (int i = 0; i < 1100; i++) {
        CHECK(tac_pool_get(pool[i]) != NULL);
        tac_pool_free(pool[i]);
    }
    shown = 0;
    tac_pool_each(count_pool, &shown);
    CHECK(shown == 0);
}

static void nonsense_is_refused(void)
{
    struct tac_pool *pool = NULL;
    struct tac_pool_config config = {NULL, 0, 1, TAC_POOL_OWNER, NULL, NULL};
    CHECK(tac_pool_new(&config, &pool) == -EINVAL);
    config.object_bytes = 8;
    config.count = 0;
    CHECK(tac_pool_new(&config, &pool) == -EINVAL);
    config.count = 1u << 24;
    CHECK(tac_pool_new(&config, &pool) == -EINVAL);
    config.count = 1000;
    config.object_bytes = SIZE_MAX / 8;
    CHECK(tac_pool_new(&config, &pool) == -ENOMEM);
    CHECK(!pool);
}

struct shared {
    struct tac_pool *pool;
    _Atomic int clashes;
};

static void *churn(void *argument)
{
    struct shared *s = argument;
    for (int i = 0; i < 100000; i++) {
        void *object = tac_pool_get(s->pool);
        if (!object)
            continue;
        _Atomic int *holders = object;
        s->clashes += atomic_fetch_add(holders, 1) != 0;
        atomic_fetch_sub(holders, 1);
        while (tac_pool_put(s->pool, object) == -EAGAIN)
            continue;
    }
    return NULL;
}

static void threads_never_hold_the_same_object(void)
{
    struct shared s = {pool_new(3, TAC_POOL_SHARED), 0};
    REQUIRE(s.pool);
    pthread_t thread[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&thread[i], NULL, churn, &s) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    struct tac_pool_stats stats;
    tac_pool_stats_get(s.pool, &stats);
    CHECK(s.clashes == 0 && stats.used == 0);
    tac_pool_free(s.pool);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(every_object_is_given_once);
    TEST(wrong_puts_are_refused);
    TEST(old_handles_find_nothing);
    TEST(exhausted_pool_steals_by_callback);
    TEST(exhausted_pool_steals_the_oldest);
    TEST(typed_pool_gives_its_type);
    TEST(pools_are_listed);
    TEST(nonsense_is_refused);
    TEST(threads_never_hold_the_same_object);
    return test_end();
}
