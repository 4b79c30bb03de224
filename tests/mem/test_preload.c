/* SPDX-License-Identifier: MIT
 * test_preload.c - linked with libtactus-mem: the malloc family as programs see it. Meaning of the
 * odd arguments, fork at bad moments, threads that end with blocks, nothing to the kernel. */
#include "tactus/mem.h"

#include "test.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void the_family_is_ours(void)
{
    void *block = malloc(1);
    CHECK(tac_heap_owns(block));
    free(block);
    block = strdup("from libc");
    CHECK(tac_heap_owns(block));
    free(block);
}

static void odd_arguments_follow_the_manual(void)
{
    void *volatile block = malloc(0);
    CHECK(block != NULL);
    CHECK(realloc(block, 0) == NULL);
    void *untouched = &test_count, *out = untouched;
    volatile size_t three = 3, huge = SIZE_MAX;
    CHECK(posix_memalign(&out, three, 8) == EINVAL && out == untouched);
    CHECK(posix_memalign(&out, 64, huge) == ENOMEM && out == untouched);
    errno = 0;
    CHECK(!reallocarray(NULL, huge / 2, 3) && errno == ENOMEM);
    for (size_t alignment = 8; alignment <= 1u << 21; alignment *= 2)
        for (size_t bytes = 1; bytes < 100000; bytes = bytes * 3 + 1) {
            REQUIRE(posix_memalign(&out, alignment, bytes) == 0);
            CHECK((uintptr_t)out % alignment == 0 && malloc_usable_size(out) >= bytes);
            free(out);
        }
    out = memalign(three * 8, 100); /* rounded up to 32 */
    CHECK(out && (uintptr_t)out % 32 == 0);
    free(out);
    out = pvalloc(1);
    CHECK(malloc_usable_size(out) >= (size_t)sysconf(_SC_PAGESIZE));
    free(out);
    out = valloc(100);
    CHECK((uintptr_t)out % (size_t)sysconf(_SC_PAGESIZE) == 0);
    free(out);
}

/* What malloc(3), reallocarray(3), posix_memalign(3) say about sizes that cannot be. */
static void impossible_sizes_fail_with_enomem(void)
{
    volatile size_t too_long = (size_t)PTRDIFF_MAX + 1, half = SIZE_MAX / 2 + 1;
    char *volatile kept = malloc(100);
    REQUIRE(kept);
    memset(kept, 7, 100);
    for (size_t bytes = too_long; bytes >= too_long; bytes = bytes == too_long ? SIZE_MAX : 0) {
        errno = 0;
        CHECK(!malloc(bytes) && errno == ENOMEM);
        errno = 0;
        CHECK(!calloc(bytes, 1) && errno == ENOMEM);
        errno = 0;
        CHECK(!realloc(kept, bytes) && errno == ENOMEM);
        errno = 0;
        CHECK(!memalign(64, bytes) && errno == ENOMEM);
        errno = 0;
        CHECK(!aligned_alloc(64, bytes) && errno == ENOMEM);
        errno = 0;
        CHECK(!valloc(bytes) && errno == ENOMEM);
        errno = 0;
        CHECK(!pvalloc(bytes) && errno == ENOMEM);
    }
    errno = 0;
    CHECK(!calloc(half, 2) && errno == ENOMEM);
    errno = 0;
    CHECK(!reallocarray(kept, half, 2) && errno == ENOMEM);
    for (int i = 0; i < 100; i++)
        CHECK(kept[i] == 7);
    free(kept);
}

static void errno_is_left_alone(void)
{
    void *block = NULL, *blocks[200];
    errno = 42;
    for (int i = 0; i < 200; i++)
        blocks[i] = malloc((size_t)i * 500);
    for (int i = 0; i < 200; i++)
        blocks[i] = realloc(blocks[i], (size_t)i * 700 + 1);
    for (int i = 0; i < 200; i++)
        free(blocks[i]);
    free(NULL);
    free(calloc(7, 70000));
    volatile size_t huge = SIZE_MAX;
    CHECK(posix_memalign(&block, 64, huge) == ENOMEM);
    CHECK(errno == 42);
}

void free_sized(void *block, size_t bytes);
void free_aligned_sized(void *block, size_t alignment, size_t bytes);

static void blocks_are_aligned_zeroed_and_keep_their_bytes(void)
{
    for (size_t bytes = 0; bytes < 200000; bytes = bytes * 5 / 4 + 1) {
        unsigned char *dirty = malloc(bytes);
        REQUIRE(dirty && (uintptr_t)dirty % 16 == 0 && malloc_usable_size(dirty) >= bytes);
        memset(dirty, 0xee, malloc_usable_size(dirty));
        free_sized(dirty, bytes);
        unsigned char *zero = calloc(1, bytes), any = 0;
        for (size_t i = 0; i < bytes; i++)
            any |= zero[i];
        CHECK_MSG(any == 0, "%zu", bytes);
        free(zero);
        unsigned char *moved = aligned_alloc(512, bytes);
        REQUIRE((uintptr_t)moved % 512 == 0);
        for (size_t i = 0; i < bytes; i++)
            moved[i] = (unsigned char)(i * 7);
        moved = realloc(moved, bytes * 3 + 1);
        size_t same = 0;
        for (size_t i = 0; i < bytes; i++)
            same += moved[i] == (unsigned char)(i * 7);
        CHECK(same == bytes && (uintptr_t)moved % 16 == 0);
        free(moved);
        free_aligned_sized(aligned_alloc(64, bytes), 64, bytes);
    }
    free_sized(NULL, 0);
    free_aligned_sized(NULL, 16, 0);
}

static void extras_of_glibc_are_sensible(void)
{
    void *block = malloc(3u << 20);
    struct mallinfo2 info = mallinfo2();
    CHECK(info.uordblks >= 3u << 20 && info.hblks >= 1);
    CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    CHECK(malloc_info(0, file) == 0);
    fclose(file);
    CHECK(strstr(text, "<malloc") && strstr(text, "</malloc>"));
    free(text);
    memset(block, 1, 3u << 20);
    free(block);
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    CHECK(malloc_trim(0) == !stats.locked_bytes);
}

/* The child uses the heap thoroughly; 0 is good. */
static int child_works(void)
{
    for (int i = 0; i < 2000; i++) {
        char *block = malloc((size_t)(i * 37 % 50000) + 1);
        if (!block)
            return 1;
        *block = 1;
        free(block);
    }
    return tac_heap_owns(malloc(1)) ? 0 : 2;
}

static int wait_child(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static _Atomic int stop;

static void *churn(void *argument)
{
    (void)argument;
    void *slot[64] = {NULL};
    for (unsigned i = 0; !stop; i++) {
        free(slot[i % 64]);
        slot[i % 64] = malloc(i * 7919 % 40000);
    }
    for (int i = 0; i < 64; i++)
        free(slot[i]);
    return NULL;
}

static void fork_while_others_allocate(void)
{
    stop = 0;
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&thread[i], NULL, churn, NULL) == 0);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            _exit(child_works());
        }
        CHECK(wait_child(child) == 0);
    }
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

static volatile sig_atomic_t handler_forks, handler_failures;

static void fork_in_handler(int number)
{
    (void)number;
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    handler_forks++;
    handler_failures += status != 0;
}

static void fork_inside_a_handler_that_interrupted_malloc(void)
{
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    void *slot[32] = {NULL};
    unsigned i = 0;
    for (int round = 0; round < 40; round++) { /* one shot at a time: a fork may take long */
        struct itimerval timer = {{0, 0}, {0, 100 + round * 7}};
        setitimer(ITIMER_REAL, &timer, NULL);
        for (; handler_forks <= round; i++) {
            free(slot[i % 32]);
            slot[i % 32] = malloc(i * 7919 % 60000);
        }
    }
    for (i = 0; i < 32; i++)
        free(slot[i]);
    CHECK(handler_failures == 0);
}

static pthread_key_t key;

static void free_late(void *block)
{
    free(block);
    free(malloc(100));
}

static void *leave_blocks(void *argument)
{
    pthread_setspecific(key, malloc(5000));
    void **ret_block = argument;
    *ret_block = malloc(77);
    return malloc(99);
}

static void threads_end_with_blocks(void)
{
    REQUIRE(pthread_key_create(&key, free_late) == 0);
    struct tac_heap_stats before, after;
    tac_heap_stats_get(&before);
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        void *inner, *result;
        REQUIRE(pthread_create(&thread, NULL, leave_blocks, &inner) == 0);
        pthread_join(thread, &result);
        free(inner);
        free(result);
    }
    tac_heap_stats_get(&after);
    CHECK_MSG(after.threads <= before.threads + 1, "%u thread heaps", after.threads);
    CHECK(after.taken_bytes <= before.taken_bytes + (2u << 20));
    char fault[128] = "";
    CHECK_MSG(tac_heap_is_valid(fault, sizeof fault) == 0, "%s", fault);
}

enum { RING = 1024, PASSED = 300000 };

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

/* One thread allocates, another frees: what was freed is used again. */
static void handed_over_blocks_come_back(void)
{
    struct tac_heap_stats before, after;
    tac_heap_stats_get(&before);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, consume, NULL) == 0);
    for (int i = 0; i < PASSED; i++) {
        void *block = malloc(16 + (size_t)i * 7919 % 1000), *empty = NULL;
        while (!atomic_compare_exchange_weak(&ring[i % RING], &empty, block)) {
            empty = NULL;
            sched_yield();
        }
    }
    pthread_join(thread, NULL);
    tac_heap_stats_get(&after);
    size_t growth = after.taken_bytes - before.taken_bytes;
    CHECK_MSG(after.taken_bytes < before.taken_bytes || growth < 8u << 20, "%zu KiB", growth >> 10);
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
}

/* With an arena that is populated: no fault in any later call, in a new thread either. */
static void *count_faults(void *ret_faults)
{
    struct rusage a, b;
    void *slot[500] = {NULL};
    getrusage(RUSAGE_THREAD, &a);
    for (unsigned i = 0; i < 20000; i++) {
        free(slot[i % 500]);
        slot[i % 500] = malloc(i * 7919 % (i % 50 ? 2000 : 40000));
    }
    for (int i = 0; i < 500; i++)
        free(slot[i]);
    getrusage(RUSAGE_THREAD, &b);
    *(long *)ret_faults = b.ru_minflt - a.ru_minflt;
    return NULL;
}

static void populated_heap_does_not_fault(void)
{
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    if (stats.populated_bytes < stats.arena_bytes)
        SKIP("run with TACTUS_HEAP=size=... to test this");
    long faults = -1, again = -1;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, count_faults, &faults) == 0);
    pthread_join(thread, NULL);
    REQUIRE(pthread_create(&thread, NULL, count_faults, &again) == 0);
    pthread_join(thread, NULL);
    CHECK_MSG(faults <= 3, "%ld", faults); /* the thread's own stack, first used here */
    CHECK_MSG(again <= 3, "%ld", again);
}

static void full_arena_fails_and_recovers(void)
{
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    if (stats.arena_bytes > 256u << 20)
        SKIP("run with TACTUS_HEAP=size=... to test this");
    static void *slot[100000];
    size_t n = 0;
    errno = 0;
    while (n < 100000 && (slot[n] = malloc(n % 2 ? 10000 : 20000)))
        n++;
    CHECK(n < 100000 && errno == ENOMEM);
    CHECK(n * 15000 > stats.arena_bytes / 10 * 8);
    while (n)
        free(slot[--n]);
    void *block = malloc(stats.arena_bytes / 2);
    CHECK(block != NULL);
    free(block);
    char fault[128] = "";
    CHECK_MSG(tac_heap_is_valid(fault, sizeof fault) == 0, "%s", fault);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(the_family_is_ours);
    TEST(odd_arguments_follow_the_manual);
    TEST(impossible_sizes_fail_with_enomem);
    TEST(errno_is_left_alone);
    TEST(blocks_are_aligned_zeroed_and_keep_their_bytes);
    TEST(extras_of_glibc_are_sensible);
    TEST(threads_end_with_blocks);
    TEST(handed_over_blocks_come_back);
    TEST(populated_heap_does_not_fault); /* before forks, after which pages fault once more */
    TEST(fork_while_others_allocate);
    TEST(fork_inside_a_handler_that_interrupted_malloc);
    TEST(full_arena_fails_and_recovers);
    return test_end();
}
