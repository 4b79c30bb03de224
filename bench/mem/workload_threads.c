/* SPDX-License-Identifier: MIT
 * workload_threads.c - throughput of two threads and of many short ones.
 *
 * Shapes follow the published ones. larson: server threads that inherit each other's blocks
 * (P. Larson and M. Krishnan 1998). handover: one thread allocates, another frees (xmalloc of C.
 * Lever and D. Boreham 2000). stress: sizes of a skewed distribution, blocks that survive, blocks
 * swapped with other threads, threads that end in between (mimalloc's mstress). false-active and
 * false-passive: cache-scratch of E. Berger's Hoard (2000): does a heap give two threads blocks in
 * one cache line, or let them keep such blocks? */
#include "workload.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 2 };

/* Run it on THREADS threads; thread i gets argument + i * step. */
static void run_all(void *(*work)(void *), void *argument, size_t step)
{
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, work, (char *)argument + i * step);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

/* ---- larson ---- */

enum { CHUNKS = 1000 };

struct server {
    uint64_t random;
    void *slot[CHUNKS];
};

static void *larson_thread(void *argument)
{
    struct server *server = argument;
    for (int i = 0; i < 400000; i++) {
        void **s = &server->slot[random_next(&server->random) % CHUNKS];
        free(*s);
        *s = malloc(8 + (size_t)(random_next(&server->random) % 993));
        **(char **)s = 1;
    }
    return NULL;
}

/* The next generation of threads works on blocks of the one before. */
void run_larson(void)
{
    static struct server server[THREADS];
    for (int i = 0; i < THREADS; i++)
        server[i].random = RANDOM_SEED + (uint64_t)i;
    for (int generation = 0; generation < 5; generation++) {
        run_all(larson_thread, server, sizeof *server);
        struct server first = server[0];
        server[0] = server[1];
        server[1] = first;
    }
}

/* ---- handover ---- */

enum { RING = 4096, PASSED = 2000000 };

static void *_Atomic ring[RING];

static void *consume(void *argument)
{
    for (int i = 0; i < PASSED; i++) {
        void *block;
        while (!(block = atomic_exchange(&ring[i % RING], NULL)))
            sched_yield();
        free(block);
    }
    return argument;
}

void run_handover(void)
{
    uint64_t seed = RANDOM_SEED;
    pthread_t thread;
    pthread_create(&thread, NULL, consume, NULL);
    for (int i = 0; i < PASSED; i++) {
        void *block = malloc(16 + (size_t)(random_next(&seed) % 1009));
        *(char *)block = 1;
        void *empty = NULL;
        while (!atomic_compare_exchange_weak(&ring[i % RING], &empty, block)) {
            empty = NULL;
            sched_yield();
        }
    }
    pthread_join(thread, NULL);
}

/* ---- stress ---- */

enum { SWAPPED = 1000, HELD = 2000 };

static void *_Atomic swapped[SWAPPED];

/* Most are small; one in 100 has up to 4 KiB, one in 2 000 up to 64 KiB. */
static void *skewed_block(uint64_t *random)
{
    uint64_t r = random_next(random);
    size_t bytes = 16 + r % 256;
    bytes = r >> 32 & 0xfff ? bytes : 16 + (r >> 20) % 65536;
    bytes = (r >> 44) % 100 ? bytes : 16 + (r >> 10) % 4096;
    uint64_t *block = malloc(bytes);
    block[0] = bytes ^ 0x5eed;
    return block;
}

static void *stress_thread(void *argument)
{
    uint64_t random = *(uint64_t *)argument += 0x9e3779b9;
    void **held = calloc(HELD, sizeof *held);
    for (int i = 0; i < 300000; i++) {
        uint64_t r = random_next(&random);
        void **slot = &held[r % HELD];
        if ((r >> 20) % 10 == 0) {
            *slot = atomic_exchange(&swapped[(r >> 32) % SWAPPED], *slot);
        } else {
            free(*slot);
            *slot = (r >> 20) % 10 < 5 ? skewed_block(&random) : NULL;
        }
    }
    for (int i = 0; i < HELD; i++)
        free(held[i]);
    free(held);
    return NULL;
}

void run_stress(void)
{
    static uint64_t random[THREADS] = {RANDOM_SEED, 3 * RANDOM_SEED};
    for (int round = 0; round < 8; round++)
        run_all(stress_thread, random, sizeof *random);
    for (int i = 0; i < SWAPPED; i++)
        free(atomic_exchange(&swapped[i], NULL));
}

/* ---- false sharing ---- */

static _Atomic int scratch_ready;

static void write_often(void *block)
{
    for (int i = 0; i < 1000; i++)
        ++*(volatile char *)block;
}

/* Blocks in one line cost only while both threads write: they begin together. */
static void *scratch_thread(void *argument)
{
    atomic_fetch_add(&scratch_ready, 1);
    while (atomic_load(&scratch_ready) < THREADS)
        sched_yield();
    free(*(void **)argument);
    for (int i = 0; i < 60000; i++) {
        void *block = malloc(8);
        write_often(block);
        free(block);
    }
    return NULL;
}

void run_false_active(void)
{
    static void *nothing[THREADS];
    run_all(scratch_thread, nothing, sizeof *nothing);
}

/* Each thread starts with a block that lies beside the other's, and frees it. */
void run_false_passive(void)
{
    static void *beside[THREADS];
    for (int i = 0; i < THREADS; i++)
        beside[i] = malloc(8);
    run_all(scratch_thread, beside, sizeof *beside);
}

/* ---- threads ---- */

static void *short_life(void *argument)
{
    void *slot[64];
    for (int i = 0; i < 64; i++)
        slot[i] = malloc((size_t)i * 20 + 16);
    for (int i = 0; i < 64; i++)
        free(slot[i]);
    return argument;
}

void run_threads(void)
{
    for (int i = 0; i < 4000; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, short_life, NULL);
        pthread_join(thread, NULL);
    }
}
