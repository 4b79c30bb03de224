/* SPDX-License-Identifier: MIT
 * recorded.c - clocks and the recorded forms of heap and lock operations; see injector.h. */
#include "injector.h"

#include "tactus/trace.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile double sink;

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t cpu_now(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void spin(uint64_t ns)
{
    double x = sink + 1;
    for (uint64_t end = now() + ns; now() < end;)
        for (int i = 0; i < 100; i++)
            x = x * 0.999 + 1;
    sink = x;
}

void sleep_ns(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

void wait_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

void pin(int last)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_SET((int)(last ? cpus - 1 : 0), &set);
    sched_setaffinity(0, sizeof set, &set);
}

int fifo(int priority)
{
    struct sched_param p = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
}

void once_fifo(int priority)
{
    static __thread int done;
    if (!done)
        fifo(priority);
    done = 1;
}

static atomic_ullong press_until;

static void *press_on(void *unused)
{
    pin(0);
    fifo(20);
    while (atomic_load(&running)) {
        uint64_t until = atomic_load(&press_until);
        if (until > now())
            spin(until - now());
        sleep_ns(period_ns / 20);
    }
    return unused;
}

void press(uint64_t until_ns)
{
    static atomic_int started;
    pthread_t thread;
    atomic_store(&press_until, until_ns);
    if (!atomic_exchange(&started, 1) &&
        (pthread_create(&thread, NULL, press_on, NULL) || pthread_detach(thread)))
        abort();
}

void *heap_get(size_t bytes)
{
    uint64_t begin = tac_trace_counter();
    void *volatile got = malloc(bytes); /* nobody will have read it */
    void *p = got;
    tac_trace_memory(p ? TAC_MEMORY_ALLOC : TAC_MEMORY_FAIL, p, NULL, bytes, begin);
    return p;
}

void heap_put(void *p)
{
    volatile uintptr_t address = (uintptr_t)p; /* the compiler must not see that it is p */
    uint64_t begin = tac_trace_counter();
    free(p);
    tac_trace_memory(TAC_MEMORY_FREE, (void *)address, NULL, 0, begin);
}

void *heap_grow(void *p, size_t bytes)
{
    volatile uintptr_t before = (uintptr_t)p;
    uint64_t begin = tac_trace_counter();
    void *grown = realloc(p, bytes);
    tac_trace_memory(TAC_MEMORY_REALLOC, grown, (void *)before, bytes, begin);
    return grown;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int holder;

void lock(void)
{
    if (pthread_mutex_trylock(&mutex)) {
        uint64_t begin = tac_trace_counter();
        uint32_t who = (uint32_t)atomic_load(&holder);
        pthread_mutex_lock(&mutex);
        tac_trace_lock_wait(&mutex, who, begin);
    }
    atomic_store(&holder, gettid());
}

void unlock(void)
{
    atomic_store(&holder, 0);
    pthread_mutex_unlock(&mutex);
}
