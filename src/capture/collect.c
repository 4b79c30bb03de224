/* SPDX-License-Identifier: MIT
 * collect.c - events into the arrays of capture.h. Zones and cycles are matched here: an end closes
 * the innermost open begin of its thread. */
#include "capture/events.h"
#include "capture/reader.h"

#include <string.h>

static const uint32_t NO_ACCOUNTS = UINT32_MAX;

/* A cycle that is open, and the accounts at its begin or, when it was spared them, the last before
 * it. */
struct open_cycle {
    uint32_t index;
    uint32_t accounts; /* index, or NO_ACCOUNTS */
    bool spared;
};

/* What is open on one thread. */
struct opened {
    struct tac_list zones;  /* uint32_t: indices */
    struct tac_list cycles; /* struct open_cycle */
    uint32_t accounts;      /* how many there were with its last ones; 0: none since the last cut */
};

static struct opened *opened_of(struct tac_reader *r, uint32_t thread)
{
    while (r->opened.count <= thread && !r->opened.failed)
        tac_list_add(&r->opened, sizeof(struct opened));
    return thread < r->opened.count ? (struct opened *)r->opened.data + thread : NULL;
}

static void zone_begin(struct tac_reader *r, const struct tac_event *e, struct opened *o)
{
    uint32_t *open = tac_list_add(&o->zones, sizeof *open);
    struct tac_capture_zone *z = open ? tac_list_add(&r->zones, sizeof *z) : NULL;
    if (!z)
        return;
    size_t depth = o->zones.count - 1;
    *z = (struct tac_capture_zone){.begin_ns = e->ns,
                                   .end_ns = TAC_CAPTURE_OPEN,
                                   .site = e->site,
                                   .thread = e->thread,
                                   .parent = depth ? open[-1] : TAC_CAPTURE_NONE,
                                   .text = TAC_CAPTURE_NONE,
                                   .depth = (uint16_t)(depth < UINT16_MAX ? depth : UINT16_MAX)};
    *open = (uint32_t)r->zones.count - 1;
}

static struct tac_capture_zone *innermost(struct tac_reader *r, const struct opened *o)
{
    const uint32_t *open = o->zones.data;
    struct tac_capture_zone *zones = r->zones.data;
    return o->zones.count ? &zones[open[o->zones.count - 1]] : NULL;
}

static void zone_end(struct tac_reader *r, const struct tac_event *e, struct opened *o)
{
    struct tac_capture_zone *z = innermost(r, o);
    if (!z) /* begun before the recording did */
        return;
    z->end_ns = e->ns;
    o->zones.count--;
}

static void zone_value(struct tac_reader *r, const struct tac_event *e, const struct opened *o)
{
    struct tac_capture_zone *z = innermost(r, o);
    if (z && e->site != TAC_CAPTURE_NONE)
        z->text = e->site;
    else if (z)
        z->value = e->value;
}

static void plot(struct tac_reader *r, const struct tac_event *e)
{
    struct tac_capture_plot *p = tac_list_add(&r->plots, sizeof *p);
    if (p)
        *p = (struct tac_capture_plot){e->ns, tac_event_plot(e), e->site, e->thread};
}

static void message(struct tac_reader *r, const struct tac_event *e)
{
    struct tac_capture_message *m = tac_list_add(&r->messages, sizeof *m);
    if (!m)
        return;
    const struct tac_capture_site *sites = r->sites.data;
    if (e->type == TAC_REC_TEXT)
        *m = (struct tac_capture_message){
            e->ns, 0, tac_reader_keep_text(r, (const char *)e->data, e->payload & 0xff), e->thread};
    else
        *m = (struct tac_capture_message){e->ns, tac_event_data(e, 0).counter,
                                          e->site < r->sites.count ? sites[e->site].name : "?",
                                          e->thread};
}

static void flow(struct tac_reader *r, const struct tac_event *e)
{
    struct tac_capture_flow *f = tac_list_add(&r->flows, sizeof *f);
    if (f)
        *f = (struct tac_capture_flow){e->ns, e->payload & 0xffffffffffffull, e->thread,
                                       (uint32_t)(e->payload >> 48)};
}

static void memory(struct tac_reader *r, const struct tac_event *e)
{
    struct tac_capture_memory *m = tac_list_add(&r->memory, sizeof *m);
    if (m)
        *m = (struct tac_capture_memory){e->begin_ns,
                                         e->ns,
                                         tac_event_data(e, 0).counter,
                                         e->type == TAC_REC_REALLOC ? tac_event_data(e, 1).counter
                                                                    : 0,
                                         e->payload & 0xffffffffffffull,
                                         e->thread,
                                         (uint32_t)(e->payload >> 48)};
}

static void lock_wait(struct tac_reader *r, const struct tac_event *e)
{
    struct tac_capture_lock *l = tac_list_add(&r->locks, sizeof *l);
    if (l)
        *l = (struct tac_capture_lock){
            e->begin_ns, e->ns, tac_event_data(e, 0).counter, e->thread, (uint32_t)e->payload, 0};
}

/* Belongs to the wait before, on the same thread. */
static void lock_taken_at(struct tac_reader *r, const struct tac_event *e)
{
    struct tac_capture_lock *l = r->locks.data;
    struct tac_format_record data = tac_event_data(e, 0);
    size_t n = r->locks.count;
    if (n && l[n - 1].thread == e->thread && l[n - 1].lock == data.counter)
        l[n - 1].taken_at = data.word;
}

static void lock_held(struct tac_reader *r, const struct tac_event *e)
{
    if (e->payload == TAC_LOCK_TAKEN_AT) {
        lock_taken_at(r, e);
        return;
    }
    struct tac_capture_hold *h = tac_list_add(&r->holds, sizeof *h);
    if (h)
        *h = (struct tac_capture_hold){e->ns, tac_event_data(e, 0).counter, e->thread,
                                       (uint32_t)(e->payload & 1)};
}

static const uint64_t *keep_addresses(struct tac_reader *r, const unsigned char *data, size_t n)
{
    return (const uint64_t *)(const void *)tac_reader_keep(r, (const char *)data,
                                                           n * sizeof(uint64_t));
}

static void stack(struct tac_reader *r, const struct tac_event *e)
{
    struct tac_capture_stack *s = tac_list_add(&r->stacks, sizeof *s);
    uint32_t count = (uint32_t)(e->payload & 0x3f);
    if (s)
        *s = (struct tac_capture_stack){e->ns, e->thread, count, keep_addresses(r, e->data, count)};
}

/* The processor's flag is cleared where a cycle begins and ends: what it said then is true of the
 * cycles around, too. */
static void mark_denormal(struct tac_reader *r, const struct opened *o, size_t count)
{
    const struct open_cycle *open = o->cycles.data;
    struct tac_capture_cycle *cycles = r->cycles.data;
    for (size_t i = 0; i < count; i++)
        if (cycles[open[i].index].flags & TAC_CYCLE_EVIDENCE)
            cycles[open[i].index].flags |= TAC_CYCLE_DENORMAL;
}

static void keep_accounts(struct tac_reader *r, const struct tac_event *e, struct opened *o)
{
    struct tac_reader_accounts *a = tac_list_add(&r->accounts, sizeof *a);
    if (a)
        *a = (struct tac_reader_accounts){e->ns, tac_event_data(e, 1).counter,
                                          tac_event_data(e, 1).word, tac_event_data(e, 2).counter,
                                          e->thread};
    o->accounts = a ? (uint32_t)r->accounts.count : 0;
}

static void cycle_begin(struct tac_reader *r, const struct tac_event *e, struct opened *o)
{
    struct open_cycle *open = tac_list_add(&o->cycles, sizeof *open);
    struct tac_capture_cycle *c = open ? tac_list_add(&r->cycles, sizeof *c) : NULL;
    if (!c)
        return;
    *c = (struct tac_capture_cycle){.begin_ns = e->ns,
                                    .deadline_ns = tac_event_data(e, 0).counter,
                                    .end_ns = TAC_CAPTURE_OPEN,
                                    .source = e->source,
                                    .thread = e->thread,
                                    .frames = (uint32_t)e->payload};
    bool taken = e->payload >> 48 & 1;
    uint64_t word = tac_event_data(e, taken ? 2 : 0).word;
    *open = (struct open_cycle){(uint32_t)r->cycles.count - 1, NO_ACCOUNTS,
                                !taken && word & TAC_CYCLE_SPARED_BIT};
    if (taken)
        keep_accounts(r, e, o);
    if ((taken || open->spared) && o->accounts) {
        c->flags = TAC_CYCLE_EVIDENCE;
        open->accounts = o->accounts - 1;
    }
    if (word & 1)
        mark_denormal(r, o, o->cycles.count - 1);
}

/* Of a cycle that was spared its first accounts the sum since those before, until spared.c. */
static void cycle_evidence(struct tac_reader *r, struct tac_capture_cycle *c,
                           const struct tac_event *e, const struct open_cycle *open,
                           struct opened *o)
{
    keep_accounts(r, e, o);
    const struct tac_reader_accounts *a = r->accounts.data;
    if (!o->accounts)
        return;
    tac_reader_account(c, &a[open->accounts], &a[o->accounts - 1]);
    c->flags |= tac_event_data(e, 2).word & 1 ? TAC_CYCLE_DENORMAL : 0;
    struct tac_reader_spared *s = open->spared ? tac_list_add(&r->spared, sizeof *s) : NULL;
    if (s)
        *s = (struct tac_reader_spared){open->index, open->accounts, o->accounts - 1};
}

static void cycle_without_evidence(struct tac_capture_cycle *c, uint64_t word)
{
    bool spared = c->flags & TAC_CYCLE_EVIDENCE && word & TAC_CYCLE_SPARED_BIT;
    c->flags &= ~(uint32_t)TAC_CYCLE_EVIDENCE;
    if (spared)
        c->flags |= TAC_CYCLE_SPARED | (word & 1 ? TAC_CYCLE_DENORMAL : 0);
}

/* Ends the innermost open cycle of its source. */
static void cycle_end(struct tac_reader *r, const struct tac_event *e, struct opened *o)
{
    struct open_cycle *open = o->cycles.data;
    struct tac_capture_cycle *cycles = r->cycles.data;
    size_t i = o->cycles.count;
    while (i && cycles[open[i - 1].index].source != e->source)
        i--;
    if (!i)
        return;
    struct tac_capture_cycle *c = &cycles[open[i - 1].index];
    c->end_ns = e->ns;
    bool taken = e->payload >> 48 & 1;
    if (c->flags & TAC_CYCLE_EVIDENCE && taken)
        cycle_evidence(r, c, e, &open[i - 1], o);
    else if (taken)
        keep_accounts(r, e, o);
    else
        cycle_without_evidence(c, tac_event_data(e, 0).word);
    if (c->flags & TAC_CYCLE_DENORMAL)
        mark_denormal(r, o, i - 1);
    /* others, of independent sources, may go on */
    memmove(&open[i - 1], &open[i], (o->cycles.count - i) * sizeof *open);
    o->cycles.count--;
}

static void of_kernel(struct tac_reader *r, const struct tac_event *e)
{
    if (e->type == TAC_EVENT_KERNEL) {
        struct tac_capture_kernel *k = tac_list_add(&r->kernel, sizeof *k);
        const struct tac_format_kernel *from = e->kernel;
        if (k)
            *k = (struct tac_capture_kernel){from->ns,  from->type, from->cpu,
                                             from->tid, from->a,    from->b};
        return;
    }
    struct tac_capture_kernel_stack *s = tac_list_add(&r->kernel_stacks, sizeof *s);
    const struct tac_format_stack *from = e->stack;
    if (s)
        *s = (struct tac_capture_kernel_stack){
            from->ns,   from->tid,   from->cpu,
            from->kind, from->count, keep_addresses(r, e->data, from->count)};
}

static void on_thread(struct tac_reader *r, const struct tac_event *e, struct opened *o)
{
    switch (e->type) {
    case TAC_REC_ZONE_BEGIN:
        zone_begin(r, e, o);
        break;
    case TAC_REC_ZONE_END:
        zone_end(r, e, o);
        break;
    case TAC_REC_ZONE_VALUE:
        zone_value(r, e, o);
        break;
    case TAC_REC_CYCLE_BEGIN:
        cycle_begin(r, e, o);
        break;
    case TAC_REC_CYCLE_END:
        cycle_end(r, e, o);
        break;
    case TAC_EVENT_CUT:
        o->zones.count = o->cycles.count = 0;
        o->accounts = 0;
        break;
    default:
        break;
    }
}

static void moment(struct tac_reader *r, const struct tac_event *e)
{
    switch (e->type) {
    case TAC_REC_PLOT:
        plot(r, e);
        break;
    case TAC_REC_MESSAGE:
    case TAC_REC_TEXT:
        message(r, e);
        break;
    case TAC_REC_FLOW:
        flow(r, e);
        break;
    case TAC_REC_MEMORY:
    case TAC_REC_REALLOC:
        memory(r, e);
        break;
    case TAC_REC_LOCK_WAIT:
        lock_wait(r, e);
        break;
    case TAC_REC_LOCK_HELD:
        lock_held(r, e);
        break;
    case TAC_REC_STACK:
        stack(r, e);
        break;
    default:
        break;
    }
}

void tac_reader_collect(void *me, const struct tac_capture *c, const struct tac_event *e)
{
    struct tac_reader *r = me;
    (void)c;
    if (e->type == TAC_REC_GAP) {
        struct tac_capture_gap *g = tac_list_add(&r->gaps, sizeof *g);
        if (g)
            *g = e->gap;
        return;
    }
    if (e->thread == TAC_CAPTURE_NONE) {
        of_kernel(r, e);
        return;
    }
    struct opened *o = opened_of(r, e->thread);
    if (o)
        on_thread(r, e, o);
    moment(r, e);
}

void tac_reader_collect_end(struct tac_reader *r)
{
    struct opened *o = r->opened.data;
    for (size_t i = 0; i < r->opened.count; i++) {
        r->keeps.failed = r->keeps.failed || o[i].zones.failed || o[i].cycles.failed;
        tac_list_fini(&o[i].zones);
        tac_list_fini(&o[i].cycles);
    }
    r->keeps.failed = r->keeps.failed || r->opened.failed;
    tac_list_fini(&r->opened);
}
