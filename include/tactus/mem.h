/* SPDX-License-Identifier: MIT
 * mem.h - the real-time heap: one block of memory taken at start, every call bounded.
 *
 * Two ways to use it:
 *   whole program   link libtactus-mem (or LD_PRELOAD it): malloc, free and the C++ operators are
 *                   then this heap, and nothing in the program changes.
 *   side by side    call tac_heap_malloc() and tac_heap_free(); the system's heap stays.
 * The heap opens itself at the first call, from the environment (below), or explicitly with
 * tac_heap_open(). It never closes: blocks may outlive every destructor.
 *
 * Bounds. After the heap is open, malloc, free, realloc (without its copy) and calloc (without its
 * clearing) run a number of instructions that has a constant bound, whatever the state of the heap,
 * however many blocks other threads freed: docs/heap.md has the counted maxima. They make no system
 * call, take no lock and do not fault when the memory is populated; this holds for a thread's first
 * call and its exit as well. A thread stopped at any instruction stops no other.
 *
 * TACTUS_HEAP=word[,word...] in the environment; sizes take K, M, G:
 *   size=BYTES          the arena, 1M to 64G (2G where addresses have 32 bits). With a size every
 *                       page is populated at start; without one the heap reserves address space (as
 *                       much as the machine has memory), populated by the kernel on first touch
 *   populate=BYTES      populate only so much of the arena at start (0: none)
 *   ahead=BYTES         without size: once the program has threads, a helper thread keeps so much
 *                       beyond the used part populated (default 1M; up to four times
 *                       as much while the heap grows fast; 0: no helper)
 *   lock=no|try|yes     mlock the arena. try (default with size=): lock if permitted; yes: if it
 *                       cannot be locked say so on standard error, and go on unlocked. What is not
 *                       populated at start is not locked
 *   full=fail|grow|reserve  when the arena is full: ENOMEM (default with size=); take address space
 *                       of up to the machine's memory, first touched on use (default without); or
 *                       ENOMEM for all but real-time threads, which have the reserve
 *   reserve=BYTES       the part that only threads after tac_heap_thread_real_time() may take, at
 *                       most half of the arena (default with full=reserve: an eighth)
 *   low=BYTES           the low-water mark (see tac_heap_low_water_set)
 *   huge=no|yes         ask for huge pages nowhere, or everywhere; if nothing is said, where memory
 *                       is populated at start, and without a size beyond the first MiB (which
 *                       takes up to 2 MiB more memory), where a huge page has 2 MiB
 *   threads=COUNT       thread heaps in the static table (default 1024)
 *   outside=no|yes      let other processes of the same user look at the heap (tactus heap) where
 *                       the kernel would let root alone (kernel.yama.ptrace_scope)
 *   stats=no|exit|full  print statistics at exit, in brief or with all tables
 * A wrong word gets one line on standard error, and its default. The order of words means nothing.
 *
 * Threads: any, unless said otherwise. Real-time: "yes" means bounded as above. */
#ifndef TACTUS_MEM_H
#define TACTUS_MEM_H

#include "tactus/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Allocation: the meaning, errno included, of the C and POSIX functions of the same name.
 * Every block is aligned to 16 bytes. Real-time: yes. ---- */

TAC_API void *tac_heap_malloc(size_t bytes);
TAC_API void *tac_heap_calloc(size_t count, size_t bytes);
TAC_API void *tac_heap_realloc(void *block, size_t bytes);
TAC_API void tac_heap_free(void *block);

/* alignment: a power of two; otherwise NULL and EINVAL. bytes need not be a multiple of it. */
TAC_API void *tac_heap_aligned_alloc(size_t alignment, size_t bytes);

/* The bytes that may be used in the block, at least those asked for; 0 for NULL. */
TAC_API size_t tac_heap_usable_size(const void *block);

/* 1 if the address lies in the arena of this heap. */
TAC_API int tac_heap_owns(const void *address);

/* ---- Opening ---- */

enum tac_heap_full { TAC_HEAP_FULL_FAIL, TAC_HEAP_FULL_GROW, TAC_HEAP_FULL_RESERVE };
enum tac_heap_lock { TAC_HEAP_LOCK_NO, TAC_HEAP_LOCK_TRY, TAC_HEAP_LOCK_YES };

struct tac_heap_config {
    size_t size_bytes;     /* at most 64 GiB; 0: reserve address space, populate on touch */
    size_t populate_bytes; /* SIZE_MAX: the default, everything when size_bytes is given, else 0 */
    size_t ahead_bytes;    /* kept populated beyond the used part by the helper thread */
    size_t reserve_bytes;  /* at most half of the arena is kept; 0: none, or an eighth (full) */
    size_t low_bytes;
    unsigned threads; /* at most 4096; 0: 1024 */
    enum tac_heap_lock lock;
    enum tac_heap_full full;
    int huge; /* 0: no huge pages, 1: everywhere, -1: as TACTUS_HEAP without a word about it */
    int outside;
    int stats_exit; /* 1: in brief, 2: in full */
};

/* The configuration for real-time work with an arena of that size, or (0) for general use. */
TAC_API void tac_heap_config_init(struct tac_heap_config *config, size_t size_bytes);

/* Read TACTUS_HEAP's syntax into an initialised config. Returns 0, or a negative code with *err
 * (may be NULL) naming the first wrong word; the good words are taken all the same. */
TAC_API int tac_heap_config_parse(struct tac_heap_config *config, const char *text,
                                  struct tac_error *err);

/* Open the heap now instead of at the first call. Returns 0; -EALREADY when it is open (the first
 * call was earlier: keep the heap as it is); -EINVAL: a member beyond its range, and the heap is as
 * before; -ENOMEM, also for more to populate than the machine has; -TAC_E_MEMLOCK: the heap is open
 * but could not be locked. Thread: before others start. Real-time: no. */
TAC_API int tac_heap_open(const struct tac_heap_config *config);

/* Start the thread that populates ahead (ahead_bytes) if there is something left to populate; in
 * libtactus-mem the first pthread_create does it. Returns 0 or -errno. Thread: control. Real-time:
 * no. */
TAC_API int tac_heap_helper_start(void);

/* mlockall(2), for a process with this heap: as the system's call, but the part of a reserved arena
 * that was never touched is locked page by page as it is touched, instead of being populated whole
 * (which would take all of the machine's memory). libtactus-mem puts it in front of mlockall.
 * Returns 0, or -1 with errno. Thread: control. Real-time: no. */
TAC_API int tac_heap_lock_process(int flags);

/* ---- Threads ---- */

/* Attach the calling thread to a thread heap now, instead of at its first allocation. Returns 0 or
 * -ENOMEM (the table is full: the thread works, with whole pages for each block). Real-time: yes.
 */
TAC_API int tac_heap_thread_attach(void);

/* The same, and the thread may use the reserve from now on (on = 0: no longer). */
TAC_API int tac_heap_thread_real_time(int on);

/* ---- Statistics. Always on. Reading takes a walk over the table of pages: not real-time. ---- */

#define TAC_HEAP_CLASSES 96

struct tac_heap_class_stats {
    size_t block_bytes;
    size_t
        live_blocks;   /* in use, or ready in a thread's list (at most one slab's worth a thread) */
    size_t slab_bytes; /* memory that the class holds */
};

struct tac_heap_stats {
    size_t arena_bytes, locked_bytes, populated_bytes;
    size_t taken_bytes;      /* pages handed out: to slabs and to large blocks */
    size_t taken_peak_bytes; /* the most there ever was */
    size_t live_bytes;       /* in blocks (with the error of live_blocks) */
    size_t large_blocks, large_bytes;
    size_t free_span_bytes; /* the largest block that would succeed now, the reserve included */
    double fragmentation;   /* 1 - free_span / free; 0 when nothing is free */
    size_t reserve_bytes;
    size_t low_bytes;              /* the low-water mark */
    uint64_t low_crossings;        /* how often free memory fell below it */
    uint64_t violations;           /* calls in scopes that forbid them */
    size_t ahead_bytes;            /* populated ahead of use by the helper thread */
    uint64_t slow_mallocs;         /* calls that found the thread's list of a size empty */
    uint64_t slow_frees;           /* calls that left the fast path */
    uint64_t remote_frees;         /* blocks freed by another thread and taken back */
    uint64_t failures;             /* calls that returned NULL */
    uint64_t foreign_frees;        /* frees of addresses that are not ours: ignored */
    uint64_t worst_ticks;          /* the slowest call that left the fast path, tac_counter() */
    unsigned threads, threads_max; /* thread heaps in use now, and in the table */
    unsigned class_count;
    struct tac_heap_class_stats of_class[TAC_HEAP_CLASSES];
};

TAC_API void tac_heap_stats_get(struct tac_heap_stats *ret_stats);

struct tac_heap_thread_stats {
    int tid;                      /* of the thread that has, or last had, this thread heap */
    int is_running, is_real_time; /* is_running 0: that thread ended */
    size_t live_bytes, slab_bytes;
    uint64_t slow_mallocs, slow_frees, remote_frees, failures, worst_ticks;
};

/* By thread heap, in the order of the table; those that no thread ever had are left out. Returns
 * how many, at most max. Blocks of whole pages belong to nobody and are not in here. */
TAC_API unsigned tac_heap_threads_get(struct tac_heap_thread_stats *ret_list, unsigned max);

struct tac_heap_map_cell {
    size_t slab_bytes, large_bytes; /* pages handed out in this stretch of the arena */
    size_t live_bytes;              /* in blocks */
};

/* The arena from its start to the highest page ever used, in so many equal stretches. Returns the
 * bytes that each stands for; 0 when the heap is not open. */
TAC_API size_t tac_heap_map_get(struct tac_heap_map_cell *ret_cells, unsigned cells);

/* ---- Call sites, on demand ---- */

/* Sample the allocations of all threads, about one in mean_bytes, until so many samples were taken
 * (0: stop). A thread takes part from its next call beyond the fast path on, which a thread that
 * allocates makes all the time; its calls leave the fast path until then. Real-time: yes. */
TAC_API void tac_heap_sample(uint32_t mean_bytes, int32_t samples);

struct tac_heap_sample {
    uint64_t number;
    uintptr_t site; /* return address of the call */
    size_t bytes;
    uint64_t weight_bytes; /* allocated by that thread since its last sample: sums to all bytes */
};

/* Copy the latest samples (at most max, at most 1024), newest first. Returns how many. */
TAC_API unsigned tac_heap_samples_get(struct tac_heap_sample *ret_list, unsigned max);

/* Check every invariant that a walk can check while no other thread allocates. Returns 0 or
 * -TAC_E_CORRUPT; text (may be NULL) says what is wrong. Not real-time. */
TAC_API int tac_heap_is_valid(char *text, size_t text_bytes);

/* Called once by the thread that brings the free memory below the mark, inside its malloc, so it
 * must be real-time safe and must not allocate (set a flag, write an eventfd); armed again when the
 * free memory has been above twice the mark. NULL: none. */
TAC_API void tac_heap_low_water_set(size_t low_bytes, void (*callback)(void *user), void *user);

/* Give the memory of free pages back to the kernel (malloc_trim). Returns the bytes given; none of
 * a locked arena. Not real-time; other threads may allocate meanwhile. */
TAC_API size_t tac_heap_trim(void);

/* ---- Guard: who allocates where nobody should? ---- */

enum tac_heap_guard {
    TAC_HEAP_ALLOW,
    TAC_HEAP_COUNT,  /* count and note the call site */
    TAC_HEAP_FORBID, /* the same, then malloc fails with ENOMEM; free is done all the same */
    TAC_HEAP_ABORT,  /* one line on standard error, then abort() */
};

/* Set the mode of the calling thread and return the one before: scopes nest by restoring it.
 * Costs nothing where it is not used. Real-time: yes. */
TAC_API enum tac_heap_guard tac_heap_guard_set(enum tac_heap_guard mode);

/* The usual scope: if (late) { TAC_HEAP_SCOPE(TAC_HEAP_FORBID); ... } ends with the block. */
#define TAC_HEAP_SCOPE(mode)                                                                       \
    __attribute__((cleanup(tac_heap_guard_leave))) enum tac_heap_guard tac_heap_scope_before =     \
        tac_heap_guard_set(mode)

/* Forbid heap calls on this thread; returns the mode before, for tac_heap_guard_set(). */
static inline enum tac_heap_guard tac_heap_forbid(void)
{
    return tac_heap_guard_set(TAC_HEAP_FORBID);
}

static inline void tac_heap_guard_leave(const enum tac_heap_guard *before)
{
    tac_heap_guard_set(*before);
}

struct tac_heap_violation {
    const void *site; /* return address of the call */
    size_t bytes;     /* 0 for a free */
    unsigned thread;  /* index of the thread heap */
};

/* Violations of all threads since the start. */
TAC_API uint64_t tac_heap_violation_count(void);

/* Copy the latest (at most max, at most 256) violations, newest first. Returns how many. */
TAC_API unsigned tac_heap_violations_get(struct tac_heap_violation *ret_list, unsigned max);

/* ---- Hooks: a recorder listens. Called on the allocating thread, within its call, so they obey
 * the real-time law and do not allocate. Calls of threads that attach after the set, and of the
 * calling thread, are heard. NULL members are skipped; NULL removes. A hooked call leaves the fast
 * path: about 30 instructions more. Pools (tactus/pool.h) are heard too; what a pool steals is put
 * and got. tactus/trace_heap.h connects all this to the recorder. ---- */

struct tac_heap_hooks {
    void (*alloc)(void *block, size_t bytes, const void *site);
    void (*free)(void *block, size_t bytes, const void *site);
    void (*realloc)(void *old_block, void *block, size_t bytes, const void *site);
    void (*pool_get)(void *object, size_t bytes, const void *site); /* NULL: the pool was empty */
    void (*pool_put)(void *object, size_t bytes, const void *site);
};

/* hooks must live as long as they are set. */
TAC_API void tac_heap_hooks_set(const struct tac_heap_hooks *hooks);

#ifdef __cplusplus
}
#endif
#endif
