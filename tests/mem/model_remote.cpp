// SPDX-License-Identifier: MIT
// model_remote.cpp - remote frees (src/mem/remote.c) as a model for Relacy, which runs it under the
// C11 memory model in many interleavings: every block that was freed comes home, none twice, to the
// heap that owns it, also when the slab changes its owner while it is queued.
//
// The steps are those of tac_slab_free_remote, enqueue, push, tac_heap_drain_class and leave, with
// their memory orders; one word of bits a slab, which holds its blocks. An announcement after
// `queued` is looked at, or a link that is followed before it is made, must fail, or the model
// could not find anything.
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

// Relacy's orders are macros that bring the place of the call with them.
#define seq rl::memory_order_seq_cst
#define relaxed rl::memory_order_relaxed

namespace
{

enum { SLABS = 2, BLOCKS = 2, NONE = 0, UNLINKED = 99 };
enum fault { CORRECT, LATE_SUMMARY, UNMADE_LINK };

struct slab {
    rl::atomic<int> owner; // index of a heap + 1, or NONE
    rl::atomic<unsigned> freed, summary, queued;
    rl::atomic<int> next; // index of a slab + 1
};

struct heap {
    rl::atomic<int> sent; // index of a slab + 1
    int pulled;
};

template <fault planted> struct machine {
    slab s[SLABS];
    heap h[2];

    void start(int owner)
    {
        for (auto &slab : s) {
            slab.owner.store(owner, relaxed);
            slab.freed.store(0, relaxed);
            slab.summary.store(0, relaxed);
            slab.queued.store(0, relaxed);
            slab.next.store(NONE, relaxed);
        }
        for (auto &heap : h) {
            heap.sent.store(NONE, relaxed);
            heap.pulled = NONE;
        }
    }

    void push(int owner, int i)
    {
        s[i].next.store(UNLINKED, relaxed);
        int before = h[owner - 1].sent.exchange(i + 1, seq);
        s[i].next.store(before, rl::memory_order_release);
    }

    void enqueue(int owner, int i)
    {
        if (!s[i].queued.load(seq) && !s[i].queued.exchange(1, seq))
            push(owner, i);
    }

    void free_remote(int i, unsigned block)
    {
        int owner = s[i].owner.load(relaxed);
        if (s[i].freed.fetch_add(1u << block, seq))
            return;
        if (planted == LATE_SUMMARY)
            enqueue(owner, i);
        s[i].summary.fetch_or(1, seq);
        if (planted != LATE_SUMMARY)
            enqueue(owner, i);
    }

    unsigned drain_bits(int i)
    {
        s[i].summary.fetch_and(0, seq);
        unsigned bits = s[i].freed.load(seq), take = bits & (0u - bits); // one at a time
        if (take && s[i].freed.fetch_sub(take, seq) != take)
            s[i].summary.fetch_or(1, seq);
        return take;
    }

    void leave(int self, int i)
    {
        int next = s[i].next.load(rl::memory_order_acquire);
        if (next == UNLINKED && planted != UNMADE_LINK)
            return;
        h[self - 1].pulled = next == UNLINKED ? NONE : next;
        s[i].queued.store(0, seq);
        int owner = s[i].owner.load(seq);
        if (owner != NONE && s[i].summary.load(seq))
            enqueue(owner, i);
    }

    // Blocks that came home of slab *ret_slab, as bits.
    unsigned drain(int self, int *ret_slab)
    {
        heap &mine = h[self - 1];
        if (mine.pulled == NONE) {
            if (mine.sent.load(relaxed) == NONE)
                return 0;
            mine.pulled = mine.sent.exchange(NONE, seq);
        }
        int i = *ret_slab = mine.pulled - 1;
        bool ours = s[i].owner.load(seq) == self;
        unsigned bits = ours && s[i].summary.load(seq) ? drain_bits(i) : 0;
        if (!ours || !s[i].summary.load(seq))
            leave(self, i);
        return bits;
    }
};

// Two threads free a block of each slab while the owner drains; what is left comes home at the end.
template <fault planted> struct all_come_home : rl::test_suite<all_come_home<planted>, 3> {
    machine<planted> m;
    unsigned home[SLABS];

    void before()
    {
        m.start(1);
        home[0] = home[1] = 0;
    }
    void take()
    {
        int i = 0;
        unsigned bits = m.drain(1, &i);
        RL_ASSERT(!(home[i] & bits));
        home[i] |= bits;
    }
    void thread(unsigned index)
    {
        for (int round = 0; round < 3; round++) {
            if (!index)
                take();
            else if (round < SLABS)
                m.free_remote(round, index - 1);
        }
    }
    void after()
    {
        for (int round = 0; round < 12; round++)
            take();
        RL_ASSERT(home[0] == 3 && home[1] == 3);
    }
};

// The first owner takes the only block that it knows to be out, so that the slab is empty and goes
// to the second owner, who hands out a block that a third thread frees: it comes to the second.
struct owner_changes : rl::test_suite<owner_changes, 3> {
    machine<CORRECT> m;
    rl::atomic<int> handed;
    unsigned second_home;

    void before()
    {
        m.start(1);
        handed.store(0, relaxed);
        second_home = 0;
    }
    void second_takes()
    {
        int i = 0;
        second_home |= m.drain(2, &i);
    }
    void thread(unsigned index)
    {
        if (index == 0) {
            m.free_remote(0, 0);
        } else if (index == 1) {
            int i = 0;
            bool empty = false;
            for (int round = 0; round < 3; round++)
                if (m.drain(1, &i)) {
                    m.s[0].owner.store(2, relaxed); // through the span layer, which is sequential
                    handed.store(1, seq);
                    empty = true;
                }
        } else {
            if (handed.load(seq))
                m.free_remote(0, 1);
            else
                handed.store(2, seq);
        }
    }
    void after()
    {
        bool out = m.s[0].freed.load(seq) & 2;
        for (int round = 0; round < 6; round++) {
            int i = 0;
            m.drain(1, &i);
            second_takes();
        }
        RL_ASSERT(!out || second_home == 2);
        RL_ASSERT(!m.s[0].freed.load(seq) || m.s[0].owner.load(seq) == 1);
    }
};

} // namespace

int main()
{
    model_ok(model_holds<all_come_home<CORRECT>>(100000), "every block comes home, once");
    model_ok(model_holds<owner_changes>(100000),
             "a block comes to the owner that its slab has by then");
    model_ok(!model_holds<all_come_home<LATE_SUMMARY>>(100000),
             "an announcement before its reason fails");
    model_ok(!model_holds<all_come_home<UNMADE_LINK>>(100000),
             "a link that is followed unmade fails");
    return model_end();
}

#endif
