/* SPDX-License-Identifier: MIT
 * cycle.c - sources of cycles, begin and end, and the evidence that is taken on request.
 *
 * Evidence: CLOCK_THREAD_CPUTIME_ID, getrusage(RUSAGE_THREAD), and the sticky "denormal operand"
 * flag of the floating-point unit (x86 MXCSR.DE, bit 1: Intel SDM vol. 1, 10.2.3; arm64 FPSR.IDC
 * and arm FPSCR.IDC, bit 7: Arm ARM), which is cleared at begin and read at end.
 *
 * The accounts are the dear part (two system calls at an edge). At the end they are taken only of
 * cycles that somebody may ask about: those that used more than half of their time, whose deadline
 * is not known, and one in eight of the others, for comparison. At the begin nobody knows who will
 * be asked about. Where the kernel records the thread's switches and faults (perf.h), the reader
 * works out from them and from the accounts taken last what they were; otherwise they are taken.
 * The denormal flag costs nothing and is always in the record. */
#include "tactus/cycle.h"

#include "base/clock.h"
#include "trace/lane.h"
#include "trace/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { BLOCK = 64 };

struct source {
    struct tac_format_source told; /* with the beginning of the name */
    char *name;                    /* the whole of it */
};

static struct source *blocks[TAC_CYCLE_SOURCES_MAX / BLOCK];
_Atomic uint32_t tac_sources_count;
_Atomic uint32_t tac_cycle_evidence;

static struct source *source_at(uint32_t index)
{
    return &blocks[index / BLOCK][index % BLOCK];
}

const struct tac_format_source *tac_source_at(uint32_t index)
{
    return &source_at(index)->told;
}

/* A new last entry, with the control mutex held. */
static int add_source(uint32_t index, const char *name, uint64_t period_ns)
{
    if (index == TAC_CYCLE_SOURCES_MAX)
        return -TAC_E_LIMIT;
    if (!blocks[index / BLOCK])
        blocks[index / BLOCK] = calloc(BLOCK, sizeof **blocks);
    if (!blocks[index / BLOCK])
        return -ENOMEM;
    struct source *s = source_at(index);
    s->name = strdup(name);
    if (!s->name)
        return -ENOMEM;
    s->told = (struct tac_format_source){.id = index, .period_ns = period_ns};
    strncpy(s->told.name, name, sizeof s->told.name - 1);
    /* pairs with the acquire load of the helper */
    atomic_store_explicit(&tac_sources_count, index + 1, memory_order_release);
    return (int)index;
}

int tac_cycle_source_open(const char *name, uint64_t period_ns)
{
    if (!name)
        return -EINVAL;
    tac_control_lock();
    uint32_t count = atomic_load(&tac_sources_count), i = 0;
    while (i < count && strcmp(source_at(i)->name, name))
        i++;
    int result = i < count ? (int)i : add_source(count, name, period_ns);
    tac_control_unlock();
    return result;
}

/* The sticky flag, cleared. */
static uint64_t take_denormal(void)
{
#if defined(__x86_64__) || defined(__SSE__)
    uint32_t csr = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(csr & ~2u);
    return csr >> 1 & 1;
#elif defined(__aarch64__)
    uint64_t status;
    __asm__ volatile("mrs %0, fpsr" : "=r"(status));
    __asm__ volatile("msr fpsr, %0" : : "r"(status & ~0x80ull));
    return status >> 7 & 1;
#elif defined(__arm__) && defined(__VFP_FP__)
    uint32_t status;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(status));
    __asm__ volatile("vmsr fpscr, %0" : : "r"(status & ~0x80u));
    return status >> 7 & 1;
#else
    return 0;
#endif
}

static void put_evidence(struct tac_trace_lane *ring)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    uint64_t voluntary = (uint32_t)usage.ru_nvcsw, minor = (uint32_t)usage.ru_minflt;
    tac_lane_put(ring, 2, tac_clock_thread_cpu_ns(), voluntary << 32 | (uint32_t)usage.ru_nivcsw);
    tac_lane_put(ring, 3, minor << 32 | (uint32_t)usage.ru_majflt, take_denormal());
}

enum { SPARED_EVERY = 8 };

static uint64_t half_way(uint64_t deadline_ns)
{
    uint64_t now = tac_clock_ns();
    return deadline_ns > now ? now + (deadline_ns - now) / 2 : 0;
}

/* Whether the cycle that ends can do without accounts. Of cycles inside cycles only the last that
 * began is known; the others have them. */
static bool can_spare(const struct tac_lane *lane, int source)
{
    return lane->source == source && lane->cycles % SPARED_EVERY && tac_clock_ns() < lane->half_ns;
}

/* A new budget with the cycle; its own begin and end are always within. */
static void renew_budget(struct tac_lane *lane, uint32_t begins)
{
    uint32_t budget = atomic_load_explicit(&tac_lane_budget, memory_order_relaxed);
    struct tac_trace_lane *ring = &lane->ring;
    if (begins) {
        lane->budgeted = budget != 0;
        lane->budget_end = ring->head + tac_lane_open(ring) + budget;
    }
    if (lane->budgeted) {
        lane->budget_end += 6; /* four records and a gap */
        tac_lane_set_limit(ring, ring->head);
    }
}

static bool is_own(const struct tac_trace_lane *ring)
{
    return ring != &tac_lane_none.ring && ring != &tac_lane_silent.ring;
}

/* Whether a reader can do without accounts at a begin. The first that begins after the lane did has
 * them all the same, for the others to count from. */
static bool is_told(struct tac_lane *lane)
{
    uint32_t told = TAC_LANE_TOLD_FROM_NOW;
    /* a new recording may set it at the same time: then the next cycle counts */
    return !atomic_compare_exchange_strong(&lane->told, &told, TAC_LANE_TOLD) &&
           told == TAC_LANE_TOLD;
}

/* The evidence word of an edge: 1 with the accounts, 0 without. */
static uint32_t choose_evidence(struct tac_trace_lane *ring, int source, uint64_t deadline_ns,
                                uint32_t begins)
{
    struct tac_lane *lane = tac_lane_of(ring);
    if (!begins)
        return !can_spare(lane, source);
    lane->source = source;
    lane->cycles++;
    lane->half_ns = half_way(deadline_ns);
    return !is_told(lane);
}

static void emit(int source, uint64_t deadline_ns, uint32_t frames, uint32_t begins)
{
    struct tac_trace_lane *ring = tac_trace_lane_here;
    if ((uint32_t)source >= TAC_CYCLE_SOURCES_MAX || !TAC_TRACE_ON(TAC_CAT_CYCLE))
        return;
    uint32_t wanted = atomic_load_explicit(&tac_cycle_evidence, memory_order_relaxed);
    uint32_t evidence = 0;
    if (is_own(ring)) {
        renew_budget(tac_lane_of(ring), begins);
        evidence = wanted ? choose_evidence(ring, source, deadline_ns, begins) : 0;
    }
    uint32_t n = evidence ? 4 : 2;
    if (!tac_lane_claim(n))
        return;
    uint64_t type = begins ? TAC_REC_CYCLE_BEGIN : TAC_REC_CYCLE_END;
    uint64_t word = type << 56 | (uint64_t)evidence << 48 | (uint64_t)source << 32;
    /* the accounts are taken inside the cycle, as close to its edge as can be */
    uint64_t now = tac_trace_counter(), spared = 0;
    if (evidence)
        put_evidence(ring);
    else if (wanted)
        spared = TAC_CYCLE_SPARED_BIT | take_denormal();
    tac_lane_put(ring, 0, now, word | frames);
    tac_lane_put(ring, 1, deadline_ns, spared);
    tac_lane_publish(ring, n);
}

void tac_cycle_begin(int source, uint64_t deadline_ns, uint32_t frames)
{
    emit(source, deadline_ns, frames, 1);
}

void tac_cycle_end(int source)
{
    emit(source, 0, 0, 0);
}
