/* SPDX-License-Identifier: MIT
 * heap.h - the inside of the heap: arena, slabs, thread heaps.
 *
 * One mapping: [tables][arena]. The arena is cut into 16 KiB units. A table has a line of 64 bytes
 * for each: a unit that starts a slab uses it as struct tac_slab, one that starts a large block as
 * struct tac_large, and the further units of a slab say how far back it starts. What a unit is,
 * `kind` says, at the same place in both. These lines lie side by side, since every free reads one:
 * at a distance of four lines they would share a quarter of the nearest cache's sets. What other
 * threads write lies in a second table, struct tac_remote, three lines a unit.
 *
 * Who writes what.
 *   thread heap   its owner thread only (list, current, partial, counters), but for `sent`
 *   slab          the owner of its heap only; `owner` is read by all
 *   remote, 1st   any thread: the queue link. Survives the slab: a late sender may still touch it
 *   2nd and 3rd   any thread: one bit for each block freed by another thread than the owner
 *
 * Blocks of a slab are in exactly one place: in use, in the heap's list of the class (only the
 * current slab's blocks), in slab->free, marked in remote->freed, or never made (made < capacity).
 * A block that its owner frees goes where `home` says: into the class' list if the slab is current,
 * to be the next that is used, and else into slab->free. Of slabs that are not current
 *   used = blocks made that are not in slab->free;
 * of the current one the number means nothing, and is set when another takes its place.
 * A slab of a heap is: current for its class; in the list of partial slabs (it has free blocks); or
 * full (owner carries TAC_SLAB_FULL, so that the next local free leaves the fast path). */
#ifndef TAC_MEM_HEAP_H
#define TAC_MEM_HEAP_H

#include "base/check.h"
#include "base/clock.h"
#include "mem/classes.h"
#include "mem/spans.h"
#include "tactus/mem.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

enum {
    TAC_LINE_BYTES = 64,
    TAC_SLAB_SHIFT = 6,
    TAC_HEAP_BATCH = 16, /* blocks made ready at a time */
    TAC_HEAP_DRAIN = 8,  /* remote frees taken in at a time */
    TAC_HEAP_SPARES =
        TAC_SPANS_SOME, /* empty small slabs a thread heap keeps, or takes at a time */
    TAC_HEAP_THREADS_MAX = 4096,
    TAC_SLAB_FULL = 1, /* in owner */
};

/* The largest arena, in bytes: what the span layer can hold, and half of what an address says. */
#define TAC_ARENA_MAX                                                                              \
    (sizeof(void *) == 4 ? (uint64_t)1 << 31 : (uint64_t)TAC_SPANS_UNITS_MAX << TAC_UNIT_SHIFT)

/* A thread that looks up a block of its own, which lies in the middle of something, may read the
 * kind of a unit that another thread is just setting. Hence kinds are relaxed atomics. */
#define TAC_KIND_GET(line) __atomic_load_n(&(line)->kind, __ATOMIC_RELAXED)
#define TAC_KIND_SET(line, value) __atomic_store_n(&(line)->kind, (value), __ATOMIC_RELAXED)

enum tac_kind { TAC_KIND_NONE, TAC_KIND_SLAB, TAC_KIND_PART, TAC_KIND_LARGE };

struct tac_heap;

struct tac_link {
    _Atomic(struct tac_link *) next;
};

struct tac_slab {
    alignas(TAC_LINE_BYTES) _Atomic uintptr_t owner; /* struct tac_heap * | TAC_SLAB_FULL */
    void *free;
    uint32_t used, made;
    uint32_t block_bytes, reciprocal;
    struct tac_slab *next, *prev;
    uint16_t capacity;
    union {
        struct {
            uint8_t kind;        /* offset 50 on 64-bit; the same in struct tac_large */
            uint8_t class_index; /* of a part: units back to the slab's first */
        };
        uint16_t kind_and_class; /* little-endian */
    };
    void **home; /* the list that freed blocks go to */
};

/* What senders of remote frees write; of the same unit as the slab. */
struct tac_remote {
    alignas(TAC_LINE_BYTES) struct tac_link link;
    _Atomic uint32_t queued;
    _Atomic uint32_t summary; /* which words of freed may be set */
    alignas(TAC_LINE_BYTES) _Atomic uint64_t freed[TAC_CLASS_BLOCKS_MAX / 64];
};

struct tac_large {
    alignas(TAC_LINE_BYTES) uint64_t not_used[3]; /* where a slab keeps owner and link: stays 0 */
    size_t units;
    char gap[offsetof(struct tac_slab, kind) - 24 - sizeof(size_t)];
    uint8_t kind;
};

_Static_assert(sizeof(struct tac_slab) == 1 << TAC_SLAB_SHIFT, "one line");
_Static_assert(sizeof(struct tac_remote) == 3 << TAC_SLAB_SHIFT, "three lines");
_Static_assert(sizeof(struct tac_large) == TAC_LINE_BYTES, "one line");
_Static_assert(offsetof(struct tac_slab, kind) == offsetof(struct tac_large, kind), "same place");

/* Plain numbers with one writer; readers elsewhere may see them a moment late. */
struct tac_heap_counters {
    size_t large_blocks; /* apart from large_units, or the compiler adds both in vectors */
    uint64_t slow_mallocs, slow_frees, remote_frees, failures, worst_ticks;
    size_t large_units;
};

/* What a thread has of a class: half a line, which is all that most calls off the fast path touch
 * of the thread heap. Those of class 0 stay as they are. */
struct tac_heap_class {
    void *list; /* blocks ready to hand out */
    struct tac_slab *current, *partial;
    struct tac_link
        *pulled; /* slabs with remote frees: taken off sent and not done with, remote.c */
};

struct tac_heap {
    alignas(TAC_LINE_BYTES) struct tac_heap_class of[TAC_CLASSES];
    struct tac_slab *spare[TAC_HEAP_SPARES];
    unsigned spares;
    unsigned fresh_spares; /* and so many units from fresh_spare on */
    struct tac_slab *fresh_spare;
    struct tac_slab *owed; /* empty slabs that have to go back to the span layer, linked by next */
    unsigned index;
    int real_time;
    size_t open_units;  /* that may be in use by all: without the reserve, unless real_time */
    int tid;            /* of the thread that has it, for statistics */
    bool begun;         /* a thread has or had it */
    bool draining;      /* its thread is in tac_heap_drain_class; for a handler that forks there */
    unsigned tidy_next; /* the class whose remote frees are looked at next */
    struct tac_heap_counters counters;
    alignas(TAC_LINE_BYTES) _Atomic(struct tac_link *) sent[TAC_CLASSES]; /* slabs with such */
    _Atomic uint64_t sent_classes[(TAC_CLASSES + 63) / 64]; /* which have some, about */
};

/* What the fast path reads is in the first line. */
struct tac_mem {
    alignas(TAC_LINE_BYTES) uintptr_t base; /* of the arena */
    size_t bytes;
    char *lines; /* the table of units, struct tac_slab or struct tac_large */
    struct tac_spans spans;
    char *remotes; /* struct tac_remote of each unit */
    struct tac_heap *heaps;
    unsigned threads;
    size_t units, reserve_units, locked_bytes, populated_bytes;
    bool memcheck; /* memcheck.h */
    int lazy;      /* not populated: address space is plenty, calloc may rely on fresh pages */
    const struct tac_heap_hooks *hooks;
    alignas(TAC_LINE_BYTES) _Atomic size_t taken_units;
    _Atomic size_t peak_units, fresh_unit;
    _Atomic size_t quiet_units; /* up to so many in use there is nothing new about low water */
    _Atomic uint64_t foreign_frees, detached_failures;
    _Atomic size_t detached_large_blocks, detached_large_units;
    _Atomic uint64_t prepared; /* units for threads to come, see first.c */
    alignas(TAC_LINE_BYTES) _Atomic uint64_t thread_used[TAC_HEAP_THREADS_MAX / 64];
};

/* State of a thread. fast is what the fast path uses: the thread's heap, or tac_heap_none, which
 * has nothing to give and owns no slab, so that every call takes the slow path (thread not attached
 * yet, guarded, or hooked). */
struct tac_thread {
    struct tac_heap *heap;
    const struct tac_heap_hooks *hooks;
    enum tac_heap_guard guard;
    int busy;         /* inside a hook: its own calls are not reported */
    bool is_sampled;  /* outside.h */
    bool is_watched;  /* any of all that: the slow path has to look */
    long sample_left; /* bytes to the next sample */
    uint64_t sample_weight;
};

#define TAC_TLS _Thread_local __attribute__((tls_model("initial-exec")))
#define TAC_HIDDEN __attribute__((visibility("hidden")))

extern TAC_HIDDEN struct tac_mem tac_mem;
extern TAC_HIDDEN struct tac_heap tac_heap_none;
extern TAC_HIDDEN TAC_TLS struct tac_heap *tac_heap_fast;
extern TAC_HIDDEN TAC_TLS struct tac_thread tac_thread;

/* ---- tables ---- */

static inline struct tac_slab *tac_slab_at(uintptr_t offset)
{
    return (struct tac_slab *)(void *)(tac_mem.lines +
                                       (offset >> TAC_UNIT_SHIFT << TAC_SLAB_SHIFT));
}

static inline struct tac_slab *tac_slab_line(size_t unit)
{
    return (struct tac_slab *)(void *)(tac_mem.lines + (unit << TAC_SLAB_SHIFT));
}

static inline struct tac_large *tac_large_at(size_t unit)
{
    return (struct tac_large *)(void *)(tac_mem.lines + (unit << TAC_SLAB_SHIFT));
}

static inline char *tac_unit_address(size_t unit)
{
    return (char *)tac_mem.base + (unit << TAC_UNIT_SHIFT); /* NOLINT: base is the arena */
}

static inline size_t tac_slab_unit(const struct tac_slab *slab)
{
    return (size_t)((const char *)slab - tac_mem.lines) >> TAC_SLAB_SHIFT;
}

static inline struct tac_remote *tac_remote_of(const struct tac_slab *slab)
{
    size_t offset = (size_t)((const char *)slab - tac_mem.lines);
    return (struct tac_remote *)(void *)(tac_mem.remotes + 3 * offset);
}

static inline struct tac_heap *tac_slab_heap(const struct tac_slab *slab)
{
    uintptr_t owner = atomic_load_explicit(&slab->owner, memory_order_relaxed);
    return (struct tac_heap *)(owner & ~(uintptr_t)TAC_SLAB_FULL); /* NOLINT: tagged pointer */
}

/* Frees a block, on its owner thread. Whether the slab is empty now, or has to be asked. */
static inline bool tac_slab_push(struct tac_slab *slab, void *block)
{
    void **home = slab->home;
    *(void **)block = *home;
    *home = block;
    return --slab->used == 0;
}

/* A current slab's list lies in the thread heap that owns it. By the addresses alone, which may be
 * another process'. */
static inline bool tac_slab_is_current(const struct tac_slab *slab)
{
    return (uintptr_t)slab->home - (uintptr_t)tac_slab_heap(slab) < sizeof(struct tac_heap);
}

/* After a call that began at that count. Those that the thread's own blocks serve are not timed:
 * the counter would cost a sixth of what they do. */
static inline void tac_heap_note_worst(struct tac_heap *heap, uint64_t start)
{
    uint64_t ticks = tac_counter() - start;
    if (ticks > heap->counters.worst_ticks)
        heap->counters.worst_ticks = ticks;
}

/* The slab that the offset in the arena lies in, if its unit belongs to one. */
static inline struct tac_slab *tac_slab_of(struct tac_slab *unit)
{
    return TAC_KIND_GET(unit) == TAC_KIND_PART ? unit - unit->class_index : unit;
}

/* What an address belongs to. */
struct tac_place {
    struct tac_slab *slab;   /* or NULL */
    struct tac_large *large; /* or NULL; both NULL: no block starts there */
    size_t unit;
};

static inline struct tac_place tac_place_of(const void *block)
{
    uintptr_t offset = (uintptr_t)block - tac_mem.base;
    struct tac_place place = {.unit = offset >> TAC_UNIT_SHIFT};
    if (TAC_UNLIKELY(offset >= tac_mem.bytes))
        return place;
    struct tac_slab *slab = tac_slab_of(tac_slab_at(offset));
    if (TAC_KIND_GET(slab) == TAC_KIND_SLAB)
        place.slab = slab;
    else if (TAC_KIND_GET(slab) == TAC_KIND_LARGE && !(offset & (TAC_UNIT_BYTES - 1)))
        place.large = tac_large_at(place.unit);
    return place;
}

/* Of the block there; 0: there is none. */
static inline size_t tac_place_bytes(const struct tac_place *place)
{
    if (place->slab)
        return place->slab->block_bytes;
    return place->large ? place->large->units * TAC_UNIT_BYTES : 0;
}

/* ---- slabs.c: the owner's slow path ---- */

/* A block of the class, after the list ran empty; NULL, counted and in errno, when there is no
 * memory. */
void *tac_heap_refill(struct tac_heap *heap, size_t class_index);
/* The first block of a thread that just took the heap: of what the thread before left, or of that
 * unit. The class has blocks of at most TAC_CLASS_LIST_BYTES. */
void *tac_heap_begin(struct tac_heap *heap, unsigned class_index, size_t unit);
/* The thread ends: gives an empty slab back that is owed, or takes in what others freed, so that
 * threads that live for one call do so as well. */
void tac_heap_rest(struct tac_heap *heap);
/* A block comes home on its owner thread, fast path or not. */
void tac_slab_free_local(struct tac_heap *heap, struct tac_slab *slab, void *block);
/* After the fast path made used 0. */
void tac_slab_emptied(struct tac_heap *heap, struct tac_slab *slab);

/* ---- remote.c ---- */

void tac_slab_free_remote(struct tac_slab *slab, void *block);
/* Are there slabs of the class in the queue? */
static inline bool tac_heap_class_has_sent(const struct tac_heap *heap,
                                           const struct tac_heap_class *of, size_t class_index)
{
    return of->pulled || atomic_load_explicit(&heap->sent[class_index], memory_order_relaxed);
}

static inline bool tac_heap_has_sent(const struct tac_heap *heap, unsigned class_index)
{
    return tac_heap_class_has_sent(heap, &heap->of[class_index], class_index);
}

/* Then up to TAC_HEAP_DRAIN blocks of the first. */
void tac_heap_drain_class(struct tac_heap *heap, unsigned class_index);
/* The same for whatever class is next; false when it has none. */
bool tac_heap_drain_one(struct tac_heap *heap);
/* In a forked child: forget the queues, and enter the slab again if it is ours and has blocks to
 * take in. */
void tac_heap_queue_clear(struct tac_heap *heap);
void tac_slab_requeue(struct tac_heap *heap, const struct tac_slab *slab);
/* After a drain that left some, or made the slab partial or empty. */
void tac_slab_settle(struct tac_heap *heap, struct tac_slab *slab);

/* ---- large.c ---- */

/* A block of whole units; *ret_fresh: nobody ever had them. */
void *tac_large_alloc(struct tac_heap *heap, size_t bytes, bool *ret_fresh);
/* The same for malloc: failures are counted and in errno, the time that it took is noted. */
void *tac_large_malloc(struct tac_heap *heap, size_t bytes);
void *tac_large_alloc_aligned(struct tac_heap *heap, size_t bytes, size_t alignment);
void tac_large_free(struct tac_heap *heap, struct tac_large *large, size_t unit);
/* These units, which are accounted for, become a block. */
void *tac_large_begin(struct tac_heap *heap, size_t unit, size_t n);
/* realloc.c: make it that long where it is, if that can be done. */
bool tac_large_resize(struct tac_heap *heap, struct tac_large *large, size_t unit, size_t bytes);

/* ---- first.c ---- */

/* A block for a thread that has no thread heap, in an open heap; NULL, counted and in errno, when
 * there is no memory. Takes a thread heap where that leaves the call within its bound. */
void *tac_first_alloc(size_t bytes);
/* Keep the unit, which is accounted for and nobody's, for a thread to come; false: there is no
 * need. */
bool tac_unit_prepare(size_t unit);
unsigned tac_units_prepared(void);

/* ---- open.c, thread.c ---- */

/* The calling thread's heap; attaches it, and opens everything, at the first call. NULL: the table
 * is full, or the heap could not be opened (then tac_mem.bytes is 0). */
struct tac_heap *tac_thread_heap(void);
bool tac_mem_open_default(void);
int tac_thread_key_init(void);
/* The kernel's number of the calling thread, without a system call. */
int tac_thread_number(void);

/* Where what lies: bytes of each table, of the arena, and of all with edges. */
struct tac_mem_layout {
    size_t lines, remotes, spans, heaps, tables, arena, total;
    unsigned threads;
};
struct tac_mem_layout tac_mem_lay_out(size_t arena, unsigned threads);
/* Make tac_mem refer to a zeroed mapping of that layout. */
void tac_mem_place(char *base, const struct tac_mem_layout *layout);

/* image.c: have the pages of our own code and data in memory, locked if that is permitted. */
void tac_mem_image_populate(bool lock);

/* After guard, hooks or heap changed: choose tac_heap_fast. */
void tac_thread_choose(void);

/* ---- slow.c: what the entry points call when the fast path does not answer ---- */

void *tac_heap_malloc_slow(size_t bytes);
void *tac_heap_malloc_at(size_t bytes, const void *site); /* the same, for a caller's caller */
/* For allocations that other ways made: may it be, who wants to know, and what if there is none. */
bool tac_heap_may_alloc(size_t bytes, const void *site);
void tac_heap_note_alloc(void *block, size_t bytes, const void *site);
void *tac_heap_failed(void);
void tac_heap_free_slow(void *block);
void tac_heap_free_at(void *block, const void *site);

/* ---- fork.c ---- */

/* Before the program has a second thread. */
void tac_mem_fork_prepare(void);

/* ---- helper.c ---- */

typedef int tac_helper_create_fn(pthread_t *thread, const pthread_attr_t *attr,
                                 void *(*start)(void *), void *argument);

void tac_helper_configure(size_t ahead_bytes);
/* Start the helper of this process with that pthread_create, unless it runs or is not wanted. 0 or
 * -errno. */
int tac_helper_start(tac_helper_create_fn *create);

/* ---- config.c, guard.c, report.c, stats.c ---- */

void tac_heap_config_environment(struct tac_heap_config *config);
/* The value of "NAME=", also before libc has set up its environment; NULL when there is none. */
const char *tac_mem_environment(const char *key, char *buffer, size_t size);
/* One line on standard error, without the heap. */
void tac_mem_say(const char *format, ...) TAC_PRINTF(1, 2);
/* False: the call must fail. */
bool tac_guard_pass(size_t bytes, bool is_free, const void *site);
_Noreturn void tac_mem_fatal(const char *what, const void *block);
/* Remember which process this is. stats: 1 and 2 print statistics at its end, 0 does not. */
void tac_mem_report_at_exit(int stats);
/* Is this the process that reports at its end, and not one that it forked or started? */
bool tac_mem_reports_here(void);
/* What the end of the process would bring, when it ends without destructors: the statistics that
 * were asked for (exit.c), the record of a run (sizing.c). Each once. */
void tac_mem_report(void);
void tac_sizing_finish(void);
/* So many units are in use, which is more than tac_mem.quiet_units. */
void tac_low_water_check(size_t taken_units);
/* What is wrong with the slab, or NULL. For its owner, or while nobody allocates. */
const char *tac_slab_fault(const struct tac_slab *slab);
/* Length of a list of blocks of the slab; more than capacity when it leaves the slab or loops. */
unsigned tac_slab_list_length(const struct tac_slab *slab, void *const *block);
/* Blocks of the slab that other threads freed and the owner has not taken back yet. */
unsigned tac_slab_marked(const struct tac_slab *slab);

#endif
