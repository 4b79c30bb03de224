/* SPDX-License-Identifier: MIT
 * ring.h - a single-producer single-consumer ring of fixed-size items in the caller's memory.
 *
 * How     Two free-running 32-bit indices, each on a cache line of its own, each written by one
 *         thread. The producer keeps a private copy of the consumer's index (and the other way
 *         round), so that the shared line is read only when the ring looks full (empty).
 * Invariants
 *   I1    head - tail <= capacity (unsigned arithmetic), capacity is a power of two <= 2^31.
 *   I2    only the producer writes head, only the consumer writes tail.
 *   I3    items in [tail, head) are owned by the consumer, all others by the producer.
 * Threads one producer, one consumer; each function says whose it is.
 * Cost    push and pop: constant, no loop but the copy of one item; wait-free.
 * Source  Lamport 1977 (the queue); the index caching is folklore, measured in Lee, Bu,
 * Chandranmenon 2010, "A lock-free, cache-efficient shared ring buffer". */
#ifndef TAC_BASE_RING_H
#define TAC_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TAC_CACHE_LINE 64

struct tac_ring {
    unsigned char *items;
    uint32_t item_bytes;
    uint32_t mask;
    /* producer's line */
    _Alignas(TAC_CACHE_LINE) _Atomic uint32_t head;
    uint32_t tail_seen;
    /* consumer's line */
    _Alignas(TAC_CACHE_LINE) _Atomic uint32_t tail;
    uint32_t head_seen;
};

/* items: capacity * item_bytes, the caller's, must outlive the ring. capacity: a power of two. */
static inline void tac_ring_init(struct tac_ring *ring, void *items, uint32_t capacity,
                                 uint32_t item_bytes)
{
    ring->items = (unsigned char *)items;
    ring->item_bytes = item_bytes;
    ring->mask = capacity - 1;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    ring->tail_seen = 0;
    ring->head_seen = 0;
}

/* Producer. How many pushes must succeed at least. */
static inline uint32_t tac_ring_free(struct tac_ring *ring)
{
    /* pairs with the release store in tac_ring_pop_n */
    ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    return ring->mask + 1 - (head - ring->tail_seen);
}

/* Producer. False when full; the item is copied. */
static inline bool tac_ring_try_push(struct tac_ring *ring, const void *item)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head - ring->tail_seen > ring->mask && tac_ring_free(ring) == 0)
        return false;
    memcpy(ring->items + (size_t)(head & ring->mask) * ring->item_bytes, item, ring->item_bytes);
    /* pairs with the acquire load in tac_ring_used */
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

/* Consumer. How many pops must succeed at least. */
static inline uint32_t tac_ring_used(struct tac_ring *ring)
{
    /* pairs with the release store in tac_ring_try_push */
    ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    return ring->head_seen - atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

/* Consumer. The oldest item in place, or NULL; valid until tac_ring_pop_n. */
static inline const void *tac_ring_peek(struct tac_ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (ring->head_seen == tail && tac_ring_used(ring) == 0)
        return NULL;
    return ring->items + (size_t)(tail & ring->mask) * ring->item_bytes;
}

/* Consumer. Give n items (n <= tac_ring_used) back to the producer. */
static inline void tac_ring_pop_n(struct tac_ring *ring, uint32_t n)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    /* pairs with the acquire load in tac_ring_free */
    atomic_store_explicit(&ring->tail, tail + n, memory_order_release);
}

/* Consumer. False when empty. */
static inline bool tac_ring_try_pop(struct tac_ring *ring, void *ret_item)
{
    const void *item = tac_ring_peek(ring);
    if (!item)
        return false;
    memcpy(ret_item, item, ring->item_bytes);
    tac_ring_pop_n(ring, 1);
    return true;
}

#endif
