/* SPDX-License-Identifier: MIT
 * account.c - the sweep that cuts a cycle into segments, and the moves by counts; see account.h. */
#include "doctor/account.h"

#include "base/check.h"
#include "base/order.h"
#include "doctor/doctor.h"
#include "doctor/still.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Differences of the CPU clock below this are the cost of the switches and readings themselves; in
 * undisturbed cycles the clocks agree within 1 us. */
enum { SLACK_NS = 20000, STEAL_NS = 50000, SURPLUS_NS = 100000, SWITCH_NS = 10000 };

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

/* Before the cycle began: released, and not yet at work. A sleep that can be interrupted is the
 * wait for the release itself; any other (stopped, or deep in the kernel) is a block. */
static enum tac_account account_before(const struct sweep *s, uint64_t ns, uint32_t *ret_sight)
{
    if (ns < s->layout->previous_ns)
        return TAC_ACCOUNT_CARRIED;
    if (s->open[TAC_SIGHT_STILL]) {
        *ret_sight = s->top[TAC_SIGHT_STILL];
        return TAC_ACCOUNT_HYPERVISOR;
    }
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

static bool comes_back(const struct sweep *s)
{
    if (!s->open[TAC_SIGHT_READY])
        return false;
    const struct tac_sight *ready = &s->layout->sights.data[s->top[TAC_SIGHT_READY]];
    return ready->flags & TAC_SIGHT_WOKEN && !(ready->flags & TAC_SIGHT_CHOSEN) &&
           !is_in_the_way(ready) && ready->to_ns - ready->from_ns < WAY_BACK_NS &&
           (s->open[TAC_SIGHT_MEMORY] || s->open[TAC_SIGHT_LOCK] || s->open[TAC_SIGHT_CALL]);
}

/* The order of precedence while the cycle runs. */
static enum tac_account account_within(const struct sweep *s, uint32_t *ret_sight)
{
    static const struct {
        uint8_t kind, account;
    } order[] = {
        {TAC_SIGHT_READY, TAC_ACCOUNT_RUNNABLE},    {TAC_SIGHT_IRQ, TAC_ACCOUNT_INTERRUPT},
        {TAC_SIGHT_SOFTIRQ, TAC_ACCOUNT_INTERRUPT}, {TAC_SIGHT_RECLAIM, TAC_ACCOUNT_FAULT},
        {TAC_SIGHT_COMPACT, TAC_ACCOUNT_FAULT},     {TAC_SIGHT_FAULTING, TAC_ACCOUNT_FAULT},
        {TAC_SIGHT_MEMORY, TAC_ACCOUNT_ALLOCATOR},  {TAC_SIGHT_MMAP, TAC_ACCOUNT_BLOCKED},
        {TAC_SIGHT_LOCK, TAC_ACCOUNT_BLOCKED},
    };
    if (s->open[TAC_SIGHT_STILL]) {
        *ret_sight = s->top[TAC_SIGHT_STILL];
        return TAC_ACCOUNT_HYPERVISOR;
    }
    if (s->open[TAC_SIGHT_ASLEEP] || comes_back(s)) {
        *ret_sight = s->top[s->open[TAC_SIGHT_ASLEEP] ? TAC_SIGHT_ASLEEP : TAC_SIGHT_READY];
        return account_asleep(s, ret_sight);
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

/* ---- the moves ---- */

/* Move up to want ns, leaving at least what a cycle in time has on the account. */
static uint64_t move_excess(struct tac_layout *l, const struct tac_nominal *nominal,
                            enum tac_account from, enum tac_account to, uint64_t want)
{
    uint64_t keep = nominal ? (uint64_t)nominal->ns[from] : 0;
    uint64_t have = l->ns[from] > keep ? l->ns[from] - keep : 0;
    uint64_t moved = want < have ? want : have;
    l->ns[from] -= moved;
    l->ns[to] += moved;
    return moved;
}

/* A wake-up that asks for a switch spares the scheduler the next reading of its clock: the woken
 * thread is charged from then on, although another CPU's interrupt has yet to come through, or the
 * one in front to leave the kernel (Linux, wakeup_preempt() in kernel/sched/core.c). So a way back
 * may stand on its clock; behind an idle CPU, whose switches are not always told, only so much. */
enum { WAKE_CHARGED_NS = 200000 };

static bool may_be_charged(const struct tac_sight *s)
{
    return s->kind == TAC_SIGHT_READY && s->flags & TAC_SIGHT_WOKEN &&
           !(s->flags & TAC_SIGHT_CHOSEN);
}

struct off_cpu {
    uint64_t ns;         /* asleep or ready, by the sights */
    uint64_t charged_ns; /* of these may be on the thread's clock all the same */
};

static struct off_cpu time_off_cpu(const struct tac_layout *l)
{
    struct off_cpu off = {0};
    for (size_t i = 0; i < l->sights.count; i++) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->kind != TAC_SIGHT_ASLEEP && s->kind != TAC_SIGHT_READY)
            continue;
        uint64_t from = s->from_ns > l->cycle->begin_ns ? s->from_ns : l->cycle->begin_ns;
        uint64_t to = s->to_ns < l->cycle->end_ns ? s->to_ns : l->cycle->end_ns;
        uint64_t span = to > from ? to - from : 0;
        off.ns += span;
        off.charged_ns += SWITCH_NS;
        if (may_be_charged(s))
            off.charged_ns += s->who || span < WAKE_CHARGED_NS ? span : WAKE_CHARGED_NS;
    }
    return off;
}

/* Sights that say the thread was away for longer than its CPU clock allows are wrong: a switch was
 * lost. What they claim too much is not known to be anything. */
static void settle_surplus(struct tac_layout *l, struct off_cpu off, uint64_t missing)
{
    static const uint8_t from[] = {TAC_ACCOUNT_RUNNABLE, TAC_ACCOUNT_BLOCKED,
                                   TAC_ACCOUNT_ALLOCATOR_WAIT};
    if (off.ns < missing + off.charged_ns + SURPLUS_NS)
        return;
    uint64_t surplus = off.ns - missing;
    for (size_t i = 0; i < sizeof from; i++)
        surplus -= move_excess(l, NULL, from[i], TAC_ACCOUNT_UNEXPLAINED, surplus);
}

/* Time that passed, that no switch accounts for, and that the thread was not charged for. Part of
 * it may be known already. */
static void settle_steal(struct tac_layout *l, const struct tac_nominal *nominal, uint64_t missing)
{
    if (missing < l->ns[TAC_ACCOUNT_HYPERVISOR] + STEAL_NS)
        return;
    missing -= l->ns[TAC_ACCOUNT_HYPERVISOR];
    static const uint8_t from[] = {TAC_ACCOUNT_OWN, TAC_ACCOUNT_ALLOCATOR, TAC_ACCOUNT_BLOCKED};
    for (size_t i = 0; i < sizeof from; i++)
        missing -= move_excess(l, nominal, from[i], TAC_ACCOUNT_HYPERVISOR, missing);
}

/* No switches were recorded: the counters tell whether it slept, was pre-empted, or neither. */
static void settle_by_counts(struct tac_layout *l, const struct tac_nominal *nominal,
                             uint64_t missing)
{
    const struct tac_capture_cycle *c = l->cycle;
    uint64_t waits = l->ns[TAC_ACCOUNT_BLOCKED]; /* of locks: asleep with a known reason */
    if (missing <= waits + SLACK_NS)
        return;
    missing -= waits;
    bool slept = c->switches_voluntary, displaced = c->switches_involuntary;
    if (!slept && !displaced) {
        settle_steal(l, nominal, missing);
        return;
    }
    if (slept)
        missing -=
            move_excess(l, nominal, TAC_ACCOUNT_ALLOCATOR, TAC_ACCOUNT_ALLOCATOR_WAIT, missing);
    enum tac_account to = slept && displaced ? TAC_ACCOUNT_UNEXPLAINED
                          : slept            ? TAC_ACCOUNT_BLOCKED
                                             : TAC_ACCOUNT_RUNNABLE;
    missing -= move_excess(l, nominal, TAC_ACCOUNT_OWN, to, missing);
    missing -= move_excess(l, nominal, TAC_ACCOUNT_ALLOCATOR, to, missing);
}

/* What one costs here and now: faults that follow each other closely show it, and in a virtual
 * machine it varies with what the host has at hand. The lower quartile of the distances, between
 * once and MORE times the price in the whole recording. */
static double local_price(const struct tac_layout *l, double price)
{
    enum { SAMPLE = 256, FEW = 32, MORE = 3 };
    uint64_t gap[SAMPLE], last = 0;
    size_t n = 0;
    for (size_t i = 0; i < l->sights.count && n < SAMPLE; i++) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->kind != TAC_SIGHT_FAULT || s->from_ns < l->cycle->begin_ns)
            continue;
        if (last && s->from_ns > last)
            gap[n++] = s->from_ns - last;
        last = s->from_ns;
    }
    if (n < FEW)
        return price;
    qsort(gap, n, sizeof *gap, tac_compare_u64);
    double here = (double)gap[n / 4];
    return here < price ? price : here > MORE * price ? MORE * price : here;
}

static uint64_t time_on_cpu(const struct tac_layout *l, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t off = 0;
    for (size_t i = 0; i < l->sights.count; i++) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->kind != TAC_SIGHT_ASLEEP && s->kind != TAC_SIGHT_READY)
            continue;
        uint64_t from = s->from_ns > from_ns ? s->from_ns : from_ns;
        uint64_t to = s->to_ns < to_ns ? s->to_ns : to_ns;
        off += to > from ? to - from : 0;
    }
    return to_ns - from_ns > off ? to_ns - from_ns - off : 0;
}

/* A row of faults, gone through step by step. */
struct row {
    size_t next;                  /* in sights */
    const struct tac_sight *last; /* fault; NULL: none yet */
};

/* The next step of the row: the time from one fault's end to the next's begin, for pages that lie
 * next to each other or nearly so. In them a program does much the same each time. */
static bool next_step(const struct tac_layout *l, struct row *row, struct tac_segment *ret_step)
{
    enum { NEXT_BYTES = 65536 };
    while (row->next < l->sights.count) {
        const struct tac_sight *s = &l->sights.data[row->next++], *last = row->last;
        if (s->kind != TAC_SIGHT_FAULTING || s->from_ns < l->cycle->begin_ns)
            continue;
        row->last = s;
        uint64_t apart = !last                      ? UINT64_MAX
                         : s->detail > last->detail ? s->detail - last->detail
                                                    : last->detail - s->detail;
        if (apart > NEXT_BYTES || s->from_ns <= last->to_ns)
            continue;
        *ret_step = (struct tac_segment){.from_ns = last->to_ns, .to_ns = s->from_ns};
        return true;
    }
    return false;
}

/* The median of the first steps; 0: too few. */
static uint64_t usual_step(const struct tac_layout *l)
{
    enum { SAMPLE = 256, FEW = 3 };
    uint64_t length[SAMPLE];
    struct tac_segment step;
    struct row row = {0};
    size_t n = 0;
    while (n < SAMPLE && next_step(l, &row, &step))
        length[n++] = step.to_ns - step.from_ns;
    qsort(length, n, sizeof *length, tac_compare_u64);
    return n < FEW ? 0 : length[n / 2];
}

/* Whether the program is seen to go on within: it begins something that is recorded. */
static bool goes_on(const struct tac_layout *l, const struct tac_segment *step)
{
    for (size_t i = 0; i < l->sights.count; i++) {
        const struct tac_sight *s = &l->sights.data[i];
        if (s->kind <= TAC_SIGHT_CALL && s->from_ns > step->from_ns && s->from_ns < step->to_ns)
            return true;
    }
    return false;
}

/* In a virtual machine the page may be there for the kernel and not yet for the processor: the
 * program goes on and stands still at once. A step of a row that is many times as long as the
 * others, and in which the program is not seen to do anything else, is that. */
static uint64_t stood_still(const struct tac_layout *l, double price)
{
    enum { MANY_TIMES = 8, LONG_MAX = 1024 };
    uint64_t usual = usual_step(l), sum = 0;
    struct tac_segment step;
    struct row row = {0};
    if (!usual)
        return 0;
    usual = usual > (uint64_t)price ? usual : (uint64_t)price;
    for (unsigned longs = 0; longs < LONG_MAX && next_step(l, &row, &step);) {
        if (step.to_ns - step.from_ns <= MANY_TIMES * usual)
            continue;
        longs++;
        uint64_t ran = goes_on(l, &step) ? 0 : time_on_cpu(l, step.from_ns, step.to_ns);
        sum += ran > usual ? ran - usual : 0;
    }
    return sum;
}

/* Those inside memory functions, by their moments. Operations follow each other. */
static size_t faults_in_heap(const struct tac_layout *l)
{
    const struct tac_sights *all = &l->sights;
    size_t count = 0, m = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct tac_sight *s = &all->data[i];
        if (s->kind != TAC_SIGHT_FAULT || s->from_ns < l->cycle->begin_ns)
            continue;
        while (m < all->count &&
               (all->data[m].kind != TAC_SIGHT_MEMORY || all->data[m].to_ns <= s->from_ns))
            m++;
        count += m < all->count && all->data[m].from_ns <= s->from_ns;
    }
    return count;
}

double tac_layout_own_faults(const struct tac_layout *l)
{
    size_t all = l->cycle->faults_minor, heap = all ? faults_in_heap(l) : 0;
    return all > heap ? (double)(all - heap) : 0;
}

/* Faults that were counted, and left no event where each leaves one, were no exceptions: the kernel
 * provided the pages inside a call (mmap with MAP_POPULATE, mlock, a read into fresh memory). Their
 * time is the call's. */
static uint64_t cost_in_calls(const struct tac_layout *l, double price, unsigned has)
{
    size_t seen = 0;
    uint64_t in_calls = 0;
    for (size_t i = 0; i < l->sights.count; i++)
        seen += l->sights.data[i].kind == TAC_SIGHT_FAULT &&
                l->sights.data[i].from_ns >= l->cycle->begin_ns;
    if (!(has & TAC_HAS_FAULTS) || seen >= l->cycle->faults_minor)
        return 0;
    for (size_t i = 0; i < l->segments; i++) {
        const struct tac_segment *s = &l->segment[i];
        bool in_call = s->account == TAC_ACCOUNT_OWN && s->sight != TAC_SIGHT_NONE &&
                       l->sights.data[s->sight].kind == TAC_SIGHT_CALL;
        in_calls += in_call || s->account == TAC_ACCOUNT_ALLOCATOR ? s->to_ns - s->from_ns : 0;
    }
    uint64_t cost = (uint64_t)((double)(l->cycle->faults_minor - seen) * price);
    return cost < in_calls ? cost : in_calls;
}

/* Time that is spent around the kernel's handling of a fault stays with the heap where that
 * faulted. */
static void settle_faults(struct tac_layout *l, const struct tac_nominal *nominal, unsigned has)
{
    double more = tac_layout_own_faults(l) - (nominal ? nominal->faults_own : 0);
    double major = l->cycle->faults_major;
    double price = local_price(l, nominal ? nominal->fault_ns : TAC_FAULT_NS);
    double major_price = nominal ? nominal->major_ns : TAC_MAJOR_NS;
    uint64_t cost = (uint64_t)((more > 0 ? more : 0) * price + major * major_price);
    uint64_t in_calls = cost_in_calls(l, price, has);
    cost = cost > in_calls ? cost - in_calls : 0;
    uint64_t seen = l->ns[TAC_ACCOUNT_FAULT]; /* with its begin and end */
    cost = (cost > seen ? cost - seen : 0) + stood_still(l, price);
    cost -= move_excess(l, nominal, TAC_ACCOUNT_OWN, TAC_ACCOUNT_FAULT, cost);
    move_excess(l, nominal, TAC_ACCOUNT_ALLOCATOR, TAC_ACCOUNT_FAULT, cost);
}

/* Hosts that halt a virtual machine and do not tell let the thread's clock go on. Where no other
 * evidence shows that, such time is not known to be the thread's. What it was not charged for may
 * be of the silence, and has been moved. */
static void settle_silence(struct tac_layout *l, const struct tac_nominal *nominal, uint64_t away)
{
    for (enum tac_account a = TAC_ACCOUNT_OWN; a <= TAC_ACCOUNT_ALLOCATOR; a++) {
        uint64_t moved = l->silent_ns[a] < away ? l->silent_ns[a] : away;
        uint64_t doubt = l->silent_ns[a] - moved;
        away -= moved;
        if (doubt >= TAC_STILL_CPU_NS)
            l->doubted_ns += move_excess(l, nominal, a, TAC_ACCOUNT_UNEXPLAINED, doubt);
    }
}

void tac_layout_settle(struct tac_layout *layout, const struct tac_nominal *nominal, unsigned has)
{
    const struct tac_capture_cycle *c = layout->cycle;
    layout->doubted_ns = 0;
    if (c->flags & TAC_CYCLE_SPARED) /* well in time: what was seen with a place is all it needs */
        return;
    if (!(c->flags & TAC_CYCLE_EVIDENCE)) {
        if (!(has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)))
            move_excess(layout, nominal, TAC_ACCOUNT_OWN, TAC_ACCOUNT_UNEXPLAINED, UINT64_MAX);
        return;
    }
    uint64_t wall = c->end_ns - c->begin_ns;
    uint64_t missing = wall > c->cpu_ns ? wall - c->cpu_ns : 0;
    uint64_t known = layout->ns[TAC_ACCOUNT_BLOCKED];
    if (has & (TAC_HAS_SWITCHES | TAC_HAS_SCHED)) {
        struct off_cpu off = time_off_cpu(layout);
        known = off.ns;
        settle_steal(layout, nominal, missing > known ? missing - known : 0);
        if (has & TAC_HAS_SCHED) /* otherwise a sleep holds its way back, which may be charged */
            settle_surplus(layout, off, missing);
    } else {
        settle_by_counts(layout, nominal, missing);
    }
    settle_silence(layout, nominal, missing > known ? missing - known : 0);
    settle_faults(layout, nominal, has);
}
