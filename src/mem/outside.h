/* SPDX-License-Identifier: MIT
 * outside.h - the heap as other processes see it.
 *
 * How. The mapping of the heap begins with one struct tac_outside, then come the tables, then the
 * arena. Below it lies a page without access, so that the kernel never joins the mapping with
 * another and the block stays at the start of a line of /proc/PID/maps: a reader finds it by its
 * magic, wherever the heap was linked or preloaded from. Then it copies the tables with
 * process_vm_readv and asks its own code the questions that it would ask about its own heap: the
 * running program does nothing, is not stopped, and has no thread, file or socket for it.
 *
 * What the reader may write is `samples_wanted` and `sample_bytes`: allocations are sampled until
 * so many samples were taken, so a reader that dies leaves nothing switched on for long.
 *
 * Versions. TAC_OUTSIDE_VERSION is for this struct; `layout` is a number made from the sizes of
 * what lies behind it. A reader refuses both when they differ from its own: the command and the
 * library come from one build.
 *
 * Threads: counters and rings are atomics; any thread writes. Real-time: all but init and the
 * reader. Cost: sampling switched off is one load and one test in the slow path. */
#ifndef TAC_MEM_OUTSIDE_H
#define TAC_MEM_OUTSIDE_H

#include "mem/heap.h"
#include "tactus/pool.h"

#include <sys/types.h>

#define TAC_OUTSIDE_MAGIC "tactus heap \x01\x02\x03"

enum {
    TAC_OUTSIDE_VERSION = 1,
    TAC_OUTSIDE_POOLS = 1024,     /* pools that statistics can show */
    TAC_OUTSIDE_SAMPLES = 1024,   /* slots of the ring */
    TAC_OUTSIDE_VIOLATIONS = 256, /* slots of the ring */
    TAC_OUTSIDE_NAME = 32,
    TAC_OUTSIDE_PAGE = 4096,
};

/* A sampled allocation. number is 1 + the sample's number, written last, 0 while it changes. */
struct tac_outside_sample {
    _Atomic uint64_t number;
    _Atomic uint64_t site;
    _Atomic uint64_t bytes;  /* of the block */
    _Atomic uint64_t weight; /* bytes that were asked for by the thread since its last sample */
};

/* A call in a scope that forbids it. */
struct tac_outside_violation {
    _Atomic uint64_t number;
    _Atomic uint64_t site;
    _Atomic uint64_t bytes; /* 0: a free */
    _Atomic uint64_t thread;
};

struct tac_outside {
    char magic[16];
    uint32_t version, layout;
    uint64_t self;                /* address of this block in its process */
    uint64_t mem, mem_bytes;      /* struct tac_mem */
    uint64_t tables, table_bytes; /* lines, spans, thread heaps */
    uint64_t arena, arena_bytes;
    char release[16]; /* of Tactus, for people with a debugger */
    /* written from outside or by tac_heap_sample() */
    alignas(TAC_LINE_BYTES) _Atomic uint32_t sample_bytes; /* mean distance of two samples */
    _Atomic int32_t samples_wanted;                        /* sampling is on while > 0 */
    _Atomic uint64_t sample_count;
    /* low-water mark */
    alignas(TAC_LINE_BYTES) _Atomic uint64_t low_units; /* 0: none */
    _Atomic uint64_t low_crossings;
    _Atomic uint32_t low_is_crossed, helper_runs;
    _Atomic uint64_t helper_units; /* populated ahead by the helper thread */
    _Atomic uint64_t violation_count;
    alignas(TAC_LINE_BYTES) _Atomic(struct tac_pool *) pool[TAC_OUTSIDE_POOLS];
    struct tac_outside_sample sample[TAC_OUTSIDE_SAMPLES];
    struct tac_outside_violation violation[TAC_OUTSIDE_VIOLATIONS];
};

/* The head of every pool. */
struct tac_outside_pool {
    char name[TAC_OUTSIDE_NAME];
    uint64_t object_bytes;
    uint32_t count, is_shared;
    _Atomic uint32_t used, used_peak;
    _Atomic uint64_t gets, failures, steals;
};

_Static_assert(offsetof(struct tac_outside, self) == 24, "found by other processes");
_Static_assert(offsetof(struct tac_outside, sample_bytes) == 128, "written by other processes");
_Static_assert(offsetof(struct tac_outside, low_units) == 192, "read by other processes");
_Static_assert(offsetof(struct tac_outside, pool) == 256, "read by other processes");
_Static_assert(sizeof(struct tac_outside_sample) == 32, "read by other processes");
_Static_assert(sizeof(struct tac_outside_pool) == 80, "read by other processes");

/* Bytes that the block takes in front of the tables. */
#define TAC_OUTSIDE_BYTES                                                                          \
    ((sizeof(struct tac_outside) + TAC_OUTSIDE_PAGE - 1) / TAC_OUTSIDE_PAGE * TAC_OUTSIDE_PAGE)

/* The process' own; there is one when tac_mem.lines is set. */
static inline struct tac_outside *tac_outside(void)
{
    return (struct tac_outside *)(void *)(tac_mem.lines - TAC_OUTSIDE_BYTES);
}

/* Fill in the block, after the tables were placed. */
void tac_outside_init(size_t table_bytes);
uint32_t tac_outside_layout(void);

/* ---- sampling ---- */

/* Enter or leave sampling on the calling thread. */
void tac_outside_switch(bool on);

/* Does somebody want samples? For a thread that has a heap. */
static inline bool tac_outside_wants(void)
{
    return atomic_load_explicit(&tac_outside()->samples_wanted, memory_order_relaxed) > 0;
}

/* Is the thread to be sampled? To be asked in every slow path; leaves the fast path when it is. */
static inline bool tac_outside_sampling(void)
{
    bool on = tac_mem.lines && tac_outside_wants();
    if (TAC_UNLIKELY(on != tac_thread.is_sampled))
        tac_outside_switch(on);
    return on;
}

/* Is this, tac_heap_fast, the heap of a thread that nobody watches, and wants no samples of from
 * now on? Nearly every call is of such a thread. */
static inline bool tac_outside_is_plain(const struct tac_heap *heap)
{
    return TAC_LIKELY(heap != &tac_heap_none) && TAC_LIKELY(!tac_outside_wants());
}

/* Of a thread that has no thread heap: is the heap open, and will nobody watch the thread? */
static inline bool tac_thread_is_plain(void)
{
    /* pairs with the release store in open_now */
    return __atomic_load_n(&tac_mem.bytes, __ATOMIC_ACQUIRE) && !tac_outside_wants() &&
           !tac_mem.hooks && !tac_mem.memcheck && tac_thread.guard == TAC_HEAP_ALLOW;
}

/* The thread heap for a call that is not the place to take one, unless the thread is watched: NULL
 * where it has none. */
static inline struct tac_heap *tac_thread_heap_now(void)
{
    struct tac_heap *heap = tac_thread.heap;
    return heap || tac_thread_is_plain() ? heap : tac_thread_heap();
}

/* An allocation by a thread that is sampled. */
void tac_outside_note(size_t bytes, const void *site);

/* ---- another process' heap ---- */

/* Addresses of the heaps in the process: how many, or -ESRCH, -EACCES, -errno. */
int tac_outside_find(pid_t pid, uint64_t *ret_address, int max);

/* Copy that heap's tables into this process: from here on tac_heap_stats_get(), tac_heap_map_get(),
 * tac_heap_threads_get() and tac_outside() speak of it. Only for a process that does not use a heap
 * of its own. Everything that is read is taken for possibly wrong. 0, or a negative code with *err.
 */
int tac_outside_load(pid_t pid, uint64_t address, struct tac_error *err);

/* Pools of the heap that was loaded last; visit gets copies. */
void tac_outside_each_pool(pid_t pid, void (*visit)(const struct tac_pool_stats *stats, void *user),
                           void *user);

/* Ask for so many further samples, one in about so many bytes. 0 or -errno. */
int tac_outside_sample(pid_t pid, uint64_t address, uint32_t bytes, int32_t samples);

#endif
