/* SPDX-License-Identifier: MIT
 * thread_entry.c - pthread_create of the shared library: with a program's first own thread the
 * helper that populates ahead is started (helper.c). So a program that has one thread keeps having
 * one, and nothing is started from inside malloc. From then on a forked child has remote frees to
 * put right (fork.c). */
#include "mem/heap.h"

#include <dlfcn.h>
#include <errno.h>

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                          const pthread_attr_t *attr,
                                                          void *(*start)(void *), void *argument)
{
    static _Atomic(tac_helper_create_fn *) real;
    tac_helper_create_fn *create = atomic_load_explicit(&real, memory_order_relaxed);
    if (!create) {
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
        if (!create)
            return EAGAIN;
        atomic_store_explicit(&real, create, memory_order_relaxed);
    }
    tac_mem_fork_prepare();
    tac_helper_start(create);
    return create(thread, attr, start, argument);
}
