// SPDX-License-Identifier: MIT
// model_threads.cpp - the table of thread heaps (src/mem/thread.c) as a model for Relacy: no thread
// heap has two threads, one that a thread left is taken over with all that its owner wrote, none is
// lost.
//
// The steps are those of claim_index and thread_exits, with their memory orders. The heap's content
// is a plain variable, so that Relacy finds two owners, or a takeover that sees old content, as a
// data race. Claiming without the atomic operation must fail, and so must leaving with a relaxed
// one, or the model could not find anything.
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#endif

#include <cstdio>

#if !__has_include(<relacy/relacy.hpp>)

int main()
{
    std::printf("1..0 # SKIP relacy is not installed (relacy-dev)\n");
    return 0;
}

#else

#include "model.h"

namespace
{

enum { PLACES = 2, THREADS = 3, TRIES = 16, LIVES = 2 };
enum fault { CORRECT, TORN_CLAIM, RELAXED_EXIT };

template <fault planted> struct table : rl::test_suite<table<planted>, THREADS> {
    rl::atomic<unsigned> used;
    rl::var<unsigned> content[PLACES];
    rl::atomic<unsigned> lives;

    void before()
    {
        used.store(0, rl::memory_order_relaxed);
        lives.store(0, rl::memory_order_relaxed);
        for (auto &c : content)
            c($) = 0;
    }

    unsigned set(unsigned bit)
    {
        if (planted != TORN_CLAIM)
            return used.fetch_or(bit, rl::memory_order_seq_cst);
        unsigned before = used.load(rl::memory_order_seq_cst);
        used.store(before | bit, rl::memory_order_seq_cst);
        return before;
    }

    int claim()
    {
        unsigned seen = used.load(rl::memory_order_seq_cst);
        for (int tries = 0; (seen & 3) != 3 && tries < TRIES; tries++) {
            unsigned index = seen & 1 ? 1 : 0;
            seen = set(1u << index);
            if (!(seen >> index & 1))
                return (int)index;
        }
        return -1;
    }

    void leave(int index)
    {
        if (planted == RELAXED_EXIT)
            used.fetch_and(~(1u << index), rl::memory_order_relaxed);
        else
            used.fetch_and(~(1u << index), rl::memory_order_seq_cst);
    }

    void thread(unsigned)
    {
        for (int life = 0; life < LIVES; life++) {
            int index = claim();
            if (index < 0)
                continue;
            content[index]($) = content[index]($) + 1;
            lives.fetch_add(1, rl::memory_order_relaxed);
            leave(index);
        }
    }

    void after()
    {
        unsigned sum = content[0]($) + content[1]($);
        RL_ASSERT(sum == lives.load(rl::memory_order_relaxed));
        RL_ASSERT(!used.load(rl::memory_order_seq_cst));
        RL_ASSERT(claim() == 0 && claim() == 1 && claim() == -1);
    }
};

} // namespace

int main()
{
    model_ok(model_holds<table<CORRECT>>(100000),
             "each thread heap has one thread, and the next one sees all");
    model_ok(!model_holds<table<TORN_CLAIM>>(100000), "a claim in two steps fails");
    model_ok(!model_holds<table<RELAXED_EXIT>>(100000), "an exit that publishes nothing fails");
    return model_end();
}

#endif
