/* SPDX-License-Identifier: MIT
 * test_ring.c - order, fullness and wrap-around of the SPSC ring, and two real threads. */
#include "base/ring.h"

#include "test.h"

#include <pthread.h>
#include <sched.h>

static void push_pop_keep_order_and_capacity(void)
{
    uint32_t memory[8], x;
    struct tac_ring ring;
    tac_ring_init(&ring, memory, 8, sizeof *memory);
    uint32_t in = 0, out = 0;
    for (int round = 0; round < 100; round++) {
        while (tac_ring_try_push(&ring, &in))
            in++;
        CHECK(in - out == 8 && tac_ring_free(&ring) == 0 && tac_ring_used(&ring) == 8);
        for (int i = 0; i <= round % 8; i++) {
            REQUIRE(tac_ring_try_pop(&ring, &x));
            CHECK(x == out++);
        }
    }
    while (tac_ring_try_pop(&ring, &x))
        CHECK(x == out++);
    CHECK(in == out && !tac_ring_peek(&ring) && tac_ring_free(&ring) == 8);
}

static void indices_survive_their_wrap(void)
{
    uint32_t memory[4], x = 5;
    struct tac_ring ring;
    tac_ring_init(&ring, memory, 4, sizeof *memory);
    atomic_store(&ring.head, UINT32_MAX - 1);
    atomic_store(&ring.tail, UINT32_MAX - 1);
    ring.head_seen = ring.tail_seen = UINT32_MAX - 1;
    for (uint32_t i = 0; i < 20; i++) {
        CHECK(tac_ring_try_push(&ring, &i));
        CHECK(tac_ring_try_push(&ring, &i));
        CHECK(tac_ring_try_pop(&ring, &x) && x == i);
        CHECK(tac_ring_try_pop(&ring, &x) && x == i);
    }
}

enum { ITEMS = 300000 };

struct pair {
    uint64_t a, b;
};

static struct tac_ring shared;

static void *produce(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < ITEMS; i++) {
        struct pair p = {i, ~i};
        while (!tac_ring_try_push(&shared, &p))
            sched_yield();
    }
    return NULL;
}

static void two_threads_see_every_item_once_and_whole(void)
{
    static struct pair memory[256];
    tac_ring_init(&shared, memory, 256, sizeof *memory);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, produce, NULL) == 0);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < ITEMS; i++) {
        struct pair p;
        while (!tac_ring_try_pop(&shared, &p))
            sched_yield();
        wrong += p.a != i || p.b != ~i;
    }
    pthread_join(thread, NULL);
    CHECK(wrong == 0);
}

int main(int argc, char **argv)
{
    test_begin(argc, argv);
    TEST(push_pop_keep_order_and_capacity);
    TEST(indices_survive_their_wrap);
    TEST(two_threads_see_every_item_once_and_whole);
    return test_end();
}
