/* SPDX-License-Identifier: MIT
 * plugin_heap.c - a library that is opened and closed while the program runs: it allocates in its
 * constructor, in calls and in its threads, and frees in its destructor (test_life.c). */
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) char *plugin_give(size_t bytes);
static char *of_constructor;
static _Thread_local char *of_thread;

__attribute__((constructor)) static void begin(void)
{
    of_constructor = malloc(777);
}

__attribute__((destructor)) static void end(void)
{
    free(of_constructor);
    free(malloc(100));
}

/* The program frees it, maybe after this library is gone. */
char *plugin_give(size_t bytes)
{
    free(of_thread);
    of_thread = malloc(50);
    return strdup(memset(calloc(1, bytes + 1), 'p', bytes));
}
