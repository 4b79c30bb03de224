/* SPDX-License-Identifier: MIT
 * bench_clock.c - do events of the program and of the kernel stand on one clock?
 *
 * A thread makes zones without end and is pre-empted by another on its CPU; the kernel's account of
 * it (perf_event_open, and with root the tracefs tier) says when it was off the CPU. A thread can
 * emit nothing while it is off: every zone event inside such an interval is an order violation, by
 * as much as it lies inside. Page faults bracketed by two zone edges are looked for between them as
 * well. Prints counts and the worst violation for each tier, and fails when one is larger than a
 * microsecond; that does not depend on how busy the machine is, so it is a test as well. usage:
 * bench_clock [EVENTS] */
#include "base/clock.h"
#include "capture/capture.h"
#include "capture/kernel.h"
#include "tactus/trace.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char path[64];
static _Atomic bool done;
static uint64_t events_wanted = 1000000;
static uint32_t traced_tid;

enum { FAULTS_EVERY = 2000, NAP_EVERY = 5000, LIMIT_NS = 1000 };

static void pin(void)
{
    cpu_set_t cpu;
    CPU_ZERO(&cpu);
    CPU_SET(0, &cpu);
    pthread_setaffinity_np(pthread_self(), sizeof cpu, &cpu);
}

/* Takes the CPU away for a moment, again and again. */
static void *disturb(void *unused)
{
    pin();
    while (!atomic_load(&done)) {
        struct timespec t = {0, 300000};
        nanosleep(&t, NULL);
        uint64_t until = tac_clock_ns() + 50000;
        while (tac_clock_ns() < until)
            ;
    }
    return unused;
}

static void one_zone(void)
{
    TAC_ZONE("work");
    for (volatile int i = 0; i < 20; i++)
        ;
}

static void one_fault(void)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    {
        TAC_ZONE("touch");
        TAC_ZONE_VALUE((uint64_t)(uintptr_t)page);
        *(volatile char *)page = 1;
    }
    munmap(page, 4096);
}

static void *emit(void *unused)
{
    pin();
    traced_tid = (uint32_t)syscall(SYS_gettid);
    if (tac_thread_register("traced", 1 << 17))
        return unused;
    for (uint64_t i = 0; i < events_wanted / 2; i++) {
        one_zone();
        if (i % FAULTS_EVERY == 0)
            one_fault();
        if (i % NAP_EVERY == 0)
            tac_clock_sleep_until(tac_clock_ns() + 1000000);
    }
    return unused;
}

static int record(void)
{
    struct tac_trace_config config = {.path = path, .drain_ms = 1, .evidence = TAC_EVIDENCE_PERF};
    struct tac_kernel *kernel = NULL;
    struct tac_error err = {0};
    pthread_t a, b;
    unlink(path);
    if (tac_trace_start(&config))
        return 1;
    if (tac_kernel_start(&(struct tac_kernel_config){.path = path}, &err, &kernel))
        printf("# %s\n", err.text);
    if (pthread_create(&b, NULL, disturb, NULL) || pthread_create(&a, NULL, emit, NULL))
        return 1;
    pthread_join(a, NULL);
    atomic_store(&done, true);
    pthread_join(b, NULL);
    return tac_kernel_stop(kernel, NULL) < 0 || tac_trace_stop() < 0;
}

struct result {
    uint64_t intervals, off_ns, edges, violations, worst_ns;
};

/* Zone edges of the traced thread, in order. */
static uint64_t *list_edges(const struct tac_capture *c, size_t *ret_count)
{
    uint64_t *edge = malloc((2 * c->zones_count + 1) * sizeof *edge);
    size_t n = 0;
    for (size_t i = 0; edge && i < c->zones_count; i++)
        if (c->threads[c->zones[i].thread].tid == traced_tid) {
            edge[n++] = c->zones[i].begin_ns;
            edge[n++] = c->zones[i].end_ns;
        }
    *ret_count = n;
    return edge;
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_interval(struct result *r, const uint64_t *edge, size_t count, uint64_t from,
                           uint64_t to)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (edge[mid] <= from)
            low = mid + 1;
        else
            high = mid;
    }
    r->intervals++;
    r->off_ns += to - from;
    for (; low < count && edge[low] < to; low++) {
        uint64_t in = edge[low] - from < to - edge[low] ? edge[low] - from : to - edge[low];
        r->violations++;
        r->worst_ns = in > r->worst_ns ? in : r->worst_ns;
    }
}

/* 1 leaves, 2 comes, 0 neither: by the tier's kind of events. */
static int moves(const struct tac_capture_kernel *e, bool tracefs)
{
    if (tracefs)
        return e->type != TAC_KERNEL_SWITCH ? 0
               : e->tid == traced_tid       ? 1
               : e->a >> 32 == traced_tid   ? 2
                                            : 0;
    return e->tid != traced_tid        ? 0
           : e->type == TAC_KERNEL_OUT ? 1
           : e->type == TAC_KERNEL_IN  ? 2
                                       : 0;
}

static bool check_tier(const struct tac_capture *c, const char *name, bool tracefs)
{
    struct result r = {0};
    size_t count;
    uint64_t *edge = list_edges(c, &count), left = 0;
    if (!edge)
        return false;
    qsort(edge, count, sizeof *edge, by_time);
    r.edges = count;
    for (size_t i = 0; i < c->kernel_count; i++) {
        int move = moves(&c->kernel[i], tracefs);
        if (move == 1)
            left = c->kernel[i].ns;
        if (move == 2 && left)
            check_interval(&r, edge, count, left, c->kernel[i].ns);
        left = move == 2 ? 0 : left;
    }
    printf("%-8s %llu zone events, %llu times off the CPU (%.1f ms): %llu order violations, worst "
           "%llu ns\n",
           name, (unsigned long long)r.edges, (unsigned long long)r.intervals,
           (double)r.off_ns / 1e6, (unsigned long long)r.violations,
           (unsigned long long)r.worst_ns);
    free(edge);
    return r.worst_ns <= LIMIT_NS;
}

static void check_faults(const struct tac_capture *c)
{
    uint64_t zones = 0, inside = 0;
    for (size_t i = 0; i < c->zones_count; i++) {
        const struct tac_capture_zone *z = &c->zones[i];
        if (strcmp(c->sites[z->site].name, "touch") != 0)
            continue;
        zones++;
        for (size_t k = TAC_CAPTURE_LOWER(c, kernel, ns, z->begin_ns);
             k < c->kernel_count && c->kernel[k].ns <= z->end_ns; k++)
            if (c->kernel[k].type == TAC_KERNEL_FAULT_MINOR && c->kernel[k].a == z->value) {
                inside++;
                break;
            }
    }
    printf("faults   %llu of %llu first touches inside their zones\n", (unsigned long long)inside,
           (unsigned long long)zones);
}

int main(int argc, char **argv)
{
    struct tac_capture *c;
    snprintf(path, sizeof path, "/tmp/tactus-bench-clock-%d.tac", (int)getpid());
    events_wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : events_wanted;
    if (record() || tac_capture_open(path, NULL, &c))
        return 1;
    const char *source = tac_capture_meta(c, "clocksource");
    printf("clock    %s, counter %.3f MHz, problems %x, %zu gaps\n", source ? source : "?",
           c->counter_hz / 1e6, c->problems, c->gaps_count);
    bool good = check_tier(c, "perf", false);
    good = check_tier(c, "tracefs", true) && good;
    check_faults(c);
    tac_capture_close(c);
    unlink(path);
    return !good;
}
