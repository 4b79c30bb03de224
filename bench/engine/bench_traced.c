/* SPDX-License-Identifier: MIT
 * bench_traced.c - what it costs the audio thread that a session records the engine.
 *
 * usage: bench_traced [rounds]. One engine for each load; in each round every kind of session takes
 * its turn: none, tasks and plots alone, nodes too. Printed: CPU time of a slice of 64 frames of
 * the audio thread, least over the rounds, what that is more than without, and ns for each event
 * that was stored. The recording goes to /dev/null. */
#include "base/clock.h"
#include "tactus/engine.h"
#include "tactus/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLICE = 64, SLICES = 1000, PAUSE_EVERY = 20, KINDS = 3 };

static const char *const kind_name[KINDS] = {"none", "tasks", "nodes"};
static const uint32_t kind_mask[KINDS] = {0, 1u << TAC_CAT_TASK | 1u << TAC_CAT_PLOT,
                                          1u << TAC_CAT_TASK | 1u << TAC_CAT_PLOT |
                                              1u << TAC_CAT_NODE};
static char text[1 << 20];

static struct tac_engine *load(void)
{
    struct tac_engine *e;
    struct tac_error err = {0};
    struct tac_engine_config config = {.no_shed = 1};
    if (tac_engine_new(&config, &e) < 0 ||
        tac_engine_load_text(e, text, strlen(text), "bench", NULL, &err) < 0) {
        fprintf(stderr, "%u: %s\n", err.line, err.text);
        exit(1);
    }
    return e;
}

/* Pauses let the recorder's helper empty the ring, as it does where cycles have their rhythm. */
static double turn(struct tac_engine *e, uint32_t mask, double *ret_events)
{
    static float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    struct tac_trace_stats stats = {0};
    struct tac_trace_config config = {.fd = open("/dev/null", O_WRONLY), .categories = mask};
    uint64_t took = 0;
    if (mask && tac_trace_start(&config) < 0)
        exit(1);
    for (int i = 0; i < SLICES; i++) {
        if (i % PAUSE_EVERY == 0)
            tac_clock_sleep_until(tac_clock_ns() + 8000000);
        uint64_t begin = tac_clock_thread_cpu_ns();
        tac_engine_process(e, NULL, out, SLICE);
        took += tac_clock_thread_cpu_ns() - begin;
    }
    tac_trace_get_stats(&stats);
    if (mask && (tac_trace_stop() < 0 || stats.dropped))
        printf("%llu events were dropped\n", (unsigned long long)stats.dropped);
    close(config.fd);
    *ret_events = mask ? (double)stats.stored / SLICES : 0;
    return (double)took / SLICES;
}

static void compare(const char *name, int rounds)
{
    struct tac_engine *e = load();
    double least[KINDS] = {0}, events[KINDS];
    for (int note = 0; note < 128 && strstr(text, "voices:"); note++)
        for (int i = 0; i < 2; i++)
            if (tac_engine_note(e, NULL, 36 + (float)note * 0.3f, 0.8f, 0) < 0)
                exit(1);
    for (int round = 0; round < rounds; round++)
        for (int k = 0; k < KINDS; k++) {
            double ns = turn(e, kind_mask[k], &events[k]);
            least[k] = round && least[k] < ns ? least[k] : ns;
        }
    for (int k = 0; k < KINDS; k++)
        printf("%-8s %-6s %9.0f ns  %+8.0f ns  %6.1f events  %5.1f ns an event\n", name,
               kind_name[k], least[k], least[k] - least[0], events[k],
               events[k] > 0 ? (least[k] - least[0]) / events[k] : 0);
    tac_engine_free(e);
}

static void chain(unsigned count)
{
    char *at = text + sprintf(text, "nodes:\n  n: {block: noise, level: 1 %%}\n");
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "  g%u: {block: gain}\n", i);
    at += sprintf(at, "cables:\n  - n -> g0\n");
    for (unsigned i = 1; i < count; i++)
        at += sprintf(at, "  - g%u -> g%u\n", i - 1, i);
    sprintf(at, "  - g%u -> output\n", count - 1);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 3;
    tac_thread_register("audio", 1u << 17);
    snprintf(text, sizeof text,
             "voices:\n  v:\n    count: 256\n    nodes:\n"
             "      osc: {block: saw, frequency: 8.1758 Hz}\n"
             "      f: {block: svf, cutoff: 900 Hz, resonance: 30 %%}\n"
             "      env: {block: adsr}\n      vca: {block: gain, level: -30 dB}\n"
             "    cables:\n      - v.pitch -> osc.pitch\n      - v.gate -> env\n"
             "      - osc -> f -> vca.in\n      - env.out -> vca.control\n"
             "      - vca -> output\n");
    compare("voice12", rounds);
    chain(1000);
    compare("tchain", rounds);
    return 0;
}
