/* SPDX-License-Identifier: MIT
 * spawn.c - the threads of a program that is to be recorded get a ring before their first function
 * runs, the main thread before main, so that the rivals of the audio thread for the heap and for
 * locks are in the picture. A thread that gives itself a name has it in the recording, too. */
#include "watch/watch.h"

#include "tactus/mem.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <threads.h>

enum { RING_RECORDS = 32768 };

struct start {
    void *(*function)(void *);
    void *argument;
};

/* Without starting the session. */
static void give_ring(const char *name)
{
    struct tac_watch_shim shim = tac_watch_shim_begin();
    TAC_WATCH_REAL(tac_thread_register)(name, RING_RECORDS);
    tac_watch_shim_end(&shim);
}

static void *begin(void *box)
{
    struct start start = *(struct start *)box;
    free(box);
    give_ring(NULL);
    return start.function(start.argument);
}

/* A thread of C11. */
static int begin_c11(void *box)
{
    struct start start = *(struct start *)box;
    free(box);
    give_ring(NULL);
    return ((thrd_start_t)(uintptr_t)start.function)(start.argument);
}

/* Our heap populates memory ahead in a thread of its own, once the program has threads. */
static void start_heap_helper(void)
{
    static atomic_flag tried = ATOMIC_FLAG_INIT;
    if (tac_watch_heap != TAC_WATCH_HEAP_TACTUS || tac_watch_thread()->shim ||
        atomic_flag_test_and_set(&tried))
        return;
    struct tac_watch_shim shim = tac_watch_shim_begin();
    (void)!tac_heap_helper_start(); /* without it memory is populated on first touch */
    tac_watch_shim_end(&shim);
}

/* What the new thread begins with, or NULL: it has no ring. */
static struct start *pack(const struct tac_watch_thread *t, void *(*function)(void *),
                          void *argument)
{
    bool registers = !t->shim && tac_watch_record_path();
    struct start *box = registers ? malloc(sizeof *box) : NULL;
    if (box)
        *box = (struct start){function, argument};
    return box;
}

TAC_WATCH_EXPORT int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
                                    void *(*function)(void *), void *argument)
{
    TAC_WATCH_SITE(site, "pthread_create");
    struct tac_watch_thread *t = tac_watch_thread();
    start_heap_helper();
    struct start *box = pack(t, function, argument);
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = TAC_WATCH_REAL(pthread_create)(ret_thread, attributes, box ? begin : function,
                                           box ? box : argument);
    tac_watch_call_end(&call);
    if (r)
        free(box);
    return r;
}

TAC_WATCH_EXPORT int thrd_create(thrd_t *ret_thread, thrd_start_t function, void *argument)
{
    TAC_WATCH_SITE(site, "thrd_create");
    struct tac_watch_thread *t = tac_watch_thread();
    start_heap_helper();
    struct start *box = pack(t, (void *(*)(void *))(uintptr_t)function, argument);
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r =
        TAC_WATCH_REAL(thrd_create)(ret_thread, box ? begin_c11 : function, box ? box : argument);
    tac_watch_call_end(&call);
    if (r != thrd_success)
        free(box);
    return r;
}

static __attribute__((constructor)) void begin_main(void)
{
    if (tac_watch_record_path())
        give_ring(NULL);
}

static void rename_ring(const char *name)
{
    if (tac_trace_lane_here->record)
        give_ring(name);
}

TAC_WATCH_EXPORT int pthread_setname_np(pthread_t thread, const char *name)
{
    int r = TAC_WATCH_REAL(pthread_setname_np)(thread, name);
    if (r == 0 && pthread_equal(thread, pthread_self()))
        rename_ring(name);
    return r;
}

TAC_WATCH_EXPORT int prctl(int option, ...)
{
    va_list args;
    unsigned long a[4];
    va_start(args, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(args, unsigned long);
    va_end(args);
    int r = TAC_WATCH_REAL(prctl)(option, a[0], a[1], a[2], a[3]);
    if (r == 0 && option == PR_SET_NAME)
        rename_ring((const char *)a[0]);
    return r;
}
