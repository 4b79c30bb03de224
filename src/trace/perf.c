/* SPDX-License-Identifier: MIT
 * perf.c - see perf.h. Record layouts: perf_event_open(2), "PERF_RECORD_SWITCH",
 * "PERF_RECORD_SAMPLE".
 *
 * All events carry the same sample_type, so that a record can be told apart by its identifier and
 * its time is found at a fixed place:
 *   SAMPLE  id, ip, pid/tid, time, addr, cpu [, n, n addresses]
 *   SWITCH, LOST  ... pid/tid, time, cpu, id
 * The fourth event, only with stacks, is a sample where the thread leaves its CPU; it comes just
 * before the SWITCH record of the same moment, and its stack waits for that record's time. */
#include "trace/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 16, PAGES_WITH_STACKS = 64, EVENTS = 4, LEAVING = 3 };

struct tac_perf {
    int fd[EVENTS]; /* switches, minor faults, major faults, stacks of switches */
    uint64_t id[EVENTS];
    uint32_t pages; /* of the ring */
    bool stacks;
    uint64_t waiting[TAC_STACK_MAX]; /* the stack of the switch that is still to come */
    uint32_t waiting_count;
    struct perf_event_mmap_page *page;
    size_t page_bytes;
};

static const uint64_t config[EVENTS] = {PERF_COUNT_SW_DUMMY, PERF_COUNT_SW_PAGE_FAULTS_MIN,
                                        PERF_COUNT_SW_PAGE_FAULTS_MAJ,
                                        PERF_COUNT_SW_CONTEXT_SWITCHES};

static int open_event(uint32_t tid, int which, bool kernel, bool stacks)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = config[which],
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
                       PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU |
                       (stacks ? PERF_SAMPLE_CALLCHAIN : 0),
        .exclude_callchain_kernel = 1,
        .sample_max_stack = stacks ? TAC_STACK_MAX : 0,
        .sample_period = 1,
        .sample_id_all = 1,
        .context_switch = which == 0,
        .exclude_kernel = !kernel,
        .exclude_hv = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .watermark = 1, /* the helper polls by time; nobody is to be woken */
        .wakeup_watermark = UINT32_MAX,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static size_t map_bytes(const struct tac_perf *perf)
{
    return (perf->pages + 1) * perf->page_bytes;
}

/* Where the thread leaves its CPU is inside the kernel: without privilege that event stays away. */
static int open_all(struct tac_perf *perf, uint32_t tid, bool kernel)
{
    int events = perf->stacks && kernel ? EVENTS : LEAVING;
    for (int i = 0; i < events; i++) {
        perf->fd[i] = open_event(tid, i, kernel, perf->stacks);
        if (perf->fd[i] < 0)
            return perf->fd[i];
        if (ioctl(perf->fd[i], PERF_EVENT_IOC_ID, &perf->id[i]))
            return -errno;
    }
    perf->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    perf->pages = perf->stacks ? PAGES_WITH_STACKS : PAGES;
    void *page = mmap(NULL, map_bytes(perf), PROT_READ | PROT_WRITE, MAP_SHARED, perf->fd[0], 0);
    if (page == MAP_FAILED)
        return -errno;
    perf->page = page;
    for (int i = 1; i < events; i++)
        if (ioctl(perf->fd[i], PERF_EVENT_IOC_SET_OUTPUT, perf->fd[0]))
            return -errno;
    return 0;
}

void tac_perf_close(struct tac_perf *perf)
{
    if (!perf)
        return;
    if (perf->page)
        munmap(perf->page, map_bytes(perf));
    for (int i = 0; i < EVENTS; i++)
        if (perf->fd[i] >= 0)
            close(perf->fd[i]);
    free(perf);
}

static int try_open(uint32_t tid, bool kernel, bool stacks, struct tac_perf **ret_perf)
{
    struct tac_perf *perf = calloc(1, sizeof *perf);
    if (!perf)
        return -ENOMEM;
    memset(perf->fd, -1, sizeof perf->fd);
    perf->stacks = stacks;
    int error = open_all(perf, tid, kernel);
    if (error)
        tac_perf_close(perf);
    else
        *ret_perf = perf;
    return error;
}

static bool is_refused(int error)
{
    return error == -EACCES || error == -EPERM;
}

/* As much as is permitted: the kernel's side and stacks, then without the one, then the other (the
 * larger ring for stacks counts against a limit of locked memory). */
int tac_perf_open(uint32_t tid, bool stacks, struct tac_perf **ret_perf)
{
    int error = try_open(tid, true, stacks, ret_perf);
    if (is_refused(error))
        error = try_open(tid, false, stacks, ret_perf);
    if (is_refused(error) && stacks)
        error = tac_perf_open(tid, false, ret_perf);
    return error;
}

/* The u64 at byte `at` of the ring. Records are multiples of 8 and the ring is a power of two. */
static uint64_t word_at(const struct tac_perf *perf, uint64_t at)
{
    const char *data = (const char *)perf->page + perf->page_bytes;
    uint64_t word;
    memcpy(&word, data + (at & (perf->pages * perf->page_bytes - 1)), sizeof word);
    return word;
}

/* The addresses behind a sample, without the marks that tell kernel and program apart. */
static uint32_t read_chain(const struct tac_perf *perf, uint64_t at, uint64_t end, uint64_t *ret_pc)
{
    uint64_t n = end - at >= 64 ? word_at(perf, at + 56) : 0;
    uint32_t count = 0;
    for (uint64_t i = 0; i < n && count < TAC_STACK_MAX && at + 64 + 8 * i < end; i++) {
        uint64_t pc = word_at(perf, at + 64 + 8 * i);
        if (pc < (uint64_t)PERF_CONTEXT_MAX)
            ret_pc[count++] = pc;
    }
    return count;
}

static void put_stack(struct tac_perf_batch *b, const struct tac_format_kernel *e,
                      const uint64_t *pc, uint32_t count)
{
    struct tac_format_stack head = {e->ns, e->tid, e->cpu, TAC_STACK_USER, (uint8_t)count};
    if (!count || b->stacks_bytes + sizeof head + count * sizeof *pc > b->stacks_max)
        return;
    memcpy(b->stacks + b->stacks_bytes, &head, sizeof head);
    memcpy(b->stacks + b->stacks_bytes + sizeof head, pc, count * sizeof *pc);
    b->stacks_bytes += (uint32_t)(sizeof head + count * sizeof *pc);
    b->stacks_count++;
}

static bool decode_sample(struct tac_perf *perf, uint64_t at, uint64_t end,
                          struct tac_perf_batch *b, struct tac_format_kernel *e)
{
    uint64_t id = word_at(perf, at + 8), pc[TAC_STACK_MAX];
    if (perf->stacks && id == perf->id[LEAVING])
        perf->waiting_count = read_chain(perf, at, end, perf->waiting);
    if (id != perf->id[1] && id != perf->id[2])
        return false;
    e->type = id == perf->id[1] ? TAC_KERNEL_FAULT_MINOR : TAC_KERNEL_FAULT_MAJOR;
    e->b = word_at(perf, at + 16);
    e->tid = (uint32_t)(word_at(perf, at + 24) >> 32);
    e->ns = word_at(perf, at + 32);
    e->a = word_at(perf, at + 40);
    e->cpu = (uint16_t)word_at(perf, at + 48);
    if (perf->stacks)
        put_stack(b, e, pc, read_chain(perf, at, end, pc));
    return true;
}

static bool decode(struct tac_perf *perf, uint64_t at, struct tac_perf_batch *b,
                   struct tac_format_kernel *e)
{
    uint64_t word = word_at(perf, at);
    uint32_t type = (uint32_t)word, misc = (uint32_t)(word >> 32 & 0xffff);
    uint64_t end = at + (word >> 48);
    *e = (struct tac_format_kernel){.cpu = 0xffff};
    if (type == PERF_RECORD_SAMPLE)
        return decode_sample(perf, at, end, b, e);
    if (type == PERF_RECORD_SWITCH) {
        e->type = misc & PERF_RECORD_MISC_SWITCH_OUT ? TAC_KERNEL_OUT : TAC_KERNEL_IN;
        e->a = misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT ? 1 : 0;
    } else if (type == PERF_RECORD_LOST) {
        e->type = TAC_KERNEL_LOST;
        e->a = word_at(perf, at + 16);
    } else {
        return false;
    }
    e->tid = (uint32_t)(word_at(perf, end - 32) >> 32);
    e->ns = word_at(perf, end - 24);
    e->cpu = (uint16_t)word_at(perf, end - 16);
    if (e->type == TAC_KERNEL_OUT) {
        put_stack(b, e, perf->waiting, perf->waiting_count);
        perf->waiting_count = 0;
    }
    return true;
}

bool tac_perf_read(struct tac_perf *perf, struct tac_perf_batch *b)
{
    uint64_t head = __atomic_load_n(&perf->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = perf->page->data_tail, begin = tail;
    const uint32_t stack = sizeof(struct tac_format_stack) + TAC_STACK_MAX * sizeof(uint64_t);
    b->events_count = b->stacks_bytes = b->stacks_count = 0;
    while (tail < head && b->events_count < b->events_max &&
           b->stacks_bytes + stack <= b->stacks_max) {
        uint64_t bytes = word_at(perf, tail) >> 48;
        if (bytes < 8)
            break;
        b->events_count += decode(perf, tail, b, &b->events[b->events_count]);
        tail += bytes;
    }
    __atomic_store_n(&perf->page->data_tail, tail, __ATOMIC_RELEASE);
    return tail != begin;
}
