/* SPDX-License-Identifier: MIT
 * bench_reader.c - how fast a recording of many zones is written, opened, and what it takes on
 * disk.
 *
 * usage: bench_reader [EVENTS [FILE]]. Records zones of a few hundred nanoseconds in bursts that
 * the ring holds, so nothing is lost, then opens the file three times and prints the best time. */
#include "base/clock.h"
#include "capture/capture.h"
#include "tactus/trace.h"

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

static int record(const char *path, uint64_t events)
{
    struct tac_trace_config config = {.path = path, .drain_ms = 1};
    if (tac_thread_register("bench", 1 << 18) || tac_trace_start(&config))
        return 1;
    for (uint64_t n = 0; n < events; n += 100) {
        burst();
        if (n % 100000 == 0)
            tac_clock_sleep_until(tac_clock_ns() + 8000000);
    }
    struct tac_trace_stats s;
    tac_trace_get_stats(&s);
    printf("dropped events      %llu\n", (unsigned long long)s.dropped);
    return tac_trace_stop() < 0;
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
    if (record(path, events))
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
        count = (double)c->threads[0].stored;
        bytes = (double)c->bytes;
        memory = i ? memory : (double)(resident_kib() - before) * 1024;
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
