/* SPDX-License-Identifier: MIT
 * ftrace.c - see ftrace.h. libtraceevent's kbuffer trusts the page, which is the kernel's; how far
 * one may read is checked here all the same. */
#include "capture/ftrace.h"

#include "capture/clockmap.h"
#include "capture/kernel.h"
#include "tactus/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <traceevent/event-parse.h>
#include <traceevent/kbuffer.h>

enum { FIELDS = 7, IDS = 4096, KINDS_MAX = 48, NONE = 0, STACK = 255, PAGE_MIN = 32 };

/* How the wanted fields (0, 1, ...) become tid, a and b. */
enum form {
    FORM_SWITCH,   /* prev_pid prev_prio prev_state next_pid next_prio prev_comm next_comm */
    FORM_WAKING,   /* pid prio target_cpu comm */
    FORM_A,        /* a = field 0 */
    FORM_TID_A,    /* tid = field 0, a = field 1 */
    FORM_AB,       /* a = field 0, b = field 1 */
    FORM_HALVES,   /* a = field 0 << 32 | field 1, b = field 2 */
    FORM_MIGRATE,  /* pid orig_cpu dest_cpu */
    FORM_CONSTANT, /* a = constant */
};

#define K(path, type, form, ...)                                                                   \
    {                                                                                              \
        path, NULL, 0, TAC_KERNEL_##type, FORM_##form, {__VA_ARGS__}, 0                            \
    }
#define WANTED(want, path, type, form, ...)                                                        \
    {                                                                                              \
        path, NULL, TAC_KERNEL_WANT_##want, TAC_KERNEL_##type, FORM_##form, {__VA_ARGS__}, 0       \
    }

const struct tac_ftrace_kind tac_ftrace_kinds[] = {
    K("sched/sched_switch", SWITCH, SWITCH, "prev_pid", "prev_prio", "prev_state", "next_pid",
      "next_prio", "prev_comm", "next_comm"),
    K("sched/sched_waking", WAKING, WAKING, "pid", "prio", "target_cpu", "comm"),
    K("sched/sched_stat_runtime", RUNTIME, TID_A, "pid", "runtime"),
    K("sched/sched_migrate_task", MIGRATE, MIGRATE, "pid", "orig_cpu", "dest_cpu"),
    K("task/task_newtask", FORK, AB, "pid", "clone_flags"),
    K("sched/sched_process_exit", EXIT, CONSTANT, NULL),
    K("sched/sched_process_exec", EXEC, CONSTANT, NULL),
    K("sched/sched_pi_setprio", PRIORITY, HALVES, "pid", "newprio", "oldprio"),
    K("irq/irq_handler_entry", IRQ_BEGIN, A, "irq"),
    K("irq/irq_handler_exit", IRQ_END, A, "irq"),
    K("irq/softirq_entry", SOFTIRQ_BEGIN, A, "vec"),
    K("irq/softirq_exit", SOFTIRQ_END, A, "vec"),
    {"irq_vectors/call_function_entry", NULL, 0, TAC_KERNEL_IPI, FORM_CONSTANT, {0}, 2},
    {"irq_vectors/call_function_single_entry", NULL, 0, TAC_KERNEL_IPI, FORM_CONSTANT, {0}, 2},
    K("vmscan/mm_vmscan_direct_reclaim_begin", RECLAIM_BEGIN, CONSTANT, NULL),
    K("vmscan/mm_vmscan_direct_reclaim_end", RECLAIM_END, CONSTANT, NULL),
    K("vmscan/mm_vmscan_memcg_reclaim_begin", RECLAIM_BEGIN, CONSTANT, NULL),
    K("vmscan/mm_vmscan_memcg_reclaim_end", RECLAIM_END, CONSTANT, NULL),
    K("vmscan/mm_vmscan_wakeup_kswapd", KSWAPD, HALVES, "nid", "order", "zid"),
    K("compaction/mm_compaction_begin", COMPACT_BEGIN, CONSTANT, NULL),
    K("compaction/mm_compaction_end", COMPACT_END, CONSTANT, NULL),
    {"kmem/mm_page_alloc", "order > 3", 0, TAC_KERNEL_PAGES, FORM_A, {"order"}, 0},
    K("signal/signal_deliver", SIGNAL, A, "sig"),
    K("mmap_lock/mmap_lock_start_locking", MMAP_WAIT, A, "write"),
    K("mmap_lock/mmap_lock_acquire_returned", MMAP_GOT, AB, "write", "success"),
    WANTED(MMAP_LOCK, "mmap_lock/mmap_lock_released", MMAP_RELEASE, A, "write"),
    {"exceptions/page_fault_user",
     "error_code & 1 && error_code & 2", /* the page is there; it was a write */
     0,
     TAC_KERNEL_FAULT_PROTECTED,
     FORM_AB,
     {"address", "ip"},
     0},
    WANTED(FAULTS, "exceptions/page_fault_user", FAULT, AB, "address", "ip"),
    WANTED(FAULTS, "exceptions/page_fault_kernel", FAULT, AB, "address", "ip"),
    WANTED(BLOCK, "block/block_rq_issue", BLOCK_ISSUE, HALVES, "dev", "bytes", "sector"),
    WANTED(BLOCK, "block/block_rq_complete", BLOCK_DONE, HALVES, "dev", "nr_sector", "sector"),
};
const uint32_t tac_ftrace_kinds_count = sizeof tac_ftrace_kinds / sizeof *tac_ftrace_kinds;

static_assert(sizeof tac_ftrace_kinds / sizeof *tac_ftrace_kinds <= KINDS_MAX, "room for fields");

struct field {
    uint32_t offset, bytes;
    bool is_signed;
};

struct tac_ftrace {
    struct tac_kernel_writer *writer;
    struct tep_handle *tep;
    struct kbuffer *pages;
    struct tac_clockmap *clock; /* NULL: none is needed */
    uint8_t kind_of[IDS];       /* event id -> kind + 1, or STACK */
    struct field field[KINDS_MAX][FIELDS];
    struct field flags, pid, stack_size, stack_caller;
    size_t long_bytes;             /* of the kernel's long */
    size_t page_bytes, data_bytes; /* of a page, and of its events at most */
};

struct tac_ftrace *tac_ftrace_new(struct tac_kernel_writer *writer)
{
    struct tac_ftrace *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->writer = writer;
    f->tep = tep_alloc();
    if (!f->tep) {
        tac_ftrace_free(f);
        return NULL;
    }
    tep_set_loglevel(TEP_LOG_NONE);
    return f;
}

void tac_ftrace_free(struct tac_ftrace *f)
{
    if (!f)
        return;
    tep_free(f->tep);
    if (f->pages)
        kbuffer_free(f->pages);
    free(f);
}

void tac_ftrace_set_clock(struct tac_ftrace *f, struct tac_clockmap *clock)
{
    f->clock = clock;
}

long tac_ftrace_learn_page(struct tac_ftrace *f, const char *header_page)
{
    char *text = strdup(header_page); /* the parser wants it writable */
    int bad = !text || tep_parse_header_page(f->tep, text, strlen(header_page), sizeof(long));
    free(text);
    int bytes = bad ? 0 : tep_get_sub_buffer_size(f->tep);
    int long_bytes = bad ? 0 : tep_get_header_page_size(f->tep);
    int head = bad ? 0 : tep_get_header_timestamp_size(f->tep) + long_bytes;
    if (bytes < PAGE_MIN || head > bytes || (long_bytes != 4 && long_bytes != 8))
        return -TAC_E_VERSION;
    if (f->pages)
        kbuffer_free(f->pages);
    f->pages = kbuffer_alloc(long_bytes == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
                             KBUFFER_ENDIAN_SAME_AS_HOST);
    if (!f->pages)
        return -ENOMEM;
    tep_set_long_size(f->tep, long_bytes);
    f->long_bytes = (size_t)long_bytes;
    f->page_bytes = (size_t)bytes;
    f->data_bytes = (size_t)(bytes - head);
    return bytes;
}

static bool find(struct tep_event *event, const char *name, struct field *ret_field)
{
    struct tep_format_field *f = tep_find_any_field(event, name);
    if (!f || f->offset < 0 || f->size < 0)
        return false;
    *ret_field = (struct field){(uint32_t)f->offset, (uint32_t)f->size,
                                (f->flags & TEP_FIELD_IS_SIGNED) != 0};
    return true;
}

/* The event belongs to the handle. */
static struct tep_event *parse(struct tac_ftrace *f, const char *format)
{
    struct tep_event *event = NULL;
    if (tep_parse_format(f->tep, &event, format, strlen(format), "tactus") || !event)
        return NULL;
    return event->id > 0 && event->id < IDS ? event : NULL;
}

int tac_ftrace_learn_event(struct tac_ftrace *f, uint32_t i, const char *format)
{
    const struct tac_ftrace_kind *kind = &tac_ftrace_kinds[i];
    struct tep_event *event = parse(f, format);
    if (!event)
        return -TAC_E_VERSION;
    bool good = find(event, "common_flags", &f->flags) && find(event, "common_pid", &f->pid);
    for (int k = 0; good && k < FIELDS && kind->field[k]; k++)
        good = find(event, kind->field[k], &f->field[i][k]);
    if (good)
        f->kind_of[event->id] = (uint8_t)(i + 1);
    return good ? 0 : -TAC_E_VERSION;
}

int tac_ftrace_learn_stack(struct tac_ftrace *f, const char *format)
{
    struct tep_event *event = parse(f, format);
    bool good =
        event && find(event, "size", &f->stack_size) && find(event, "caller", &f->stack_caller);
    if (good)
        f->kind_of[event->id] = STACK;
    return good ? 0 : -TAC_E_VERSION;
}

struct event {
    const unsigned char *data;
    size_t bytes;
    const struct field *field;
};

static uint64_t get_at(const struct event *e, const struct field *field)
{
    uint64_t value = 0;
    uint32_t bytes = field->bytes > 8 ? 8 : field->bytes;
    if (!bytes || (size_t)field->offset + bytes > e->bytes)
        return 0;
    memcpy(&value, e->data + field->offset, bytes);
    uint32_t shift = 64 - 8 * bytes;
    return field->is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
}

static uint64_t get(const struct event *e, int i)
{
    return get_at(e, &e->field[i]);
}

/* Names of fixed length alone: newer kernels put some elsewhere, but those of a switch never. */
static void learn_comm(struct tac_ftrace *f, const struct event *e, uint64_t tid, int i)
{
    const struct field *field = &e->field[i];
    if (tid && field->bytes == sizeof((struct tac_format_comm *)0)->name &&
        (size_t)field->offset + field->bytes <= e->bytes)
        tac_kernel_writer_comm(f->writer, (uint32_t)tid, (const char *)e->data + field->offset);
}

static uint64_t halves(uint64_t upper, uint64_t lower)
{
    return upper << 32 | (uint32_t)lower;
}

static void fill(struct tac_ftrace *f, const struct tac_ftrace_kind *kind, const struct event *e,
                 struct tac_format_kernel *k)
{
    switch ((enum form)kind->form) {
    case FORM_SWITCH:
        k->tid = (uint32_t)get(e, 0);
        k->a = halves(get(e, 3), get(e, 4));
        k->b = halves(get(e, 2), get(e, 1));
        learn_comm(f, e, get(e, 0), 5);
        learn_comm(f, e, get(e, 3), 6);
        break;
    case FORM_WAKING: {
        uint64_t flags = get_at(e, &f->flags);
        k->a = halves(get(e, 0), get(e, 1));
        k->b = halves(get(e, 2), flags >> 3 & 1 || flags >> 4 & 1); /* HARDIRQ, SOFTIRQ */
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
    case FORM_HALVES:
        k->a = halves(get(e, 0), get(e, 1));
        k->b = get(e, 2);
        break;
    case FORM_MIGRATE:
        k->a = get(e, 0);
        k->b = halves(get(e, 1), get(e, 2));
        break;
    case FORM_CONSTANT:
        k->a = kind->constant;
        break;
    }
}

/* A program of 32 bits may run on a kernel of 64. */
static uint64_t kernel_long(const struct tac_ftrace *f, const void *at)
{
    uint64_t wide;
    uint32_t narrow;
    memcpy(&narrow, at, sizeof narrow);
    if (f->long_bytes == 4)
        return narrow;
    memcpy(&wide, at, sizeof wide);
    return wide;
}

/* The kernel writes a stack right behind its event on the same CPU, so it belongs to the last. */
static void take_stack(struct tac_ftrace *f, const struct event *e, uint16_t cpu,
                       const struct tac_format_kernel *last)
{
    uint64_t pc[TAC_STACK_MAX], size = get_at(e, &f->stack_size);
    uint32_t n = 0;
    for (size_t at = f->stack_caller.offset;
         n < TAC_STACK_MAX && n < size && at + f->long_bytes <= e->bytes; at += f->long_bytes) {
        uint64_t address = kernel_long(f, e->data + at);
        if (address && address != (f->long_bytes == 8 ? UINT64_MAX : UINT32_MAX)) /* the end */
            pc[n++] = address;
    }
    if (last->ns && n)
        tac_kernel_writer_stack(
            f->writer,
            &(struct tac_format_stack){last->ns, last->tid, cpu, TAC_STACK_KERNEL, (uint8_t)n}, pc);
}

static uint64_t time_of(const struct tac_ftrace *f, uint64_t stamp)
{
    return f->clock ? tac_clockmap_ns(f->clock, stamp) : stamp;
}

static void take_event(struct tac_ftrace *f, const struct event *raw, uint64_t stamp, uint16_t cpu,
                       struct tac_format_kernel *last)
{
    uint16_t id = 0;
    if (raw->bytes >= 8)
        memcpy(&id, raw->data, sizeof id);
    uint8_t kind = id < IDS ? f->kind_of[id] : NONE;
    if (kind == STACK)
        take_stack(f, raw, cpu, last);
    if (kind == STACK || kind == NONE)
        return;
    struct event e = {raw->data, raw->bytes, f->field[kind - 1]};
    *last = (struct tac_format_kernel){.ns = time_of(f, stamp),
                                       .cpu = cpu,
                                       .type = tac_ftrace_kinds[kind - 1].type,
                                       .tid = (uint32_t)get_at(&e, &f->pid)};
    fill(f, &tac_ftrace_kinds[kind - 1], &e, last);
    tac_kernel_writer_event(f->writer, last);
}

/* What was dropped before a page: bit 31 of its `commit` says that something was, bit 30 that the
 * number stands behind the data. Not kbuffer_missed_events(): it forgets when the page begins with
 * a time extension (libtraceevent 1.7). */
static uint64_t lost_before(const struct tac_ftrace *f, const unsigned char *page)
{
    const uint64_t missed = 1u << 31, stored = 1u << 30;
    uint64_t commit = kernel_long(f, page + tep_get_header_timestamp_size(f->tep));
    if (!(commit & missed))
        return 0;
    size_t start = f->page_bytes - f->data_bytes, at = start + (commit & 0xfffff);
    return commit & stored && at + f->long_bytes <= f->page_bytes ? kernel_long(f, page + at) : 1;
}

uint64_t tac_ftrace_decode(struct tac_ftrace *f, unsigned char *page, size_t bytes, uint16_t cpu)
{
    if (!f->page_bytes || bytes != f->page_bytes || kbuffer_load_subbuffer(f->pages, page))
        return 0;
    if (kbuffer_subbuffer_size(f->pages) > (int)f->data_bytes)
        return 0;
    uint64_t lost = lost_before(f, page);
    unsigned long long stamp = kbuffer_timestamp(f->pages);
    struct tac_format_kernel last = {0};
    if (lost)
        tac_kernel_writer_event(
            f->writer,
            &(struct tac_format_kernel){time_of(f, stamp), TAC_KERNEL_LOST, cpu, 0, lost, 0});
    for (unsigned char *data = kbuffer_read_event(f->pages, &stamp); data;
         data = kbuffer_next_event(f->pages, &stamp)) {
        int size = kbuffer_event_size(f->pages);
        if (size < 0 || data < page || (size_t)size > bytes - (size_t)(data - page))
            break;
        take_event(f, &(struct event){data, (size_t)size, NULL}, stamp, cpu, &last);
    }
    return lost;
}

bool tac_ftrace_was_full(const struct tac_ftrace *f)
{
    return (size_t)kbuffer_subbuffer_size(f->pages) * 2 >= f->data_bytes;
}
