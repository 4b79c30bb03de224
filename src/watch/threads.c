/* SPDX-License-Identifier: MIT
 * threads.c - the table of slots, one a thread.
 *
 * A slot is claimed at the thread's first call and given back by a destructor of thread-specific
 * data. What the thread does after that (destructors that run later) goes to a slot in the thread's
 * own memory, as does all of a thread that found the table full. */
#include "watch/watch.h"

#include "watch/descriptors.h"

#include <pthread.h>
#include <unistd.h>

__thread struct tac_watch_thread *tac_watch_here;

static struct tac_watch_thread table[TAC_WATCH_THREADS];
/* Outside the table. */
static __thread struct tac_watch_thread own __attribute__((tls_model("initial-exec")));
static _Atomic uint32_t used; /* high-water mark of the table */
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic bool key_ready;

static void give_back(void *slot)
{
    struct tac_watch_thread *t = slot;
    own.tid = t->tid;
    tac_watch_here = &own;
    t->cycle = t->shim = 0;
    t->refused = t->real_time = false;
    t->stream = NULL;
    atomic_store_explicit(&t->taken, 0, memory_order_release);
}

static void make_key(void)
{
    atomic_store(&key_ready, pthread_key_create(&key, give_back) == 0);
}

static struct tac_watch_thread *find(void)
{
    for (uint32_t i = 0; i < TAC_WATCH_THREADS; i++) {
        uint32_t no = 0;
        if (atomic_load_explicit(&table[i].taken, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong(&table[i].taken, &no, 1)) {
            uint32_t high = atomic_load(&used);
            while (high < i + 1 && !atomic_compare_exchange_weak(&used, &high, i + 1))
                ;
            return &table[i];
        }
    }
    return NULL;
}

struct tac_watch_thread *tac_watch_thread_claim(void)
{
    struct tac_watch_thread *t = find();
    tac_watch_here = t ? t : &own;
    tac_watch_here->tid = (uint32_t)gettid();
    if (!t)
        return &own;
    t->shim++; /* setting the key may allocate */
    pthread_once(&once, make_key);
    if (atomic_load(&key_ready))
        pthread_setspecific(key, t);
    t->shim--;
    return t;
}

void tac_watch_thread_forked(void)
{
    struct tac_watch_thread *t = tac_watch_thread();
    t->shim++;
    t->tid = (uint32_t)gettid();
    tac_descriptor_forget_all();
    tac_watch_recorder_forked();
    tac_thread_unregister(); /* the ring is that of a thread of the parent */
    t->cycle = 0;
    t->refused = t->real_time = false;
    t->stream = NULL;
    t->shim--;
}

static void add(struct tac_watch_thread *sum, const struct tac_watch_thread *t)
{
    sum->calls += t->calls;
    sum->timed += t->timed;
    sum->ticks += t->ticks;
    sum->worst = t->worst > sum->worst ? t->worst : sum->worst;
}

void tac_watch_thread_sum(struct tac_watch_thread *ret_sum)
{
    struct tac_watch_thread sum = {0};
    uint32_t count = atomic_load(&used);
    for (uint32_t i = 0; i < count; i++)
        add(&sum, &table[i]);
    *ret_sum = sum;
}
