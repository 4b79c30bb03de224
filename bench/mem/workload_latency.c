/* SPDX-License-Identifier: MIT
 * workload_latency.c - each call timed alone: nothing at all, which is what the timer takes; random
 * replacement of small blocks and of blocks of all sizes, and blocks that one thread allocates and
 * another frees. */
#include "workload.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = RANDOM_SEED;

void run_timer(void)
{
    for (size_t i = 0; i < 100000; i++)
        note(i, ticks());
}

static size_t small_size(void)
{
    return 4 + (size_t)(random_next(&seed) % 253);
}

static size_t power_size(void)
{
    uint64_t base = 16ull << random_next(&seed) % 16;
    return (size_t)(base + random_next(&seed) % base);
}

/* Random replacement among `live` blocks; the first fill is not timed. */
static void replace(size_t (*size)(void), unsigned live, unsigned operations)
{
    void **slot = calloc(live, sizeof *slot);
    for (unsigned i = 0; i < live; i++) {
        size_t bytes = size();
        slot[i] = malloc(bytes);
        memset(slot[i], 1, bytes);
    }
    for (unsigned i = 0; i < operations; i++) {
        unsigned j = (unsigned)(random_next(&seed) % live);
        size_t bytes = size();
        uint64_t t = ticks();
        free(slot[j]);
        note(2 * i, t);
        t = ticks();
        slot[j] = malloc(bytes);
        note(2 * i + 1, t);
        memset(slot[j], 1, bytes);
    }
    free(slot);
}

void run_small(void)
{
    replace(small_size, 100000, 150000);
}

void run_power(void)
{
    replace(power_size, 1000, 40000);
}

/* ---- one allocates, the other frees ---- */

enum { LAPS = 200, LAP_BLOCKS = 1000 };

static void *lap_block[2][LAP_BLOCKS];
static _Atomic int lap_made, lap_freed;

static void wait_for(_Atomic int *lap, int value)
{
    while (atomic_load(lap) < value)
        sched_yield();
}

static void *exchange_consumer(void *argument)
{
    for (int lap = 0; lap < LAPS; lap++) {
        wait_for(&lap_made, lap + 1);
        for (size_t i = 0; i < LAP_BLOCKS; i++) {
            uint64_t t = ticks();
            free(lap_block[lap & 1][i]);
            note(((size_t)lap * LAP_BLOCKS + i) * 2 + 1, t);
        }
        atomic_store(&lap_freed, lap + 1);
    }
    return argument;
}

/* A thousand blocks a lap, while the other thread frees those of the lap before: which operation
 * meets what is the same in each run, but for when the frees arrive. */
void run_exchange(void)
{
    pthread_t consumer;
    pthread_create(&consumer, NULL, exchange_consumer, NULL);
    for (int lap = 0; lap < LAPS; lap++) {
        wait_for(&lap_freed, lap - 1);
        for (size_t i = 0; i < LAP_BLOCKS; i++) {
            size_t bytes = small_size();
            uint64_t t = ticks();
            void *block = malloc(bytes);
            note(((size_t)lap * LAP_BLOCKS + i) * 2, t);
            memset(block, 1, bytes);
            lap_block[lap & 1][i] = block;
        }
        atomic_store(&lap_made, lap + 1);
    }
    pthread_join(consumer, NULL);
}
