/* SPDX-License-Identifier: MIT
 * perf_switches.c - see perf_switches.h. Layouts: perf_event_open(2). */
#include "perf_switches.h"

#include "capture/tracefs.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CPUS_MAX = 64, KINDS = 2, PAGES = 256, PAUSE_US = 10000 };

struct ring {
    int fd;
    struct perf_event_mmap_page *page;
};

struct perf_switches {
    struct ring ring[CPUS_MAX][KINDS];
    int cpus;
    size_t page_bytes;
    pthread_t thread;
    _Atomic bool stopping;
    uint64_t records, lost;
    unsigned char copy[65536];
};

static long tracepoint(int root, const char *name)
{
    char path[64], text[32];
    snprintf(path, sizeof path, "events/sched/%s/id", name);
    return tac_tracefs_read(root, path, text, sizeof text) > 0 ? strtol(text, NULL, 10) : -1;
}

static int open_ring(struct perf_switches *p, struct ring *r, long id, int cpu)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_TRACEPOINT,
        .size = sizeof attr,
        .config = (uint64_t)id,
        .sample_period = 1,
        .sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .watermark = 1,
        .wakeup_watermark = UINT32_MAX,
    };
    r->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (r->fd < 0)
        return -errno;
    void *map =
        mmap(NULL, (PAGES + 1) * p->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    r->page = map;
    return 0;
}

static void read_ring(struct perf_switches *p, struct ring *r)
{
    const char *data = (const char *)r->page + p->page_bytes;
    const uint64_t mask = PAGES * p->page_bytes - 1;
    uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE),
             tail = r->page->data_tail;
    while (tail < head) {
        struct perf_event_header h;
        memcpy(&h, data + (tail & mask), sizeof h); /* records are multiples of 8, as is the end */
        for (uint64_t i = 0; i < h.size; i += 8)
            memcpy(p->copy + i, data + ((tail + i) & mask), 8);
        uint64_t lost;
        memcpy(&lost, p->copy + 16, sizeof lost);
        p->records += h.type == PERF_RECORD_SAMPLE;
        p->lost += h.type == PERF_RECORD_LOST ? lost : 0;
        tail += h.size;
    }
    __atomic_store_n(&r->page->data_tail, tail, __ATOMIC_RELEASE);
}

static void read_all(struct perf_switches *p)
{
    for (int cpu = 0; cpu < p->cpus; cpu++)
        for (int k = 0; k < KINDS; k++)
            read_ring(p, &p->ring[cpu][k]);
}

static void *run(void *arg)
{
    struct perf_switches *p = arg;
    while (!atomic_load(&p->stopping)) {
        read_all(p);
        usleep(PAUSE_US);
    }
    return NULL;
}

static int open_all(struct perf_switches *p)
{
    int root = tac_tracefs_open(), error = 0;
    if (root < 0)
        return root;
    long id[KINDS] = {tracepoint(root, "sched_switch"), tracepoint(root, "sched_waking")};
    close(root);
    for (int cpu = 0; cpu < p->cpus && !error; cpu++)
        for (int k = 0; k < KINDS && !error; k++)
            error = open_ring(p, &p->ring[cpu][k], id[k], cpu);
    return error;
}

static void discard(struct perf_switches *p)
{
    for (int cpu = 0; cpu < CPUS_MAX; cpu++)
        for (int k = 0; k < KINDS; k++) {
            if (p->ring[cpu][k].page)
                munmap(p->ring[cpu][k].page, (PAGES + 1) * p->page_bytes);
            if (p->ring[cpu][k].fd > 0)
                close(p->ring[cpu][k].fd);
        }
    free(p);
}

int perf_switches_start(struct perf_switches **ret_perf)
{
    struct perf_switches *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    p->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    p->cpus = p->cpus > CPUS_MAX ? CPUS_MAX : p->cpus;
    int error = open_all(p);
    error = error ? error : -pthread_create(&p->thread, NULL, run, p);
    if (error)
        discard(p);
    else
        *ret_perf = p;
    return error;
}

void perf_switches_stop(struct perf_switches *p, uint64_t *ret_records, uint64_t *ret_lost)
{
    atomic_store(&p->stopping, true);
    pthread_join(p->thread, NULL);
    for (int cpu = 0; cpu < p->cpus; cpu++)
        for (int k = 0; k < KINDS; k++)
            ioctl(p->ring[cpu][k].fd, PERF_EVENT_IOC_DISABLE, 0);
    read_all(p);
    *ret_records = p->records;
    *ret_lost = p->lost;
    discard(p);
}
