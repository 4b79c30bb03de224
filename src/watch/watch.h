/* SPDX-License-Identifier: MIT
 * watch.h - what the files of the preload library share.
 *
 * libtactus-watch.so stands in front of libc and of the audio libraries of a program that was not
 * built for it. TACTUS_WATCH=word[,word...] in the environment:
 *   heap=system|tactus  who answers malloc (default system)
 *   record=FILE         start the recorder at the first stream (or registered thread) of the
 *                       program; FILE.PID when FILE exists already. It must be the last word, and
 *                       takes the rest of the line. Without it the library only adds what it sees
 * to a session that the program itself has started.
 *
 * A thread has a slot in a static table; tac_watch_here points to it. A slot is used again when its
 * thread has ended; its counts go on, so that sums over the table are sums over the process.
 *
 * Real-time: with a session that is on, what is added to a call of a registered thread is two reads
 * of the counter and one record in its ring; without one, a read of the counter and a few stores.
 * Work of our own (starting the recorder, looking symbols up) runs with `shim` raised: the wrappers
 * then pass straight through. */
#ifndef TAC_WATCH_WATCH_H
#define TAC_WATCH_WATCH_H

#include "base/check.h"
#include "tactus/trace.h"

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
    uint32_t shim;               /* > 0: our own work, do not look */
    uint32_t cycle;              /* > 0: inside a cycle */
    uint32_t stacks;             /* stacks that may still be taken in this cycle */
    _Atomic uint32_t taken;
    int stream; /* the blocking stream whose cycle is open on this thread, or -1 */
};

extern __thread struct tac_watch_thread *tac_watch_here
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Slow path: find a slot. Never NULL: when the table is full all others share one. */
struct tac_watch_thread *tac_watch_thread_claim(void);

static inline struct tac_watch_thread *tac_watch_thread(void)
{
    struct tac_watch_thread *t = tac_watch_here;
    return TAC_LIKELY(t != NULL) ? t : tac_watch_thread_claim();
}

/* Sums of calls, timed, ticks, and the maximum of worst, over all threads. */
void tac_watch_thread_sum(struct tac_watch_thread *ret_sum);

/* True when the calling thread has a ring and the session takes the category. */
static inline bool tac_watch_records(unsigned category)
{
    return TAC_TRACE_ON(category) && tac_trace_lane_here->record;
}

/* ---- configuration, setup.c ---- */

enum tac_watch_heap { TAC_WATCH_HEAP_UNSET, TAC_WATCH_HEAP_SYSTEM, TAC_WATCH_HEAP_TACTUS };
extern enum tac_watch_heap tac_watch_heap;

/* Read the variable when libc is ready; before, the system's heap answers and nothing is decided.
 */
enum tac_watch_heap tac_watch_heap_choose(void);

/* The FILE of record=, or NULL. */
const char *tac_watch_record_path(void);

/* ---- the recorder, recorder.c ---- */

/* Start the session of record= if there is one to start. Not real-time; once. */
void tac_watch_recorder_start(void);

/* Write the facts of the end and stop the session that this library started. Safe to call twice. */
void tac_watch_recorder_stop(void);

/* ---- cycles, streams.c ---- */

enum { TAC_WATCH_STREAMS = 32 };

/* A stream of a library that calls back or blocks: a source of cycles. name: "jack:NAME". Starts
 * the recorder. Returns the source or < 0. Not real-time. */
int tac_watch_stream_open(const char *name, uint64_t period_ns);

/* A cycle of the source begins or ends on this thread; deadline_ns 0: not known. */
void tac_watch_cycle_begin(int source, uint64_t deadline_ns, uint32_t frames, const char *thread);
void tac_watch_cycle_end(int source);

/* ---- calls, calls.c ---- */

/* Attach the way to `caller` to the event just recorded, as far as this cycle's allowance goes. */
void tac_watch_stack(struct tac_watch_thread *thread, const void *caller);

/* ---- the real functions, real.c ---- */

/* The next definition of the name after this library: RTLD_NEXT, with the version where one is
 * given and there; if the library that has it was loaded with local scope, by its soname. NULL when
 * there is none. The result is kept in *slot. */
uintptr_t tac_watch_real(_Atomic(uintptr_t) *slot, const char *name, const char *version,
                         const char *soname);

/* The real function, as a pointer of the given type, looked up once. */
#define TAC_WATCH_REAL_AS(type, name, version, soname)                                             \
    __extension__({                                                                                \
        static _Atomic(uintptr_t) real_slot;                                                       \
        uintptr_t real_address = atomic_load_explicit(&real_slot, memory_order_relaxed);           \
        if (TAC_UNLIKELY(!real_address))                                                           \
            real_address = tac_watch_real(&real_slot, name, version, soname);                      \
        (type) real_address;                                                                       \
    })
#define TAC_WATCH_REAL(name) TAC_WATCH_REAL_AS(__typeof__(&name), #name, NULL, NULL)

#endif
