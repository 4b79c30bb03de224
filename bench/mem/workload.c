/* SPDX-License-Identifier: MIT
 * workload.c - one allocation workload, for any malloc: bench/mem/peers preloads the allocators.
 *
 * usage: workload NAME [FILE]
 * Prints one line: processor seconds, page faults in the measured part, resident KiB at its begin
 * and at its peak.
 * timer, small, power and exchange time each call alone (counter, fences) and write the ticks of
 * each operation to FILE as 32-bit numbers, so that the minimum over several runs can be taken for
 * each operation: what is left is the allocator, what is gone is the scheduler. The trace is the
 * same in each run. */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static uint32_t sample[400000];
static size_t samples;

void note(size_t i, uint64_t begin)
{
    uint64_t n = ticks() - begin;
    sample[i] = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static const struct {
    const char *name;
    void (*run)(void);
    size_t samples;
} workloads[] = {
    {"timer", run_timer, 100000},
    {"small", run_small, 300000},
    {"power", run_power, 80000},
    {"exchange", run_exchange, 400000},
    {"simple", run_simple, 0},
    {"algebra", run_algebra, 0},
    {"minimize", run_minimize, 0},
    {"fragment", run_fragment, 0},
    {"burst", run_burst, 0},
    {"larson", run_larson, 0},
    {"handover", run_handover, 0},
    {"stress", run_stress, 0},
    {"false-active", run_false_active, 0},
    {"false-passive", run_false_passive, 0},
    {"threads", run_threads, 0},
};

static double cpu_seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1e-6;
}

/* VmRSS, or VmHWM: the largest resident size of this program; ru_maxrss would be that of the one
 * that started it. */
static long resident_kib(const char *field)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtol(line + strlen(field), NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

static int run(size_t i, const char *path)
{
    struct rusage before, after;
    samples = workloads[i].samples;
    memset(sample, 1, sizeof sample);
    free(malloc(1)); /* opening the heap is not what is measured */
    long begin_kib = resident_kib("VmRSS:");
    getrusage(RUSAGE_SELF, &before);
    workloads[i].run();
    getrusage(RUSAGE_SELF, &after);
    printf("%.4f %ld %ld %ld\n", cpu_seconds(&after) - cpu_seconds(&before),
           after.ru_minflt - before.ru_minflt, begin_kib, resident_kib("VmHWM:"));
    FILE *file = path ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(sample, sizeof *sample, samples, file);
        fclose(file);
    }
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, argv[1]) == 0)
            return run(i, argc > 2 ? argv[2] : NULL);
    fprintf(stderr, "usage: workload NAME [FILE], NAME one of");
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        fprintf(stderr, " %s", workloads[i].name);
    fprintf(stderr, "\n");
    return 2;
}
