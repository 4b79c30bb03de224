/* SPDX-License-Identifier: MIT
 * heap_entry.c - the malloc family: counted, timed, recorded, and answered by the heap that
 * TACTUS_WATCH names.
 *
 * "system" is the heap that the program would have without us (heap_system.h). In either mode a
 * block goes back to the heap that it came from, told by its address; so blocks of the time before
 * the choice are no problem.
 *
 * Cost: on threads that record, two ring records a call, and inside cycles two reads of the
 * counter. Outside, most calls stand in the recording at the moment of the reading before (COARSE
 * below): reading the counter twice would cost more than the heap does. On threads that do not
 * record one call in 16 is timed. */
#include "watch/watch.h"

#include "base/bits.h"
#include "tactus/mem.h"
#include "watch/away.h"
#include "watch/heap_system.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TIMED_EVERY = 16 };

/* Outside cycles a call is timed when the thread left its CPU or recorded anything else since the
 * reading before, when it asks for more than the caches of common heaps hold (so it may need a
 * lock, or the kernel), and otherwise one time in COARSE_EVERY. One that was not, and in which the
 * thread left its CPU, has its end read: it lasted from the reading before at most. */
enum { COARSE_EVERY = 32, COARSE_BYTES = 1024 };

/* One call of the family, from its begin to its record. */
struct call {
    struct tac_watch_thread *thread;
    uint64_t begin; /* 0: not timed, and not recorded */
    bool records;
    bool coarse; /* begin is of a reading before */
};

/* Who answers; EARLY while that is not decided. */
static inline enum tac_watch_heap heap_now(void)
{
    enum tac_watch_heap heap = tac_watch_heap;
    return TAC_LIKELY(heap > TAC_WATCH_HEAP_EARLY) ? heap : tac_watch_heap_choose();
}

static void *heap_malloc(size_t bytes)
{
    enum tac_watch_heap heap = heap_now();
    if (TAC_LIKELY(heap == TAC_WATCH_HEAP_SYSTEM))
        return tac_system_heap.malloc(bytes);
    void *early = heap == TAC_WATCH_HEAP_TACTUS ? NULL : tac_early_alloc(0, bytes);
    return early                           ? early
           : heap == TAC_WATCH_HEAP_TACTUS ? tac_heap_malloc(bytes)
                                           : tac_system_heap.malloc(bytes);
}

static void *heap_calloc(size_t count, size_t bytes)
{
    enum tac_watch_heap heap = heap_now();
    if (TAC_LIKELY(heap == TAC_WATCH_HEAP_SYSTEM))
        return tac_system_heap.calloc(count, bytes);
    size_t total;
    bool fits = !__builtin_mul_overflow(count, bytes, &total);
    void *early = heap == TAC_WATCH_HEAP_TACTUS || !fits ? NULL : tac_early_alloc(0, total);
    return early                           ? early
           : heap == TAC_WATCH_HEAP_TACTUS ? tac_heap_calloc(count, bytes)
                                           : tac_system_heap.calloc(count, bytes);
}

static void *heap_aligned(size_t alignment, size_t bytes)
{
    enum tac_watch_heap heap = heap_now();
    if (heap == TAC_WATCH_HEAP_TACTUS)
        return tac_heap_aligned_alloc(alignment, bytes);
    void *early = heap == TAC_WATCH_HEAP_EARLY ? tac_early_alloc(alignment, bytes) : NULL;
    return early ? early : tac_system_heap.aligned(alignment, bytes);
}

/* Out of the array of the early time into the heap. */
static void *move_early(void *old, size_t bytes)
{
    size_t kept = tac_early_usable_size(old);
    void *block = heap_malloc(bytes);
    if (block)
        memcpy(block, old, kept < bytes ? kept : bytes);
    return block;
}

static inline bool is_ours_block(const void *block)
{
    return tac_watch_heap == TAC_WATCH_HEAP_TACTUS && tac_heap_owns(block);
}

static inline bool can_be_coarse(const struct tac_watch_thread *t, size_t bytes)
{
    return !tac_away() && !t->cycle && bytes <= COARSE_BYTES && t->calls % COARSE_EVERY &&
           t->head == tac_trace_lane_here->head;
}

static inline struct call call_begin(size_t bytes)
{
    struct tac_watch_thread *t = tac_watch_thread();
    struct call call = {.thread = t, .records = !t->shim && tac_watch_records(TAC_CAT_MEMORY)};
    t->calls++;
    if (call.records) {
        call.coarse = can_be_coarse(t, bytes);
        call.begin = call.coarse ? t->seen : tac_trace_counter();
    } else if (t->calls % TIMED_EVERY == 0) {
        call.begin = tac_trace_counter();
    }
    return call;
}

static inline void count_ticks(struct tac_watch_thread *t, uint64_t ticks)
{
    t->timed++;
    t->ticks += ticks;
    t->worst = ticks > t->worst ? ticks : t->worst;
}

static __attribute__((noinline)) void record(const struct call *call, enum tac_memory_op op,
                                             const void *block, const void *old, size_t bytes,
                                             const void *caller)
{
    struct tac_watch_thread *t = call->thread;
    uint64_t end = call->begin;
    bool left = tac_away();
    if (!call->coarse || left)
        end = t->seen = tac_trace_counter();
    if (!call->coarse)
        count_ticks(t, end - call->begin);
    t->shim++; /* a signal handler of this thread must not write into the ring now */
    tac_trace_memory_at(op, block, old, bytes, call->begin, end);
    t->head = tac_trace_lane_here->head;
    if (t->cycle && left && tac_away_is_known())
        tac_watch_stack_of_wait(t, caller);
    else if (t->cycle)
        tac_watch_stack(t, caller);
    else if (end != call->begin)
        tac_watch_stack_outside(t, caller, left && tac_away_is_known());
    t->shim--;
}

static inline void call_end(const struct call *call, enum tac_memory_op op, const void *block,
                            const void *old, size_t bytes, const void *caller)
{
    if (TAC_LIKELY(!call->begin))
        return;
    if (call->records)
        record(call, op, block, old, bytes, caller);
    else
        count_ticks(call->thread, tac_trace_counter() - call->begin);
}

static inline void *allocated(const struct call *call, void *block, size_t bytes,
                              const void *caller)
{
    call_end(call, block ? TAC_MEMORY_ALLOC : TAC_MEMORY_FAIL, block, NULL, bytes, caller);
    return block;
}

TAC_WATCH_EXPORT void *malloc(size_t bytes)
{
    struct call call = call_begin(bytes);
    void *block = heap_malloc(bytes);
    return allocated(&call, block, bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT void *calloc(size_t count, size_t bytes)
{
    struct call call = call_begin(count * bytes);
    void *block = heap_calloc(count, bytes);
    return allocated(&call, block, count * bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT void free(void *block)
{
    if (!block)
        return;
    struct call call = call_begin(0);
    if (is_ours_block(block))
        tac_heap_free(block);
    else if (!tac_early_owns(block))
        tac_system_heap.free(block);
    call_end(&call, TAC_MEMORY_FREE, block, NULL, 0, TAC_WATCH_CALLER);
}

static void *resize(void *old, size_t bytes, const void *caller)
{
    struct call call = call_begin(bytes);
    void *block;
    if (!old)
        block = heap_malloc(bytes);
    else if (is_ours_block(old))
        block = tac_heap_realloc(old, bytes);
    else if (tac_early_owns(old))
        block = bytes ? move_early(old, bytes) : NULL;
    else
        block = tac_system_heap.realloc(old, bytes);
    enum tac_memory_op op = block ? TAC_MEMORY_REALLOC : TAC_MEMORY_FAIL;
    if (old && !bytes && !block)
        op = TAC_MEMORY_FREE;
    call_end(&call, old || !block ? op : TAC_MEMORY_ALLOC, op == TAC_MEMORY_FREE ? old : block, old,
             bytes, caller);
    return block;
}

TAC_WATCH_EXPORT void *realloc(void *block, size_t bytes)
{
    return resize(block, bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT void *reallocarray(void *block, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return resize(block, total, TAC_WATCH_CALLER);
}

/* alignment: a power of two. */
static void *aligned(size_t alignment, size_t bytes, const void *caller)
{
    struct call call = call_begin(bytes);
    void *block = heap_aligned(alignment, bytes);
    return allocated(&call, block, bytes, caller);
}

TAC_WATCH_EXPORT void *memalign(size_t alignment, size_t bytes)
{
    if (alignment > PTRDIFF_MAX) {
        errno = EINVAL;
        return NULL;
    }
    return aligned((size_t)tac_power_of_two_ceil(alignment), bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (!tac_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return aligned(alignment, bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t bytes)
{
    if (alignment % sizeof(void *) || !tac_is_power_of_two(alignment))
        return EINVAL;
    int before = errno;
    void *block = aligned(alignment, bytes, TAC_WATCH_CALLER);
    errno = before;
    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

TAC_WATCH_EXPORT void *valloc(size_t bytes)
{
    return aligned((size_t)sysconf(_SC_PAGESIZE), bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT void *pvalloc(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (bytes > PTRDIFF_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return aligned(page, tac_align_up(bytes ? bytes : 1, page), TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT size_t malloc_usable_size(void *block)
{
    if (is_ours_block(block))
        return tac_heap_usable_size(block);
    if (tac_early_owns(block))
        return tac_early_usable_size(block);
    return tac_system_heap.usable_size(block);
}

TAC_WATCH_EXPORT int malloc_trim(size_t pad)
{
    if (heap_now() == TAC_WATCH_HEAP_TACTUS)
        return tac_heap_trim() != 0;
    return TAC_WATCH_REAL(malloc_trim)(pad);
}

/* Without our heap nothing is reserved, and this is the system's call. */
TAC_WATCH_EXPORT int mlockall(int flags)
{
    TAC_WATCH_SITE(site, "mlockall");
    struct tac_watch_call call = tac_watch_call_begin(&site, TAC_WATCH_CALLER);
    int result = tac_heap_lock_process(flags);
    tac_watch_call_end(&call);
    return result;
}
