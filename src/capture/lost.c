/* SPDX-License-Identifier: MIT
 * lost.c - since when kernel events are missing.
 *
 * The kernel says that it dropped events when it next has room: the loss lies before that mark. It
 * began after the last event that came through the same buffer, which is that of a thread (the
 * recorder's perf ring; the mark has its tid) or of a CPU. A thread's buffer carries few kinds of
 * events, and none of the CPU's. Where a fault begins is told in both, which says nothing of
 * either.
 * How     One walk over the events, which keeps the time of the last one of each buffer that has a
 *         gap, and meets the gaps in the order of their ends.
 * Cost    O((n + g) log g) for n events and g gaps. Threads: one. Real-time: no. */
#include "base/order.h"
#include "capture/reader.h"

#include <stdlib.h>

/* A buffer is a number: of a CPU, or of a thread. */
#define OF_THREAD (1ull << 32)
#define NO_BUFFER UINT64_MAX

/* Both are in the order of their first word. */
struct buffer {
    uint64_t number;
    uint64_t last_ns; /* of its last event */
    bool is_seen;     /* it had one */
};

struct ending {
    uint64_t end_ns;
    uint32_t gap;
};

struct losses {
    struct ending *ending; /* of the kernel's gaps, in the order of time */
    struct buffer *buffer; /* theirs, by number */
    size_t count, buffers;
};

bool tac_reader_is_of_thread(uint16_t type)
{
    return type == TAC_KERNEL_OUT || type == TAC_KERNEL_IN || type == TAC_KERNEL_FAULT_MINOR ||
           type == TAC_KERNEL_FAULT_MAJOR || type == TAC_KERNEL_SAMPLE || type == TAC_KERNEL_PULSE;
}

static uint64_t buffer_of(const struct tac_capture_kernel *k)
{
    if (k->type == TAC_KERNEL_FAULT)
        return NO_BUFFER;
    if (tac_reader_is_of_thread(k->type))
        return k->tid ? OF_THREAD | k->tid : NO_BUFFER;
    return k->type == TAC_KERNEL_LOST && k->tid ? OF_THREAD | k->tid : k->cpu;
}

static uint64_t buffer_of_gap(const struct tac_capture_gap *g)
{
    return g->tid ? OF_THREAD | g->tid : g->cpu;
}

static bool find_losses(const struct tac_reader *r, struct losses *ret_losses)
{
    const struct tac_capture_gap *g = r->gaps.data;
    struct losses l = {.ending = malloc((r->gaps.count + 1) * sizeof *l.ending),
                       .buffer = malloc((r->gaps.count + 1) * sizeof *l.buffer)};
    *ret_losses = l;
    if (!l.ending || !l.buffer)
        return false;
    for (size_t i = 0; i < r->gaps.count; i++) {
        if (g[i].thread != TAC_CAPTURE_NONE)
            continue;
        l.ending[l.count] = (struct ending){g[i].end_ns, (uint32_t)i};
        l.buffer[l.count++] = (struct buffer){.number = buffer_of_gap(&g[i])};
    }
    qsort(l.ending, l.count, sizeof *l.ending, tac_compare_u64);
    qsort(l.buffer, l.count, sizeof *l.buffer, tac_compare_u64);
    for (size_t i = 0; i < l.count; i++)
        if (i == 0 || l.buffer[i].number != l.buffer[l.buffers - 1].number)
            l.buffer[l.buffers++] = l.buffer[i];
    *ret_losses = l;
    return true;
}

static struct buffer *look_up(const struct losses *l, uint64_t number)
{
    struct buffer key = {.number = number};
    return bsearch(&key, l->buffer, l->buffers, sizeof key, tac_compare_u64);
}

static void note_event(struct losses *l, const struct tac_capture_kernel *k)
{
    struct buffer *b = look_up(l, buffer_of(k));
    if (b) {
        b->last_ns = k->ns;
        b->is_seen = true;
    }
}

bool tac_reader_widen_gaps(struct tac_reader *r)
{
    struct tac_capture_gap *g = r->gaps.data;
    const struct tac_capture_kernel *k = r->kernel.data;
    struct losses l;
    bool good = find_losses(r, &l);
    size_t at = 0;
    for (size_t i = 0; good && i < l.count; i++) {
        for (; at < r->kernel.count && k[at].ns < l.ending[i].end_ns; at++)
            note_event(&l, &k[at]);
        struct tac_capture_gap *gap = &g[l.ending[i].gap];
        const struct buffer *b = look_up(&l, buffer_of_gap(gap));
        gap->begin_ns = b->is_seen ? b->last_ns : r->pub.begin_ns;
        gap->begin_ns = gap->begin_ns < gap->end_ns ? gap->begin_ns : gap->end_ns;
    }
    free(l.ending);
    free(l.buffer);
    return good;
}
