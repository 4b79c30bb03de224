/* SPDX-License-Identifier: MIT
 * workload.c - one allocation workload, for any malloc: bench/mem/peers preloads the allocators.
 *
 * usage: workload NAME [FILE]
 * Prints one line: processor seconds, page faults in the measured part, peak resident KiB.
 * small and power time each call alone (counter, fences) and write the ticks of each operation to
 * FILE as 32-bit numbers, so that the minimum over several runs can be taken for each operation:
 * what is left is the allocator, what is gone is the scheduler. The trace is the same in each run.
 * Shapes follow the published ones: larson (server threads that inherit each other's blocks),
 * glibc-simple (same-size batches), xmalloc (one thread allocates, another frees). */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static uint64_t seed = 88172645463325252u;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
    uint64_t t = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return t;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

static uint32_t sample[400000];
static size_t samples;

static void note(uint64_t begin)
{
    uint64_t n = ticks() - begin;
    sample[samples++] = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
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
        note(t);
        t = ticks();
        slot[j] = malloc(bytes);
        note(t);
        memset(slot[j], 1, bytes);
    }
    free(slot);
}

static void run_small(void)
{
    replace(small_size, 100000, 150000);
}

static void run_power(void)
{
    replace(power_size, 1000, 40000);
}

static void run_simple(void)
{
    void *slot[1600];
    for (int round = 0; round < 4000; round++) {
        size_t bytes = 16 + (size_t)(round % 16) * 32;
        for (int i = 0; i < 1600; i++)
            slot[i] = malloc(bytes);
        for (int i = 0; i < 1600; i++)
            free(slot[i * 7 % 1600]);
    }
}

enum { CHUNKS = 1000 };

static void *larson_thread(void *argument)
{
    void **slot = argument;
    uint64_t state = (uintptr_t)argument | 1;
    for (int i = 0; i < 400000; i++) {
        void **s = &slot[random_next(&state) % CHUNKS];
        free(*s);
        *s = malloc(8 + (size_t)(random_next(&state) % 993));
        **(char **)s = 1;
    }
    return NULL;
}

/* The next generation of threads works on blocks of the one before. */
static void run_larson(void)
{
    static void *slot[2][CHUNKS];
    for (int generation = 0; generation < 5; generation++) {
        pthread_t thread[2];
        for (int i = 0; i < 2; i++)
            pthread_create(&thread[i], NULL, larson_thread, slot[(i + generation) % 2]);
        for (int i = 0; i < 2; i++)
            pthread_join(thread[i], NULL);
    }
}

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

static void run_handover(void)
{
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

static void *short_life(void *argument)
{
    void *slot[64];
    for (int i = 0; i < 64; i++)
        slot[i] = malloc((size_t)i * 20 + 16);
    for (int i = 0; i < 64; i++)
        free(slot[i]);
    return argument;
}

static void run_threads(void)
{
    for (int i = 0; i < 4000; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, short_life, NULL);
        pthread_join(thread, NULL);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} workloads[] = {
    {"small", run_small},   {"power", run_power},       {"simple", run_simple},
    {"larson", run_larson}, {"handover", run_handover}, {"threads", run_threads},
};

static double cpu_seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1e-6;
}

/* The largest resident size of this program: ru_maxrss would be that of the one that started it. */
static long peak_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

static int run(size_t i, const char *path)
{
    struct rusage before, after;
    memset(sample, 1, sizeof sample);
    free(malloc(1)); /* opening the heap is not what is measured */
    getrusage(RUSAGE_SELF, &before);
    workloads[i].run();
    getrusage(RUSAGE_SELF, &after);
    printf("%.4f %ld %ld\n", cpu_seconds(&after) - cpu_seconds(&before),
           after.ru_minflt - before.ru_minflt, peak_kib());
    FILE *file = path ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(sample, sizeof *sample, samples, file);
        fclose(file);
    }
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, argv[1]) == 0)
            return run(i, argc > 2 ? argv[2] : NULL);
    fprintf(stderr, "usage: workload small|power|simple|larson|handover|threads [FILE]\n");
    return 2;
}
