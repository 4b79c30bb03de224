/* SPDX-License-Identifier: MIT
 * heap_story.c - the founding story on the system's own heap as it comes: a thread with a deadline
 * that allocates, a loader that allocates too, and a program that pre-empts the loader.
 *
 * usage: heap_story [CYCLES]
 *
 * glibc gives a new thread an arena of its own, but makes no more than eight for each CPU; in a
 * program with more threads they share. Idle threads are started here until one gets the arena of
 * the audio thread: that one becomes the loader. It allocates on the first CPU without pause, and a
 * process "ffmpeg" runs there too, by turns. The audio thread, on the last CPU, allocates a little
 * in each cycle. Exits with 77 where threads share no arena. */
#include "tactus/cycle.h"
#include "tactus/trace.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NS = 2000000, THREADS_MAX = 400, BLOCKS = 64, TURN_NS = 3000000 };

/* HEAP_MAX_SIZE of glibc. */
static const uintptr_t arena_bytes = sizeof(void *) == 8 ? 64u << 20 : 1u << 20;

static sem_t know;
static atomic_uintptr_t wanted; /* the arena of the audio thread */
static atomic_int found, running = 1;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void go_to_cpu(int last)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)(last ? sysconf(_SC_NPROCESSORS_ONLN) - 1 : 0), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void be_urgent(int priority)
{
    struct sched_param p = {.sched_priority = priority};
    sched_setscheduler(0, SCHED_FIFO, &p);
}

/* The arena that serves the calling thread; of small blocks in the first one nothing is known. */
static uintptr_t arena_here(void)
{
    void *volatile block = malloc(3000);
    uintptr_t arena = (uintptr_t)block & ~(arena_bytes - 1);
    free(block);
    return arena;
}

/* What the loader does: a list that grows and shrinks. */
static __attribute__((noinline)) void append(void *list[BLOCKS])
{
    for (int i = 0; i < BLOCKS; i++)
        list[i] = malloc((size_t)(1100 + i * 7919 % 50000));
    for (int i = 0; i < BLOCKS; i++)
        free(list[i]);
    __asm__ volatile("" : : "r"(list) : "memory");
}

static void *load(void *unused)
{
    static void *list[BLOCKS];
    uintptr_t mine = arena_here();
    int is_loader = mine == atomic_load(&wanted) && !atomic_exchange(&found, 1);
    sem_post(&know);
    while (!is_loader && atomic_load(&running))
        sleep_until(now() + 20000000);
    if (is_loader) {
        prctl(PR_SET_NAME, "loader");
        go_to_cpu(0);
        tac_thread_register("loader", 1 << 16);
    }
    while (atomic_load(&running))
        append(list);
    return unused;
}

static atomic_uint cycles = 500;

static void *play(void *unused)
{
    go_to_cpu(1);
    be_urgent(60);
    tac_thread_register("audio", 1 << 16);
    atomic_store(&wanted, arena_here());
    sem_post(&know);
    while (!atomic_load(&found))
        sleep_until(now() + PERIOD_NS);
    int source = tac_cycle_source_open("audio", PERIOD_NS);
    uint64_t release = now() + 20 * (uint64_t)PERIOD_NS;
    for (unsigned i = 0; i < cycles; i++, release += PERIOD_NS) {
        void *volatile block[8];
        sleep_until(release);
        tac_cycle_begin(source, release + PERIOD_NS, 96);
        for (int k = 0; k < 8; k++)
            block[k] = malloc(2000);
        for (int k = 0; k < 8; k++)
            free(block[k]);
        tac_cycle_end(source);
    }
    atomic_store(&running, 0);
    return unused;
}

static void run_ffmpeg(pid_t parent)
{
    prctl(PR_SET_NAME, "ffmpeg");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    go_to_cpu(0);
    be_urgent(10);
    while (getppid() == parent) {
        for (uint64_t end = now() + TURN_NS; now() < end;)
            ;
        sleep_until(now() + TURN_NS * 3);
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    pthread_t audio, thread[THREADS_MAX];
    unsigned started = 0;
    pid_t parent = getpid(), ffmpeg = fork();
    if (ffmpeg == 0)
        run_ffmpeg(parent);
    if (argc > 1)
        cycles = (unsigned)strtoul(argv[1], NULL, 10);
    sem_init(&know, 0, 0);
    if (pthread_create(&audio, NULL, play, NULL))
        return 3;
    sem_wait(&know);
    while (!atomic_load(&found) && started < THREADS_MAX &&
           !pthread_create(&thread[started], NULL, load, NULL)) {
        started++;
        sem_wait(&know);
    }
    int shared = atomic_load(&found);
    if (!shared)
        _exit(77);
    pthread_join(audio, NULL);
    for (unsigned i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    kill(ffmpeg, SIGKILL);
    waitpid(ffmpeg, NULL, 0);
    return 0;
}
