/* SPDX-License-Identifier: MIT
 * test_turns.c - random operations of several threads that take turns, so that after each single
 * one the whole heap can be compared with a model and walked.
 *
 * The model is a map of the arena by 16 bytes: which block lies there. A new block must lie where
 * nothing is, wholly inside the arena, and keep its bytes until it is freed, by whichever thread
 * has the turn then. Threads end and new ones inherit their heaps. The arena is small, so that it
 * becomes full in some phases and empty in others. What happens when threads do not take turns is
 * test_heap.c's. The argument after the filter is the number of operations; `make test-heap-long`
 * gives ten million, in the build whose heap checks each slab by itself as well. */
#include "tactus/mem.h"

#include "test.h"

#include <pthread.h>
#include <stdint.h>

enum {
    THREADS = 4,
    SLOTS = 3000,
    GRAIN = 16,
    ARENA = 8 << 20,
    SLAB_MAX = 112 << 10,
    LIFE = 20000,
    PHASE = TAC_SANITIZED_THREAD ? 15000 : 30000
};

struct block {
    unsigned char *at;
    size_t bytes, grains, step;
    unsigned char mark;
};

static struct block slots[SLOTS];
static unsigned short *map; /* slot + 1 of what lies there; 0: nothing */
static size_t map_grains, live_bytes;
static uintptr_t arena_base;
/* ThreadSanitizer has little to see where threads take turns. */
static long operations = TAC_SANITIZED_THREAD ? 30000
                         : TAC_SANITIZED      ? 60000
                                              : 300000,
            done, faults, refused, wrongly_refused;
static char fault_text[128];

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static int turn;
static long life_end; /* of the threads that live now, in operations */

static uint64_t seed = 88172645463325252u;

static unsigned random_below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % n;
}

static size_t random_bytes(void)
{
    unsigned magnitude = 1 + random_below(random_below(20) ? 12 : 19);
    return random_below(1u << magnitude);
}

/* Each grain of the block from one owner to another; false: some had another owner. */
static bool own(const struct block *b, unsigned short from, unsigned short to)
{
    size_t first = ((uintptr_t)b->at - arena_base) / GRAIN;
    if ((uintptr_t)b->at < arena_base || first + b->grains > map_grains)
        return false;
    bool all = true;
    for (size_t i = first; i < first + b->grains; i++) {
        all = all && map[i] == from;
        map[i] = to;
    }
    return all;
}

/* Which bytes stand for all: each of a short block, about 64 of a long one, and the last. */
static void fill(const struct block *b)
{
    for (size_t i = 0; i < b->bytes; i += b->step)
        b->at[i] = b->mark;
    if (b->bytes)
        b->at[b->bytes - 1] = b->mark;
}

/* The first so many bytes of the block. */
static bool is_filled(const struct block *b, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += b->step)
        if (b->at[i] != b->mark)
            return false;
    return !bytes || bytes < b->bytes || b->at[bytes - 1] == b->mark;
}

static bool is_zero(const struct block *b)
{
    unsigned char any = 0;
    for (size_t i = 0; i < b->bytes; i++)
        any |= b->at[i];
    return !any;
}

static void enter(struct block *b)
{
    b->grains = (tac_heap_usable_size(b->at) + GRAIN - 1) / GRAIN;
    b->mark = (unsigned char)random_below(256);
    faults += (uintptr_t)b->at % GRAIN || b->grains * GRAIN < b->bytes;
    faults += !own(b, 0, (unsigned short)(b - slots + 1));
    b->step = b->bytes < 512 ? 1 : b->bytes / 64;
    fill(b);
    live_bytes += b->bytes;
}

static void leave(const struct block *b)
{
    faults += !is_filled(b, b->bytes);
    faults += !own(b, (unsigned short)(b - slots + 1), 0);
    live_bytes -= b->bytes;
}

/* A refusal is right when no free run is long enough for the block, or for a slab of 112 KiB. */
static void note_refusal(size_t bytes)
{
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    refused++;
    wrongly_refused += stats.free_span_bytes >= (bytes > SLAB_MAX ? bytes : SLAB_MAX);
}

static void make(struct block *b)
{
    unsigned how = random_below(8);
    *b = (struct block){.bytes = random_bytes()};
    size_t alignment = how == 1 ? 16u << random_below(11) : 16;
    if (how == 0)
        b->at = tac_heap_calloc(1, b->bytes);
    else if (how == 1)
        b->at = tac_heap_aligned_alloc(alignment, b->bytes);
    else
        b->at = tac_heap_malloc(b->bytes);
    if (!b->at) {
        note_refusal(b->bytes + alignment);
        return;
    }
    faults += (uintptr_t)b->at % alignment != 0 || (how == 0 && !is_zero(b));
    enter(b);
}

static void resize(struct block *b)
{
    struct block old = *b;
    size_t bytes = 1 + random_bytes();
    leave(b);
    unsigned char *at = tac_heap_realloc(b->at, bytes);
    if (at) {
        old.at = at;
        faults += !is_filled(&old, bytes < old.bytes ? bytes : old.bytes);
        *b = (struct block){.at = at, .bytes = bytes};
    } else {
        note_refusal(bytes);
    }
    enter(b);
}

static void drop(struct block *b)
{
    leave(b);
    tac_heap_free(b->at);
    b->at = NULL;
}

static void walk(void)
{
    if (tac_heap_is_valid(fault_text, sizeof fault_text) && !faults++)
        printf("# after operation %ld: %s\n", done, fault_text);
}

/* In a growing phase few blocks are freed, in a shrinking one few are made. */
static void operate(void)
{
    struct block *b = &slots[random_below(SLOTS)];
    bool grows = done / PHASE % 2 == 0;
    if (!b->at) {
        if (random_below(8) < (grows ? 7 : 2))
            make(b);
    } else if (random_below(8) == 0) {
        resize(b);
    } else if (random_below(8) < (grows ? 2 : 7)) {
        drop(b);
    }
    done++;
    walk();
}

/* The mutex lets one thread work at a time; a turn is 1 to 64 operations. */
static void *live(void *argument)
{
    int self = (int)(intptr_t)argument;
    pthread_mutex_lock(&mutex);
    while (done < life_end) {
        while (turn != self && done < life_end)
            pthread_cond_wait(&passed, &mutex);
        for (unsigned n = 1 + random_below(64); n && done < life_end && !faults; n--)
            operate();
        if (faults)
            done = life_end = operations;
        turn = (int)random_below(THREADS);
        pthread_cond_broadcast(&passed);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static bool open_small_arena(void)
{
    struct tac_heap_config config;
    tac_heap_config_init(&config, ARENA);
    config.threads = THREADS + 2;
    config.lock = TAC_HEAP_LOCK_NO;
    if (tac_heap_open(&config))
        return false;
    uintptr_t any = (uintptr_t)tac_heap_malloc(1);
    arena_base = any - any % ARENA - ARENA; /* the arena is somewhere in these three of its sizes */
    map_grains = 3u * ARENA / GRAIN;
    map = calloc(map_grains, sizeof *map);
    tac_heap_free((void *)any); /* NOLINT: as it came */
    return map != NULL;
}

static void every_step_agrees_with_the_model(void)
{
    REQUIRE(open_small_arena());
    while (done < operations) {
        life_end = done + LIFE < operations ? done + LIFE : operations;
        pthread_t thread[THREADS];
        for (int i = 0; i < THREADS; i++)
            REQUIRE(pthread_create(&thread[i], NULL, live, (void *)(intptr_t)i) == 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
    }
    CHECK_MSG(faults == 0, "%ld", faults);
    CHECK_MSG(wrongly_refused == 0, "%ld", wrongly_refused);
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].at)
            drop(&slots[i]);
    CHECK(faults == 0 && live_bytes == 0);
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    printf("# %ld operations, %ld refused, %lu remote frees, %u thread heaps\n", done, refused,
           (unsigned long)stats.remote_frees, stats.threads);
    CHECK(refused > 0 && stats.remote_frees > 0);
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
    free(map);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    if (test_emulated())
        operations = 60000;
    if (argc > 2)
        operations = atol(argv[2]);
    TEST(every_step_agrees_with_the_model);
    return test_end();
}
