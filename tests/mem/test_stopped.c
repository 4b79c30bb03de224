/* SPDX-License-Identifier: MIT
 * test_stopped.c - a thread that is stopped at any instruction inside malloc or free keeps nobody
 * from their memory: another thread, with real-time priority where that is permitted, goes on
 * allocating and freeing meanwhile, each call in no more instructions than ever.
 *
 * The stop is exact: the victim single-steps itself and stays in the trap of its n-th instruction,
 * for a random n, until it is let go. Both free blocks of each other, so that queues, hints and
 * words are shared. With a number as second argument there are that many times as many stops. */
#include "mem/heap.h"

#include "step.h"
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* Of a call beside a stopped thread: what test_bound.c permits, and what lost races may cost. */
enum { BESIDE_MAX = 800, SLOTS = 256, STOPS = 60 };

static void *_Atomic slot[SLOTS]; /* what one thread put there, any thread frees */
static _Atomic int is_stopped, may_go_on, is_over;
static int stops = STOPS;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

/* In the trap, in the middle of malloc or free. */
static void stay(void)
{
    atomic_store(&may_go_on, 0);
    atomic_store(&is_stopped, 1);
    while (!atomic_load(&may_go_on))
        nap();
}

/* Sizes that reach every layer: lists, slabs, remote frees, each level of the span layer. */
static size_t random_size(uint64_t *state)
{
    static const size_t most[] = {1000, 16000, 60000, 1000000, 5000000};
    return 1 + (size_t)(random_next(state) % most[random_next(state) % 5]);
}

/* One malloc and one free; the instructions of the longer. */
static long work(uint64_t *state)
{
    uintptr_t block, nothing;
    long n = step_call((void *)(uintptr_t)tac_heap_malloc, random_size(state), 0, &block), m = 0;
    void *old = atomic_exchange(&slot[random_next(state) % SLOTS], (void *)block); /* NOLINT */
    if (old)
        m = step_call((void *)(uintptr_t)tac_heap_free, (uintptr_t)old, 0, &nothing);
    return n > m ? n : m;
}

static void *victim(void *argument)
{
    uint64_t state = 4711;
    tac_heap_thread_attach();
    step_call((void *)(uintptr_t)tac_heap_free, 0, 0, &(uintptr_t){0}); /* learns its base */
    while (!atomic_load(&is_over)) {
        step_stop_at = 8 + (long)(random_next(&state) % 400);
        work(&state);
    }
    step_stop_at = 0;
    return argument;
}

/* As a real-time thread runs, if this process may; the kernel ends it should it not sleep. */
static void ask_for_real_time(void)
{
    struct rlimit limit = {2000000, 2000000};
    setrlimit(RLIMIT_RTTIME, &limit);
    int r = pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param){1});
    printf("# real-time priority: %s\n", r ? "not permitted" : "yes");
}

static long most, calls, refused;

static void *beside(void *argument)
{
    uint64_t state = 815;
    ask_for_real_time();
    tac_heap_thread_attach();
    for (int stop = 0; stop < stops; stop++) {
        while (!atomic_load(&is_stopped))
            nap();
        for (int i = 0; i < 12; i++, calls++) {
            long n = work(&state);
            most = n > most ? n : most;
        }
        void *block = tac_heap_malloc(3000000);
        refused += !block;
        tac_heap_free(block);
        atomic_store(&is_stopped, 0);
        if (stop == stops - 1)
            atomic_store(&is_over, 1);
        atomic_store(&may_go_on, 1);
    }
    return argument;
}

static void a_stopped_thread_keeps_nobody_waiting(void)
{
    const char *why = step_supported();
    if (why)
        SKIP(why);
    step_stopped = stay;
    pthread_t stopped, other;
    REQUIRE(pthread_create(&stopped, NULL, victim, NULL) == 0);
    REQUIRE(pthread_create(&other, NULL, beside, NULL) == 0);
    pthread_join(other, NULL);
    while (atomic_load(&is_over) == 1) { /* the victim may have stopped once more */
        atomic_store(&may_go_on, 1);
        if (pthread_tryjoin_np(stopped, NULL) == 0)
            break;
        nap();
    }
    printf("# %ld calls beside %d stops, max %ld instructions\n", calls, stops, most);
    CHECK(calls == 12 * stops);
    CHECK_MSG(most <= BESIDE_MAX, "%ld", most);
    CHECK_MSG(refused == 0, "%ld", refused);
    for (int i = 0; i < SLOTS; i++)
        tac_heap_free(atomic_load(&slot[i]));
    char fault[128];
    CHECK_MSG(tac_heap_is_valid(fault, sizeof fault) == 0, "%s", fault);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    if (argc > 2)
        stops = STOPS * atoi(argv[2]);
    TEST(a_stopped_thread_keeps_nobody_waiting);
    return test_end();
}
