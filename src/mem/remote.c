/* SPDX-License-Identifier: MIT
 * remote.c - blocks freed by a thread that does not own them.
 *
 * The sender sets the block's bit in the slab's struct tac_remote, and the block itself is not
 * touched (no cache miss, and a second free of the same block is seen). It sets the bit by an
 * atomic addition: an or whose old value is wanted is a loop on some machines. The first sender of
 * a word also marks the summary and, if the slab is not queued yet, puts it into the queue of its
 * heap and class.
 *
 * The queue. A sender exchanges the head, `sent`, for its link and then writes the former head into
 * the link, which refers to `unlinked` until then: wait-free, and all zeros is an empty queue. The
 * owner takes the whole of it with one exchange into `pulled` and works on the first slab there, at
 * most TAC_HEAP_DRAIN blocks at a time; when it has them all and the link is made, the slab leaves,
 * and `queued` is cleared before the last look at the summary. There is a queue for each class, so
 * that a class in need of blocks finds its own instead of taking a new slab: what another thread
 * freed comes back before the heap grows. A slow path that needs nothing from its queue looks after
 * that of another class, in turn. tests/mem/model_remote.cpp is a model of all that.
 *
 * A sender that is stopped between its steps hides what it was about to announce, and what was
 * queued before its half-made link, until it goes on: the owner meanwhile uses other memory. A
 * sender may also come so late that the slab was emptied, given back and has another owner: link,
 * queued and summary outlive the slab for that reason, a wrong summary bit finds an empty word, and
 * a slab in the wrong queue is sent on to its owner. */
#include "mem/heap.h"

static struct tac_remote *remote_of_link(struct tac_link *link)
{
    return (struct tac_remote *)(void *)((char *)link - offsetof(struct tac_remote, link));
}

static struct tac_slab *slab_of(const struct tac_remote *remote)
{
    size_t offset = (size_t)((const char *)remote - tac_mem.remotes);
    return (struct tac_slab *)(void *)(tac_mem.lines + offset / 3);
}

/* Sequential: see enqueue. */
static struct tac_heap *owner_of(const struct tac_slab *slab)
{
    uintptr_t owner = atomic_load(&slab->owner);
    return (struct tac_heap *)(owner & ~(uintptr_t)TAC_SLAB_FULL); /* NOLINT: tagged pointer */
}

/* What a link refers to until its sender has linked it. */
static struct tac_link unlinked;

static void push(struct tac_heap *heap, unsigned c, struct tac_link *link)
{
    atomic_store_explicit(&link->next, &unlinked, memory_order_relaxed);
    struct tac_link *before = atomic_exchange(&heap->sent[c], link);
    atomic_store_explicit(&link->next, before, memory_order_release); /* pairs with leave */
    if (!before)
        atomic_fetch_or(&heap->sent_classes[c / 64], 1ull << (c & 63));
}

/* Sequential, as are the loads of leave: a sender sets the summary and then looks at queued,
 * the owner clears queued and then looks at owner and summary. If both could look before their own
 * stores are seen, neither would queue the slab, and its blocks would stay away. */
static void enqueue(struct tac_heap *heap, unsigned c, struct tac_remote *remote)
{
    if (!atomic_load(&remote->queued) && !atomic_exchange(&remote->queued, 1))
        push(heap, c, &remote->link);
}

void tac_slab_free_remote(struct tac_slab *slab, void *block)
{
    struct tac_heap *heap = tac_slab_heap(slab);
    struct tac_remote *remote = tac_remote_of(slab);
    unsigned c = slab->class_index; /* before the bit is set, the slab cannot change */
    uintptr_t offset = (uintptr_t)block - (uintptr_t)tac_unit_address(tac_slab_unit(slab));
    unsigned i = (unsigned)((uint64_t)offset * slab->reciprocal >> 32);
    uint64_t bit = 1ull << (i & 63);
    uint64_t before = atomic_fetch_add(&remote->freed[i / 64], bit);
    if (TAC_UNLIKELY(before & bit))
        tac_mem_fatal("block was freed twice", block);
    if (before)
        return;
    atomic_fetch_or(&remote->summary, 1u << (i / 64));
    enqueue(heap, c, remote);
}

/* Up to TAC_HEAP_DRAIN blocks of one word of the slab, whose summary is not 0, into slab->free. The
 * loop has no counter when it is unrolled. */
static inline void drain(struct tac_heap *heap, struct tac_slab *slab, struct tac_remote *remote,
                         uint32_t summary)
{
    unsigned w = (unsigned)__builtin_ctz(summary), n;
    atomic_fetch_and(&remote->summary, ~(1u << w));
    uint64_t bits = atomic_load(&remote->freed[w]), left = bits;
    uint32_t bytes = slab->block_bytes;
    char *base = tac_unit_address(tac_slab_unit(slab)) + (size_t)(w * 64 * bytes);
    void *list = slab->free;
    __asm__("" : "+r"(base)); /* lest compilers add it up anew for each block */
#pragma GCC unroll 8
    for (n = 0; n < TAC_HEAP_DRAIN; n++) {
        if (!left)
            break;
        void *block = base + tac_bit_lowest(left) * bytes;
        *(void **)block = list;
        list = block;
        left &= left - 1;
    }
    slab->free = list;
    bits ^= left;
    if (atomic_fetch_sub(&remote->freed[w], bits) != bits)
        atomic_fetch_or(&remote->summary, 1u << w);
    slab->used -= n;
    heap->counters.remote_frees += n;
    TAC_ASSERT_SLOW(!tac_slab_fault(slab));
}

/* The slab, which is the first of its queue, leaves it; unless a sender has not linked it yet, then
 * it stays. It may have come to the wrong queue, or changed its owner there: it is sent on. */
static void leave(struct tac_heap *heap, unsigned c, struct tac_slab *slab)
{
    struct tac_remote *remote = tac_remote_of(slab);
    struct tac_link *next = atomic_load_explicit(&remote->link.next, memory_order_acquire);
    if (next == &unlinked)
        return;
    heap->of[c].pulled = next;
    atomic_store(&remote->queued, 0);
    struct tac_heap *owner = owner_of(slab);
    if (owner && atomic_load(&remote->summary))
        enqueue(owner, __atomic_load_n(&slab->class_index, __ATOMIC_RELAXED), remote);
}

static inline void drain_first(struct tac_heap *heap, unsigned c)
{
    struct tac_remote *remote = remote_of_link(heap->of[c].pulled);
    struct tac_slab *slab = slab_of(remote);
    bool ours = owner_of(slab) == heap;
    uint32_t summary = atomic_load(&remote->summary);
    if (ours && summary) {
        drain(heap, slab, remote, summary);
        summary = atomic_load(&remote->summary);
    }
    if (!ours || !summary)
        leave(heap, c, slab);
    if (ours)
        tac_slab_settle(heap, slab);
}

static inline void drain_class(struct tac_heap *heap, unsigned c)
{
    heap->draining = true;
    atomic_signal_fence(memory_order_seq_cst);
    if (!heap->of[c].pulled)
        heap->of[c].pulled = atomic_exchange(&heap->sent[c], NULL);
    drain_first(heap, c);
    atomic_signal_fence(memory_order_seq_cst);
    heap->draining = false;
}

void tac_heap_drain_class(struct tac_heap *heap, unsigned c)
{
    drain_class(heap, c);
}

/* The class has nothing more, unless a sender comes just now. */
static void class_is_done(struct tac_heap *heap, unsigned c)
{
    atomic_fetch_and(&heap->sent_classes[c / 64], ~(1ull << (c & 63)));
    if (atomic_load(&heap->sent[c]))
        atomic_fetch_or(&heap->sent_classes[c / 64], 1ull << (c & 63));
}

/* Apart, since it saves registers. Of the first of these classes of word w. */
static __attribute__((noinline)) bool drain_some(struct tac_heap *heap, unsigned w,
                                                 uint64_t classes)
{
    unsigned c = w * 64 + tac_bit_lowest(classes);
    heap->tidy_next = (c + 1) % TAC_CLASSES;
    bool some = tac_heap_has_sent(heap, c);
    if (some)
        drain_class(heap, c);
    else
        class_is_done(heap, c);
    return some;
}

_Static_assert(sizeof((struct tac_heap *)0)->sent_classes == 2 * sizeof(uint64_t), "two words");

static uint64_t classes_sent(const struct tac_heap *heap, unsigned w)
{
    return atomic_load_explicit(&heap->sent_classes[w], memory_order_relaxed);
}

/* The classes take turns: none waits for ever behind one that others free all the time. From the
 * next on, then those of the other word, then those before. */
bool tac_heap_drain_one(struct tac_heap *heap)
{
    unsigned w = heap->tidy_next / 64;
    uint64_t classes = classes_sent(heap, w) & ~0ull << (heap->tidy_next & 63);
    if (!classes && !(classes = classes_sent(heap, w ^= 1)) &&
        !(classes = classes_sent(heap, w ^= 1)))
        return false;
    return drain_some(heap, w, classes);
}

/* ---- in a forked child ---- */

void tac_heap_queue_clear(struct tac_heap *heap)
{
    for (unsigned c = 0; c < TAC_CLASSES; c++) {
        heap->of[c].pulled = NULL;
        atomic_store_explicit(&heap->sent[c], NULL, memory_order_relaxed);
    }
    for (unsigned w = 0; w < sizeof heap->sent_classes / sizeof *heap->sent_classes; w++)
        atomic_store_explicit(&heap->sent_classes[w], 0, memory_order_relaxed);
}

static uint32_t summary_of(const struct tac_slab *slab)
{
    uint32_t summary = 0;
    for (unsigned w = 0; w * 64 < slab->capacity; w++)
        if (atomic_load(&tac_remote_of(slab)->freed[w]))
            summary |= 1u << w;
    return summary;
}

void tac_slab_requeue(struct tac_heap *heap, const struct tac_slab *slab)
{
    struct tac_remote *remote = tac_remote_of(slab);
    struct tac_heap *owner = owner_of(slab);
    if (owner && owner != heap)
        return;
    if (atomic_load(&remote->queued)) /* most pages of this table stay shared with the parent */
        atomic_store(&remote->queued, 0);
    uint32_t summary = owner ? summary_of(slab) : 0;
    if (!summary)
        return;
    atomic_store(&remote->summary, summary);
    enqueue(heap, slab->class_index, remote);
}
