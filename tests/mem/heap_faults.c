/* SPDX-License-Identifier: MIT
 * heap_faults.c - a program with one planted fault of memory, named by its argument; the checked
 * heap must find it (debug_faults.py). Each fault has a function of its own, whose name is exported
 * so that reports can show it. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULT(name)                                                                                \
    __attribute__((visibility("default"), noinline)) void name(void);                              \
    void name(void)

void free_sized(void *block, size_t bytes) __attribute__((weak));
static char *volatile kept;

FAULT(allocate)
{
    kept = malloc(100);
}

FAULT(release)
{
    free(kept);
}

FAULT(overrun)
{
    allocate();
    kept[100] = 1;
    release();
}

FAULT(overrun_unfreed)
{
    allocate();
    kept[107] = 1;
}

FAULT(underrun)
{
    allocate();
    kept[-1] = 1;
    release();
}

FAULT(double_free)
{
    allocate();
    release();
    free(kept);
}

FAULT(use_after_free)
{
    allocate();
    release();
    kept[5] = 1;
}

FAULT(use_after_free_seen_early) /* the block leaves the quarantine long before the end */
{
    allocate();
    release();
    kept[5] = 1;
    for (int i = 0; i < 10000; i++)
        free(malloc(100));
}

FAULT(realloc_after_free)
{
    allocate();
    release();
    kept = realloc(kept, 200);
}

FAULT(free_inside)
{
    allocate();
    free(kept + 16);
}

FAULT(wrong_size)
{
    allocate();
    free_sized(kept, 99);
}

static void *free_there(void *block)
{
    free(block);
    return NULL;
}

FAULT(double_free_by_threads)
{
    pthread_t thread;
    allocate();
    pthread_create(&thread, NULL, free_there, kept);
    pthread_join(thread, NULL);
    release();
}

/* A list of which only the head was lost: all of it is. */
FAULT(leak)
{
    void **last = NULL;
    for (int i = 0; i < 10; i++) {
        void **next = malloc(1000);
        next[0] = last;
        last = next;
    }
    memset(&last, 0, sizeof last);
    __asm__ volatile("" ::"r"(&last) : "memory");
}

static void wipe_stack(void)
{
    volatile char stack[4096];
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = 0;
}

/* Reachable from a global, from a block, from inside a block, from a running thread: not lost. */
static void **root;
static void *hold(void *barrier)
{
    void *volatile mine = malloc(500);
    pthread_barrier_wait(barrier);
    pause();
    return mine;
}

FAULT(no_leak)
{
    static pthread_barrier_t barrier;
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    root = malloc(64);
    root[0] = malloc(300);
    root[1] = (char *)malloc(400) + 200;
    pthread_create(&thread, NULL, hold, &barrier);
    pthread_barrier_wait(&barrier);
}

FAULT(clean)
{
    for (int i = 0; i < 2000; i++) {
        size_t bytes = (size_t)i * 37 % 9000;
        char *block = i % 3 ? malloc(bytes) : aligned_alloc(256, bytes + 256);
        memset(block, 1, malloc_usable_size(block));
        block = realloc(block, bytes * 2 + 1);
        block[bytes * 2] = 1;
        free(block);
    }
}

/* Below a frame of its own, so that wipe_stack() covers all that the fault leaves on the stack. */
static void run_below(void (*fault)(void))
{
    volatile char gap[512];
    gap[0] = gap[511] = 0;
    fault();
}

static const struct {
    const char *name;
    void (*run)(void);
} faults[] = {
    {"overrun", overrun},
    {"overrun_unfreed", overrun_unfreed},
    {"underrun", underrun},
    {"double_free", double_free},
    {"use_after_free", use_after_free},
    {"use_after_free_seen_early", use_after_free_seen_early},
    {"realloc_after_free", realloc_after_free},
    {"free_inside", free_inside},
    {"wrong_size", wrong_size},
    {"double_free_by_threads", double_free_by_threads},
    {"leak", leak},
    {"no_leak", no_leak},
    {"clean", clean},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (argc > 1 && !strcmp(argv[1], faults[i].name)) {
            run_below(faults[i].run);
            wipe_stack();
            return 0;
        }
    return 2;
}
