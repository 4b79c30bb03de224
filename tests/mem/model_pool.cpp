// SPDX-License-Identifier: MIT
// model_pool.cpp - the shared pool's stack (src/mem/pool.c) as a model for Relacy, which runs it
// under the C11 memory model in many interleavings: no object is held twice, none is lost, a second
// put is refused. The same model without the head's counter must fail, or it could not find
// anything.
//
// The steps are those of stack_pop, stack_push, leave and tac_pool_put, with their memory orders;
// an object in use is marked by its generation's lowest bit. Three threads, two objects.
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#endif
#include "model.h"

namespace
{

enum { OBJECTS = 2, TRIES = 8 };

template <bool counted> struct pool {
    rl::atomic<unsigned> head; // counter << 8 | index + 1
    rl::atomic<unsigned> next[OBJECTS + 1];
    rl::atomic<unsigned> generation[OBJECTS + 1];

    static unsigned head_with(unsigned before, unsigned entry)
    {
        return (counted ? ((before >> 8) + 1) << 8 : 0) | entry;
    }

    void fill()
    {
        for (unsigned i = 1; i <= OBJECTS; i++) {
            next[i].store(i < OBJECTS ? i + 1 : 0, rl::memory_order_relaxed);
            generation[i].store(0, rl::memory_order_relaxed);
        }
        head.store(1, rl::memory_order_relaxed);
    }

    unsigned pop()
    {
        unsigned seen = head.load(rl::memory_order_seq_cst);
        for (int tries = 0; tries < TRIES && (seen & 255); tries++) {
            unsigned entry = seen & 255;
            unsigned after = head_with(seen, next[entry].load(rl::memory_order_seq_cst));
            if (head.compare_exchange_strong(seen, after, rl::memory_order_seq_cst))
                return entry;
        }
        return 0;
    }

    bool push(unsigned entry)
    {
        unsigned seen = head.load(rl::memory_order_seq_cst);
        for (int tries = 0; tries < TRIES; tries++) {
            next[entry].store(seen & 255, rl::memory_order_relaxed);
            if (head.compare_exchange_strong(seen, head_with(seen, entry),
                                             rl::memory_order_seq_cst))
                return true;
        }
        return false;
    }

    unsigned get()
    {
        unsigned entry = pop();
        if (entry)
            generation[entry].fetch_add(1, rl::memory_order_seq_cst);
        return entry;
    }

    // 0 done, 1 it was not in use, 2 lost too many races
    int put(unsigned entry)
    {
        unsigned seen = generation[entry].load(rl::memory_order_relaxed);
        if (!(seen & 1) ||
            !generation[entry].compare_exchange_strong(seen, seen + 1, rl::memory_order_seq_cst))
            return 1;
        if (push(entry))
            return 0;
        generation[entry].fetch_sub(1, rl::memory_order_seq_cst);
        return 2;
    }
};

template <bool counted> struct users : rl::test_suite<users<counted>, 3> {
    pool<counted> shared;
    rl::var<int> content[OBJECTS + 1]; // Relacy finds two holders as a data race

    void before()
    {
        shared.fill();
        for (int i = 1; i <= OBJECTS; i++)
            content[i]($) = 0;
    }

    void thread(unsigned)
    {
        for (int round = 0; round < 2; round++) {
            unsigned entry = shared.get();
            if (!entry)
                continue;
            content[entry]($) = content[entry]($) + 1;
            while (shared.put(entry) == 2)
                continue;
        }
    }

    void after()
    {
        unsigned first = shared.get(), second = shared.get();
        RL_ASSERT(first && second && first != second && !shared.get());
        RL_ASSERT(shared.put(first) == 0 && shared.put(first) == 1);
    }
};

// Both threads put the same object: one is refused.
struct putters : rl::test_suite<putters, 2> {
    pool<true> shared;
    rl::atomic<unsigned> done;

    void before()
    {
        shared.fill();
        done.store(0, rl::memory_order_relaxed);
        shared.get();
    }
    void thread(unsigned)
    {
        if (shared.put(1) == 0)
            done.fetch_add(1, rl::memory_order_seq_cst);
    }
    void after()
    {
        RL_ASSERT(done.load(rl::memory_order_seq_cst) == 1);
    }
};

} // namespace

int main()
{
    model_ok(model_holds<users<true>>(100000), "no object is held twice, none is lost");
    model_ok(model_holds<putters>(50000), "a second put is refused");
    model_ok(!model_holds<users<false>>(100000), "the model without a counter fails");
    return model_end();
}
