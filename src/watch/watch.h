/* SPDX-License-Identifier: MIT
 * watch.h - what the files of the preload library share.
 *
 * libtactus-watch.so stands in front of libc and of the audio libraries of a program that was not
 * built for it. TACTUS_WATCH=word[,word...] in the environment:
 *   heap=system|tactus  who answers malloc (default system)
 *   record=FILE         (or an address, see base/net.h) start the recorder at the first stream or
 *                       registered thread of the
 *                       program; FILE.PID when FILE exists already. It must be the last word, and
 *                       takes the rest of the line. Without it the library only adds what it sees
 * to a session that the program itself has started.
 *
 * A thread has a slot in a static table; tac_watch_here points to it. A slot is used again when its
 * thread has ended; its counts go on, so that sums over the table are sums over the process.
 * Threads that find the table full, and the last destructors of a thread, have one in their own
 * memory, whose counts are lost.
 *
 * Real-time: with a session that is on, what is added to a call of a registered thread is at most
 * two reads of the counter and one event in its ring; without one, a read of the counter and a few
 * stores. Work of our own (starting the recorder, looking symbols up) runs with `shim` raised: the
 * wrappers then pass straight through. */
#ifndef TAC_WATCH_WATCH_H
#define TAC_WATCH_WATCH_H

#include "base/check.h"
#include "tactus/trace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAC_WATCH_EXPORT __attribute__((visibility("default"), used))
#define TAC_WATCH_CALLER __builtin_extract_return_addr(__builtin_return_address(0))

enum { TAC_WATCH_THREADS = 1024 };

struct tac_watch_thread {
    _Alignas(64) uint64_t calls; /* of the malloc family */
    uint64_t timed;              /* of them, those whose time was taken */
    uint64_t ticks, worst;       /* of the timed ones, tac_trace_counter() */
    uint64_t seen;               /* the counter when a recorded call last read it */
    uint32_t head;               /* of the ring after the last recorded call */
    uint32_t shim;               /* > 0: our own work, do not look */
    uint32_t cycle;              /* > 0: inside a cycle */
    uint32_t stacks;             /* stacks that may still be taken in this cycle */
    uint32_t cycles;             /* begun so far */
    uint32_t tid;                /* the kernel's id of the thread */
    _Atomic uint32_t taken;
    bool refused;   /* it cannot have a ring: there is no more room */
    bool waited;    /* in this cycle, and that wait has its stack */
    bool real_time; /* it has had a cycle, and the heap knows */
    void *stream;   /* the blocking stream that this thread writes or reads, or NULL */
};

extern __thread struct tac_watch_thread *tac_watch_here
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Slow path: find a slot. Never NULL. */
struct tac_watch_thread *tac_watch_thread_claim(void);

static inline struct tac_watch_thread *tac_watch_thread(void)
{
    struct tac_watch_thread *t = tac_watch_here;
    return TAC_LIKELY(t != NULL) ? t : tac_watch_thread_claim();
}

static inline uint32_t tac_watch_tid(void)
{
    return tac_watch_thread()->tid;
}

/* In the child of fork: what the slot and the ring of the one thread say is the parent's. */
void tac_watch_thread_forked(void);

/* Around our own work outside cycles: the wrappers do not look, and the thread is not cancelled in
 * the middle of it, with a lock of the recorder's. */
struct tac_watch_shim {
    struct tac_watch_thread *thread;
    int cancel;
};

static inline struct tac_watch_shim tac_watch_shim_begin(void)
{
    struct tac_watch_shim shim = {tac_watch_thread(), 0};
    shim.thread->shim++;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &shim.cancel);
    return shim;
}

static inline void tac_watch_shim_end(const struct tac_watch_shim *shim)
{
    int before;
    pthread_setcancelstate(shim->cancel, &before);
    shim->thread->shim--;
}

/* Sums of calls, timed, ticks, and the maximum of worst, over all threads. */
void tac_watch_thread_sum(struct tac_watch_thread *ret_sum);

/* True when the calling thread has a ring and the session takes the category. */
static inline bool tac_watch_records(unsigned category)
{
    return TAC_TRACE_ON(category) && tac_trace_lane_here->record;
}

/* ---- configuration, setup.c ---- */

enum tac_watch_heap {
    TAC_WATCH_HEAP_UNSET,
    TAC_WATCH_HEAP_EARLY, /* being decided */
    TAC_WATCH_HEAP_SYSTEM,
    TAC_WATCH_HEAP_TACTUS
};
extern enum tac_watch_heap tac_watch_heap;

/* Read the variable when libc is ready; before, and while others are being looked up: EARLY. */
enum tac_watch_heap tac_watch_heap_choose(void);

/* The FILE of record=, or NULL. */
const char *tac_watch_record_path(void);

/* ---- the recorder, recorder.c ---- */

/* Start the session of record= if there is one to start. Not real-time; once. */
void tac_watch_recorder_start(void);

/* Write the facts of the end and stop the session that this library started. Safe to call twice. */
void tac_watch_recorder_stop(void);

/* Whether a session of this library runs in this process. */
bool tac_watch_recorder_is_ours(void);

/* After a stop that came too early: a recording of its own for what follows. Not real-time. */
void tac_watch_recorder_go_on(void);

/* In the child of fork, which may have a session of its own. */
void tac_watch_recorder_forked(void);

/* ---- cycles, streams.c ---- */

/* A stream of a library that calls back or blocks: a source of cycles. library and name make the
 * source's name. Starts the recorder. Returns the source or < 0. Not real-time. */
int tac_watch_stream_open(const char *library, const char *name, uint64_t period_ns);

/* Give the calling thread a ring when it has none. Not real-time. */
void tac_watch_thread_register(const char *name);

/* A cycle of the source begins on this thread; deadline_ns 0: not known. False, and nothing
 * happens, when one is open already (a library that stands on another one that is watched too). */
bool tac_watch_cycle_begin(int source, uint64_t deadline_ns, uint32_t frames);
void tac_watch_cycle_end(int source, bool begun);

/* The thread that writes to a blocking stream is about to wait, or has waited: hook_alsa.c. */
void tac_watch_wait_begin(struct tac_watch_thread *thread);
void tac_watch_wait_end(struct tac_watch_thread *thread);

/* A callback of a library above the thread's stream is the cycle from now on. Its deadline, 0 when
 * the thread has no stream or it is not known. */
uint64_t tac_watch_covered(struct tac_watch_thread *thread);

/* ---- calls, calls.h and stacks.c ---- */

/* Attach the way to `caller` to the event just recorded, as far as this cycle's allowance goes. */
void tac_watch_stack(struct tac_watch_thread *thread, const void *caller);

/* The same for an operation in which the thread waited: the first of a cycle always has it. */
void tac_watch_stack_of_wait(struct tac_watch_thread *thread, const void *caller);

/* The same for a heap operation outside cycles. is_long: the thread left its CPU in it. */
void tac_watch_stack_outside(struct tac_watch_thread *thread, const void *caller, bool is_long);

/* A call that real-time code should not make; thread NULL: it is not looked at. */
struct tac_watch_call {
    struct tac_watch_thread *thread;
    struct tac_zone zone;
};

void tac_watch_call_open(struct tac_watch_call *call, struct tac_watch_thread *thread,
                         const struct tac_trace_site *site, const void *caller);

static inline struct tac_watch_call tac_watch_call_begin(const struct tac_trace_site *site,
                                                         const void *caller)
{
    struct tac_watch_call call = {0};
    struct tac_watch_thread *t = tac_watch_thread();
    if (TAC_UNLIKELY(t->cycle) && !t->shim && tac_watch_records(TAC_CAT_CALL))
        tac_watch_call_open(&call, t, site, caller);
    return call;
}

static inline void tac_watch_call_end(struct tac_watch_call *call)
{
    if (TAC_LIKELY(!call->thread))
        return;
    tac_zone_end(&call->zone);
    call->thread->shim--;
}

/* Inside a cycle: a call that is not looked at further, since it does not wait. */
void tac_watch_note_in_cycle(struct tac_watch_thread *thread, const struct tac_trace_site *site,
                             const void *caller);

static inline void tac_watch_note(struct tac_watch_thread *thread,
                                  const struct tac_trace_site *site, const void *caller)
{
    if (TAC_UNLIKELY(thread->cycle) && !thread->shim && tac_watch_records(TAC_CAT_CALL))
        tac_watch_note_in_cycle(thread, site, caller);
}

#define TAC_WATCH_SITE(id, text)                                                                   \
    static const struct tac_trace_site id = {text, NULL, NULL, NULL, 0, TAC_CAT_CALL, 1, {0, 0}}

/* ---- the real functions, real.c ---- */

/* One function that we stand in front of: its next definition after this library, with the version
 * where one is given and there; if the library that has it was loaded with local scope, by its
 * soname. All lie in one section, so that those which are there can be looked up beforehand. */
struct tac_watch_real {
    _Atomic(uintptr_t) address; /* 0: not looked up, or not there */
    const char *name, *version, *soname;
};

uintptr_t tac_watch_look_up(struct tac_watch_real *real);

/* libc's dlsym, seen as called by this library. */
void *tac_watch_dlsym(void *handle, const char *name);

/* The real function, as a pointer of the given type. */
#define TAC_WATCH_REAL_AS(type, name_, version_, soname_)                                          \
    __extension__({                                                                                \
        static struct tac_watch_real real_entry                                                    \
            __attribute__((section("tac_watch_reals"), used)) = {0, name_, version_, soname_};     \
        uintptr_t real_address = atomic_load_explicit(&real_entry.address, memory_order_relaxed);  \
        if (TAC_UNLIKELY(!real_address))                                                           \
            real_address = tac_watch_look_up(&real_entry);                                         \
        (type) real_address;                                                                       \
    })
#define TAC_WATCH_REAL(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, NULL, NULL)

#endif
