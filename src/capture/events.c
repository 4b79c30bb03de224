/* SPDX-License-Identifier: MIT
 * events.c - records of lanes and kernel events into arrays on one clock.
 *
 * A lane is read in file order. Where its sequence jumps (a damaged chunk, or a flight recorder
 * that threw it away), what was open stays open-ended: no end is ever given to the wrong begin. An
 * event that is cut short at the end of a chunk is left out. */
#include "capture/reader.h"
#include "capture/unpack.h"

#include <stdlib.h>
#include <string.h>

/* Where the decoding of one lane stands. */
struct lane {
    uint32_t thread;
    uint64_t sequence;                    /* records seen or known to be lost */
    uint64_t gap_dropped, gap_suppressed; /* already shown by GAP records */
    uint64_t last_ns;
    struct tac_list open;              /* uint32_t: zones */
    struct tac_list cycles;            /* uint32_t: cycles that have begun */
    uint64_t cpu_ns, switches, faults; /* accounts at the begin of the open cycle */
};

struct event {
    struct lane *lane;
    uint64_t ns, counter, payload;
    const unsigned char *data;
};

static struct tac_format_record data_record(const struct event *e, uint32_t i)
{
    struct tac_format_record r;
    memcpy(&r, e->data + i * sizeof r, sizeof r);
    return r;
}

static void see(struct tac_reader *r, uint64_t ns)
{
    r->pub.begin_ns = ns < r->pub.begin_ns ? ns : r->pub.begin_ns;
    r->pub.end_ns = ns > r->pub.end_ns ? ns : r->pub.end_ns;
}

static void zone_begin(struct tac_reader *r, const struct event *e)
{
    uint32_t *open = tac_list_add(&e->lane->open, sizeof *open);
    struct tac_capture_zone *z = open ? tac_list_add(&r->zones, sizeof *z) : NULL;
    if (!z)
        return;
    size_t depth = e->lane->open.count - 1;
    *z = (struct tac_capture_zone){.begin_ns = e->ns,
                                   .end_ns = TAC_CAPTURE_OPEN,
                                   .site = tac_reader_site(r, e->payload),
                                   .thread = e->lane->thread,
                                   .parent = depth ? open[-1] : TAC_CAPTURE_NONE,
                                   .text = TAC_CAPTURE_NONE,
                                   .depth = (uint16_t)(depth < UINT16_MAX ? depth : UINT16_MAX)};
    *open = (uint32_t)r->zones.count - 1;
}

static struct tac_capture_zone *innermost(struct tac_reader *r, struct lane *lane)
{
    const uint32_t *open = lane->open.data;
    struct tac_capture_zone *zones = r->zones.data;
    return lane->open.count ? &zones[open[lane->open.count - 1]] : NULL;
}

static void zone_end(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_zone *z = innermost(r, e->lane);
    if (!z) /* begun before the recording did */
        return;
    z->end_ns = e->ns;
    e->lane->open.count--;
}

static void zone_value(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_zone *z = innermost(r, e->lane);
    if (z && e->payload)
        z->text = tac_reader_site(r, e->payload);
    else if (z)
        z->value = e->counter;
}

static void plot(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_plot *p = tac_list_add(&r->plots, sizeof *p);
    uint64_t bits = data_record(e, 0).counter;
    if (!p)
        return;
    *p = (struct tac_capture_plot){e->ns, 0, tac_reader_site(r, e->payload), e->lane->thread};
    memcpy(&p->value, &bits, sizeof bits);
}

static void message(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_message *m = tac_list_add(&r->messages, sizeof *m);
    if (!m)
        return;
    uint32_t site = tac_reader_site(r, e->payload);
    const struct tac_capture_site *sites = r->sites.data;
    *m = (struct tac_capture_message){e->ns, data_record(e, 0).counter,
                                      site < r->sites.count ? sites[site].name : "?",
                                      e->lane->thread};
}

static void text(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_message *m = tac_list_add(&r->messages, sizeof *m);
    if (m)
        *m = (struct tac_capture_message){
            e->ns, 0, tac_reader_keep(r, (const char *)e->data, e->payload & 0xff),
            e->lane->thread};
}

static void flow(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_flow *f = tac_list_add(&r->flows, sizeof *f);
    if (f)
        *f = (struct tac_capture_flow){e->ns, e->payload & 0xffffffffffffull, e->lane->thread,
                                       (uint32_t)(e->payload >> 48)};
}

static uint64_t begin_of(struct tac_reader *r, const struct event *e, uint64_t ticks)
{
    uint64_t span = tac_clockmap_span_ns(&r->clock, e->counter, ticks);
    return span < e->ns ? e->ns - span : 0;
}

static void memory(struct tac_reader *r, const struct event *e, bool realloc)
{
    struct tac_capture_memory *m = tac_list_add(&r->memory, sizeof *m);
    struct tac_format_record data = data_record(e, 0);
    if (m)
        *m = (struct tac_capture_memory){begin_of(r, e, data.word),
                                         e->ns,
                                         data.counter,
                                         realloc ? data_record(e, 1).counter : 0,
                                         e->payload & 0xffffffffffffull,
                                         e->lane->thread,
                                         (uint32_t)(e->payload >> 48)};
}

static void lock_wait(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_lock *l = tac_list_add(&r->locks, sizeof *l);
    struct tac_format_record data = data_record(e, 0);
    if (l)
        *l = (struct tac_capture_lock){begin_of(r, e, data.word), e->ns, data.counter,
                                       e->lane->thread, (uint32_t)e->payload};
}

static void lock_held(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_hold *h = tac_list_add(&r->holds, sizeof *h);
    if (h)
        *h = (struct tac_capture_hold){e->ns, data_record(e, 0).counter, e->lane->thread,
                                       (uint32_t)(e->payload & 1)};
}

static void stack(struct tac_reader *r, const struct event *e)
{
    struct tac_capture_stack *s = tac_list_add(&r->stacks, sizeof *s);
    uint32_t count = (uint32_t)(e->payload & 0x3f);
    if (s)
        *s = (struct tac_capture_stack){e->ns, e->lane->thread, count,
                                        (const uint64_t *)(const void *)tac_reader_keep(
                                            r, (const char *)e->data, count * sizeof(uint64_t))};
}

static uint32_t source_index(struct tac_reader *r, uint32_t id)
{
    const struct tac_capture_source *s = r->sources.data;
    for (size_t i = 0; i < r->sources.count; i++)
        if (s[i].id == id)
            return (uint32_t)i;
    struct tac_capture_source *added = tac_list_add(&r->sources, sizeof *added);
    if (!added)
        return 0;
    *added = (struct tac_capture_source){id, "?", 0};
    return (uint32_t)r->sources.count - 1;
}

static void cycle_begin(struct tac_reader *r, const struct event *e)
{
    uint32_t *open = tac_list_add(&e->lane->cycles, sizeof *open);
    struct tac_capture_cycle *c = open ? tac_list_add(&r->cycles, sizeof *c) : NULL;
    if (!c)
        return;
    *c =
        (struct tac_capture_cycle){.begin_ns = e->ns,
                                   .deadline_ns = data_record(e, 0).counter,
                                   .end_ns = TAC_CAPTURE_OPEN,
                                   .source = source_index(r, (uint32_t)(e->payload >> 32 & 0xffff)),
                                   .thread = e->lane->thread,
                                   .frames = (uint32_t)e->payload};
    *open = (uint32_t)r->cycles.count - 1;
    if (e->payload >> 48 & 1) {
        c->flags = TAC_CYCLE_EVIDENCE;
        e->lane->cpu_ns = data_record(e, 1).counter;
        e->lane->switches = data_record(e, 1).word;
        e->lane->faults = data_record(e, 2).counter;
    }
}

static void cycle_evidence(struct tac_capture_cycle *c, const struct event *e)
{
    uint64_t switches = data_record(e, 1).word, faults = data_record(e, 2).counter;
    c->cpu_ns = data_record(e, 1).counter - e->lane->cpu_ns;
    c->switches_voluntary = (uint32_t)(switches >> 32) - (uint32_t)(e->lane->switches >> 32);
    c->switches_involuntary = (uint32_t)switches - (uint32_t)e->lane->switches;
    c->faults_minor = (uint32_t)(faults >> 32) - (uint32_t)(e->lane->faults >> 32);
    c->faults_major = (uint32_t)faults - (uint32_t)e->lane->faults;
    c->flags |= data_record(e, 2).word & 1 ? TAC_CYCLE_DENORMAL : 0;
}

/* Ends the innermost open cycle of its source. */
static void cycle_end(struct tac_reader *r, const struct event *e)
{
    uint32_t source = source_index(r, (uint32_t)(e->payload >> 32 & 0xffff));
    uint32_t *open = e->lane->cycles.data;
    struct tac_capture_cycle *cycles = r->cycles.data;
    size_t i = e->lane->cycles.count;
    while (i && cycles[open[i - 1]].source != source)
        i--;
    if (!i)
        return;
    struct tac_capture_cycle *c = &cycles[open[i - 1]];
    c->end_ns = e->ns;
    if (c->flags & TAC_CYCLE_EVIDENCE && e->payload >> 48 & 1)
        cycle_evidence(c, e);
    else
        c->flags &= ~(uint32_t)TAC_CYCLE_EVIDENCE;
    /* others, of independent sources, may go on */
    memmove(&open[i - 1], &open[i], (e->lane->cycles.count - i) * sizeof *open);
    e->lane->cycles.count--;
}

static void add_gap(struct tac_reader *r, struct tac_capture_gap gap)
{
    struct tac_capture_gap *g = tac_list_add(&r->gaps, sizeof *g);
    if (g)
        *g = gap;
}

static void gap(struct tac_reader *r, const struct event *e)
{
    struct tac_format_record data = data_record(e, 0);
    uint64_t begin = tac_clockmap_ns(&r->clock, data.counter);
    add_gap(r, (struct tac_capture_gap){begin < e->ns ? begin : e->ns, e->ns, e->lane->thread, 0,
                                        e->payload, data.word});
    e->lane->gap_dropped += e->payload;
    e->lane->gap_suppressed += data.word;
}

static void take(struct tac_reader *r, const struct event *e, uint64_t type)
{
    struct tac_capture_thread *thread =
        (struct tac_capture_thread *)r->threads.data + e->lane->thread;
    if (type != TAC_REC_ZONE_VALUE) {
        see(r, e->ns);
        e->lane->last_ns = e->ns;
    }
    thread->stored += type != TAC_REC_GAP;
    switch (type) {
    case TAC_REC_ZONE_BEGIN:
        zone_begin(r, e);
        break;
    case TAC_REC_ZONE_END:
        zone_end(r, e);
        break;
    case TAC_REC_ZONE_VALUE:
        zone_value(r, e);
        break;
    case TAC_REC_PLOT:
        plot(r, e);
        break;
    case TAC_REC_MESSAGE:
        message(r, e);
        break;
    case TAC_REC_TEXT:
        text(r, e);
        break;
    case TAC_REC_FLOW:
        flow(r, e);
        break;
    case TAC_REC_MEMORY:
    case TAC_REC_REALLOC:
        memory(r, e, type == TAC_REC_REALLOC);
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
    case TAC_REC_CYCLE_BEGIN:
        cycle_begin(r, e);
        break;
    case TAC_REC_CYCLE_END:
        cycle_end(r, e);
        break;
    case TAC_REC_GAP:
        gap(r, e);
        break;
    default:
        break;
    }
}

static void jump(struct tac_reader *r, struct lane *lane, const struct tac_format_chunk *head)
{
    struct tac_capture_thread *thread = (struct tac_capture_thread *)r->threads.data + lane->thread;
    if (!r->flight && head->sequence > lane->sequence)
        thread->damaged += head->sequence - lane->sequence;
    lane->open.count = lane->cycles.count = 0;
}

static void read_records(struct tac_reader *r, struct lane *lane,
                         const struct tac_format_chunk *head, const unsigned char *records,
                         size_t count)
{
    const size_t record = sizeof(struct tac_format_record);
    if (head->sequence != lane->sequence)
        jump(r, lane, head);
    lane->sequence = head->sequence + count;
    for (size_t i = 0; i < count;) {
        struct tac_format_record first;
        memcpy(&first, records + i * record, record);
        uint32_t extra = tac_record_extra(first.word);
        if (i + extra >= count && extra)
            break;
        uint64_t type = first.word >> 56;
        struct event e = {lane, 0, first.counter, first.word & 0x00ffffffffffffffull,
                          records + (i + 1) * record};
        e.ns =
            type == TAC_REC_ZONE_VALUE ? lane->last_ns : tac_clockmap_ns(&r->clock, first.counter);
        take(r, &e, type);
        i += 1 + extra;
    }
}

static void read_lane_chunk(struct tac_reader *r, struct lane *lane,
                            const struct tac_reader_chunk *c)
{
    const size_t record = sizeof(struct tac_format_record);
    if (!(c->head.flags & TAC_CHUNK_PACKED)) {
        read_records(r, lane, &c->head, c->payload, c->head.bytes / record);
        return;
    }
    /* a record takes two packed bytes at least */
    uint32_t max = c->head.count < c->head.bytes ? c->head.count : c->head.bytes;
    struct tac_format_record *records = malloc((max + 1) * record);
    if (!records) {
        r->keeps.failed = true;
        return;
    }
    uint32_t count = tac_unpack(c->payload, c->head.bytes, records, max);
    read_records(r, lane, &c->head, (const unsigned char *)records, count);
    free(records);
}

static void take_kernel(struct tac_reader *r, const struct tac_format_kernel *e)
{
    see(r, e->ns);
    if (e->type == TAC_KERNEL_LOST)
        add_gap(r, (struct tac_capture_gap){e->ns, e->ns, TAC_CAPTURE_NONE, e->cpu, e->a, 0});
    struct tac_capture_kernel *k = tac_list_add(&r->kernel, sizeof *k);
    if (k)
        *k = (struct tac_capture_kernel){e->ns, e->type, e->cpu, e->tid, e->a, e->b};
}

static void read_kernel(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_kernel body;
    if (!(c->head.flags & TAC_CHUNK_PACKED)) {
        for (size_t at = 0; at + sizeof body <= c->head.bytes; at += sizeof body) {
            memcpy(&body, c->payload + at, sizeof body);
            take_kernel(r, &body);
        }
        return;
    }
    /* an event takes seven packed bytes at least */
    uint32_t max = c->head.count < c->head.bytes ? c->head.count : c->head.bytes;
    struct tac_format_kernel *events = malloc((max + 1) * sizeof *events);
    uint32_t n = events ? tac_unpack_kernel(c->payload, c->head.bytes, events, max) : 0;
    r->keeps.failed = r->keeps.failed || !events;
    for (uint32_t i = 0; i < n; i++)
        take_kernel(r, &events[i]);
    free(events);
}

static void read_stacks(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_stack head;
    for (size_t at = 0; at + sizeof head <= c->head.bytes;) {
        memcpy(&head, c->payload + at, sizeof head);
        at += sizeof head;
        size_t bytes = head.count * sizeof(uint64_t);
        if (bytes > c->head.bytes - at)
            break;
        struct tac_capture_kernel_stack *s = tac_list_add(&r->kernel_stacks, sizeof *s);
        if (s)
            *s = (struct tac_capture_kernel_stack){head.ns,
                                                   head.tid,
                                                   head.cpu,
                                                   head.kind,
                                                   head.count,
                                                   (const uint64_t *)(const void *)tac_reader_keep(
                                                       r, (const char *)c->payload + at, bytes)};
        at += bytes;
    }
}

static uint32_t thread_of_lane(struct tac_reader *r, uint32_t lane, struct lane **lanes)
{
    const struct tac_capture_thread *t = r->threads.data;
    for (size_t i = 0; i < r->threads.count; i++)
        if (t[i].lane == lane)
            return (uint32_t)i;
    /* its definition was damaged: show the events all the same */
    struct tac_capture_thread *added = tac_list_add(&r->threads, sizeof *added);
    struct lane *grown = added ? realloc(*lanes, r->threads.count * sizeof *grown) : NULL;
    if (!grown)
        return TAC_CAPTURE_NONE;
    *lanes = grown;
    grown[r->threads.count - 1] = (struct lane){.thread = (uint32_t)r->threads.count - 1};
    *added = (struct tac_capture_thread){.lane = lane, .name = "?", .end_ns = TAC_CAPTURE_OPEN};
    return (uint32_t)r->threads.count - 1;
}

/* Drops after the last GAP record of a lane are known from the counters of its chunks alone. */
static void close_lane(struct tac_reader *r, struct lane *lane)
{
    const struct tac_capture_thread *t =
        (const struct tac_capture_thread *)r->threads.data + lane->thread;
    uint64_t dropped = t->dropped > lane->gap_dropped ? t->dropped - lane->gap_dropped : 0;
    uint64_t suppressed =
        t->suppressed > lane->gap_suppressed ? t->suppressed - lane->gap_suppressed : 0;
    if ((dropped || suppressed) && !r->flight)
        add_gap(r, (struct tac_capture_gap){lane->last_ns, r->pub.end_ns, lane->thread, 0, dropped,
                                            suppressed});
    tac_list_fini(&lane->open);
    tac_list_fini(&lane->cycles);
}

static void map_threads(struct tac_reader *r)
{
    struct tac_capture_thread *t = r->threads.data;
    for (size_t i = 0; i < r->threads.count; i++) {
        t[i].begin_ns = tac_clockmap_ns(&r->clock, t[i].begin_ns);
        if (t[i].end_ns != TAC_CAPTURE_OPEN)
            t[i].end_ns = tac_clockmap_ns(&r->clock, t[i].end_ns);
    }
}

static void read_chunk(struct tac_reader *r, const struct tac_reader_chunk *c, struct lane **lanes)
{
    if (c->head.kind == TAC_CHUNK_KERNEL)
        read_kernel(r, c);
    if (c->head.kind == TAC_CHUNK_STACKS)
        read_stacks(r, c);
    if (c->head.kind != TAC_CHUNK_RECORDS)
        return;
    uint32_t thread = thread_of_lane(r, c->head.id, lanes);
    if (thread == TAC_CAPTURE_NONE)
        return;
    struct tac_capture_thread *t = (struct tac_capture_thread *)r->threads.data + thread;
    t->dropped = c->head.dropped > t->dropped ? c->head.dropped : t->dropped;
    t->suppressed = c->head.suppressed > t->suppressed ? c->head.suppressed : t->suppressed;
    read_lane_chunk(r, &(*lanes)[thread], c);
}

static void read_all(struct tac_reader *r, struct lane **lanes)
{
    const struct tac_reader_chunk *chunks = r->chunks.data;
    for (size_t i = 0; i < r->chunks.count; i++) {
        uint16_t kind = chunks[i].head.kind;
        struct tac_reader_chunk plain;
        if ((kind == TAC_CHUNK_KERNEL || kind == TAC_CHUNK_STACKS || kind == TAC_CHUNK_RECORDS) &&
            tac_reader_plain(r, &chunks[i], &plain))
            read_chunk(r, &plain, lanes);
    }
}

void tac_reader_events(struct tac_reader *r)
{
    map_threads(r);
    r->pub.begin_ns = UINT64_MAX;
    struct lane *lanes = calloc(r->threads.count + 1, sizeof *lanes);
    if (!lanes) {
        r->keeps.failed = true;
        return;
    }
    for (size_t i = 0; i < r->threads.count; i++)
        lanes[i].thread = (uint32_t)i;
    read_all(r, &lanes);
    for (size_t i = 0; i < r->threads.count; i++)
        close_lane(r, &lanes[i]);
    free(lanes);
    if (r->pub.begin_ns == UINT64_MAX)
        r->pub.begin_ns = r->pub.end_ns = 0;
}
