/* SPDX-License-Identifier: MIT
 * drain.c - the helper's pass: rings to chunks.
 *
 * A traced thread publishes whole events, so what lies between tail and head is whole events too,
 * and so is every chunk. On the way each site is written before the first chunk that names it. */
#include "trace/session.h"

#include "trace/pack.h"
#include "trace/perf.h"
#include "trace/source.h"
#include "trace/wire.h"

#include <string.h>
#include <unistd.h>

enum { CLOCK_EVERY_NS = 100000000 };

static void write_site(struct tac_session *s, uint64_t address)
{
    unsigned char payload[TAC_SITE_PAYLOAD_MAX];
    if (!tac_site_table_add(&s->sites, address))
        return;
    uint32_t bytes = tac_site_resolve(address, payload);
    struct tac_format_chunk head = {.kind = TAC_CHUNK_SITE, .count = 1};
    tac_sink_put(&s->sink, &head, payload, bytes);
}

static uint64_t counter_ns(const struct tac_session *s, uint64_t counter)
{
    double ticks = (double)(s->last.counter - s->first.counter);
    double ns = (double)(s->last.ns - s->first.ns);
    double slope = ticks > 0 ? ns / ticks : 1;
    return s->last.ns + (uint64_t)(int64_t)((double)(int64_t)(counter - s->last.counter) * slope);
}

/* A cycle that ended late makes the flight recorder keep what it has. */
static void watch_cycle(struct tac_session *s, const struct tac_format_record *event,
                        const struct tac_format_record *data)
{
    uint64_t *deadline_ns = &s->deadline_ns[event->word >> 32 & 0xffff];
    if (event->word >> 56 == TAC_REC_CYCLE_BEGIN) {
        *deadline_ns = data->counter;
    } else if (*deadline_ns) {
        if (counter_ns(s, event->counter) > *deadline_ns)
            tac_sink_keep(&s->sink, tac_clock_ns());
        *deadline_ns = 0;
    }
}

static void look_at(struct tac_session *s, const struct tac_format_record *event)
{
    uint64_t type = event->word >> 56;
    s->stored += type != TAC_REC_GAP;
    uint64_t payload = event->word & 0x00ffffffffffffffull;
    if (type == TAC_REC_ZONE_BEGIN || type == TAC_REC_PLOT || type == TAC_REC_MESSAGE ||
        (type == TAC_REC_ZONE_VALUE && payload))
        write_site(s, payload);
    else if (s->config.flight_s && (type == TAC_REC_CYCLE_BEGIN || type == TAC_REC_CYCLE_END))
        watch_cycle(s, event, event + 1);
}

/* Copy whole events from tail on; returns how many records. The writer's line (lane->ring) is
 * looked at once: each look takes it from the writer, who then waits at its next zone. */
static uint32_t copy_events(struct tac_session *s, const struct tac_lane *lane, uint32_t tail,
                            uint32_t head)
{
    const struct tac_trace_record *record = lane->ring.record;
    uint32_t mask = lane->ring.mask, first = tail & mask, n = 0;
    uint32_t all = head - tail < TAC_DRAIN_RECORDS ? head - tail : TAC_DRAIN_RECORDS;
    uint32_t to_end = all < mask + 1 - first ? all : mask + 1 - first;
    memcpy(s->buffer, record + first, to_end * sizeof *record);
    memcpy(s->buffer + to_end, record, (all - to_end) * sizeof *record);
    while (n < all) {
        uint32_t size = 1 + tac_record_extra(s->buffer[n].word);
        if (size > all - n)
            break;
        look_at(s, &s->buffer[n]);
        n += size;
    }
    return n;
}

uint64_t tac_drain_dropped(const struct tac_lane *lane)
{
    return atomic_load(&lane->dropped) - atomic_load(&lane->dropped_base) + lane->lost_events;
}

uint64_t tac_drain_suppressed(const struct tac_lane *lane)
{
    return atomic_load(&lane->suppressed) - atomic_load(&lane->suppressed_base);
}

/* Say what a stream had no room for; true when nothing is left to be said. */
static bool tell_lost(struct tac_session *s, struct tac_lane *lane)
{
    if (!lane->lost.records)
        return true;
    struct tac_format_chunk chunk = {.kind = TAC_CHUNK_LOST,
                                     .id = lane->id,
                                     .count = 1,
                                     .sequence = lane->sequence - lane->lost.records,
                                     .dropped = tac_drain_dropped(lane),
                                     .suppressed = tac_drain_suppressed(lane)};
    if (!tac_sink_put(&s->sink, &chunk, &lane->lost, sizeof lane->lost))
        return false;
    lane->lost = (struct tac_format_lost){0};
    return true;
}

static uint64_t last_counter(const struct tac_format_record *records, uint32_t n)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < n; i += 1 + tac_record_extra(records[i].word))
        if (records[i].word >> 56 != TAC_REC_ZONE_VALUE)
            last = records[i].counter;
    return last;
}

/* The stream did not take n records with so many events. */
static void lose(struct tac_session *s, struct tac_lane *lane, uint32_t n, uint64_t events)
{
    if (!lane->lost.records)
        lane->lost.begin = s->buffer[0].counter;
    lane->lost.end = last_counter(s->buffer, n);
    lane->lost.events += events;
    lane->lost.records += n;
    lane->lost_events += events;
    s->stored -= events;
}

static void write_records(struct tac_session *s, struct tac_lane *lane, uint32_t n, uint64_t events)
{
    bool told = tell_lost(s, lane);
    struct tac_format_chunk chunk = {.kind = TAC_CHUNK_RECORDS,
                                     .flags = TAC_CHUNK_PACKED,
                                     .id = lane->id,
                                     .count = n,
                                     .sequence = lane->sequence,
                                     .dropped = tac_drain_dropped(lane),
                                     .suppressed = tac_drain_suppressed(lane)};
    lane->sequence += n;
    if (!told || !tac_sink_put(&s->sink, &chunk, s->packed, tac_pack(s->buffer, n, s->packed)))
        lose(s, lane, n, events);
}

uint64_t tac_drain_waiting(const struct tac_lane *lane)
{
    uint32_t head = __atomic_load_n(&lane->ring.head, __ATOMIC_ACQUIRE), mask = lane->ring.mask;
    uint64_t events = 0;
    for (uint32_t i = atomic_load_explicit(&lane->tail, memory_order_relaxed);
         (int32_t)(head - i) > 0;) {
        uint64_t word = lane->ring.record[i & mask].word;
        events += word >> 56 != TAC_REC_GAP;
        i += 1 + tac_record_extra(word);
    }
    return events;
}

static void drain_ring(struct tac_session *s, struct tac_lane *lane)
{
    /* pairs with the release store of the owner */
    uint32_t head = __atomic_load_n(&lane->ring.head, __ATOMIC_ACQUIRE);
    uint32_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed), n;
    uint64_t before = s->stored;
    while ((n = copy_events(s, lane, tail, head)) != 0) {
        tail += n;
        atomic_store_explicit(&lane->tail, tail, memory_order_release);
        write_records(s, lane, n, s->stored - before);
        before = s->stored;
    }
}

/* n events, and before them what there was no room for. True: they were taken. */
static bool put_kernel(struct tac_session *s, struct tac_lane *lane, uint32_t n)
{
    if (lane->lost_kernel) { /* room is there: tac_perf_read was asked for one less */
        memmove(s->kernel + 1, s->kernel, n * sizeof *s->kernel);
        uint64_t ns = n ? s->kernel[1].ns : tac_clock_ns();
        s->kernel[0] = (struct tac_format_kernel){ns,        TAC_KERNEL_LOST,   0xffff,
                                                  lane->tid, lane->lost_kernel, 0};
        n++;
    }
    struct tac_format_chunk chunk = {
        .kind = TAC_CHUNK_KERNEL, .flags = TAC_CHUNK_PACKED, .id = lane->id, .count = n};
    return tac_sink_put(&s->sink, &chunk, s->packed, tac_pack_kernel(s->kernel, n, s->packed));
}

static void write_kernel(struct tac_session *s, struct tac_lane *lane, uint32_t n)
{
    if (n)
        lane->lost_kernel = put_kernel(s, lane, n) ? 0 : lane->lost_kernel + n;
}

/* At the lane's end nothing follows that could tell what was lost before it. */
static void tell_lost_kernel(struct tac_session *s, struct tac_lane *lane)
{
    if (lane->lost_kernel && !put_kernel(s, lane, 0))
        s->lost_kernel_untold += lane->lost_kernel;
    lane->lost_kernel = 0;
}

static void drain_perf(struct tac_session *s, struct tac_lane *lane)
{
    struct tac_perf_batch b = {.events = s->kernel,
                               .events_max = TAC_DRAIN_KERNEL - 1,
                               .stacks = s->kernel_stacks,
                               .stacks_max = sizeof s->kernel_stacks};
    while (lane->perf && tac_perf_read(lane->perf, &b)) {
        struct tac_format_chunk chunk = {
            .kind = s->perf.stacks == TAC_PERF_COPIES ? TAC_CHUNK_STACK_COPIES : TAC_CHUNK_STACKS,
            .id = lane->id,
            .count = b.stacks_count};
        write_kernel(s, lane, b.events_count);
        if (b.stacks_count && !tac_sink_put(&s->sink, &chunk, s->kernel_stacks, b.stacks_bytes))
            s->lost_stacks += b.stacks_count;
    }
}

static void write_lane(struct tac_session *s, struct tac_lane *lane, enum tac_chunk_kind kind)
{
    struct tac_format_lane body = {.lane = lane->id,
                                   .pid = (uint32_t)getpid(),
                                   .tid = lane->tid,
                                   .capacity = lane->ring.mask + 1,
                                   .counter = kind == TAC_CHUNK_LANE ? lane->begin_counter
                                                                     : lane->end_counter};
    memcpy(body.name, lane->name, sizeof body.name);
    struct tac_format_chunk chunk = {.kind = (uint16_t)kind,
                                     .id = lane->id,
                                     .count = 1,
                                     .sequence = lane->sequence,
                                     .dropped = tac_drain_dropped(lane),
                                     .suppressed = tac_drain_suppressed(lane)};
    tac_sink_put(&s->sink, &chunk, &body, sizeof body);
}

void tac_drain_leave(void)
{
    uint32_t count = atomic_load(&tac_lanes_count);
    for (uint32_t i = 0; i < count; i++) {
        tac_perf_leave(tac_lanes[i]->perf);
        tac_lanes[i]->perf = NULL;
    }
}

static void open_perf(struct tac_session *s, struct tac_lane *lane)
{
    int error = tac_perf_open(lane->tid, &s->perf, &lane->perf);
    if (error && !s->perf_error)
        s->perf_error = error;
    if (error)
        return;
    s->stacks_refused |= s->perf.stacks && !tac_perf_has_stacks(lane->perf);
    s->samples_refused |= s->perf.sample_ns && !tac_perf_has_samples(lane->perf);
}

void tac_drain_lane_begin(struct tac_session *s, struct tac_lane *lane)
{
    atomic_store(&lane->dropped_base, atomic_load(&lane->dropped));
    atomic_store(&lane->suppressed_base, atomic_load(&lane->suppressed));
    lane->sequence = lane->lost_events = lane->lost_kernel = 0;
    lane->lost = (struct tac_format_lost){0};
    lane->announced = lane->version;
    write_lane(s, lane, TAC_CHUNK_LANE);
    s->refuge.is_stale = true;
    if (s->config.evidence & TAC_EVIDENCE_PERF && !lane->perf)
        open_perf(s, lane);
    atomic_store(&lane->told, lane->perf ? TAC_LANE_TOLD_FROM_NOW : TAC_LANE_UNTOLD);
}

void tac_drain_lane_end(struct tac_session *s, struct tac_lane *lane)
{
    (void)tac_drain_clock_if_due(s);
    drain_ring(s, lane);
    drain_perf(s, lane);
    tac_perf_close(lane->perf);
    lane->perf = NULL;
    tell_lost_kernel(s, lane);
    (void)tell_lost(s, lane); /* when it cannot, the final count alone tells */
    write_lane(s, lane, TAC_CHUNK_LANE_END);
    s->dropped_ended += tac_drain_dropped(lane);
    s->suppressed_ended += tac_drain_suppressed(lane);
}

static void write_sources(struct tac_session *s)
{
    uint32_t count = atomic_load_explicit(&tac_sources_count, memory_order_acquire);
    for (; s->sources_announced < count; s->sources_announced++) {
        struct tac_format_chunk chunk = {.kind = TAC_CHUNK_SOURCE, .count = 1};
        tac_sink_put(&s->sink, &chunk, tac_source_at(s->sources_announced),
                     sizeof(struct tac_format_source));
    }
}

bool tac_drain_all(struct tac_session *s)
{
    bool busy = false;
    write_sources(s);
    uint32_t count = atomic_load_explicit(&tac_lanes_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct tac_lane *lane = tac_lanes[i];
        if (lane->state != TAC_LANE_LIVE)
            continue;
        if (lane->announced != lane->version) {
            lane->announced = lane->version;
            write_lane(s, lane, TAC_CHUNK_LANE);
        }
        drain_ring(s, lane);
        drain_perf(s, lane);
        uint32_t left = __atomic_load_n(&lane->ring.head, __ATOMIC_RELAXED) -
                        atomic_load_explicit(&lane->tail, memory_order_relaxed);
        busy = busy || left > lane->ring.mask / 2;
    }
    return busy;
}

/* CLOCK_BOOTTIME - CLOCK_MONOTONIC, the tightest of several: who is pre-empted between the two
 * reads would see a machine that slept. */
static uint64_t boot_offset_ns(void)
{
    uint64_t best = UINT64_MAX, offset = 0;
    for (int i = 0; i < 8 && best > 10000; i++) {
        struct timespec boot;
        uint64_t before = tac_clock_ns();
        clock_gettime(CLOCK_BOOTTIME, &boot);
        uint64_t width = tac_clock_ns() - before;
        if (width < best) {
            best = width;
            offset = tac_timespec_ns(boot) - (before + width / 2);
        }
    }
    return offset;
}

void tac_drain_clock(struct tac_session *s)
{
    s->last = tac_clock_pair();
    struct tac_format_clock body = {s->last.counter, s->last.ns, s->last.width, boot_offset_ns()};
    struct tac_format_chunk chunk = {.kind = TAC_CHUNK_CLOCK, .count = 1};
    tac_sink_put(&s->sink, &chunk, &body, sizeof body);
}

/* What is drained next is at most as far behind the last pair as that is behind the first, so the
 * rate that follows from them is good enough for it: right after the first comes another, and they
 * come at growing distances up to CLOCK_EVERY_NS. */
bool tac_drain_clock_if_due(struct tac_session *s)
{
    uint64_t since = tac_clock_ns() - s->last.ns, known = s->last.ns - s->first.ns;
    if (since <= known && since <= CLOCK_EVERY_NS)
        return false;
    tac_drain_clock(s);
    return true;
}
