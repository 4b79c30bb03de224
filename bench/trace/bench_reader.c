/* SPDX-License-Identifier: MIT
 * bench_reader.c - how fast a recording of many zones is written, opened, and what it takes on
 * disk.
 *
 * usage: bench_reader [EVENTS [FILE [THREADS]]]. Records zones of a few hundred nanoseconds in
 * bursts that the rings hold, so nothing is lost, then opens the file three times, builds the
 * summaries for pictures, asks for pictures of 1 920 pixels, and exports; prints the best times. */
#include "base/clock.h"
#include "capture/capture.h"
#include "capture/export.h"
#include "capture/lod.h"
#include "tactus/trace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void burst(void)
{
    TAC_ZONE("cycle");
    for (int i = 0; i < 49; i++) {
        TAC_ZONE("node");
        for (volatile int k = 0; k < 20 + i; k++)
            ;
    }
}

struct share {
    uint64_t events;
    int failed;
};

static void *work(void *arg)
{
    struct share *s = arg;
    s->failed = tac_thread_register("bench", 1 << 16);
    for (uint64_t n = 0; n < s->events; n += 100) {
        burst();
        if (n % 20000 == 0)
            tac_clock_sleep_until(tac_clock_ns() + 3000000);
    }
    return NULL;
}

static int record(const char *path, uint64_t events, int threads)
{
    struct tac_trace_config config = {.path = path, .drain_ms = 1};
    struct share share = {events / (uint64_t)threads, 0};
    pthread_t id[64];
    if (tac_trace_start(&config))
        return 1;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&id[i], NULL, work, &share))
            return 1;
    for (int i = 0; i < threads; i++)
        pthread_join(id[i], NULL);
    struct tac_trace_stats s;
    tac_trace_get_stats(&s);
    printf("dropped events      %llu\n", (unsigned long long)s.dropped);
    return tac_trace_stop() < 0 || share.failed;
}

/* Pictures of all, and of ever smaller parts. */
static void ask(const struct tac_capture *c, const struct tac_lod *l)
{
    static struct tac_lod_span spans[4096];
    for (uint64_t part = 1; part <= 4096; part *= 16) {
        uint64_t span = (c->end_ns - c->begin_ns) / part, best = UINT64_MAX;
        size_t n = 0;
        for (int i = 0; i < 5; i++) {
            uint64_t from = c->begin_ns + (part > 1 ? span : 0), begin = tac_clock_ns();
            n = tac_lod_spans(l, TAC_LOD_ZONES, 0, 1, from, from + span, 1920, spans, 4096);
            uint64_t took = tac_clock_ns() - begin;
            best = took < best ? took : best;
        }
        printf("picture of 1/%-4llu   %.3f ms, %zu spans\n", (unsigned long long)part,
               (double)best / 1e6, n);
    }
}

static int export(const char *path, const char *format)
{
    uint64_t begin = tac_clock_ns();
    if (tac_export_file(tac_export_named(format), path, "/dev/null", NULL, NULL, NULL))
        return 1;
    printf("export to %-9s %.2f s\n", format, (double)(tac_clock_ns() - begin) / 1e9);
    return 0;
}

static long resident_kib(void)
{
    long pages = 0, all;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%ld %ld", &all, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000, best = UINT64_MAX;
    const char *path = argc > 2 ? argv[2] : "/tmp/tactus-bench-reader.tac";
    int threads = argc > 3 ? atoi(argv[3]) : 1;
    if (threads < 1 || threads > 64 || record(path, events, threads) || export(path, "perfetto") ||
        export(path, "fxt") || export(path, "csv"))
        return 1;
    double count = 0, bytes = 0, memory = 0;
    for (int i = 0; i < 3; i++) {
        struct tac_capture *c;
        long before = resident_kib();
        uint64_t begin = tac_clock_ns();
        if (tac_capture_open(path, NULL, &c))
            return 1;
        uint64_t took = tac_clock_ns() - begin;
        best = took < best ? took : best;
        count = 0;
        for (size_t k = 0; k < c->threads_count; k++)
            count += (double)c->threads[k].stored;
        bytes = (double)c->bytes;
        memory = i ? memory : (double)(resident_kib() - before) * 1024;
        struct tac_lod *l;
        begin = tac_clock_ns();
        if (i == 2 && tac_lod_open(c, &l) == 0) {
            printf("summaries           %.3f s, %.1f bytes an event\n",
                   (double)(tac_clock_ns() - begin) / 1e9, (double)tac_lod_bytes(l) / count);
            ask(c, l);
            tac_lod_close(l);
        }
        tac_capture_close(c);
    }
    printf("events              %.0f\n", count);
    printf("bytes an event      %.2f on disk, %.1f in memory when open\n", bytes / count,
           memory / count);
    printf("open                %.3f s, %.2f s for 10 million events\n", (double)best / 1e9,
           (double)best / count / 100);
    if (argc <= 2)
        unlink(path);
    return 0;
}
