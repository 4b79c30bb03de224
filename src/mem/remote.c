/* SPDX-License-Identifier: MIT
 * remote.c - blocks freed by a thread that does not own them.
 *
 * The sender sets the block's bit in the slab's struct tac_remote, and the block itself is not
 * touched (no cache miss, and a second free of the same block is seen). It sets the bit by an
 * atomic addition: an or whose old value is wanted is a loop on some machines. The first sender of
 * a word also marks the summary and, if the slab is not queued yet, puts it into the queue of its
 * heap: one exchange (the intrusive queue of D. Vyukov, written anew). The owner takes one slab off
 * the queue in each slow path, clears `queued` before it looks at the bits, and takes at most
 * TAC_HEAP_DRAIN blocks; a slab with more goes to the queue's end.
 *
 * A sender that is stopped between its steps hides what it was about to announce, and what was
 * queued behind its half-made link, until it goes on: the owner meanwhile finds an empty queue and
 * uses other memory. A sender may also come so late that the slab was emptied, given back and has
 * another owner: link, queued and summary outlive the slab for that reason, a wrong summary bit
 * finds an empty word, and a slab in the wrong queue is sent on to its owner. */
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

static void push(struct tac_heap *heap, struct tac_link *link)
{
    atomic_store_explicit(&link->next, NULL, memory_order_relaxed);
    struct tac_link *before = atomic_exchange(&heap->queue_tail, link);
    atomic_store_explicit(&before->next, link, memory_order_release);
}

/* The oldest link, or NULL when there is none or its successor is only half there. */
static struct tac_link *pull(struct tac_heap *heap)
{
    struct tac_link *head = heap->queue_head;
    struct tac_link *next = atomic_load_explicit(&head->next, memory_order_acquire);
    if (head == &heap->queue_stub) {
        if (!next)
            return NULL;
        heap->queue_head = head = next;
        next = atomic_load_explicit(&head->next, memory_order_acquire);
    }
    if (!next) {
        if (atomic_load(&heap->queue_tail) != head)
            return NULL;
        push(heap, &heap->queue_stub);
        next = atomic_load_explicit(&head->next, memory_order_acquire);
        if (!next)
            return NULL;
    }
    heap->queue_head = next;
    return head;
}

void tac_heap_queue_init(struct tac_heap *heap)
{
    atomic_init(&heap->queue_stub.next, NULL);
    atomic_init(&heap->queue_tail, &heap->queue_stub);
    heap->queue_head = &heap->queue_stub;
}

/* Sequential, as are the loads of drain_one: a sender sets the summary and then looks at queued,
 * the owner clears queued and then looks at owner and summary. If both could look before their own
 * stores are seen, neither would queue the slab, and its blocks would stay away. */
static void enqueue(struct tac_heap *heap, struct tac_remote *remote)
{
    if (!atomic_load(&remote->queued) && !atomic_exchange(&remote->queued, 1))
        push(heap, &remote->link);
}

void tac_slab_free_remote(struct tac_slab *slab, void *block)
{
    struct tac_heap *heap = tac_slab_heap(slab);
    struct tac_remote *remote = tac_remote_of(slab);
    uintptr_t offset = (uintptr_t)block - (uintptr_t)tac_unit_address(tac_slab_unit(slab));
    unsigned i = (unsigned)((uint64_t)offset * slab->reciprocal >> 32);
    uint64_t bit = 1ull << (i & 63);
    uint64_t before = atomic_fetch_add(&remote->freed[i / 64], bit);
    if (TAC_UNLIKELY(before & bit))
        tac_mem_fatal("block was freed twice", block);
    if (before)
        return;
    atomic_fetch_or(&remote->summary, 1u << (i / 64));
    enqueue(heap, remote);
}

/* Of one word of bits. */
unsigned tac_slab_drain(struct tac_slab *slab)
{
    struct tac_remote *remote = tac_remote_of(slab);
    unsigned w = tac_bit_lowest(atomic_load(&remote->summary)), n = 0;
    atomic_fetch_and(&remote->summary, ~(1u << w));
    uint64_t bits = atomic_load(&remote->freed[w]), left = bits;
    uint32_t bytes = slab->block_bytes;
    char *base = tac_unit_address(tac_slab_unit(slab)) + (size_t)w * 64 * bytes;
    void *list = slab->free;
    for (; left && n < TAC_HEAP_DRAIN; n++, left &= left - 1) {
        void *block = base + (size_t)tac_bit_lowest(left) * bytes;
        *(void **)block = list;
        list = block;
    }
    slab->free = list;
    bits ^= left;
    if (atomic_fetch_sub(&remote->freed[w], bits) != bits)
        atomic_fetch_or(&remote->summary, 1u << w);
    slab->used -= n;
    tac_slab_heap(slab)->counters.remote_frees += n;
    TAC_ASSERT_SLOW(!tac_slab_fault(slab));
    return n;
}

void tac_heap_drain_one(struct tac_heap *heap)
{
    struct tac_link *link = pull(heap);
    if (!link)
        return;
    struct tac_remote *remote = remote_of_link(link);
    struct tac_slab *slab = slab_of(remote);
    atomic_store(&remote->queued, 0);
    struct tac_heap *owner = owner_of(slab);
    if (owner != heap) {
        if (owner && atomic_load(&remote->summary))
            enqueue(owner, remote);
        return;
    }
    if (atomic_load(&remote->summary))
        tac_slab_drain(slab);
    if (atomic_load(&remote->summary))
        enqueue(heap, remote);
    tac_slab_settle(heap, slab);
}
