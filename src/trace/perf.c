/* SPDX-License-Identifier: MIT
 * perf.c - see perf.h. Record layouts: perf_event_open(2), "PERF_RECORD_SWITCH",
 * "PERF_RECORD_SAMPLE".
 *
 * All three events carry the same sample_type, so that a record can be told apart by its identifier
 * and its time is found at a fixed place:
 *   SAMPLE  id, ip, pid/tid, time, addr, cpu            SWITCH, LOST  ... pid/tid, time, cpu, id */
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

enum { PAGES = 16, EVENTS = 3 };

struct tac_perf {
    int fd[EVENTS]; /* switches, minor faults, major faults */
    uint64_t id[EVENTS];
    struct perf_event_mmap_page *page;
    size_t page_bytes;
};

static const uint64_t config[EVENTS] = {PERF_COUNT_SW_DUMMY, PERF_COUNT_SW_PAGE_FAULTS_MIN,
                                        PERF_COUNT_SW_PAGE_FAULTS_MAJ};

static int open_event(uint32_t tid, int which, bool kernel)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = config[which],
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
                       PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU,
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

static int open_all(struct tac_perf *perf, uint32_t tid, bool kernel)
{
    for (int i = 0; i < EVENTS; i++) {
        perf->fd[i] = open_event(tid, i, kernel);
        if (perf->fd[i] < 0)
            return perf->fd[i];
        if (ioctl(perf->fd[i], PERF_EVENT_IOC_ID, &perf->id[i]))
            return -errno;
    }
    perf->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, (PAGES + 1) * perf->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                      perf->fd[0], 0);
    if (page == MAP_FAILED)
        return -errno;
    perf->page = page;
    for (int i = 1; i < EVENTS; i++)
        if (ioctl(perf->fd[i], PERF_EVENT_IOC_SET_OUTPUT, perf->fd[0]))
            return -errno;
    return 0;
}

void tac_perf_close(struct tac_perf *perf)
{
    if (!perf)
        return;
    if (perf->page)
        munmap(perf->page, (PAGES + 1) * perf->page_bytes);
    for (int i = 0; i < EVENTS; i++)
        if (perf->fd[i] >= 0)
            close(perf->fd[i]);
    free(perf);
}

static int try_open(uint32_t tid, bool kernel, struct tac_perf **ret_perf)
{
    struct tac_perf *perf = calloc(1, sizeof *perf);
    if (!perf)
        return -ENOMEM;
    memset(perf->fd, -1, sizeof perf->fd);
    int error = open_all(perf, tid, kernel);
    if (error)
        tac_perf_close(perf);
    else
        *ret_perf = perf;
    return error;
}

int tac_perf_open(uint32_t tid, struct tac_perf **ret_perf)
{
    int error = try_open(tid, true, ret_perf);
    return error == -EACCES || error == -EPERM ? try_open(tid, false, ret_perf) : error;
}

/* The u64 at byte `at` of the ring. Records are multiples of 8 and the ring is a power of two. */
static uint64_t word_at(const struct tac_perf *perf, uint64_t at)
{
    const char *data = (const char *)perf->page + perf->page_bytes;
    uint64_t word;
    memcpy(&word, data + (at & (PAGES * perf->page_bytes - 1)), sizeof word);
    return word;
}

static bool decode_sample(const struct tac_perf *perf, uint64_t at, struct tac_format_kernel *e)
{
    uint64_t id = word_at(perf, at + 8);
    if (id != perf->id[1] && id != perf->id[2])
        return false;
    e->type = id == perf->id[1] ? TAC_KERNEL_FAULT_MINOR : TAC_KERNEL_FAULT_MAJOR;
    e->b = word_at(perf, at + 16);
    e->tid = (uint32_t)(word_at(perf, at + 24) >> 32);
    e->ns = word_at(perf, at + 32);
    e->a = word_at(perf, at + 40);
    e->cpu = (uint16_t)word_at(perf, at + 48);
    return true;
}

static bool decode(const struct tac_perf *perf, uint64_t at, struct tac_format_kernel *e)
{
    uint64_t word = word_at(perf, at);
    uint32_t type = (uint32_t)word, misc = (uint32_t)(word >> 32 & 0xffff);
    uint64_t end = at + (word >> 48);
    *e = (struct tac_format_kernel){.cpu = 0xffff};
    if (type == PERF_RECORD_SAMPLE)
        return decode_sample(perf, at, e);
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
    return true;
}

uint32_t tac_perf_read(struct tac_perf *perf, struct tac_format_kernel *ret_events, uint32_t max)
{
    uint64_t head = __atomic_load_n(&perf->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = perf->page->data_tail;
    uint32_t n = 0;
    while (tail < head && n < max) {
        uint64_t bytes = word_at(perf, tail) >> 48;
        if (bytes < 8)
            break;
        n += decode(perf, tail, &ret_events[n]);
        tail += bytes;
    }
    __atomic_store_n(&perf->page->data_tail, tail, __ATOMIC_RELEASE);
    return n;
}
