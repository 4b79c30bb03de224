/* SPDX-License-Identifier: MIT
 * bench_zone.c - what a zone costs the traced thread, in the loops of zone_loops.h.
 *
 * usage: bench_zone [MODE...], all when none is given:
 *   off      compiled in, no session            armed    flight recorder, nothing written
 *   demand   armed for tactus capture --socket, nobody connected
 *   on       recording to /dev/null             kernel   single zones, with the whole machine's
 *                                                        kernel events and the own thread's
 * captured "flat" in mode on uses a ring that holds a batch, because the question is the cost of a
 * zone, not of a drop; drops are printed. bench/trace/zones runs this beside the peers. */
#include "capture/kernel.h"
#include "tactus/trace.h"

#define BENCH_ZONE TAC_ZONE("bench")
#include "zone_loops.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { BURST_RECORDS = 16384, FLAT_RECORDS = 1 << 20 };

static uint64_t dropped(void)
{
    struct tac_trace_stats s;
    tac_trace_get_stats(&s);
    return s.dropped;
}

/* The helper inherits the affinity: it gets all CPUs, the measuring thread one. */
static int begin(struct tac_trace_config config)
{
    config.path = "/dev/null";
    zone_unpin();
    int error = tac_trace_start(&config);
    zone_pin();
    if (error)
        fprintf(stderr, "bench_zone: %s\n", tac_error_sentence(error));
    return error;
}

static void end(const char *name)
{
    uint64_t lost = dropped();
    if (lost)
        printf("%-12s %-8s %9llu\n", name, "dropped", (unsigned long long)lost);
    (void)!tac_trace_stop();
}

/* A thread of its own, so that each mode begins with a thread that is new to the recorder. */
static void *measure_on(void *unused)
{
    if (tac_thread_register("bench", BURST_RECORDS) ||
        begin((struct tac_trace_config){.drain_ms = 1}))
        return unused;
    zone_first("on");
    zone_batches("on", "burst", BURST, 20);
    zone_single("on");
    end("on");
    return unused;
}

static void *measure_flat(void *unused)
{
    if (tac_thread_register("bench", FLAT_RECORDS) ||
        begin((struct tac_trace_config){.drain_ms = 1}))
        return unused;
    zone_batches("on", "flat", FLAT, 50);
    zone_floor("on");
    end("on");
    return unused;
}

static void *measure_armed(void *unused)
{
    if (tac_thread_register("bench", BURST_RECORDS) ||
        begin((struct tac_trace_config){.flight_s = 5}))
        return unused;
    zone_batches("armed", "burst", BURST, 20);
    end("armed");
    return unused;
}

static void *measure_demand(void *unused)
{
    struct tac_trace_config config = {.path = "listen:unix:@tactus-bench-zone"};
    if (tac_thread_register("bench", BURST_RECORDS) || tac_trace_start(&config))
        return unused;
    zone_pin();
    zone_batches("demand", "flat", FLAT, 0);
    (void)!tac_trace_stop();
    return unused;
}

static void *measure_kernel(void *unused)
{
    struct tac_kernel_config config = {.path = "/tmp/tactus-bench-zone.tac"};
    struct tac_kernel *kernel = NULL;
    struct tac_error err = {0};
    zone_unpin();
    if (tac_kernel_start(&config, &err, &kernel))
        printf("# %s\n", err.text);
    if (!tac_thread_register("bench", BURST_RECORDS) &&
        !begin((struct tac_trace_config){.drain_ms = 1, .evidence = TAC_EVIDENCE_PERF})) {
        zone_single("kernel");
        end("kernel");
    }
    (void)!tac_kernel_stop(kernel, NULL);
    unlink(config.path);
    return unused;
}

static void *measure_off(void *unused)
{
    zone_pin();
    zone_batches("off", "flat", FLAT, 0);
    return unused;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void *(*run)(void *);
    } mode[] = {{"off", measure_off},     {"on", measure_on},         {"on", measure_flat},
                {"armed", measure_armed}, {"demand", measure_demand}, {"kernel", measure_kernel}};
    zone_calibrate();
    for (size_t i = 0; i < sizeof mode / sizeof *mode; i++) {
        int wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            wanted |= !strcmp(argv[k], mode[i].name);
        pthread_t thread;
        if (wanted && !pthread_create(&thread, NULL, mode[i].run, NULL))
            pthread_join(thread, NULL);
    }
    return 0;
}
