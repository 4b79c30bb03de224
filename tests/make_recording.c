/* SPDX-License-Identifier: MIT
 * make_recording.c - see make_recording.h. */
#include "make_recording.h"

#include "trace/sink.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LANES = 64, SITES = 256, RECORDS_PER_CHUNK = 8000 };

struct item {
    uint64_t ns, order;
    uint32_t lane, n;
    struct tac_format_record record[18];
};

struct tac_make {
    struct tac_sink sink;
    struct item *item;
    size_t items, item_room;
    struct tac_format_kernel *kernel;
    size_t kernels, kernel_room;
    char site[SITES][96];
    uint32_t sites, lanes;
    uint64_t last_ns;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static void put(struct tac_make *m, uint16_t kind, uint32_t id, const void *payload, size_t bytes,
                uint32_t count, uint64_t sequence)
{
    struct tac_format_chunk head = {.kind = kind, .id = id, .count = count, .sequence = sequence};
    tac_sink_put(&m->sink, &head, payload, (uint32_t)bytes);
    if (m->sink.error)
        abort();
}

struct tac_make *tac_make_open(const char *path)
{
    struct tac_make *m = must(calloc(1, sizeof *m));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || tac_sink_init(&m->sink, fd, 0, 0))
        abort();
    tac_make_meta(m, "format", "1");
    return m;
}

void tac_make_meta(struct tac_make *m, const char *key, const char *value)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s=%s\n", key, value);
    put(m, TAC_CHUNK_META, 0, line, (size_t)n, 1, 0);
}

uint32_t tac_make_thread(struct tac_make *m, uint32_t tid, const char *name)
{
    struct tac_format_lane body = {.lane = ++m->lanes, .pid = 100, .tid = tid, .capacity = 8192};
    strncpy(body.name, name, sizeof body.name - 1);
    put(m, TAC_CHUNK_LANE, body.lane, &body, sizeof body, 1, 0);
    return body.lane;
}

void tac_make_source(struct tac_make *m, uint32_t id, const char *name, uint64_t period_ns)
{
    struct tac_format_source body = {.id = id, .period_ns = period_ns};
    strncpy(body.name, name, sizeof body.name - 1);
    put(m, TAC_CHUNK_SOURCE, 0, &body, sizeof body, 1, 0);
}

/* The id of the site (category, name, unit), written when it is new. */
static uint64_t site(struct tac_make *m, uint32_t category, const char *name, const char *unit)
{
    char key[96], payload[256] = {0};
    snprintf(key, sizeof key, "%u %s %s", category, name, unit);
    for (uint32_t i = 0; i < m->sites; i++)
        if (!strcmp(m->site[i], key))
            return 4096 + 64 * (uint64_t)i;
    if (m->sites == SITES)
        abort();
    memcpy(m->site[m->sites], key, sizeof key);
    struct tac_format_site body = {
        .id = 4096 + 64 * (uint64_t)m->sites++, .category = (uint8_t)category, .level = 1};
    memcpy(payload, &body, sizeof body);
    size_t at = sizeof body;
    at += (size_t)snprintf(payload + at, sizeof payload - at, "%s", name) + 1;
    at += 2; /* no function, no file */
    at += (size_t)snprintf(payload + at, sizeof payload - at, "%s", unit) + 1;
    put(m, TAC_CHUNK_SITE, 0, payload, at, 1, 0);
    return body.id;
}

static struct item *add(struct tac_make *m, uint32_t lane, uint64_t ns, uint64_t type,
                        uint64_t payload)
{
    if (m->items == m->item_room) {
        m->item_room = m->item_room ? 2 * m->item_room : 256;
        m->item = must(realloc(m->item, m->item_room * sizeof *m->item));
    }
    struct item *item = &m->item[m->items];
    *item = (struct item){.ns = ns, .order = m->items++, .lane = lane, .n = 1};
    item->record[0] = (struct tac_format_record){ns, type << 56 | payload};
    m->last_ns = ns > m->last_ns ? ns : m->last_ns;
    return item;
}

static void data(struct item *item, uint64_t a, uint64_t b)
{
    item->record[item->n++] = (struct tac_format_record){a, b};
}

void tac_make_cycle(struct tac_make *m, uint32_t lane, uint32_t source, uint64_t begin_ns,
                    uint64_t deadline_ns, uint64_t end_ns, uint32_t frames,
                    const struct tac_make_evidence *e)
{
    uint64_t evidence = e ? 1ull << 48 : 0;
    struct item *item =
        add(m, lane, begin_ns, TAC_REC_CYCLE_BEGIN, evidence | (uint64_t)source << 32 | frames);
    data(item, deadline_ns, 0);
    if (e) {
        data(item, 0, 0);
        data(item, 0, 0);
    }
    if (!end_ns)
        return;
    item = add(m, lane, end_ns, TAC_REC_CYCLE_END, evidence | (uint64_t)source << 32);
    data(item, 0, 0);
    if (e) {
        data(item, e->cpu_ns, (uint64_t)e->voluntary << 32 | e->involuntary);
        data(item, (uint64_t)e->minor << 32 | e->major, e->denormal);
    }
}

static void edge(struct tac_make *m, uint32_t lane, uint32_t source, uint64_t ns, uint64_t type,
                 uint64_t deadline_ns, const struct tac_make_evidence *e)
{
    struct item *item = add(m, lane, ns, type, (e ? 1ull << 48 : 0) | (uint64_t)source << 32);
    data(item, deadline_ns, e ? 0 : TAC_CYCLE_SPARED_BIT);
    if (e) {
        data(item, e->cpu_ns, (uint64_t)e->voluntary << 32 | e->involuntary);
        data(item, (uint64_t)e->minor << 32 | e->major, e->denormal);
    }
}

void tac_make_begin(struct tac_make *m, uint32_t lane, uint32_t source, uint64_t ns,
                    uint64_t deadline_ns, const struct tac_make_evidence *accounts)
{
    edge(m, lane, source, ns, TAC_REC_CYCLE_BEGIN, deadline_ns, accounts);
}

void tac_make_end(struct tac_make *m, uint32_t lane, uint32_t source, uint64_t ns,
                  const struct tac_make_evidence *accounts)
{
    edge(m, lane, source, ns, TAC_REC_CYCLE_END, 0, accounts);
}

void tac_make_zone(struct tac_make *m, uint32_t lane, uint32_t category, const char *name,
                   uint64_t begin_ns, uint64_t end_ns)
{
    add(m, lane, begin_ns, TAC_REC_ZONE_BEGIN, site(m, category, name, ""));
    add(m, lane, end_ns, TAC_REC_ZONE_END, 0);
}

void tac_make_plot(struct tac_make *m, uint32_t lane, const char *name, const char *unit,
                   uint64_t ns, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    data(add(m, lane, ns, TAC_REC_PLOT, site(m, TAC_CAT_PLOT, name, unit)), bits, 0);
}

void tac_make_message(struct tac_make *m, uint32_t lane, const char *text, uint64_t ns)
{
    data(add(m, lane, ns, TAC_REC_MESSAGE, site(m, TAC_CAT_APP, text, "")), 0, 0);
}

void tac_make_text(struct tac_make *m, uint32_t lane, const char *text, uint64_t ns)
{
    size_t n = strlen(text);
    struct item *item = add(m, lane, ns, TAC_REC_TEXT, n);
    for (size_t at = 0; at < n; at += 16) {
        uint64_t words[2] = {0, 0};
        memcpy(words, text + at, n - at < 16 ? n - at : 16);
        data(item, words[0], words[1]);
    }
}

void tac_make_flow(struct tac_make *m, uint32_t lane, uint32_t step, uint64_t id, uint64_t ns)
{
    add(m, lane, ns, TAC_REC_FLOW, (uint64_t)step << 48 | id);
}

/* For the zone that is open at ns. */
void tac_make_zone_value(struct tac_make *m, uint32_t lane, uint64_t ns, uint64_t value)
{
    add(m, lane, ns, TAC_REC_ZONE_VALUE, 0)->record[0].counter = value;
}

void tac_make_memory(struct tac_make *m, uint32_t lane, enum tac_memory_op op, uint64_t ptr,
                     uint64_t bytes, uint64_t begin_ns, uint64_t end_ns)
{
    uint64_t type = op == TAC_MEMORY_REALLOC ? TAC_REC_REALLOC : TAC_REC_MEMORY;
    struct item *item = add(m, lane, end_ns, type, (uint64_t)op << 48 | bytes);
    data(item, ptr, end_ns - begin_ns);
    if (op == TAC_MEMORY_REALLOC)
        data(item, ptr, 0);
}

void tac_make_lock_wait(struct tac_make *m, uint32_t lane, uint64_t lock, uint32_t holder_tid,
                        uint64_t begin_ns, uint64_t end_ns)
{
    data(add(m, lane, end_ns, TAC_REC_LOCK_WAIT, holder_tid), lock, end_ns - begin_ns);
}

void tac_make_lock_held(struct tac_make *m, uint32_t lane, uint64_t lock, int taken, uint64_t ns)
{
    data(add(m, lane, ns, TAC_REC_LOCK_HELD, taken != 0), lock, 0);
}

void tac_make_stack(struct tac_make *m, uint32_t lane, uint64_t ns, const uint64_t *pc, uint32_t n)
{
    if (n > TAC_STACK_MAX)
        abort();
    struct item *item = add(m, lane, ns, TAC_REC_STACK, n);
    for (uint32_t i = 0; i < n; i += 2)
        data(item, pc[i], i + 1 < n ? pc[i + 1] : 0);
}

void tac_make_gap(struct tac_make *m, uint32_t lane, uint64_t begin_ns, uint64_t end_ns,
                  uint64_t dropped)
{
    data(add(m, lane, end_ns, TAC_REC_GAP, dropped), begin_ns, 0);
}

void tac_make_kernel(struct tac_make *m, struct tac_format_kernel event)
{
    if (m->kernels == m->kernel_room) {
        m->kernel_room = m->kernel_room ? 2 * m->kernel_room : 256;
        m->kernel = must(realloc(m->kernel, m->kernel_room * sizeof *m->kernel));
    }
    m->kernel[m->kernels++] = event;
    m->last_ns = event.ns > m->last_ns ? event.ns : m->last_ns;
}

void tac_make_kernel_stack(struct tac_make *m, uint64_t ns, uint32_t tid, enum tac_stack_kind kind,
                           const uint64_t *pc, uint32_t n)
{
    struct {
        struct tac_format_stack head;
        uint64_t pc[TAC_STACK_MAX];
    } body = {{ns, tid, 0, (uint8_t)kind, (uint8_t)n}, {0}};
    if (n > TAC_STACK_MAX)
        abort();
    memcpy(body.pc, pc, n * sizeof *pc);
    put(m, TAC_CHUNK_STACKS, 0, &body, sizeof body.head + n * sizeof *pc, 1, 0);
}

void tac_make_symbol(struct tac_make *m, uint64_t address, const char *name)
{
    char line[128];
    int n = snprintf(line, sizeof line, "%llx %s\n", (unsigned long long)address, name);
    put(m, TAC_CHUNK_SYMBOLS, 0, line, (size_t)n, 1, 0);
}

void tac_make_comm(struct tac_make *m, uint32_t tid, const char *name)
{
    struct tac_format_comm body = {.tid = tid};
    strncpy(body.name, name, sizeof body.name - 1);
    put(m, TAC_CHUNK_COMM, 0, &body, sizeof body, 1, 0);
}

void tac_make_mapping(struct tac_make *m, uint64_t start, uint64_t end, uint64_t offset,
                      const char *build_id, const char *path)
{
    char line[4600];
    int n = snprintf(line, sizeof line, "%llx %llx %llx %s %s\n", (unsigned long long)start,
                     (unsigned long long)end, (unsigned long long)offset, build_id, path);
    put(m, TAC_CHUNK_MODULE, 0, line, (size_t)n, 1, 0);
}

void tac_make_module(struct tac_make *m, uint64_t start, uint64_t end, const char *path)
{
    tac_make_mapping(m, start, end, 0, "-", path);
}

static int by_time(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void write_lane(struct tac_make *m, uint32_t lane)
{
    struct tac_format_record *all = must(malloc(RECORDS_PER_CHUNK * sizeof *all));
    uint32_t n = 0;
    uint64_t sequence = 0;
    for (size_t i = 0; i <= m->items; i++) {
        bool flush = i == m->items || n + m->item[i].n > RECORDS_PER_CHUNK;
        if (flush && n) {
            put(m, TAC_CHUNK_RECORDS, lane, all, n * sizeof *all, n, sequence);
            sequence += n;
            n = 0;
        }
        if (i < m->items && m->item[i].lane == lane) {
            memcpy(all + n, m->item[i].record, m->item[i].n * sizeof *all);
            n += m->item[i].n;
        }
    }
    free(all);
}

void tac_make_close(struct tac_make *m)
{
    struct tac_format_clock pair[2] = {{0, 0, 1, 0}, {m->last_ns + 1, m->last_ns + 1, 1, 0}};
    put(m, TAC_CHUNK_CLOCK, 0, pair, sizeof pair, 2, 0);
    if (m->items)
        qsort(m->item, m->items, sizeof *m->item, by_time);
    for (uint32_t lane = 1; lane <= m->lanes; lane++)
        write_lane(m, lane);
    for (size_t i = 0; i < m->kernels; i += 10000) {
        size_t n = m->kernels - i < 10000 ? m->kernels - i : 10000;
        put(m, TAC_CHUNK_KERNEL, 0, m->kernel + i, n * sizeof *m->kernel, (uint32_t)n, 0);
    }
    struct tac_format_end end = {.counter = m->last_ns + 1, .stored = m->items};
    put(m, TAC_CHUNK_END, 0, &end, sizeof end, 1, 0);
    close(m->sink.fd);
    free(m->item);
    free(m->kernel);
    free(m);
}
