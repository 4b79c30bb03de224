/* SPDX-License-Identifier: MIT
 * witness.c - see witness.h. Cost: O(log n + s) a cycle; the walk once is in follow.c. */
#include "doctor/witness.h"

#include "base/order.h"
#include "doctor/doctor.h"
#include "doctor/evidence.h"
#include "doctor/follow.h"
#include "doctor/still.h"
#include "tactus/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned kernel_evidence(uint16_t type)
{
    switch (type) {
    case TAC_KERNEL_SWITCH:
        return TAC_HAS_SCHED;
    case TAC_KERNEL_OUT:
        return TAC_HAS_SWITCHES;
    case TAC_KERNEL_FAULT_MINOR:
    case TAC_KERNEL_FAULT_MAJOR:
    case TAC_KERNEL_FAULT:
        return TAC_HAS_FAULTS;
    case TAC_KERNEL_FAULT_PROTECTED:
        return TAC_HAS_COPIES;
    case TAC_KERNEL_IRQ_BEGIN:
    case TAC_KERNEL_SOFTIRQ_BEGIN:
        return TAC_HAS_IRQ;
    case TAC_KERNEL_MMAP_WAIT:
    case TAC_KERNEL_RECLAIM_BEGIN:
    case TAC_KERNEL_COMPACT_BEGIN:
    case TAC_KERNEL_PAGES:
        return TAC_HAS_MM;
    default:
        return 0;
    }
}

/* The preload library counted calls of malloc: it would have recorded those in cycles, too. */
static bool sees_heap(const struct tac_capture *c)
{
    const char *calls = tac_capture_meta(c, "heap.calls");
    return calls && strcmp(calls, "0") != 0;
}

static unsigned evidence_of(const struct tac_capture *c)
{
    unsigned has = 0;
    for (size_t i = 0; i < c->kernel_count; i++)
        has |= kernel_evidence(c->kernel[i].type);
    for (size_t i = 0; i < c->cycles_count && !(has & TAC_HAS_CLOCK); i++)
        has |= c->cycles[i].flags & TAC_CYCLE_EVIDENCE ? TAC_HAS_CLOCK : 0;
    has |= c->memory_count || sees_heap(c) ? TAC_HAS_MEMORY : 0;
    has |= c->locks_count ? TAC_HAS_LOCKS : 0;
    for (size_t i = 0; i < c->sites_count; i++)
        has |= c->sites[i].category == TAC_CAT_CALL ? TAC_HAS_CALLS : 0;
    return has;
}

static void find_pulses(const struct tac_capture *c, bool *pulses)
{
    for (size_t i = 0; i < c->kernel_count; i++) {
        const struct tac_capture_kernel *e = &c->kernel[i];
        uint32_t thread = e->type == TAC_KERNEL_PULSE ? tac_capture_thread_of(c, e->tid, e->ns)
                                                      : TAC_CAPTURE_NONE;
        if (thread < c->threads_count)
            pulses[thread] = true;
    }
}

/* Events of the system were lost somewhere, and there are those of the threads beside them. */
static int follow_own(struct tac_witness *w)
{
    if (!w->lost.count || (~w->has & (TAC_HAS_SCHED | TAC_HAS_SWITCHES)))
        return 0;
    w->own = calloc(w->capture->threads_count + 1, sizeof *w->own);
    return w->own ? tac_follow(w->capture, false, w->own, NULL) : -ENOMEM;
}

int tac_witness_init(const struct tac_capture *capture, struct tac_witness *witness)
{
    *witness = (struct tac_witness){.capture = capture, .has = evidence_of(capture)};
    witness->kernel = calloc(capture->threads_count + 1, sizeof *witness->kernel);
    witness->pulses = calloc(capture->threads_count + 1, sizeof *witness->pulses);
    int error =
        witness->kernel && witness->pulses
            ? tac_follow(capture, witness->has & TAC_HAS_SCHED, witness->kernel, &witness->halts)
            : -ENOMEM;
    if (!error)
        find_pulses(capture, witness->pulses);
    if (!error)
        error =
            tac_holes_find(capture->gaps, capture->gaps_count, TAC_HOLES_OF_KERNEL, &witness->lost);
    if (!error)
        error = tac_holes_find(capture->gaps, capture->gaps_count, TAC_HOLES_OF_THREADS,
                               &witness->gaps);
    if (!error)
        error = follow_own(witness);
    if (error)
        tac_witness_fini(witness);
    return error;
}

static void free_sights(struct tac_sights *sights, size_t threads)
{
    for (size_t i = 0; sights && i < threads; i++)
        free(sights[i].data);
    free(sights);
}

void tac_witness_fini(struct tac_witness *witness)
{
    free_sights(witness->kernel, witness->capture->threads_count);
    free_sights(witness->own, witness->capture->threads_count);
    witness->kernel = witness->own = NULL;
    free(witness->halts.data);
    witness->halts = (struct tac_sights){0};
    free(witness->pulses);
    witness->pulses = NULL;
    tac_holes_fini(&witness->lost);
    tac_holes_fini(&witness->gaps);
}

/* ---- one cycle ---- */

/* What the kernel's account of this time lacks, as bits of evidence. The thread's own events are
 * not needed where those of the system are whole, but for the faults; where they are not, the
 * thread's own switches alone are left, if they are whole. */
static unsigned kernel_was_lost(const struct tac_witness *w, const struct tac_layout *l)
{
    const unsigned all = TAC_HAS_SWITCHES | TAC_HAS_SCHED | TAC_HAS_FAULTS | TAC_HAS_IRQ |
                         TAC_HAS_MM | TAC_HAS_COPIES;
    uint32_t tid = w->capture->threads[l->cycle->thread].tid;
    uint64_t from = l->release_ns, to = l->cycle->end_ns;
    bool own = tac_holes_within(&w->lost, tid, from, to);
    if (tac_holes_within(&w->lost, 0, from, to))
        return own || !w->own ? all : all & ~(unsigned)TAC_HAS_SWITCHES;
    if (!own)
        return 0;
    return w->has & TAC_HAS_SCHED ? TAC_HAS_FAULTS : all;
}

static int add_kernel(const struct tac_sights *all, struct tac_layout *l, uint64_t to_ns)
{
    size_t low = 0, high = all->count;
    while (low < high) { /* the first that ends at or after the release */
        size_t middle = low + (high - low) / 2;
        if (all->data[middle].to_ns < l->release_ns)
            low = middle + 1;
        else
            high = middle;
    }
    int r = 0;
    size_t beyond = 0; /* sights that lie about each other: a few may begin before their order */
    for (size_t i = low; i < all->count && beyond < 64 && r == 0; i++) {
        beyond = all->data[i].from_ns > to_ns ? beyond + 1 : beyond;
        if (all->data[i].from_ns <= to_ns)
            r = tac_sights_add(&l->sights, all->data[i]);
    }
    return r;
}

/* Calls that follow each other this closely are one stretch of work: what lies between is the way
 * into the function and the recorder's own cost of the call. */
enum { GLUE_NS = 200 };

static int add_memory(const struct tac_capture *c, struct tac_layout *l)
{
    size_t i = TAC_CAPTURE_LOWER(c, memory, begin_ns, l->cycle->begin_ns);
    size_t before = l->sights.count;
    int r = 0;
    for (; i < c->memory_count && c->memory[i].begin_ns < l->cycle->end_ns && r == 0; i++) {
        const struct tac_capture_memory *m = &c->memory[i];
        if (m->thread != l->cycle->thread)
            continue;
        struct tac_sight *last =
            l->sights.count > before ? &l->sights.data[l->sights.count - 1] : NULL;
        if (last && m->begin_ns >= last->to_ns && m->begin_ns - last->to_ns <= GLUE_NS)
            last->to_ns = m->begin_ns;
        r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = m->begin_ns,
                                                          .to_ns = m->end_ns,
                                                          .detail = m->bytes,
                                                          .index = (uint32_t)i,
                                                          .kind = TAC_SIGHT_MEMORY});
    }
    return r;
}

static int add_locks(const struct tac_capture *c, struct tac_layout *l)
{
    size_t i = TAC_CAPTURE_LOWER(c, locks, begin_ns, l->cycle->begin_ns);
    int r = 0;
    for (; i < c->locks_count && c->locks[i].begin_ns < l->cycle->end_ns && r == 0; i++)
        if (c->locks[i].thread == l->cycle->thread)
            r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = c->locks[i].begin_ns,
                                                              .to_ns = c->locks[i].end_ns,
                                                              .detail = c->locks[i].lock,
                                                              .index = (uint32_t)i,
                                                              .who = c->locks[i].holder_tid,
                                                              .kind = TAC_SIGHT_LOCK});
    return r;
}

static int add_calls(const struct tac_capture *c, struct tac_layout *l)
{
    size_t i = TAC_CAPTURE_LOWER(c, zones, begin_ns, l->cycle->begin_ns);
    int r = 0;
    for (; i < c->zones_count && c->zones[i].begin_ns < l->cycle->end_ns && r == 0; i++)
        if (c->zones[i].thread == l->cycle->thread &&
            c->sites[c->zones[i].site].category == TAC_CAT_CALL)
            r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = c->zones[i].begin_ns,
                                                              .to_ns = c->zones[i].end_ns,
                                                              .index = (uint32_t)i,
                                                              .kind = TAC_SIGHT_CALL});
    return r;
}

static int add_gaps(const struct tac_witness *w, struct tac_layout *l)
{
    const struct tac_hole *hole =
        tac_holes_within(&w->gaps, l->cycle->thread, l->cycle->begin_ns, l->cycle->end_ns);
    const struct tac_hole *end = w->gaps.hole + w->gaps.count;
    int r = 0;
    for (; hole && hole < end && hole->whose == l->cycle->thread &&
           hole->begin_ns < l->cycle->end_ns && r == 0;
         hole++)
        r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = hole->begin_ns,
                                                          .to_ns = hole->end_ns,
                                                          .detail = hole->dropped,
                                                          .index = TAC_SIGHT_NONE,
                                                          .kind = TAC_SIGHT_GAP});
    return r;
}

/* ---- silence ---- */

static size_t zones_within(const struct tac_capture *c, const struct tac_capture_cycle *cycle,
                           uint64_t *sign)
{
    size_t n = 0;
    for (size_t i = TAC_CAPTURE_LOWER(c, zones, begin_ns, cycle->begin_ns);
         i < c->zones_count && c->zones[i].begin_ns < cycle->end_ns; i++) {
        const struct tac_capture_zone *z = &c->zones[i];
        if (z->thread != cycle->thread)
            continue;
        if (sign) {
            sign[n] = z->begin_ns;
            sign[n + 1] = z->end_ns;
        }
        n += 2;
    }
    return n;
}

int tac_witness_signs(const struct tac_capture *capture, const struct tac_layout *l,
                      uint64_t **ret_signs, size_t *ret_count)
{
    size_t n = zones_within(capture, l->cycle, NULL);
    uint64_t *sign = malloc((n + 2 * l->sights.count + 1) * sizeof *sign);
    if (!sign)
        return -ENOMEM;
    zones_within(capture, l->cycle, sign);
    for (size_t i = 0; i < l->sights.count; i++) {
        sign[n++] = l->sights.data[i].from_ns;
        sign[n++] = l->sights.data[i].to_ns;
    }
    qsort(sign, n, sizeof *sign, tac_compare_u64);
    *ret_signs = sign;
    *ret_count = n;
    return 0;
}

/* Long stretches without a sign of the thread, summed up. */
static uint64_t sum_of_silence(const uint64_t *sign, size_t count, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t last = from_ns, sum = 0;
    for (size_t i = 0; i <= count; i++) {
        uint64_t at = i < count && sign[i] < to_ns ? sign[i] : to_ns;
        if (at > last + TAC_STILL_CPU_NS)
            sum += at - last;
        last = at > last ? at : last;
    }
    return sum;
}

/* Edges of sights are signs, so a stretch lies in one segment. */
static uint64_t silence_of(const struct tac_layout *l, enum tac_account account,
                           const uint64_t *sign, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < l->segments; i++) {
        const struct tac_segment *s = &l->segment[i];
        if (s->account == account && s->to_ns - s->from_ns > TAC_STILL_CPU_NS)
            sum += sum_of_silence(sign, count, s->from_ns, s->to_ns);
    }
    return sum;
}

int tac_witness_silence(const struct tac_witness *w, struct tac_layout *l, unsigned has)
{
    const struct tac_capture_cycle *cycle = l->cycle;
    memset(l->silent_ns, 0, sizeof l->silent_ns);
    if (has & TAC_HAS_SCHED || w->pulses[cycle->thread] ||
        cycle->end_ns - cycle->begin_ns < TAC_STILL_CPU_NS || !tac_evidence_is_virtual(w->capture))
        return 0;
    uint64_t *sign;
    size_t n;
    int r = tac_witness_signs(w->capture, l, &sign, &n);
    if (r < 0)
        return r;
    for (int a = TAC_ACCOUNT_OWN; a <= TAC_ACCOUNT_ALLOCATOR; a++)
        l->silent_ns[a] = silence_of(l, (enum tac_account)a, sign, n);
    free(sign);
    return 0;
}

int tac_witness_cycle(const struct tac_witness *witness, struct tac_layout *layout)
{
    const struct tac_capture *c = witness->capture;
    unsigned lost = kernel_was_lost(witness, layout), has = witness->has & ~lost;
    if (!(layout->cycle->flags & TAC_CYCLE_EVIDENCE))
        has &= ~(unsigned)TAC_HAS_CLOCK;
    layout->sights.count = 0;
    int r = 0;
    const struct tac_sights *kernel =
        lost & TAC_HAS_SCHED ? witness->own : witness->kernel; /* own: NULL when those are lost */
    if (kernel && !(lost & TAC_HAS_SWITCHES))
        r = add_kernel(&kernel[layout->cycle->thread], layout, layout->cycle->end_ns);
    if (r == 0)
        r = add_memory(c, layout);
    if (r == 0)
        r = add_locks(c, layout);
    if (r == 0)
        r = add_calls(c, layout);
    if (r == 0)
        r = add_gaps(witness, layout);
    return r < 0 ? r : (int)has;
}
