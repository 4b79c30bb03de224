/* SPDX-License-Identifier: MIT
 * test_silent.c - linked with libtactus-mem and run with TACTUS_HEAP=size=...: after the heap has
 * opened, a million operations of each pattern make no system call and no page fault in it.
 *
 * Around each call of the family the thread's selector makes the kernel turn every system call into
 * SIGSYS (syscall user dispatch, prctl(2), Linux 5.11), whose handler counts; so the calls that
 * pthread_create makes are not taken for the heap's. Faults are the kernel's count for the thread,
 * whose own stack and tables are touched before. A thread's exit is watched from the destructors of
 * its thread-local objects, which run before those of keys (the heap's among them), to that of a
 * key made last. Nothing is called before to warm up the code of the heap. */
#include "tactus/mem.h"

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
enum { ALLOW = 0, BLOCK = 1, DISPATCH_ON = 1 }; /* prctl(2) */

static _Thread_local volatile char selector;
static _Thread_local long fault_mark;
static atomic_long system_calls, faults, last_call;
static pthread_key_t last_key;
static long plant;

extern int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *library);
extern void *__dso_handle;

static void count_call(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    selector = ALLOW; /* until the next call is watched; the handler's own return needs it */
    last_call = info->si_syscall;
    system_calls++;
}

static long thread_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

/* Of the calling thread; 0 or errno. */
static int watch_begin(void)
{
    volatile char stack[32768];
    for (size_t i = 0; i < sizeof stack; i += 1024)
        stack[i] = 1;
    selector = ALLOW;
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, 0, 0, &selector))
        return errno;
    sched_yield(); /* bound now, not in the middle of what is watched */
    thread_faults();
    fault_mark = thread_faults();
    return 0;
}

static void watch_end(void)
{
    selector = ALLOW;
    faults += thread_faults() - fault_mark;
    prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
}

static void *take(size_t bytes)
{
    selector = BLOCK;
    if (plant == 1)
        getppid();
    char *block = malloc(bytes);
    selector = ALLOW;
    if (block)
        *block = block[bytes - 1] = 1;
    return block;
}

static void drop(void *block)
{
    selector = BLOCK;
    free(block);
    selector = ALLOW;
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t small_size(uint64_t *seed)
{
    return 4 + (size_t)(random_next(seed) % 253);
}

static size_t power_size(uint64_t *seed)
{
    uint64_t base = 16ull << random_next(seed) % 16;
    return (size_t)(base + random_next(seed) % base);
}

enum { MILLION = 1000000, LIVE_MAX = 20000, RING = 1024 };

static void *slots[LIVE_MAX], *_Atomic ring[RING];

/* Half of the operations allocate, half free; refusals count as failures. */
static long replace(size_t (*size)(uint64_t *), unsigned live, int operations)
{
    uint64_t seed = 88172645463325252u;
    long refused = 0;
    for (int i = 0; i < operations / 2; i++) {
        void **slot = &slots[random_next(&seed) % live];
        drop(*slot);
        *slot = take(size(&seed));
        refused += !*slot;
    }
    for (unsigned i = 0; i < live; i++) {
        drop(slots[i]);
        slots[i] = NULL;
    }
    return refused;
}

static void begin(void)
{
    system_calls = faults = 0;
    memset((void *)slots, 0, sizeof slots);
    for (int i = 0; i < RING; i++)
        ring[i] = NULL;
}

static void end(const char *name)
{
    printf("# %-10s %ld system calls, %ld faults\n", name, system_calls, faults);
    CHECK_MSG(system_calls == 0, "%ld, the last was number %ld", system_calls, last_call);
    CHECK_MSG(faults == 0, "%ld", faults);
}

/* Why this cannot be watched here, or NULL. */
static const char *why_not(void)
{
    struct tac_heap_stats stats;
    tac_heap_stats_get(&stats);
    if (test_emulated())
        return "an emulator faults and calls the kernel by itself";
    if (stats.populated_bytes < stats.arena_bytes)
        return "run with TACTUS_HEAP=size=... to test this";
    int error = watch_begin();
    watch_end();
    return error ? "the kernel has no syscall user dispatch here" : NULL;
}

static void small_blocks(void)
{
    const char *why = why_not();
    if (why)
        SKIP(why);
    begin();
    watch_begin();
    long refused = replace(small_size, LIVE_MAX, MILLION);
    watch_end();
    CHECK(refused == 0);
    end("small");
}

static void power_law_blocks(void)
{
    const char *why = why_not();
    if (why)
        SKIP(why);
    begin();
    watch_begin();
    long refused = replace(power_size, 500, MILLION);
    watch_end();
    CHECK_MSG(refused == 0, "%ld", refused);
    end("power");
}

static void *consume(void *argument)
{
    watch_begin();
    for (int i = 0; i < MILLION / 2; i++) {
        void *block;
        while (!(block = atomic_exchange(&ring[i % RING], NULL)))
            sched_yield();
        drop(block);
    }
    watch_end();
    return argument;
}

static void blocks_handed_to_another_thread(void)
{
    const char *why = why_not();
    if (why)
        SKIP(why);
    begin();
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, consume, NULL) == 0);
    watch_begin();
    uint64_t seed = 7919;
    for (int i = 0; i < MILLION / 2; i++) {
        void *block = take(16 + (size_t)(random_next(&seed) % 1009)), *empty = NULL;
        while (!atomic_compare_exchange_weak(&ring[i % RING], &empty, block)) {
            empty = NULL;
            sched_yield();
        }
    }
    watch_end();
    pthread_join(thread, NULL);
    end("handover");
}

static void exit_begins(void *nothing)
{
    (void)nothing;
    fault_mark = thread_faults();
    selector = BLOCK;
}

static void exit_ends(void *nothing)
{
    (void)nothing;
    watch_end();
}

/* First calls, work, blocks that outlive the thread, and its exit. */
static void *short_life(void *argument)
{
    void **left = argument;
    watch_begin();
    for (int round = 0; round < 4; round++) {
        void *block[64];
        for (int i = 0; i < 64; i++)
            block[i] = take((size_t)i * 20 + 16);
        for (int i = round == 3; i < 64; i++)
            drop(block[i]);
        if (round == 3)
            *left = block[0];
    }
    selector = ALLOW;
    faults += thread_faults() - fault_mark;
    pthread_setspecific(last_key, argument);
    __cxa_thread_atexit_impl(exit_begins, NULL, &__dso_handle);
    return NULL;
}

static void threads_that_start_and_end(void)
{
    const char *why = why_not();
    if (why)
        SKIP(why);
    REQUIRE(pthread_key_create(&last_key, exit_ends) == 0);
    begin();
    for (int i = 0; i < 1000; i++) { /* two at a time: 2 000 lives of 512 operations */
        pthread_t thread[2];
        void *left[2] = {NULL, NULL};
        for (int k = 0; k < 2; k++)
            REQUIRE(pthread_create(&thread[k], NULL, short_life, &left[k]) == 0);
        for (int k = 0; k < 2; k++) {
            pthread_join(thread[k], NULL);
            free(left[k]);
        }
    }
    end("threads");
}

/* The traps themselves work: a planted call is seen, and a planted first touch. */
static void planted_breaches_are_caught(void)
{
    const char *why = why_not();
    if (why)
        SKIP(why);
    begin();
    plant = 1;
    watch_begin();
    drop(take(100));
    watch_end();
    plant = 0;
    CHECK_MSG(system_calls == 1, "%ld", system_calls);
    static char untouched[1 << 16];
    watch_begin();
    *(volatile char *)&untouched[1 << 15] = 1;
    watch_end();
    CHECK_MSG(faults == 1, "%ld", faults);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = count_call;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, NULL);
    free(malloc(1)); /* opens the heap */
    TEST(small_blocks);
    TEST(power_law_blocks);
    TEST(blocks_handed_to_another_thread);
    TEST(threads_that_start_and_end);
    TEST(planted_breaches_are_caught);
    return test_end();
}
