/* SPDX-License-Identifier: MIT
 * spawn.c - new threads of a program that we record get a ring before their first function runs,
 * so that the rivals of the audio thread for the heap and for locks are in the picture. */
#include "watch/watch.h"

#include <pthread.h>
#include <stdlib.h>

enum { RING_RECORDS = 32768 };

struct start {
    void *(*function)(void *);
    void *argument;
};

static void *begin(void *box)
{
    struct start start = *(struct start *)box;
    free(box);
    tac_thread_register(NULL, RING_RECORDS);
    return start.function(start.argument);
}

TAC_WATCH_EXPORT int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
                                    void *(*function)(void *), void *argument)
{
    TAC_WATCH_SITE(site, "pthread_create");
    struct tac_watch_thread *t = tac_watch_thread();
    bool registers = !t->shim && tac_watch_record_path() && tac_trace_is_on();
    struct start *box = registers ? malloc(sizeof *box) : NULL;
    if (box)
        *box = (struct start){function, argument};
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int r = TAC_WATCH_REAL(pthread_create)(ret_thread, attributes, box ? begin : function,
                                           box ? box : argument);
    tac_watch_call_end(&call);
    if (r)
        free(box);
    return r;
}
