/* SPDX-License-Identifier: MIT
 * heap_entry.c - the malloc family: counted, timed, recorded, and answered by the heap that
 * TACTUS_WATCH names.
 *
 * The system's heap is reached by glibc's own second names (__libc_malloc ...), so that no symbol
 * has to be looked up: looking up may itself allocate. In either mode a block goes back to the heap
 * that it came from, told by its address; so blocks of the time before the choice are no problem.
 *
 * Cost: on threads that record, two reads of the counter and one ring record a call; on others one
 * call in 16 is timed. */
#include "watch/watch.h"

#include "base/bits.h"
#include "tactus/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *block);

enum { TIMED_EVERY = 16 };

/* One call of the family, from its begin to its record. */
struct call {
    struct tac_watch_thread *thread;
    uint64_t begin; /* 0: not timed */
    bool records;
};

static inline bool is_ours(void)
{
    enum tac_watch_heap heap = tac_watch_heap;
    if (TAC_UNLIKELY(heap == TAC_WATCH_HEAP_UNSET))
        heap = tac_watch_heap_choose();
    return heap == TAC_WATCH_HEAP_TACTUS;
}

static inline bool is_ours_block(const void *block)
{
    return tac_watch_heap == TAC_WATCH_HEAP_TACTUS && tac_heap_owns(block);
}

static inline struct call call_begin(void)
{
    struct tac_watch_thread *t = tac_watch_thread();
    struct call call = {.thread = t, .records = !t->shim && tac_watch_records(TAC_CAT_MEMORY)};
    if (call.records || ++t->calls % TIMED_EVERY == 0)
        call.begin = tac_trace_counter();
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
    t->calls++;
    count_ticks(t, tac_trace_counter() - call->begin);
    t->shim++; /* a signal handler of this thread must not write into the ring now */
    tac_trace_memory(op, block, old, bytes, call->begin);
    if (t->cycle)
        tac_watch_stack(t, caller);
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
    struct call call = call_begin();
    void *block = is_ours() ? tac_heap_malloc(bytes) : __libc_malloc(bytes);
    return allocated(&call, block, bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT void *calloc(size_t count, size_t bytes)
{
    struct call call = call_begin();
    void *block = is_ours() ? tac_heap_calloc(count, bytes) : __libc_calloc(count, bytes);
    return allocated(&call, block, count * bytes, TAC_WATCH_CALLER);
}

TAC_WATCH_EXPORT void free(void *block)
{
    if (!block)
        return;
    struct call call = call_begin();
    if (is_ours_block(block))
        tac_heap_free(block);
    else
        __libc_free(block);
    call_end(&call, TAC_MEMORY_FREE, block, NULL, 0, TAC_WATCH_CALLER);
}

static void *resize(void *old, size_t bytes, const void *caller)
{
    struct call call = call_begin();
    bool ours = old ? is_ours_block(old) : is_ours();
    void *block = ours ? tac_heap_realloc(old, bytes) : __libc_realloc(old, bytes);
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
    struct call call = call_begin();
    void *block =
        is_ours() ? tac_heap_aligned_alloc(alignment, bytes) : __libc_memalign(alignment, bytes);
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
    return TAC_WATCH_REAL(malloc_usable_size)(block);
}

TAC_WATCH_EXPORT int malloc_trim(size_t pad)
{
    if (is_ours())
        return tac_heap_trim() != 0;
    return TAC_WATCH_REAL(malloc_trim)(pad);
}

/* Without our heap nothing is reserved, and this is the system's call. */
TAC_WATCH_EXPORT int mlockall(int flags)
{
    return tac_heap_lock_process(flags);
}
