/* SPDX-License-Identifier: MIT
 * test_fork.c - a process forks while another of its threads is in the middle of something that the
 * child's thread needs: the child neither waits for a thread that it does not have, nor loses what
 * that thread had freed. */
#include "tactus/mem.h"
#include "tactus/pool.h"

#include "step.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WATCHDOG_S = 60 };

/* What the child found: 0 is good. */
static int in_child(int (*look)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(WATCHDOG_S);
        _exit(look());
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int has_its_own_number(void)
{
    struct tac_heap_thread_stats own;
    return tac_heap_threads_get(&own, 1) == 1 && own.tid == getpid() ? 0 : 1;
}

static void child_has_its_own_number(void)
{
    free(malloc(1));
    CHECK(has_its_own_number() == 0);
    CHECK(in_child(has_its_own_number) == 0);
}

static _Atomic int stopped, go_on;

static void stop_here(void)
{
    atomic_store(&stopped, 1);
    while (!atomic_load(&go_on))
        usleep(1000);
}

/* ---- the table of pools ---- */

static void stop_in_visit(const struct tac_pool_stats *stats, void *user)
{
    (void)stats;
    if (!atomic_exchange((_Atomic int *)user, 1))
        stop_here();
}

static void *visit_pools(void *argument)
{
    tac_pool_each(stop_in_visit, argument);
    return NULL;
}

static int new_pool(struct tac_pool **ret_pool)
{
    struct tac_pool_config config = {.object_bytes = 64, .count = 4, .mode = TAC_POOL_OWNER};
    return tac_pool_new(&config, ret_pool);
}

static int use_pools(void)
{
    struct tac_pool *pool;
    _Atomic int visited = 1;
    if (new_pool(&pool))
        return 1;
    tac_pool_each(stop_in_visit, &visited);
    tac_pool_free(pool);
    return 0;
}

static void child_does_not_wait_for_a_visit_of_the_pools(void)
{
    _Atomic int visited = 0;
    struct tac_pool *pool;
    pthread_t thread;
    REQUIRE(new_pool(&pool) == 0);
    atomic_store(&stopped, 0);
    atomic_store(&go_on, 0);
    pthread_create(&thread, NULL, visit_pools, &visited);
    while (!atomic_load(&stopped))
        usleep(1000);
    CHECK(in_child(use_pools) == 0);
    atomic_store(&go_on, 1);
    pthread_join(thread, NULL);
    CHECK(use_pools() == 0);
    tac_pool_free(pool);
}

/* ---- remote frees ---- */

enum {
    BYTES = 48,
    OF_SLAB = 341,
    BLOCKS = 6 * OF_SLAB,
    FREED = 2 * OF_SLAB,
    STOPPED = 4 * OF_SLAB
};

static void *block[BLOCKS];
static long stop_at; /* instruction of the free of block[STOPPED] */
static _Atomic int free_ended;

static void *free_from_here(void *argument)
{
    uintptr_t value;
    for (int i = 0; i < FREED; i++)
        free(block[i]);
    step_stopped = stop_here;
    step_stop_at = stop_at;
    step_call((void *)(uintptr_t)free, (uintptr_t)block[STOPPED], 0, &value);
    atomic_store(&free_ended, 1);
    return argument;
}

static int compare(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

/* All that was freed comes home in what the child allocates; besides that it may take what its
 * thread has: the rest of a slab, and spare slabs. */
static int freed_come_home(void)
{
    int home = 0;
    qsort(block, FREED, sizeof *block, compare);
    for (int i = 0; i < FREED + 8 * OF_SLAB; i++) {
        void *p = malloc(BYTES);
        home += bsearch(&p, block, FREED, sizeof *block, compare) != NULL;
    }
    return home == FREED ? 0 : 1;
}

/* 0, or 1 when blocks were lost; 2: the free has not so many instructions. */
static int fork_at_instruction(void)
{
    pthread_t thread;
    for (int i = 0; i < BLOCKS; i++)
        block[i] = malloc(BYTES);
    pthread_create(&thread, NULL, free_from_here, NULL);
    while (!atomic_load(&stopped) && !atomic_load(&free_ended))
        usleep(1000);
    int code = atomic_load(&free_ended) ? 2 : in_child(freed_come_home);
    atomic_store(&go_on, 1);
    pthread_join(thread, NULL);
    return code;
}

static void child_loses_nothing_that_others_were_just_freeing(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    atomic_store(&stopped, 0);
    atomic_store(&go_on, 0);
    int code = 0;
    for (stop_at = 1; stop_at < 1000 && code == 0; stop_at++)
        code = in_child(fork_at_instruction);
    CHECK_MSG(code == 2, "code %d at instruction %ld", code, stop_at - 1);
    CHECK(stop_at > 20);
}

int main(int argc, char **argv)
{
    test_filter = argc > 1 ? argv[1] : NULL;
    TEST(child_has_its_own_number);
    TEST(child_does_not_wait_for_a_visit_of_the_pools);
    TEST(child_loses_nothing_that_others_were_just_freeing);
    return test_end();
}
