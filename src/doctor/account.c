/* SPDX-License-Identifier: MIT
 * account.c - the sweep that cuts a cycle into segments; see account.h. The moves by counts are in
 * settle.c. */
#include "doctor/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *tac_account_name(enum tac_account account)
{
    static const char *const name[TAC_ACCOUNTS] = {
        "own computation",
        "memory functions",
        "asleep in memory functions",
        "page faults",
        "blocked",
        "others ran",
        "interrupts",
        "machine not run",
        "late start",
        "carried over",
        "gap in the recording",
        "unexplained",
    };
    return account < TAC_ACCOUNTS ? name[account] : "?";
}

static int grow(void *array, size_t *capacity, size_t count, size_t item)
{
    if (count < *capacity)
        return 0;
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *data = *(void **)array;
    data = realloc(data, wanted * item);
    if (!data)
        return -ENOMEM;
    *(void **)array = data;
    *capacity = wanted;
    return 0;
}

int tac_sights_add(struct tac_sights *sights, struct tac_sight sight)
{
    int r = grow(&sights->data, &sights->capacity, sights->count, sizeof *sights->data);
    if (r == 0)
        sights->data[sights->count++] = sight;
    return r;
}

static int compare_ends(const void *a, const void *b)
{
    const struct tac_sight *x = a, *y = b;
    if (x->to_ns != y->to_ns)
        return x->to_ns < y->to_ns ? -1 : 1;
    return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

void tac_sights_sort(struct tac_sights *sights)
{
    if (sights->count)
        qsort(sights->data, sights->count, sizeof *sights->data, compare_ends);
}

void tac_layout_fini(struct tac_layout *layout)
{
    free(layout->sights.data);
    free(layout->segment);
    memset(layout, 0, sizeof *layout);
}

/* ---- the sweep ---- */

struct edge {
    uint64_t ns;
    uint32_t sight;
    uint32_t opens;
};

struct sweep {
    struct tac_layout *layout;
    uint32_t open[TAC_SIGHT_SPANS]; /* how many of the kind are open */
    uint32_t top[TAC_SIGHT_SPANS];  /* the one that opened last */
};

static int compare_edges(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    if (x->opens != y->opens)
        return x->opens < y->opens ? -1 : 1; /* close before open */
    return x->sight < y->sight ? -1 : x->sight > y->sight;
}

enum { STATE_STOPPED = 4, STATE_TRACED = 8, STATE_UNINTERRUPTIBLE = 2 };

/* What a sleep waited for, the innermost first. */
static enum tac_account account_asleep(const struct sweep *s, uint32_t *ret_sight)
{
    static const uint8_t inner[] = {TAC_SIGHT_MMAP, TAC_SIGHT_RECLAIM, TAC_SIGHT_COMPACT};
    uint8_t state = s->layout->sights.data[*ret_sight].state;
    if (state == STATE_STOPPED || state == STATE_TRACED)
        return TAC_ACCOUNT_BLOCKED;
    for (size_t i = 0; i < sizeof inner; i++)
        if (s->open[inner[i]]) {
            *ret_sight = s->top[inner[i]];
            return inner[i] == TAC_SIGHT_MMAP ? TAC_ACCOUNT_BLOCKED : TAC_ACCOUNT_FAULT;
        }
    if (s->open[TAC_SIGHT_MEMORY]) {
        *ret_sight = s->top[TAC_SIGHT_MEMORY];
        return TAC_ACCOUNT_ALLOCATOR_WAIT;
    }
    if (s->open[TAC_SIGHT_LOCK])
        *ret_sight = s->top[TAC_SIGHT_LOCK];
    else if (s->open[TAC_SIGHT_CALL])
        *ret_sight = s->top[TAC_SIGHT_CALL];
    return TAC_ACCOUNT_BLOCKED;
}

/* The machine, or the CPU; what proves it before what makes it likely. */
static bool is_halted(const struct sweep *s, uint32_t *ret_sight)
{
    uint8_t kind = s->open[TAC_SIGHT_STILL] ? TAC_SIGHT_STILL : TAC_SIGHT_HALTING;
    if (!s->open[kind])
        return false;
    *ret_sight = s->top[kind];
    return true;
}

/* Before the cycle began: released, and not yet at work. A sleep that can be interrupted is the
 * wait for the release itself; any other (stopped, or deep in the kernel) is a block. */
static enum tac_account account_before(const struct sweep *s, uint64_t ns, uint32_t *ret_sight)
{
    if (ns < s->layout->previous_ns)
        return TAC_ACCOUNT_CARRIED;
    if (is_halted(s, ret_sight))
        return TAC_ACCOUNT_HYPERVISOR;
    if (s->open[TAC_SIGHT_IRQ] || s->open[TAC_SIGHT_SOFTIRQ]) {
        *ret_sight = s->top[s->open[TAC_SIGHT_IRQ] ? TAC_SIGHT_IRQ : TAC_SIGHT_SOFTIRQ];
        return TAC_ACCOUNT_INTERRUPT;
    }
    if (s->open[TAC_SIGHT_READY]) {
        *ret_sight = s->top[TAC_SIGHT_READY];
        return TAC_ACCOUNT_RUNNABLE;
    }
    if (s->open[TAC_SIGHT_ASLEEP]) {
        *ret_sight = s->top[TAC_SIGHT_ASLEEP];
        uint8_t state = s->layout->sights.data[*ret_sight].state;
        if (state & (STATE_STOPPED | STATE_TRACED | STATE_UNINTERRUPTIBLE))
            return account_asleep(s, ret_sight);
    }
    return TAC_ACCOUNT_LATE_START;
}

/* The way back from a sleep inside a memory function, a lock wait or a call: woken, and the CPU had
 * gone idle meanwhile, or to a less urgent thread. Without the sleep there would have been no way
 * back. Longer ones are more than a CPU's idle state or the way of an interrupt. */
enum { WAY_BACK_NS = 500000 };

static bool is_in_the_way(const struct tac_sight *ready)
{
    bool is_less_urgent = ready->prio >= TAC_PRIO_NORMAL && ready->prio != TAC_PRIO_UNKNOWN &&
                          ready->own_prio < TAC_PRIO_NORMAL;
    return ready->who && !is_less_urgent;
}

/* The interrupt that woke it has still to work off the rest of what the disk has done: pages that
 * were written or read with those that the sleep was for. */
static bool is_behind_its_disk(const struct sweep *s, const struct tac_sight *ready)
{
    enum { BLOCK_DEVICES = 4 };
    return ready->flags & TAC_SIGHT_HARD && s->open[TAC_SIGHT_SOFTIRQ] &&
           s->layout->sights.data[s->top[TAC_SIGHT_SOFTIRQ]].detail == BLOCK_DEVICES;
}

static bool comes_back(const struct sweep *s)
{
    static const uint8_t reason[] = {TAC_SIGHT_MEMORY, TAC_SIGHT_LOCK, TAC_SIGHT_CALL,
                                     TAC_SIGHT_RECLAIM, TAC_SIGHT_COMPACT};
    if (!s->open[TAC_SIGHT_READY])
        return false;
    const struct tac_sight *ready = &s->layout->sights.data[s->top[TAC_SIGHT_READY]];
    if (!(ready->flags & TAC_SIGHT_WOKEN) || ready->flags & TAC_SIGHT_CHOSEN ||
        is_in_the_way(ready) ||
        (ready->to_ns - ready->from_ns >= WAY_BACK_NS && !is_behind_its_disk(s, ready)))
        return false;
    for (size_t i = 0; i < sizeof reason; i++)
        if (s->open[reason[i]])
            return true;
    return false;
}

/* Behind an interrupt; one that hits a thread which the scheduler chose is that thread's. */
static bool is_interrupted(const struct sweep *s)
{
    if (!s->open[TAC_SIGHT_IRQ] && !s->open[TAC_SIGHT_SOFTIRQ])
        return false;
    return !s->open[TAC_SIGHT_READY] ||
           !(s->layout->sights.data[s->top[TAC_SIGHT_READY]].flags & TAC_SIGHT_CHOSEN);
}

/* The order of precedence while the cycle runs. */
static enum tac_account account_within(const struct sweep *s, uint32_t *ret_sight)
{
    static const struct {
        uint8_t kind, account;
    } order[] = {
        {TAC_SIGHT_READY, TAC_ACCOUNT_RUNNABLE},   {TAC_SIGHT_RECLAIM, TAC_ACCOUNT_FAULT},
        {TAC_SIGHT_COMPACT, TAC_ACCOUNT_FAULT},    {TAC_SIGHT_FAULTING, TAC_ACCOUNT_FAULT},
        {TAC_SIGHT_MEMORY, TAC_ACCOUNT_ALLOCATOR}, {TAC_SIGHT_MMAP, TAC_ACCOUNT_BLOCKED},
        {TAC_SIGHT_LOCK, TAC_ACCOUNT_BLOCKED},
    };
    if (is_halted(s, ret_sight))
        return TAC_ACCOUNT_HYPERVISOR;
    if (s->open[TAC_SIGHT_ASLEEP] || comes_back(s)) {
        *ret_sight = s->top[s->open[TAC_SIGHT_ASLEEP] ? TAC_SIGHT_ASLEEP : TAC_SIGHT_READY];
        return account_asleep(s, ret_sight);
    }
    if (is_interrupted(s)) {
        *ret_sight = s->top[s->open[TAC_SIGHT_IRQ] ? TAC_SIGHT_IRQ : TAC_SIGHT_SOFTIRQ];
        return TAC_ACCOUNT_INTERRUPT;
    }
    bool faulting = s->open[TAC_SIGHT_FAULTING] && !s->open[TAC_SIGHT_MMAP];
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (s->open[order[i].kind] && (order[i].kind != TAC_SIGHT_FAULTING || faulting)) {
            *ret_sight = s->top[order[i].kind];
            return (enum tac_account)order[i].account;
        }
    if (s->open[TAC_SIGHT_CALL])
        *ret_sight = s->top[TAC_SIGHT_CALL];
    return TAC_ACCOUNT_OWN;
}

static int emit(struct sweep *s, uint64_t from_ns, uint64_t to_ns)
{
    struct tac_layout *l = s->layout;
    if (from_ns >= to_ns)
        return 0;
    uint32_t sight = TAC_SIGHT_NONE;
    enum tac_account account;
    if (s->open[TAC_SIGHT_GAP])
        account = TAC_ACCOUNT_GAP;
    else
        account = from_ns < l->cycle->begin_ns ? account_before(s, from_ns, &sight)
                                               : account_within(s, &sight);
    l->ns[account] += to_ns - from_ns;
    struct tac_segment *last = l->segments ? &l->segment[l->segments - 1] : NULL;
    if (last && last->account == account && last->sight == sight) {
        last->to_ns = to_ns;
        return 0;
    }
    int r = grow(&l->segment, &l->segments_capacity, l->segments, sizeof *l->segment);
    if (r == 0)
        l->segment[l->segments++] = (struct tac_segment){from_ns, to_ns, sight, (uint8_t)account};
    return r;
}

static size_t collect_edges(const struct tac_layout *l, struct edge *edges)
{
    size_t n = 0;
    for (size_t i = 0; i < l->sights.count; i++) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->kind >= TAC_SIGHT_SPANS || s->to_ns <= s->from_ns)
            continue;
        edges[n++] = (struct edge){s->from_ns, (uint32_t)i, 1};
        edges[n++] = (struct edge){s->to_ns, (uint32_t)i, 0};
    }
    uint64_t cut[2] = {l->cycle->begin_ns, l->previous_ns};
    for (int i = 0; i < 2; i++)
        edges[n++] = (struct edge){cut[i], TAC_SIGHT_NONE, 0};
    qsort(edges, n, sizeof *edges, compare_edges);
    return n;
}

/* Of several open sights of a kind one has closed: the last of the others that opened. */
static uint32_t still_open(const struct sweep *s, const struct edge *closed, uint8_t kind)
{
    const struct tac_sights *all = &s->layout->sights;
    uint32_t best = closed->sight;
    for (size_t i = 0; i < all->count; i++) {
        const struct tac_sight *x = &all->data[i];
        if (x->kind == kind && i != closed->sight && x->from_ns <= closed->ns &&
            x->to_ns > closed->ns &&
            (best == closed->sight || x->from_ns >= all->data[best].from_ns))
            best = (uint32_t)i;
    }
    return best;
}

static void turn(struct sweep *s, const struct edge *e)
{
    if (e->sight == TAC_SIGHT_NONE)
        return;
    uint8_t kind = s->layout->sights.data[e->sight].kind;
    if (e->opens) {
        s->open[kind]++;
        s->top[kind] = e->sight;
    } else if (s->open[kind]) {
        if (--s->open[kind] && s->top[kind] == e->sight)
            s->top[kind] = still_open(s, e, kind);
    }
}

int tac_layout_cut(struct tac_layout *layout)
{
    struct edge *edges = malloc((layout->sights.count * 2 + 2) * sizeof *edges);
    if (!edges)
        return -ENOMEM;
    struct sweep s = {.layout = layout};
    uint64_t at = layout->release_ns, end = layout->cycle->end_ns;
    size_t n = collect_edges(layout, edges);
    layout->segments = 0;
    memset(layout->ns, 0, sizeof layout->ns);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        uint64_t to = edges[i].ns < end ? edges[i].ns : end;
        if (to > at) {
            r = emit(&s, at, to);
            at = to;
        }
        turn(&s, &edges[i]);
    }
    if (r == 0)
        r = emit(&s, at, end);
    free(edges);
    return r;
}

uint64_t tac_layout_move(struct tac_layout *l, const struct tac_nominal *nominal,
                         enum tac_account from, enum tac_account to, uint64_t want)
{
    uint64_t keep = nominal ? (uint64_t)nominal->ns[from] : 0;
    uint64_t have = l->ns[from] > keep ? l->ns[from] - keep : 0;
    uint64_t moved = want < have ? want : have;
    l->ns[from] -= moved;
    l->ns[to] += moved;
    return moved;
}
