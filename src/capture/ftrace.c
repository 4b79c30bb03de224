/* SPDX-License-Identifier: MIT
 * ftrace.c - see ftrace.h. Source of the page layout: Linux,
 * Documentation/trace/ring-buffer-design.rst and the files events/header_page and
 * events/header_event. */
#include "capture/ftrace.h"

#include "tactus/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How the wanted fields (0, 1, ...) become tid, a and b. */
enum form {
    FORM_SWITCH,   /* prev_pid prev_prio prev_state next_pid next_prio prev_comm next_comm */
    FORM_WAKING,   /* pid prio target_cpu comm */
    FORM_A,        /* a = field 0 */
    FORM_TID_A,    /* tid = field 0, a = field 1 */
    FORM_AB,       /* a = field 0, b = field 1 */
    FORM_MIGRATE,  /* pid orig_cpu dest_cpu */
    FORM_CONSTANT, /* a = constant */
};

const struct tac_ftrace_kind tac_ftrace_kinds[] = {
    {"sched/sched_switch",
     NULL,
     TAC_KERNEL_SWITCH,
     FORM_SWITCH,
     {"prev_pid", "prev_prio", "prev_state", "next_pid", "next_prio", "prev_comm", "next_comm"},
     0},
    {"sched/sched_waking",
     NULL,
     TAC_KERNEL_WAKING,
     FORM_WAKING,
     {"pid", "prio", "target_cpu", "comm"},
     0},
    {"sched/sched_stat_runtime", NULL, TAC_KERNEL_RUNTIME, FORM_TID_A, {"pid", "runtime"}, 0},
    {"mmap_lock/mmap_lock_start_locking", NULL, TAC_KERNEL_MMAP_WAIT, FORM_A, {"write"}, 0},
    {"mmap_lock/mmap_lock_acquire_returned",
     NULL,
     TAC_KERNEL_MMAP_GOT,
     FORM_AB,
     {"write", "success"},
     0},
    {"sched/sched_migrate_task",
     NULL,
     TAC_KERNEL_MIGRATE,
     FORM_MIGRATE,
     {"pid", "orig_cpu", "dest_cpu"},
     0},
    {"task/task_newtask", NULL, TAC_KERNEL_FORK, FORM_AB, {"pid", "clone_flags"}, 0},
    {"sched/sched_process_exit", NULL, TAC_KERNEL_EXIT, FORM_CONSTANT, {0}, 0},
    {"irq/irq_handler_entry", NULL, TAC_KERNEL_IRQ_BEGIN, FORM_A, {"irq"}, 0},
    {"irq/irq_handler_exit", NULL, TAC_KERNEL_IRQ_END, FORM_A, {"irq"}, 0},
    {"irq/softirq_entry", NULL, TAC_KERNEL_SOFTIRQ_BEGIN, FORM_A, {"vec"}, 0},
    {"irq/softirq_exit", NULL, TAC_KERNEL_SOFTIRQ_END, FORM_A, {"vec"}, 0},
    {"irq_vectors/call_function_entry", NULL, TAC_KERNEL_IPI, FORM_CONSTANT, {0}, 2},
    {"irq_vectors/call_function_single_entry", NULL, TAC_KERNEL_IPI, FORM_CONSTANT, {0}, 2},
    {"vmscan/mm_vmscan_direct_reclaim_begin",
     NULL,
     TAC_KERNEL_RECLAIM_BEGIN,
     FORM_CONSTANT,
     {0},
     0},
    {"vmscan/mm_vmscan_direct_reclaim_end", NULL, TAC_KERNEL_RECLAIM_END, FORM_CONSTANT, {0}, 0},
    {"vmscan/mm_vmscan_memcg_reclaim_begin", NULL, TAC_KERNEL_RECLAIM_BEGIN, FORM_CONSTANT, {0}, 0},
    {"vmscan/mm_vmscan_memcg_reclaim_end", NULL, TAC_KERNEL_RECLAIM_END, FORM_CONSTANT, {0}, 0},
    {"compaction/mm_compaction_begin", NULL, TAC_KERNEL_COMPACT_BEGIN, FORM_CONSTANT, {0}, 0},
    {"compaction/mm_compaction_end", NULL, TAC_KERNEL_COMPACT_END, FORM_CONSTANT, {0}, 0},
    {"kmem/mm_page_alloc", "order > 3", TAC_KERNEL_PAGES, FORM_A, {"order"}, 0},
    {"signal/signal_deliver", NULL, TAC_KERNEL_SIGNAL, FORM_A, {"sig"}, 0},
    {"exceptions/page_fault_user", NULL, TAC_KERNEL_FAULT, FORM_AB, {"address", "ip"}, 0},
};
const uint32_t tac_ftrace_kinds_count = sizeof tac_ftrace_kinds / sizeof *tac_ftrace_kinds;

static_assert(sizeof tac_ftrace_kinds / sizeof *tac_ftrace_kinds <= 32, "room in tac_ftrace.field");

/* Find "field:TYPE NAME[N]; offset:O; size:S; signed:G;" for a name. */
static bool find_field(const char *format, const char *name, struct tac_ftrace_field *ret_field)
{
    size_t length = strlen(name);
    for (const char *line = strstr(format, "field:"); line; line = strstr(line + 6, "field:")) {
        const char *end = strchr(line, ';');
        if (!end)
            return false;
        const char *stop = end;
        if (stop[-1] == ']')
            while (stop > line && *stop != '[')
                stop--;
        if ((size_t)(stop - line) <= length || strncmp(stop - length, name, length) != 0 ||
            (stop[-(long)length - 1] != ' ' && stop[-(long)length - 1] != '*'))
            continue;
        return sscanf(end, "; offset:%u; size:%u; signed:%u", &ret_field->offset, &ret_field->bytes,
                      &ret_field->is_signed) == 3;
    }
    return false;
}

int tac_ftrace_learn_page(struct tac_ftrace *f, const char *header_page)
{
    bool good =
        find_field(header_page, "commit", &f->commit) && find_field(header_page, "data", &f->data);
    return good ? 0 : -TAC_E_VERSION;
}

int tac_ftrace_learn_event(struct tac_ftrace *f, uint32_t i, const char *format)
{
    const struct tac_ftrace_kind *kind = &tac_ftrace_kinds[i];
    const char *id = strstr(format, "\nID: ");
    long number = id ? strtol(id + 5, NULL, 10) : -1;
    if (number <= 0 || number >= TAC_FTRACE_IDS)
        return -TAC_E_VERSION;
    if (!find_field(format, "common_flags", &f->flags) ||
        !find_field(format, "common_pid", &f->pid))
        return -TAC_E_VERSION;
    for (int k = 0; k < TAC_FTRACE_FIELDS && kind->field[k]; k++)
        if (!find_field(format, kind->field[k], &f->field[i][k]))
            return -TAC_E_VERSION;
    f->kind_of[number] = (uint8_t)(i + 1);
    return 0;
}

static uint64_t load(const unsigned char *at, uint32_t bytes, bool is_signed)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes > 8 ? 8 : bytes);
    uint32_t shift = bytes < 8 ? 64 - 8 * bytes : 0;
    return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
}

struct event {
    const unsigned char *data;
    size_t bytes;
    const struct tac_ftrace_field *field;
};

static uint64_t get_at(const struct event *e, const struct tac_ftrace_field *field)
{
    if ((size_t)field->offset + field->bytes > e->bytes)
        return 0;
    return load(e->data + field->offset, field->bytes, field->is_signed);
}

static uint64_t get(const struct event *e, int i)
{
    return get_at(e, &e->field[i]);
}

/* Remember a name, and note it as fresh when it is new for this thread. */
static void learn_comm(struct tac_ftrace *f, const struct event *e, uint64_t tid, int i)
{
    const struct tac_ftrace_field *field = &e->field[i];
    if (!tid || field->bytes != sizeof f->comm->name || field->offset + field->bytes > e->bytes)
        return;
    struct tac_format_comm *slot = &f->comm[tid % TAC_FTRACE_COMMS];
    const char *name = (const char *)e->data + field->offset;
    if ((slot->tid == tid && !strncmp(slot->name, name, sizeof slot->name)) ||
        f->fresh_count == TAC_FTRACE_COMMS)
        return;
    slot->tid = (uint32_t)tid;
    strncpy(slot->name, name, sizeof slot->name - 1);
    f->fresh[f->fresh_count++] = *slot;
}

static void fill(struct tac_ftrace *f, const struct tac_ftrace_kind *kind, const struct event *e,
                 struct tac_format_kernel *k)
{
    switch ((enum form)kind->form) {
    case FORM_SWITCH:
        k->tid = (uint32_t)get(e, 0);
        k->a = get(e, 3) << 32 | (uint32_t)get(e, 4);
        k->b = get(e, 2) << 32 | (uint32_t)get(e, 1);
        learn_comm(f, e, get(e, 0), 5);
        learn_comm(f, e, get(e, 3), 6);
        break;
    case FORM_WAKING: {
        uint64_t flags = get_at(e, &f->flags);
        k->a = get(e, 0) << 32 | (uint32_t)get(e, 1);
        k->b = get(e, 2) << 32 | (flags >> 3 & 1 || flags >> 4 & 1); /* HARDIRQ, SOFTIRQ */
        learn_comm(f, e, get(e, 0), 3);
        break;
    }
    case FORM_A:
        k->a = get(e, 0);
        break;
    case FORM_TID_A:
        k->tid = (uint32_t)get(e, 0);
        k->a = get(e, 1);
        break;
    case FORM_AB:
        k->a = get(e, 0);
        k->b = get(e, 1);
        break;
    case FORM_MIGRATE:
        k->a = get(e, 0);
        k->b = get(e, 1) << 32 | (uint32_t)get(e, 2);
        break;
    case FORM_CONSTANT:
        k->a = kind->constant;
        break;
    }
}

static bool decode_event(struct tac_ftrace *f, const unsigned char *data, size_t bytes, uint64_t ns,
                         uint16_t cpu, struct tac_format_kernel *ret_event)
{
    uint16_t id = bytes >= 8 ? (uint16_t)load(data, 2, false) : 0;
    uint8_t kind = id < TAC_FTRACE_IDS ? f->kind_of[id] : 0;
    if (!kind)
        return false;
    struct event e = {data, bytes, f->field[kind - 1]};
    *ret_event = (struct tac_format_kernel){.ns = ns,
                                            .cpu = cpu,
                                            .type = tac_ftrace_kinds[kind - 1].type,
                                            .tid = (uint32_t)get_at(&e, &f->pid)};
    fill(f, &tac_ftrace_kinds[kind - 1], &e, ret_event);
    return true;
}

/* The entry at `at`: its whole length, where its data is, and what it does to the time. */
struct entry {
    size_t length, data, bytes;
};

static bool next_entry(const unsigned char *data, size_t at, size_t end, uint64_t page_ns,
                       uint64_t *time, struct entry *ret_entry)
{
    if (end - at < 4)
        return false;
    uint32_t head = (uint32_t)load(data + at, 4, false), type = head & 31, delta = head >> 5;
    uint32_t array = end - at >= 8 ? (uint32_t)load(data + at + 4, 4, false) : 0;
    struct entry e = {8, 0, 0};
    if (type == 29 && !delta)
        return false; /* the rest of the page is empty */
    if (type == 31)
        *time = ((uint64_t)array << 27) + delta + (page_ns & (~0ull << 59));
    else
        *time += delta + (type == 30 ? (uint64_t)array << 27 : 0);
    if (type == 29) {
        e.length = (size_t)array + 4;
    } else if (type == 0) {
        e = (struct entry){(size_t)array + 4, at + 8, array > 4 ? array - 4 : 0};
    } else if (type <= 28) {
        e = (struct entry){4 + 4 * (size_t)type, at + 4, 4 * (size_t)type};
    }
    e.length = (e.length + 3) & ~(size_t)3;
    *ret_entry = e;
    return e.length >= 4 && e.length <= end - at;
}

uint32_t tac_ftrace_decode(struct tac_ftrace *f, const unsigned char *page, size_t bytes,
                           uint16_t cpu, struct tac_format_kernel *ret_events, uint32_t max,
                           uint64_t *ret_lost)
{
    const uint32_t missed = 1u << 31, stored = 1u << 30;
    if (bytes < f->data.offset || bytes < (size_t)f->commit.offset + f->commit.bytes)
        return 0;
    uint64_t time = load(page, 8, false), page_ns = time, lost = 0;
    uint32_t commit = (uint32_t)load(page + f->commit.offset, 4, false), n = 0;
    const unsigned char *data = page + f->data.offset;
    size_t room = bytes - f->data.offset, end = commit & 0xfffff;
    if (end > room)
        return 0;
    if (commit & missed)
        lost = commit & stored && end + f->commit.bytes <= room
                   ? load(data + end, f->commit.bytes, false)
                   : 1;
    if (lost && max)
        ret_events[n++] = (struct tac_format_kernel){time, TAC_KERNEL_LOST, cpu, 0, lost, 0};
    *ret_lost += lost;
    struct entry e;
    for (size_t at = 0; n < max && next_entry(data, at, end, page_ns, &time, &e); at += e.length)
        if (e.bytes && e.data + e.bytes <= end)
            n += decode_event(f, data + e.data, e.bytes, time, cpu, &ret_events[n]);
    return n;
}
