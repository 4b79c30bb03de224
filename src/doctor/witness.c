/* SPDX-License-Identifier: MIT
 * witness.c - see witness.h. Cost: O(log n + s) a cycle; the walk once is in follow.c. */
#include "doctor/witness.h"

#include "doctor/doctor.h"
#include "doctor/follow.h"
#include "tactus/trace.h"

#include <errno.h>
#include <stdlib.h>

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

static unsigned evidence_of(const struct tac_capture *c)
{
    unsigned has = 0;
    for (size_t i = 0; i < c->kernel_count; i++)
        has |= kernel_evidence(c->kernel[i].type);
    for (size_t i = 0; i < c->cycles_count && !(has & TAC_HAS_CLOCK); i++)
        has |= c->cycles[i].flags & TAC_CYCLE_EVIDENCE ? TAC_HAS_CLOCK : 0;
    has |= c->memory_count ? TAC_HAS_MEMORY : 0;
    has |= c->locks_count ? TAC_HAS_LOCKS : 0;
    for (size_t i = 0; i < c->sites_count; i++)
        has |= c->sites[i].category == TAC_CAT_CALL ? TAC_HAS_CALLS : 0;
    return has;
}

int tac_witness_init(const struct tac_capture *capture, struct tac_witness *witness)
{
    *witness = (struct tac_witness){.capture = capture, .has = evidence_of(capture)};
    witness->kernel = calloc(capture->threads_count + 1, sizeof *witness->kernel);
    int error = witness->kernel ? tac_follow(capture, witness->has & TAC_HAS_SCHED, witness->kernel)
                                : -ENOMEM;
    if (error)
        tac_witness_fini(witness);
    return error;
}

void tac_witness_fini(struct tac_witness *witness)
{
    for (size_t i = 0; witness->kernel && i < witness->capture->threads_count; i++)
        free(witness->kernel[i].data);
    free(witness->kernel);
    witness->kernel = NULL;
}

/* ---- one cycle ---- */

/* What the kernel's account of this time lacks, as bits of evidence. The thread's own events are
 * not needed where those of the system are whole, but for the faults. */
static unsigned kernel_was_lost(const struct tac_witness *w, const struct tac_layout *l)
{
    const struct tac_capture *c = w->capture;
    const unsigned all = TAC_HAS_SWITCHES | TAC_HAS_SCHED | TAC_HAS_FAULTS | TAC_HAS_IRQ |
                         TAC_HAS_MM | TAC_HAS_COPIES;
    uint32_t tid = c->threads[l->cycle->thread].tid;
    unsigned lost = 0;
    for (size_t i = 0; i < c->gaps_count && c->gaps[i].begin_ns < l->cycle->end_ns; i++) {
        const struct tac_capture_gap *g = &c->gaps[i];
        if (g->thread != TAC_CAPTURE_NONE || g->end_ns <= l->release_ns)
            continue;
        if (g->tid && w->has & TAC_HAS_SCHED)
            lost |= g->tid == tid ? TAC_HAS_FAULTS : 0;
        else if (!g->tid || g->tid == tid)
            lost |= all;
    }
    return lost;
}

static int add_kernel(const struct tac_witness *w, struct tac_layout *l, uint64_t to_ns)
{
    const struct tac_sights *all = &w->kernel[l->cycle->thread];
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

static int add_gaps(const struct tac_capture *c, struct tac_layout *l)
{
    int r = 0;
    for (size_t i = 0; i < c->gaps_count && r == 0; i++)
        if (c->gaps[i].thread == l->cycle->thread && c->gaps[i].begin_ns < l->cycle->end_ns &&
            c->gaps[i].end_ns > l->cycle->begin_ns)
            r = tac_sights_add(&l->sights, (struct tac_sight){.from_ns = c->gaps[i].begin_ns,
                                                              .to_ns = c->gaps[i].end_ns,
                                                              .detail = c->gaps[i].dropped,
                                                              .index = (uint32_t)i,
                                                              .kind = TAC_SIGHT_GAP});
    return r;
}

int tac_witness_cycle(const struct tac_witness *witness, struct tac_layout *layout)
{
    const struct tac_capture *c = witness->capture;
    unsigned lost = kernel_was_lost(witness, layout), has = witness->has & ~lost;
    if (!(layout->cycle->flags & TAC_CYCLE_EVIDENCE))
        has &= ~(unsigned)TAC_HAS_CLOCK;
    layout->sights.count = 0;
    int r = 0;
    if (!(lost & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
        r = add_kernel(witness, layout, layout->cycle->end_ns);
    if (r == 0)
        r = add_memory(c, layout);
    if (r == 0)
        r = add_locks(c, layout);
    if (r == 0)
        r = add_calls(c, layout);
    if (r == 0)
        r = add_gaps(c, layout);
    return r < 0 ? r : (int)has;
}
