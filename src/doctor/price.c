/* SPDX-License-Identifier: MIT
 * price.c - what the page faults of one cycle cost, and the move of that to their account; see
 * settle.h. They are counted, and seen with begin and end only where the kernel tells both. */
#include "doctor/settle.h"

#include "base/order.h"
#include "doctor/doctor.h"

#include <stdlib.h>

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
    enum { MANY_TIMES = 3, LONG_MAX = 1024 };
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
void tac_layout_settle_faults(struct tac_layout *l, const struct tac_nominal *nominal, unsigned has)
{
    double more = tac_layout_own_faults(l) - (nominal ? nominal->faults_own : 0);
    double major = l->cycle->faults_major;
    double price = local_price(l, nominal ? nominal->fault_ns : TAC_FAULT_NS);
    double major_price = nominal ? nominal->major_ns : TAC_MAJOR_NS;
    uint64_t cost = (uint64_t)((more > 0 ? more : 0) * price + major * major_price);
    uint64_t in_calls = cost_in_calls(l, price, has);
    cost = cost > in_calls ? cost - in_calls : 0;
    uint64_t seen = l->ns[TAC_ACCOUNT_FAULT]; /* with its begin and end */
    cost = cost > seen ? cost - seen : 0;
    cost += nominal && nominal->is_virtual ? stood_still(l, price) : 0;
    cost -= tac_layout_move(l, nominal, TAC_ACCOUNT_OWN, TAC_ACCOUNT_FAULT, cost);
    tac_layout_move(l, nominal, TAC_ACCOUNT_ALLOCATOR, TAC_ACCOUNT_FAULT, cost);
}
