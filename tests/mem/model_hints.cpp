/* SPDX-License-Identifier: MIT
 * model_hints.cpp - the trees of hints (src/mem/hints.h) under relacy, which runs threads in orders
 * that the hardware hardly ever chooses: a member that was added, and that nobody removes, is seen
 * by a search at any moment after, whatever a remover of another member does in between.
 *
 * The model is two levels, which is what the argument is about: a lower node whose children come
 * and go, and the upper node that says whether the lower has any. The operations are those of
 * hints.h, step by step, with a count of announcements in the upper half; without the count the
 * model fails. Skips where relacy is absent. */
#include <cstdio>

#if !__has_include(<relacy/relacy.hpp>)

int main()
{
    std::printf("1..0 # SKIP relacy is not installed (relacy-dev)\n");
    return 0;
}

#else

#include "model.h"

typedef unsigned long long node_value;
static const node_value announcement = 1ull << 32;

struct tree {
    rl::atomic<node_value> lower, upper;

    void announce(rl::atomic<node_value> &node, unsigned i)
    {
        node_value before = node($).load(rl::mo_relaxed);
        if (node($).compare_exchange_strong(before, (before + announcement) | 1ull << i))
            return;
        node($).fetch_add(announcement);
        node($).fetch_or(1ull << i);
    }

    void add(unsigned i)
    {
        announce(lower, i);
        announce(upper, 0);
    }

    void drop(rl::atomic<node_value> &node, node_value before, unsigned i)
    {
        node($).compare_exchange_strong(before, before & ~(1ull << i));
    }

    /* The thing itself is not needed any more: only this thread speaks of member i. */
    void remove(unsigned i)
    {
        drop(lower, lower($).load(), i);
        node_value before = upper($).load();
        if (!(unsigned)lower($).load())
            drop(upper, before, 0);
    }

    bool finds(unsigned i)
    {
        return ((unsigned)upper($).load() & 1) && (lower($).load() >> i & 1);
    }
};

/* Thread 0 adds member 0 and looks for it, while threads 1 and 2 add and remove 1 and 2. */
struct added_is_seen : rl::test_suite<added_is_seen, 3> {
    tree t;

    void before()
    {
        t.lower($).store(0);
        t.upper($).store(0);
    }

    void thread(unsigned index)
    {
        t.add(index);
        if (index) {
            t.remove(index);
            return;
        }
        RL_ASSERT(t.finds(0));
        RL_ASSERT(t.finds(0));
    }

    void after()
    {
        RL_ASSERT(t.finds(0));
    }
};

int main()
{
    model_ok(model_holds<added_is_seen>(300000), "what was added is seen");
    return model_end();
}

#endif
