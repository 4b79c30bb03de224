/* SPDX-License-Identifier: MIT
 * victim.c - a program that knows nothing of Tactus: allocates in every way there is, checks what
 * it gets, and prints a sum. Exit code 0 when all was right. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;

static void check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "victim: %s\n", what);
        bad = 1;
    }
}

static void *churn(void *seed_value)
{
    uint32_t seed = (uint32_t)(uintptr_t)seed_value;
    static _Thread_local unsigned char *block[200];
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned k = (seed >> 8) % 200;
        size_t bytes = 1 + (seed >> 10) % 3000;
        block[k] = realloc(block[k], bytes);
        memset(block[k], (int)k, bytes);
        if (i % 7 == 0) {
            free(block[k]);
            block[k] = NULL;
        }
    }
    for (int k = 0; k < 200; k++)
        free(block[k]);
    return NULL;
}

static void every_entry(void)
{
    void *p = NULL;
    check(posix_memalign(&p, 256, 100) == 0 && (uintptr_t)p % 256 == 0, "posix_memalign");
    check(malloc_usable_size(p) >= 100, "malloc_usable_size");
    free(p);
    check(posix_memalign(&p, 3, 100) == EINVAL, "posix_memalign with 3");
    p = aligned_alloc(64, 640);
    check((uintptr_t)p % 64 == 0, "aligned_alloc");
    free(p);
    p = memalign(32, 7);
    check((uintptr_t)p % 32 == 0, "memalign");
    free(p);
    p = valloc(10);
    check((uintptr_t)p % (uintptr_t)sysconf(_SC_PAGESIZE) == 0, "valloc");
    free(p);
    p = calloc(100, 100);
    int sum = 0;
    for (int i = 0; i < 10000; i++)
        sum += ((unsigned char *)p)[i];
    check(sum == 0, "calloc");
    p = realloc(p, 20000);
    check(p != NULL, "realloc");
    free(p);
    volatile size_t huge = SIZE_MAX / 2;
    errno = 0;
    check(!reallocarray(NULL, huge, 4) && errno == ENOMEM, "reallocarray overflow");
    errno = 0;
    check(!malloc(huge + 100) && errno == ENOMEM, "absurd size");
}

int main(void)
{
    every_entry();
    pthread_t thread[4];
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, churn, (void *)(i + 1));
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    pid_t child = fork();
    if (child == 0) {
        free(malloc(1000));
        _exit(bad);
    }
    int status = 1;
    waitpid(child, &status, 0);
    check(status == 0, "fork");
    puts("victim is well");
    return bad;
}
