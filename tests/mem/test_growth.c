/* SPDX-License-Identifier: MIT
 * test_growth.c - how much a heap grows whose blocks are freed by another thread: no more than what
 * lives and 64 KiB for each thread.
 *
 * What lives is counted in slabs, by class at its most. The two threads take turns, so that each
 * run is the same. */
#include "tactus/mem.h"

#include "test.h"

#include <pthread.h>
#include <stdint.h>

enum { LIVE = 4000, ROUNDS = 400, UNIT = 16 << 10, PER_THREAD = 64 << 10, SMALL = 1024 };

static void *block[LIVE];
static unsigned class_of[LIVE], live[TAC_HEAP_CLASSES], peak[TAC_HEAP_CLASSES];
static uint64_t seed;
static pthread_barrier_t turn;
static bool over;

static unsigned random_below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % n;
}

/* Frees what lies at random places, about half of all. */
static void *free_half(void *argument)
{
    for (;;) {
        pthread_barrier_wait(&turn);
        if (over)
            return argument;
        for (unsigned i = 0; i < LIVE; i++)
            if (block[i] && random_below(2)) {
                tac_heap_free(block[i]);
                live[class_of[i]]--;
                block[i] = NULL;
            }
        pthread_barrier_wait(&turn);
    }
}

static void fill(unsigned (*size)(void))
{
    for (unsigned i = 0; i < LIVE; i++)
        if (!block[i]) {
            unsigned bytes = size(), c = (bytes + 15) / 16;
            block[i] = tac_heap_malloc(bytes);
            class_of[i] = c;
            live[c]++;
            peak[c] = live[c] > peak[c] ? live[c] : peak[c];
        }
}

static size_t taken(void)
{
    struct tac_heap_stats s;
    tac_heap_stats_get(&s);
    return s.taken_bytes;
}

/* The slabs that hold all classes at their most, and one more of each, which is being filled. */
static size_t room(void)
{
    size_t bytes = 0;
    for (unsigned c = 1; c <= SMALL / 16; c++) {
        unsigned of_slab = UNIT / (16 * c);
        bytes += peak[c] ? (size_t)((peak[c] + of_slab - 1) / of_slab + 1) * UNIT : 0;
    }
    return bytes;
}

static void end_all(void)
{
    for (unsigned i = 0; i < LIVE; i++) {
        tac_heap_free(block[i]);
        block[i] = NULL;
    }
    memset(live, 0, sizeof live);
    memset(peak, 0, sizeof peak);
}

static void hand_over(unsigned (*size)(void))
{
    pthread_t consumer;
    seed = 88172645463325252u;
    over = false;
    pthread_barrier_init(&turn, NULL, 2);
    pthread_create(&consumer, NULL, free_half, NULL);
    size_t before = taken(), most = 0;
    for (int round = 0; round < ROUNDS; round++) {
        fill(size);
        size_t now = taken() - before;
        most = now > most ? now : most;
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
    }
    over = true;
    pthread_barrier_wait(&turn);
    pthread_join(consumer, NULL);
    pthread_barrier_destroy(&turn);
    CHECK_MSG(most <= room() + 2 * PER_THREAD, "grew by %zu KiB, %zu KiB live", most >> 10,
              room() >> 10);
    end_all();
}

static unsigned one_size(void)
{
    return 64;
}

static unsigned any_size(void)
{
    return 1 + random_below(SMALL);
}

static void handed_over_blocks_of_one_size_grow_by_what_lives(void)
{
    hand_over(one_size);
}

static void handed_over_blocks_of_all_sizes_grow_by_what_lives(void)
{
    hand_over(any_size);
}

static unsigned phase_bytes;

static unsigned phase_size(void)
{
    return phase_bytes;
}

static void *free_all(void *argument)
{
    end_all();
    return argument;
}

/* Each phase has a size of its own, and all of it is freed by another thread: what a phase leaves
 * behind serves the next one, and a little of it those after. */
static void sizes_that_are_not_used_any_more_give_their_memory_back(void)
{
    size_t most = 0;
    for (phase_bytes = 16; phase_bytes <= SMALL; phase_bytes += 16) {
        fill(phase_size);
        pthread_t other;
        pthread_create(&other, NULL, free_all, NULL);
        pthread_join(other, NULL);
        most = taken() > most ? taken() : most;
    }
    size_t largest = (size_t)(LIVE / (UNIT / SMALL) + 1) * UNIT;
    CHECK_MSG(most <= largest + largest / 2, "took %zu KiB, at most %zu KiB live", most >> 10,
              largest >> 10);
}

int main(int argc, char **argv)
{
    struct tac_heap_config config;
    tac_heap_config_init(&config, 64 << 20);
    test_filter = argc > 1 ? argv[1] : NULL;
    if (tac_heap_open(&config) < 0)
        return 1;
    TEST(handed_over_blocks_of_one_size_grow_by_what_lives);
    TEST(handed_over_blocks_of_all_sizes_grow_by_what_lives);
    TEST(sizes_that_are_not_used_any_more_give_their_memory_back);
    return test_end();
}
