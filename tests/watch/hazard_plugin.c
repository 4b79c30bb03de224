/* SPDX-License-Identifier: MIT
 * hazard_plugin.c - a library that is opened while the program runs. Its constructor waits for a
 * thread of its own, which makes calls that nobody has made before, while the loader's lock is
 * held. It allocates for the program and frees for it. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#pragma GCC visibility push(default)
void *hazard_alloc(size_t bytes);
void hazard_free(void *block);
#pragma GCC visibility pop

static void *call_first(void *unused)
{
    fdatasync(-1);
    flock(-1, LOCK_SH);
    sched_yield();
    return unused;
}

static __attribute__((constructor)) void wait_for_thread(void)
{
    pthread_t thread;
    if (getenv("HAZARD_WAITS") && !pthread_create(&thread, NULL, call_first, NULL))
        pthread_join(thread, NULL);
}

void *hazard_alloc(size_t bytes)
{
    return malloc(bytes);
}

void hazard_free(void *block)
{
    free(block);
}
