/* SPDX-License-Identifier: MIT
 * lost.c - since when kernel events are missing.
 *
 * The kernel says that it dropped events when it next has room: the loss lies before that mark. It
 * began after the last event that came through the same buffer, which is that of a thread (the
 * recorder's perf ring; the mark has its tid) or of a CPU. A thread's buffer carries few kinds of
 * events, and none of the CPU's. Where a fault begins is told in both, which says nothing of
 * either.
 * Cost: O(n) for the n events since then, a gap. Threads: one. Real-time: no. */
#include "capture/reader.h"

static bool is_of_thread(uint16_t type)
{
    return type == TAC_KERNEL_OUT || type == TAC_KERNEL_IN || type == TAC_KERNEL_FAULT_MINOR ||
           type == TAC_KERNEL_FAULT_MAJOR;
}

static bool same_buffer(const struct tac_capture_gap *g, const struct tac_capture_kernel *k)
{
    if (k->type == TAC_KERNEL_LOST)
        return k->tid == g->tid && (g->tid || k->cpu == g->cpu);
    if (k->type == TAC_KERNEL_FAULT)
        return false;
    return g->tid ? is_of_thread(k->type) && k->tid == g->tid
                  : !is_of_thread(k->type) && k->cpu == g->cpu;
}

void tac_reader_widen_gaps(struct tac_reader *r)
{
    struct tac_capture_gap *g = r->gaps.data;
    const struct tac_capture_kernel *k = r->kernel.data;
    for (size_t i = 0; i < r->gaps.count; i++) {
        if (g[i].thread != TAC_CAPTURE_NONE)
            continue;
        size_t at = tac_reader_kernel_at(r, g[i].end_ns);
        while (at > 0 && !same_buffer(&g[i], &k[at - 1]))
            at--;
        g[i].begin_ns = at > 0 ? k[at - 1].ns : r->pub.begin_ns;
        g[i].begin_ns = g[i].begin_ns < g[i].end_ns ? g[i].begin_ns : g[i].end_ns;
    }
}
