/* SPDX-License-Identifier: MIT
 * test_life.c - malloc at the edges of a program's life: before constructors, as the very first
 * call of a thread in each form, in destructors of thread data, from libraries that come and go,
 * and while the process ends. Linked with libtactus-mem, shared or static. argv[1]: the plugin. */
#include "tactus/mem.h"

#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

static void *before_all;
static int before_errno;

/* Runs before every constructor, of libraries too. */
static void preinit(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    (void)envp;
    errno = 5;
    before_all = malloc(100);
    free(realloc(calloc(10, 10), 5000));
    before_errno = errno;
}

__attribute__((section(".preinit_array"),
               used)) static void (*const preinit_entry)(int, char **, char **) = preinit;

static void heap_is_there_before_constructors(void)
{
    CHECK(tac_heap_owns(before_all) && before_errno == 5);
    free(before_all);
}

/* ---- the first call of a thread ---- */

static char *volatile handed;

static void *first_malloc(void *unused)
{
    (void)unused;
    return malloc(1);
}
static void *first_free(void *unused)
{
    free(handed);
    return unused;
}
static void *first_calloc(void *unused)
{
    (void)unused;
    return calloc(3, 5000);
}
static void *first_realloc(void *unused)
{
    (void)unused;
    return realloc(handed, 100000);
}
static void *first_aligned(void *unused)
{
    (void)unused;
    return aligned_alloc(4096, 4096);
}
static void *first_usable(void *unused)
{
    return malloc_usable_size(handed) >= 3000 ? unused : NULL;
}
static void *first_large(void *unused)
{
    (void)unused;
    return malloc(5u << 20);
}
static void *first_impossible(void *unused)
{
    volatile size_t most = SIZE_MAX;
    errno = 0;
    return malloc(most) || errno != ENOMEM ? NULL : unused;
}

static void any_call_may_be_a_threads_first(void)
{
    void *(*const first[])(void *) = {first_malloc, first_calloc, first_realloc,    first_aligned,
                                      first_usable, first_large,  first_impossible, first_free};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        pthread_t thread;
        void *result = NULL;
        int token;
        if (first[i] == first_realloc || first[i] == first_free || first[i] == first_usable)
            handed = malloc(3000);
        REQUIRE(pthread_create(&thread, NULL, first[i], &token) == 0);
        pthread_join(thread, &result);
        CHECK_MSG(result != NULL, "%zu", i);
        if (result != &token)
            free(result);
    }
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
}

/* ---- destructors of thread data ---- */

enum { KEYS = 8 };
static pthread_key_t key[KEYS];
static _Atomic int destroyed;

/* Allocates anew, up to the number of rounds that POSIX promises. */
static void destroy(void *value)
{
    int *rounds = value;
    int left = *rounds - 1;
    free(value);
    destroyed++;
    if (left <= 0)
        return;
    int *next = malloc(sizeof *next + 1000);
    *next = left;
    pthread_setspecific(key[left % KEYS], next);
}

static void *die_with_data(void *unused)
{
    for (int i = 0; i < KEYS; i++) {
        int *rounds = malloc(sizeof *rounds);
        *rounds = 1 + i % 4;
        pthread_setspecific(key[i], rounds);
    }
    return unused;
}

static void destructors_of_thread_data_may_allocate(void)
{
    struct tac_heap_stats stats;
    for (int i = 0; i < KEYS; i++)
        REQUIRE(pthread_key_create(&key[i], destroy) == 0);
    tac_heap_stats_get(&stats);
    unsigned before = stats.threads;
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, die_with_data, NULL) == 0);
        pthread_join(thread, NULL);
    }
    tac_heap_stats_get(&stats);
    CHECK_MSG(stats.threads <= before + 1, "%u thread heaps", stats.threads);
    CHECK(destroyed >= 200 * KEYS);
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
}

/* ---- libraries that come and go ---- */

static const char *plugin_path;

#ifdef TEST_STATIC
static void libraries_come_and_go(void)
{
    SKIP("a static program opens no libraries");
}
#else
static void *use_plugin(void *unused)
{
    char *(*give)(size_t);
    void *library = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return NULL;
    *(void **)&give = dlsym(library, "plugin_give");
    char *text = give ? give(3000) : NULL;
    dlclose(library);
    bool good = text && tac_heap_owns(text) && strlen(text) == 3000 && text[2999] == 'p';
    free(text);
    return good ? unused : NULL;
}

static void libraries_come_and_go(void)
{
    int token;
    REQUIRE(plugin_path);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        void *result = NULL;
        REQUIRE(use_plugin(&token));
        REQUIRE(pthread_create(&thread, NULL, use_plugin, &token) == 0);
        pthread_join(thread, &result);
        REQUIRE(result);
    }
    CHECK(tac_heap_is_valid(NULL, 0) == 0);
}

#endif

/* ---- the end ---- */

static void *late;

static void at_exit(void)
{
    free(late);
    late = malloc(2000);
}

__attribute__((destructor)) static void last(void)
{
    if (late && !tac_heap_owns(late))
        _exit(8);
    free(late);
    free(malloc(70000));
}

static void *churn_until_the_end(void *unused)
{
    for (unsigned i = 0;; i++)
        free(malloc(i * 37 % 9000));
    return unused;
}

static void process_may_end_while_threads_allocate(void)
{
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t thread[3];
            alarm(20);
            atexit(at_exit);
            late = malloc(10);
            for (int t = 0; t < 3; t++)
                pthread_create(&thread[t], NULL, churn_until_the_end, NULL);
            usleep(1000);
            exit(7);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", status);
    }
}

int main(int argc, char **argv)
{
    plugin_path = argc > 1 && strchr(argv[1], '/') ? argv[1] : NULL;
    test_begin(plugin_path ? 1 : argc, argv);
    TEST(heap_is_there_before_constructors);
    TEST(any_call_may_be_a_threads_first);
    TEST(destructors_of_thread_data_may_allocate);
    TEST(libraries_come_and_go);
    TEST(process_may_end_while_threads_allocate);
    return test_end();
}
