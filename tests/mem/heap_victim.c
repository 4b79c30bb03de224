/* SPDX-License-Identifier: MIT
 * heap_victim.c - a program whose heap is known, to be looked at from outside.
 *
 * usage: heap_victim steady      known blocks, a pool, threads; prints "ready", waits for its input
 *                                to end
 *        heap_victim hostile N   a block that looks like a heap's first page, filled from seed N
 *        heap_victim garbled N  a true heap whose tables are noise from seed N
 *        heap_victim sizes [abort]  known blocks that come and go, and pools; then its end
 *        heap_victim busy        one thread allocates without end in busy_function() */
#include "tactus/mem.h"
#include "tactus/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void wait_for_end(void)
{
    char byte;
    printf("ready\n");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

static void *hold(void *argument)
{
    pthread_setname_np(pthread_self(), "holder");
    for (int i = 0; i < 1000; i++)
        if (!malloc(4000))
            abort();
    pthread_barrier_wait(argument);
    pause();
    return NULL;
}

static void steady(void)
{
    struct tac_pool *pool;
    const struct tac_pool_config config = {
        .name = "voi\"ces", .object_bytes = 200, .count = 64, .mode = TAC_POOL_OWNER};
    if (tac_pool_new(&config, &pool))
        abort();
    for (int i = 0; i < 3; i++)
        tac_pool_get(pool);
    char *volatile block = malloc(5u << 20);
    memset(block, 1, 5u << 20);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread;
    pthread_create(&thread, NULL, hold, &barrier);
    pthread_barrier_wait(&barrier);
    tac_heap_guard_set(TAC_HEAP_COUNT);
    free(malloc(100));
    tac_heap_guard_set(TAC_HEAP_ALLOW);
    wait_for_end();
    free(block);
}

static void fill_noise(void *memory, size_t bytes, uint64_t seed)
{
    unsigned char *at = memory;
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        at[i] = seed >> 40 & 0x80 ? 0 : (unsigned char)(seed >> 33);
    }
}

/* A program must not be able to harm the one who looks: right magic and address, then noise. */
static void hostile(uint64_t seed)
{
    size_t bytes = 1u << 20;
    unsigned char *page =
        mmap(NULL, bytes + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page, 4096, PROT_NONE);
    page += 4096;
    fill_noise(page, bytes, seed);
    memcpy(page, "tactus heap \x01\x02\x03", 16);
    uintptr_t self = (uintptr_t)page;
    memcpy(page + 24, &self, sizeof self);
    wait_for_end();
}

/* Words at offset 24: self, mem, mem_bytes, tables, table_bytes; mem is left half right. */
static void garbled(uint64_t seed)
{
    static char line[512];
    uint64_t word[5] = {0};
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        char *page = (char *)(uintptr_t)strtoull(line, NULL, 16); /* NOLINT: a mapping */
        if (strstr(line, " rw-p 00000000 00:00 0 ") && !memcmp(page, "tactus heap \x01", 13))
            memcpy(word, page + 24, sizeof word);
    }
    if (!word[3])
        abort();
    printf("ready\n"); /* nothing allocates after this */
    fflush(stdout);
    fill_noise((void *)(uintptr_t)word[3], word[4], seed); /* NOLINT: as above */
    if (seed % 2)
        fill_noise((char *)(uintptr_t)word[1] + 512, word[2] - 512, seed); /* NOLINT: as above */
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

__attribute__((noinline)) void take_voices(void);
void take_voices(void)
{
    void *voice[10];
    for (int i = 0; i < 10; i++)
        voice[i] = malloc(333);
    for (int i = 0; i < 10; i++)
        free(voice[i]);
}

/* Peak: 20 MiB and a little; at most 10 blocks of 333 bytes; a pool too large and one too small. */
static void sizes(bool aborts)
{
    struct tac_pool *large, *small;
    struct tac_pool_config config = {.name = "large", .object_bytes = 64, .count = 100};
    tac_pool_new(&config, &large);
    config.name = "small";
    config.count = 2;
    tac_pool_new(&config, &small);
    for (int i = 0; i < 8; i++)
        tac_pool_get(large);
    for (int i = 0; i < 5; i++)
        tac_pool_get(small);
    for (int i = 0; i < 100; i++)
        take_voices();
    char *block[20];
    for (int i = 0; i < 20; i++)
        block[i] = malloc(1u << 20);
    if (aborts)
        abort();
    for (int i = 0; i < 20; i++)
        free(block[i]);
    tac_pool_free(small);
    exit(0);
}

/* Blocks that keep as much from others as they have, at a place the arena need not begin at; ends
 * without destructors. */
static void aligned(void)
{
    for (size_t i = 0; i < 20; i++)
        if (!aligned_alloc(1u << 20, 600000) || !aligned_alloc(1u << 18, 100000 + i * 20000))
            abort();
    if (!aligned_alloc(64u << 20, 100))
        abort();
    _exit(0);
}

/* Needs more than what it becomes. */
static void become(const char *self)
{
    memset(malloc(60u << 20), 1, 60u << 20);
    execl(self, self, "sizes", (char *)NULL);
}

__attribute__((noinline)) void *busy_function(size_t bytes);
void *busy_function(size_t bytes)
{
    void *volatile block = malloc(bytes);
    return block;
}

static void *churn(void *argument)
{
    void *slot[100] = {NULL};
    for (unsigned i = 0;; i++) {
        free(slot[i % 100]);
        slot[i % 100] = busy_function(i * 7919 % 3000 + 1);
        if (i % 5000 == 0)
            usleep(1000);
    }
    return argument;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "steady"))
        steady();
    else if (!strcmp(mode, "hostile") && argc > 2)
        hostile(strtoull(argv[2], NULL, 10));
    else if (!strcmp(mode, "garbled") && argc > 2)
        garbled(strtoull(argv[2], NULL, 10));
    else if (!strcmp(mode, "sizes"))
        sizes(argc > 2);
    else if (!strcmp(mode, "aligned"))
        aligned();
    else if (!strcmp(mode, "become"))
        become(argv[0]);
    else if (!strcmp(mode, "busy")) {
        pthread_t thread;
        pthread_create(&thread, NULL, churn, NULL);
        wait_for_end();
    } else
        return 2;
    _exit(0);
}
