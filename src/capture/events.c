/* SPDX-License-Identifier: MIT
 * events.c - chunks of lanes and of the kernel to events on one clock; see events.h.
 *
 * A lane is read in file order. Where its sequence jumps (a damaged chunk, a flight recorder that
 * threw it away, a stream that had no room), what is open is cut: no end is ever given to the wrong
 * begin. An event that is cut short at the end of a chunk is left out. */
#include "capture/events.h"

#include "capture/reader.h"
#include "capture/unpack.h"

#include <stdlib.h>
#include <string.h>

static void give(struct tac_reader *r, const struct tac_event *e)
{
    r->taker.event(r->taker.me, &r->pub, e);
}

static void see(struct tac_reader *r, uint64_t ns)
{
    r->pub.begin_ns = ns < r->pub.begin_ns ? ns : r->pub.begin_ns;
    r->pub.end_ns = ns > r->pub.end_ns ? ns : r->pub.end_ns;
}

static struct tac_capture_thread *thread_of(struct tac_reader *r,
                                            const struct tac_reader_lane *lane)
{
    return (struct tac_capture_thread *)r->threads.data + lane->thread;
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
    tac_reader_show(r);
    return (uint32_t)r->sources.count - 1;
}

static uint32_t site_index(struct tac_reader *r, uint64_t id)
{
    size_t before = r->sites.count;
    uint32_t site = tac_reader_site(r, id);
    if (r->sites.count != before)
        tac_reader_show(r);
    return site;
}

static uint64_t begin_of(struct tac_reader *r, const struct tac_event *e, uint64_t counter)
{
    uint64_t span = tac_clockmap_span_ns(&r->clock, counter, tac_event_data(e, 0).word);
    return span < e->ns ? e->ns - span : 0;
}

/* A gap of a lane: dropped, suppressed and damaged are events that nothing has told yet. */
static void give_gap(struct tac_reader *r, uint64_t from_ns, uint64_t to_ns,
                     struct tac_capture_gap gap)
{
    gap.begin_ns = from_ns < to_ns ? from_ns : to_ns;
    gap.end_ns = to_ns;
    struct tac_event e = {.type = TAC_REC_GAP,
                          .thread = gap.thread,
                          .ns = gap.end_ns,
                          .begin_ns = gap.begin_ns,
                          .gap = gap};
    give(r, &e);
}

static void take_gap(struct tac_reader *r, struct tac_reader_lane *lane, const struct tac_event *e)
{
    struct tac_format_record data = tac_event_data(e, 0);
    lane->gap_dropped += e->payload;
    lane->gap_suppressed += data.word;
    give_gap(r, tac_clockmap_ns(&r->clock, data.counter), e->ns,
             (struct tac_capture_gap){
                 .thread = lane->thread, .dropped = e->payload, .suppressed = data.word});
}

/* The parts of an event that its type has. */
static void fill(struct tac_reader *r, struct tac_event *e, uint64_t counter)
{
    switch (e->type) {
    case TAC_REC_ZONE_BEGIN:
    case TAC_REC_PLOT:
    case TAC_REC_MESSAGE:
        e->site = site_index(r, e->payload);
        break;
    case TAC_REC_ZONE_VALUE:
        e->site = e->payload ? site_index(r, e->payload) : TAC_CAPTURE_NONE;
        e->value = counter;
        break;
    case TAC_REC_MEMORY:
    case TAC_REC_REALLOC:
    case TAC_REC_LOCK_WAIT:
        e->begin_ns = begin_of(r, e, counter);
        break;
    case TAC_REC_CYCLE_BEGIN:
    case TAC_REC_CYCLE_END:
        e->source = source_index(r, (uint32_t)(e->payload >> 32 & 0xffff));
        break;
    default:
        break;
    }
}

static void take(struct tac_reader *r, struct tac_reader_lane *lane,
                 const struct tac_format_record *first, const unsigned char *data)
{
    struct tac_event e = {.type = (uint32_t)(first->word >> 56),
                          .thread = lane->thread,
                          .payload = first->word & 0x00ffffffffffffffull,
                          .data = data};
    if (e.type != TAC_REC_ZONE_VALUE) {
        lane->last_ns = tac_clockmap_ns(&r->clock, first->counter);
        see(r, lane->last_ns);
    }
    e.ns = e.begin_ns = lane->last_ns;
    if (e.type == TAC_REC_GAP) {
        take_gap(r, lane, &e);
        return;
    }
    thread_of(r, lane)->stored++;
    if (!e.type || e.type > TAC_REC_GAP)
        return; /* of a later version */
    fill(r, &e, first->counter);
    give(r, &e);
}

static void give_cut(struct tac_reader *r, const struct tac_reader_lane *lane)
{
    struct tac_event e = {.type = TAC_EVENT_CUT,
                          .thread = lane->thread,
                          .ns = lane->last_ns,
                          .begin_ns = lane->last_ns};
    give(r, &e);
}

/* The chunk begins elsewhere than the last one ended; first: the counter of its first record. */
static void jump(struct tac_reader *r, struct tac_reader_lane *lane,
                 const struct tac_format_chunk *head, uint64_t first)
{
    uint64_t missing = head->sequence > lane->sequence ? head->sequence - lane->sequence : 0;
    bool is_first_of_part = r->is_part && !lane->sequence;
    give_cut(r, lane);
    if (r->flight || !missing || is_first_of_part)
        return;
    thread_of(r, lane)->damaged += missing;
    uint64_t to = tac_clockmap_ns(&r->clock, first);
    give_gap(r, lane->last_ns ? lane->last_ns : to, to,
             (struct tac_capture_gap){.thread = lane->thread, .damaged = missing});
}

static void read_records(struct tac_reader *r, struct tac_reader_lane *lane,
                         const struct tac_format_chunk *head, const unsigned char *records,
                         size_t count)
{
    const size_t record = sizeof(struct tac_format_record);
    struct tac_format_record first;
    if (count && head->sequence != lane->sequence) {
        memcpy(&first, records, record);
        jump(r, lane, head, first.counter);
    }
    lane->sequence = head->sequence + count;
    for (size_t i = 0; i < count;) {
        memcpy(&first, records + i * record, record);
        uint32_t extra = tac_record_extra(first.word);
        if (i + extra >= count && extra)
            break;
        take(r, lane, &first, records + (i + 1) * record);
        i += 1 + extra;
    }
}

/* Room for n items of a kind, kept for the next chunk. */
static void *scratch(struct tac_reader *r, size_t bytes)
{
    if (r->scratch_bytes < bytes) {
        void *grown = realloc(r->scratch, bytes);
        r->keeps.failed = r->keeps.failed || !grown;
        if (!grown)
            return NULL;
        r->scratch = grown;
        r->scratch_bytes = bytes;
    }
    return r->scratch;
}

static void read_lane_chunk(struct tac_reader *r, struct tac_reader_lane *lane,
                            const struct tac_reader_chunk *c)
{
    const size_t record = sizeof(struct tac_format_record);
    if (!(c->head.flags & TAC_CHUNK_PACKED)) {
        read_records(r, lane, &c->head, c->payload, c->head.bytes / record);
        return;
    }
    /* a record takes two packed bytes at least */
    uint32_t max = c->head.count < c->head.bytes ? c->head.count : c->head.bytes;
    struct tac_format_record *records = scratch(r, (max + 1) * record);
    uint32_t count = records ? tac_unpack(c->payload, c->head.bytes, records, max) : 0;
    read_records(r, lane, &c->head, (const unsigned char *)records, count);
}

/* What a stream had no room for. */
static void read_lost(struct tac_reader *r, struct tac_reader_lane *lane,
                      const struct tac_reader_chunk *c)
{
    struct tac_format_lost body;
    if (c->head.bytes < sizeof body)
        return;
    memcpy(&body, c->payload, sizeof body);
    if (c->head.sequence != lane->sequence)
        jump(r, lane, &c->head, body.begin);
    else
        give_cut(r, lane);
    lane->sequence = c->head.sequence + body.records;
    lane->gap_dropped += body.events;
    uint64_t begin = tac_clockmap_ns(&r->clock, body.begin);
    lane->last_ns = tac_clockmap_ns(&r->clock, body.end);
    see(r, lane->last_ns);
    give_gap(r, begin, lane->last_ns,
             (struct tac_capture_gap){.thread = lane->thread, .dropped = body.events});
}

static void take_kernel(struct tac_reader *r, const struct tac_format_kernel *k)
{
    struct tac_event e = {.type = TAC_EVENT_KERNEL,
                          .thread = TAC_CAPTURE_NONE,
                          .ns = k->ns,
                          .begin_ns = k->ns,
                          .kernel = k};
    see(r, k->ns);
    if (k->type == TAC_KERNEL_LOST)
        give_gap(r, k->ns, k->ns,
                 (struct tac_capture_gap){
                     .thread = TAC_CAPTURE_NONE, .cpu = k->cpu, .tid = k->tid, .dropped = k->a});
    give(r, &e);
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
    struct tac_format_kernel *events = scratch(r, (max + 1) * sizeof *events);
    uint32_t n = events ? tac_unpack_kernel(c->payload, c->head.bytes, events, max) : 0;
    for (uint32_t i = 0; i < n; i++)
        take_kernel(r, &events[i]);
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
        struct tac_event e = {.type = TAC_EVENT_KERNEL_STACK,
                              .thread = TAC_CAPTURE_NONE,
                              .ns = head.ns,
                              .begin_ns = head.ns,
                              .stack = &head,
                              .data = c->payload + at};
        give(r, &e);
        at += bytes;
    }
}

/* A copy of a stack becomes the addresses that the kernel would have found by frame pointers. */
static void take_copy(struct tac_reader *r, const struct tac_format_stack_copy *copy,
                      const unsigned char *data)
{
    uint64_t pc[TAC_STACK_MAX];
    if (!r->unwind && tac_unwind_open(&r->pub, NULL, &r->unwind)) {
        r->keeps.failed = true;
        return;
    }
    uint32_t count = tac_unwind_copy(r->unwind, copy, data, pc);
    struct tac_format_stack head = {copy->ns, copy->tid, copy->cpu, TAC_STACK_USER, (uint8_t)count};
    struct tac_event e = {.type = TAC_EVENT_KERNEL_STACK,
                          .thread = TAC_CAPTURE_NONE,
                          .ns = head.ns,
                          .begin_ns = head.ns,
                          .stack = &head,
                          .data = (const unsigned char *)pc};
    if (count)
        give(r, &e);
}

static void read_copies(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    struct tac_format_stack_copy head;
    for (size_t at = 0; at + sizeof head <= c->head.bytes;) {
        memcpy(&head, c->payload + at, sizeof head);
        at += sizeof head;
        size_t bytes = head.registers * sizeof(uint64_t) + head.bytes;
        if (head.registers > TAC_STACK_REGISTERS_MAX || head.bytes > TAC_STACK_BYTES_MAX ||
            bytes > c->head.bytes - at)
            break;
        take_copy(r, &head, c->payload + at);
        at += bytes;
    }
}

static struct tac_reader_lane *lane_of(struct tac_reader *r, uint32_t id)
{
    struct tac_reader_lane *lanes = r->lanes.data;
    for (size_t i = r->lanes.count; i > 0; i--)
        if (lanes[i - 1].id == id)
            return &lanes[i - 1];
    uint32_t thread = tac_reader_thread(r, id);
    struct tac_reader_lane *added =
        thread != TAC_CAPTURE_NONE ? tac_list_add(&r->lanes, sizeof *added) : NULL;
    if (added)
        *added = (struct tac_reader_lane){.id = id, .thread = thread};
    return added;
}

/* Drops after the last GAP record of a lane are known from the counters of its chunks alone. */
static void close_lane(struct tac_reader *r, struct tac_reader_lane *lane)
{
    const struct tac_capture_thread *t = thread_of(r, lane);
    uint64_t dropped = t->dropped > lane->gap_dropped ? t->dropped - lane->gap_dropped : 0;
    uint64_t suppressed =
        t->suppressed > lane->gap_suppressed ? t->suppressed - lane->gap_suppressed : 0;
    if ((dropped || suppressed) && !r->flight && !r->is_part)
        give_gap(r, lane->last_ns, r->pub.end_ns,
                 (struct tac_capture_gap){
                     .thread = lane->thread, .dropped = dropped, .suppressed = suppressed});
}

void tac_reader_events(struct tac_reader *r, const struct tac_reader_chunk *c)
{
    if (c->head.kind == TAC_CHUNK_KERNEL)
        read_kernel(r, c);
    if (c->head.kind == TAC_CHUNK_STACKS)
        read_stacks(r, c);
    if (c->head.kind == TAC_CHUNK_STACK_COPIES)
        read_copies(r, c);
    if (c->head.kind != TAC_CHUNK_RECORDS && c->head.kind != TAC_CHUNK_LOST)
        return;
    struct tac_reader_lane *lane = lane_of(r, c->head.id);
    if (!lane)
        return;
    struct tac_capture_thread *t = thread_of(r, lane);
    t->dropped = c->head.dropped > t->dropped ? c->head.dropped : t->dropped;
    t->suppressed = c->head.suppressed > t->suppressed ? c->head.suppressed : t->suppressed;
    if (c->head.kind == TAC_CHUNK_LOST)
        read_lost(r, lane, c);
    else
        read_lane_chunk(r, lane, c);
}

void tac_reader_events_end(struct tac_reader *r)
{
    struct tac_reader_lane *lanes = r->lanes.data;
    for (size_t i = 0; i < r->lanes.count; i++)
        close_lane(r, &lanes[i]);
    if (r->pub.begin_ns == UINT64_MAX)
        r->pub.begin_ns = r->pub.end_ns = 0;
}
