/* SPDX-License-Identifier: MIT
 * test_heap.c - the heap against a model that knows every byte: random operations on several
 * threads, blocks handed between them, the walker after each round. */
#include "tactus/mem.h"

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct block {
    unsigned char *at;
    size_t bytes;
    unsigned char mark;
};

static size_t random_bytes(uint64_t *seed)
{
    unsigned magnitude = 1 + (unsigned)(random_next(seed) % (random_next(seed) % 16 ? 12 : 20));
    return (size_t)(random_next(seed) % (1ull << magnitude));
}

/* First, middle and last bytes stand for all: whole blocks would hide races by being slow. */
static void fill(struct block *b, unsigned char mark)
{
    b->mark = mark;
    size_t n = b->bytes < 32 ? b->bytes : 16;
    memset(b->at, mark, n);
    memset(b->at + b->bytes - n, mark, n);
    if (b->bytes)
        b->at[b->bytes / 2] = mark;
}

static int is_intact(const struct block *b, size_t bytes)
{
    size_t n = bytes < 16 ? bytes : 16;
    for (size_t i = 0; i < n; i++)
        if (b->at[i] != b->mark)
            return 0;
    if (bytes < b->bytes)
        return 1;
    for (size_t i = 0; i < n; i++)
        if (b->at[b->bytes - 1 - i] != b->mark)
            return 0;
    return 1;
}

enum { SLOTS = 2000, SHARED = 256, THREADS = 3 };

static struct block *_Atomic shared[SHARED];

struct worker {
    uint64_t seed;
    int operations;
    int faults;
};

static void drop(struct worker *w, struct block *b)
{
    w->faults += !is_intact(b, b->bytes);
    tac_heap_free(b->at);
    b->at = NULL;
}

static void make(struct worker *w, struct block *b)
{
    unsigned how = (unsigned)(random_next(&w->seed) % 16);
    b->bytes = random_bytes(&w->seed);
    size_t alignment = 16;
    if (how == 0) {
        b->at = tac_heap_calloc(1, b->bytes);
        for (size_t i = 0; b->at && i < b->bytes; i++)
            w->faults += b->at[i] != 0;
    } else if (how == 1) {
        alignment = 1ull << random_next(&w->seed) % 15;
        b->at = tac_heap_aligned_alloc(alignment, b->bytes);
    } else {
        b->at = tac_heap_malloc(b->bytes);
    }
    w->faults += !b->at || (uintptr_t)b->at % alignment || tac_heap_usable_size(b->at) < b->bytes;
    if (b->at)
        fill(b, (unsigned char)random_next(&w->seed));
}

static void resize(struct worker *w, struct block *b)
{
    size_t bytes = 1 + random_bytes(&w->seed);
    unsigned char *at = tac_heap_realloc(b->at, bytes);
    w->faults += !at;
    if (!at)
        return;
    b->at = at;
    size_t kept = bytes < b->bytes ? bytes : b->bytes;
    size_t n = kept < 16 ? kept : 16;
    for (size_t i = 0; i < n; i++)
        w->faults += at[i] != b->mark;
    b->bytes = bytes;
    fill(b, b->mark);
}

/* Swap the block with one that another thread left: it is then freed by a stranger. */
static void pass_on(struct worker *w, struct block *b)
{
    struct block *mine = tac_heap_malloc(sizeof *mine);
    if (!mine)
        return;
    *mine = *b;
    struct block *other = atomic_exchange(&shared[random_next(&w->seed) % SHARED], mine);
    b->at = NULL;
    if (other) {
        *b = *other;
        tac_heap_free(other);
    }
}

static void *work(void *argument)
{
    struct worker *w = argument;
    struct block *slot = calloc(SLOTS, sizeof *slot);
    for (int i = 0; i < w->operations; i++) {
        struct block *b = &slot[random_next(&w->seed) % SLOTS];
        unsigned what = (unsigned)(random_next(&w->seed) % 16);
        if (!b->at)
            make(w, b);
        else if (what < 2)
            pass_on(w, b);
        else if (what < 4)
            resize(w, b);
        else
            drop(w, b);
    }
    for (int i = 0; i < SLOTS; i++)
        if (slot[i].at)
            drop(w, &slot[i]);
    free(slot);
    return NULL;
}

static void empty_shared(void)
{
    for (int i = 0; i < SHARED; i++) {
        struct block *b = atomic_exchange(&shared[i], NULL);
        if (b) {
            tac_heap_free(b->at);
            tac_heap_free(b);
        }
    }
}

static int operations = TAC_SANITIZED_THREAD ? 50000 : 150000;

static void random_operations_keep_every_byte(void)
{
    char fault[128];
    for (int round = 0; round < 3; round++) {
        struct worker worker[THREADS];
        pthread_t thread[THREADS];
        for (int i = 0; i < THREADS; i++) {
            worker[i] = (struct worker){(uint64_t)(1 + i + round * 10) * 7919, operations, 0};
            REQUIRE(pthread_create(&thread[i], NULL, work, &worker[i]) == 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(thread[i], NULL);
            CHECK_MSG(worker[i].faults == 0, "%d faults", worker[i].faults);
        }
        CHECK_MSG(tac_heap_is_valid(fault, sizeof fault) == 0, "%s", fault);
    }
    empty_shared();
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    CHECK(stats.remote_frees > 0 && stats.large_blocks == 0);
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
}

static void impossible_sizes_fail_with_enomem(void)
{
    size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096};
    for (int i = 0; i < 4; i++) {
        volatile size_t bytes = sizes[i];
        errno = 0;
        CHECK(!tac_heap_malloc(bytes) && errno == ENOMEM);
        errno = 0;
        CHECK(!tac_heap_calloc(1, bytes) && errno == ENOMEM);
        errno = 0;
        CHECK(!tac_heap_aligned_alloc(4096, bytes) && errno == ENOMEM);
        void *block = tac_heap_malloc(10);
        errno = 0;
        CHECK(!tac_heap_realloc(block, bytes) && errno == ENOMEM);
        tac_heap_free(block);
    }
    volatile size_t half = SIZE_MAX / 2 + 2;
    CHECK(!tac_heap_calloc(half, 2));
    errno = 0;
    CHECK(!tac_heap_aligned_alloc(24, 8) && errno == EINVAL);
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

/* A request for nothing is of the smallest class, of which the thread has blocks ready, and others
 * that came home to the slab. */
static void blocks_of_no_bytes_are_blocks(void)
{
    enum { N = 600 };
    static uintptr_t block[N];
    struct tac_heap_stats before, after;
    tac_heap_stats_get(&before);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++)
            block[i] = (uintptr_t)tac_heap_malloc(i % 3 ? 16 : 0);
        for (int i = round; i < N; i += 5) {
            tac_heap_free((void *)block[i]); /* NOLINT: as it came */
            block[i] = (uintptr_t)tac_heap_malloc(i % 2 ? 0 : 1);
        }
        for (int i = 0; i < N; i += 2) {
            tac_heap_free((void *)block[i]); /* NOLINT: as it came */
            block[i] = 0;
        }
        for (int i = 0; i < N; i += 2)
            block[i] = (uintptr_t)tac_heap_malloc(i % 4 ? 0 : 9);
        qsort(block, N, sizeof *block, by_address);
        for (int i = 0; i < N; i++)
            CHECK(block[i] && (!i || block[i] - block[i - 1] >= 16));
        CHECK(tac_heap_is_valid(NULL, 0) == 0);
        for (int i = 0; i < N; i++)
            tac_heap_free((void *)block[i]); /* NOLINT: as it came */
    }
    tac_heap_stats_get(&after); /* what is in the thread's list counts as live */
    CHECK_MSG(after.live_bytes < before.live_bytes + 16384, "%zu", after.live_bytes);
}

static void free_keeps_errno(void)
{
    void *small = tac_heap_malloc(8), *large = tac_heap_malloc(1u << 20);
    errno = 4711;
    tac_heap_free(small);
    tac_heap_free(large);
    tac_heap_free(NULL);
    CHECK(errno == 4711);
}

static void large_blocks_grow_in_place(void)
{
    char *block = tac_heap_malloc(100000);
    REQUIRE(block);
    int moves = 0;
    for (size_t bytes = 100000; bytes < 8000000; bytes += bytes / 2) {
        char *next = tac_heap_realloc(block, bytes);
        REQUIRE(next);
        moves += next != block;
        block = next;
    }
    CHECK_MSG(moves <= 2, "%d moves", moves);
    tac_heap_free(block);
}

static void every_alignment_is_kept(void)
{
    for (unsigned shift = 3; shift <= 27; shift++)
        for (size_t bytes = 1; bytes < 40u << 20; bytes = bytes * 7 + 3) {
            unsigned char *block = tac_heap_aligned_alloc((size_t)1 << shift, bytes);
            unsigned char *other = tac_heap_aligned_alloc((size_t)1 << shift, bytes);
            CHECK_MSG(block && !((uintptr_t)block & (((uintptr_t)1 << shift) - 1)), "2^%u, %zu",
                      shift, bytes);
            CHECK_MSG(other && !((uintptr_t)other & (((uintptr_t)1 << shift) - 1)), "2^%u, %zu",
                      shift, bytes);
            CHECK(!block || !other || block + bytes <= other || other + bytes <= block);
            tac_heap_free(block);
            tac_heap_free(other);
        }
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
}

static void guard_counts_and_forbids(void)
{
    uint64_t before = tac_heap_violation_count();
    enum tac_heap_guard outer = tac_heap_guard_set(TAC_HEAP_COUNT);
    void *volatile block = tac_heap_malloc(40);
    tac_heap_guard_set(TAC_HEAP_FORBID);
    void *volatile none = tac_heap_malloc(50);
    tac_heap_free(block);
    tac_heap_guard_set(outer);
    CHECK(block && !none);
    CHECK(tac_heap_violation_count() - before == 3);
    struct tac_heap_violation list[2];
    CHECK(tac_heap_violations_get(list, 2) == 2);
    CHECK(list[0].bytes == 0 && list[1].bytes == 50 && list[0].site);
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
}

static int heard_allocs, heard_frees, heard_reallocs;

static void hear_alloc(void *block, size_t bytes, const void *site)
{
    heard_allocs += block && bytes == 77 && site;
}

static void hear_free(void *block, size_t bytes, const void *site)
{
    heard_frees += block && bytes >= 200 && site;
}

static void hear_realloc(void *old_block, void *block, size_t bytes, const void *site)
{
    heard_reallocs += old_block && block && bytes == 200 && site;
}

static void hooks_hear_every_call(void)
{
    static const struct tac_heap_hooks hooks = {
        .alloc = hear_alloc, .free = hear_free, .realloc = hear_realloc};
    tac_heap_hooks_set(&hooks);
    void *block = tac_heap_malloc(77);
    block = tac_heap_realloc(block, 200);
    tac_heap_free(block);
    tac_heap_hooks_set(NULL);
    tac_heap_free(tac_heap_malloc(77));
    CHECK_MSG(heard_allocs == 1 && heard_reallocs == 1 && heard_frees == 1, "%d %d %d",
              heard_allocs, heard_reallocs, heard_frees);
}

static void statistics_add_up(void)
{
    struct tac_heap_stats before, during, after;
    tac_heap_stats_get(&before);
    void *large = tac_heap_malloc(3u << 20);
    void *small[100];
    for (int i = 0; i < 100; i++)
        small[i] = tac_heap_malloc(500);
    tac_heap_stats_get(&during);
    CHECK(during.large_blocks == before.large_blocks + 1);
    CHECK(during.large_bytes == before.large_bytes + (3u << 20));
    CHECK(during.of_class[32].block_bytes == 512);
    CHECK(during.of_class[32].live_blocks >= 100);
    CHECK(during.taken_peak_bytes >= during.taken_bytes);
    for (int i = 0; i < 100; i++)
        tac_heap_free(small[i]);
    tac_heap_free(large);
    tac_heap_stats_get(&after);
    CHECK(after.large_bytes == before.large_bytes);
}

int main(int argc, char **argv)
{
    if (argc > 2)
        operations = atoi(argv[2]);
    test_begin(argc, argv);
    TEST(large_blocks_grow_in_place); /* while the arena is still in one piece */
    TEST(random_operations_keep_every_byte);
    TEST(impossible_sizes_fail_with_enomem);
    TEST(blocks_of_no_bytes_are_blocks);
    TEST(free_keeps_errno);
    TEST(every_alignment_is_kept);
    TEST(guard_counts_and_forbids);
    TEST(hooks_hear_every_call);
    TEST(statistics_add_up);
    return test_end();
}
