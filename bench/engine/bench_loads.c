/* SPDX-License-Identifier: MIT
 * bench_loads.c - the loads that peers are measured with, on our engine: ns per unit per slice of
 * 64 frames, CPU time of one thread, least of several runs; and what building a large plan takes.
 *
 * usage: bench_loads [seconds per run [load]]; TACTUS_ISA=base or avx2 limits the instruction set.
 * One line per load: name, units, ns, units at real time.
 * - sine1: independent sines, summed
 * - voice12: saw -> 12 dB low-pass, cutoff moved every frame by an LFO -> ADSR -> pan -> sum
 * - silent: the same without a note
 * - voice12a: the same with the table-BLEP osc; voice24: with the ladder
 * - fx1: noise -> delay -> 3 bands of an equaliser -> reverb
 * - tchain: gains one after another; tpar: gains that add to one input
 * - blocks: the same work in shorter calls
 * - plan: 5 000 nodes, off-thread, ms: reading the text, and what comes after it; exchange:
 * on-thread */
#include "base/clock.h"
#include "graph/graph.h"
#include "tactus/engine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 5, PLAN_RUNS = 20, SLICE = 64 };

static char text[4 << 20];
static double seconds = 1;
static const char *only;

static struct tac_engine *load(void)
{
    struct tac_engine *e;
    struct tac_error err = {0};
    /* With voices given up in an overload, less would be measured. */
    struct tac_engine_config config = {.no_shed = 1};
    if (tac_engine_new(&config, &e) < 0 ||
        tac_engine_load_text(e, text, strlen(text), "bench", NULL, &err) < 0) {
        fprintf(stderr, "%u: %s\n", err.line, err.text);
        exit(1);
    }
    return e;
}

/* Least CPU time of a slice. */
static double measure(struct tac_engine *e)
{
    static float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    uint64_t slices = (uint64_t)(seconds * 48000 / SLICE), least = UINT64_MAX;
    for (int i = 0; i < 100; i++)
        tac_engine_process(e, NULL, out, SLICE);
    for (int run = 0; run < RUNS; run++) {
        uint64_t begin = tac_clock_thread_cpu_ns();
        for (uint64_t i = 0; i < slices; i++)
            tac_engine_process(e, NULL, out, SLICE);
        uint64_t took = tac_clock_thread_cpu_ns() - begin;
        least = took < least ? took : least;
    }
    return (double)least / (double)slices;
}

/* Least CPU time of 64 frames in calls of `block` frames. */
static double measure_in_blocks(struct tac_engine *e, uint32_t block)
{
    static float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    uint64_t calls = (uint64_t)(seconds * 48000 / block / 4), least = UINT64_MAX;
    for (int run = 0; run < RUNS * 2; run++) {
        uint64_t begin = tac_clock_thread_cpu_ns();
        for (uint64_t i = 0; i < calls; i++)
            tac_engine_process(e, NULL, out, block);
        uint64_t took = tac_clock_thread_cpu_ns() - begin;
        least = took < least ? took : least;
    }
    return (double)least / (double)calls * SLICE / block;
}

/* All voices have a note. */
static void play_notes(struct tac_engine *e, unsigned units)
{
    for (int note = 0; note < 128 && strstr(text, "voices:"); note++)
        for (unsigned i = 0; i < (units + 127) / 128; i++)
            if (tac_engine_note(e, NULL, 36 + (float)note * 0.3f, 0.8f, (uint32_t)i) < 0)
                break;
}

static void blocks(const char *name, unsigned units)
{
    if (only && strcmp(only, "blocks"))
        return;
    struct tac_engine *e = load();
    play_notes(e, units);
    double at_64 = measure_in_blocks(e, 64);
    printf("%-9s %6u units ", name, units);
    for (uint32_t block = 4; block <= 32; block *= 2)
        printf("  block %u: %.2f x", block, measure_in_blocks(e, block) / at_64);
    printf("  of block 64\n");
    tac_engine_free(e);
}

static int smaller(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t time_call(struct tac_engine *e)
{
    float *out[2] = {NULL, NULL};
    uint64_t begin = tac_clock_ns();
    tac_engine_process(e, NULL, out, 0);
    return tac_clock_ns() - begin;
}

static void load_again(struct tac_engine *e)
{
    if (tac_engine_load_text(e, text, strlen(text), "bench", NULL, NULL) < 0)
        exit(1);
}

/* Medians of a call of 0 frames: one that takes a new plan over, one that does not but comes after
 * a plan was built, so that it finds as little in the caches, and one right after another. */
static void exchange(unsigned nodes)
{
    enum { TIMES = 101, KINDS = 3 };
    static uint64_t ns[KINDS][TIMES];
    struct tac_engine *e = load(), *other = load();
    for (int i = 0; i < TIMES; i++) {
        load_again(e);
        ns[0][i] = time_call(e);
        ns[2][i] = time_call(e);
        load_again(other);
        ns[1][i] = time_call(e);
        time_call(other);
    }
    for (int k = 0; k < KINDS; k++)
        qsort(ns[k], TIMES, sizeof *ns[k], smaller);
    printf("exchange %6u nodes  %8llu ns with a new plan, %llu ns without, %llu ns at once again\n",
           nodes, (unsigned long long)ns[0][TIMES / 2], (unsigned long long)ns[1][TIMES / 2],
           (unsigned long long)ns[2][TIMES / 2]);
    tac_engine_free(e);
    tac_engine_free(other);
}

static void report(const char *name, unsigned units)
{
    if (only && strcmp(only, name))
        return;
    struct tac_engine *e = load();
    if (strcmp(name, "silent"))
        play_notes(e, units);
    double ns = measure(e) / units;
    printf("%-9s %6u units  %8.2f ns  %9.0f at real time\n", name, units, ns, 64e9 / 48000 / ns);
    for (uint32_t i = 0; only; i++) {
        struct tac_engine_cost cost;
        if (tac_engine_cost(e, i, &cost) < 0)
            break;
        if (cost.mean_ns > 50)
            printf("  %-8s %-8s %8.1f ns a unit, worst %8.1f\n", cost.node, cost.block,
                   cost.mean_ns / cost.lanes, cost.worst_ns / cost.lanes);
    }
    tac_engine_free(e);
}

static void voices(const char *source, const char *filter, unsigned count)
{
    snprintf(
        text, sizeof text,
        "voices:\n  v:\n    count: %u\n    nodes:\n"
        "      osc: {block: %s, frequency: 8.1758 Hz}\n"
        "      f: {block: %s, cutoff: 900 Hz, resonance: 30 %%}\n"
        "      env: {block: adsr}\n      vca: {block: gain, level: -30 dB}\n"
        "      place: {block: pan}\n"
        "    cables:\n      - v.pitch -> osc.pitch\n      - v.gate -> env\n"
        "      - osc -> f\n      - f.out -> vca.in\n      - env.out -> vca.control\n"
        "      - vca -> place\n      - place.left -> output[1]\n      - place.right -> output[2]\n"
        "nodes:\n  lfo: {block: lfo, rate: 2 Hz, depth: 300}\n"
        "cables:\n  - lfo.out -> f.cutoff\n",
        count, source, filter);
}

static char *add_gains(unsigned count)
{
    char *at = text + sprintf(text, "nodes:\n  n: {block: noise, level: 1 %%}\n");
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "  g%u: {block: gain}\n", i);
    return at + sprintf(at, "cables:\n  - n -> g0\n");
}

static void tiny(bool chain, unsigned count)
{
    char *at = add_gains(count);
    for (unsigned i = 1; i < count; i++)
        at += chain ? sprintf(at, "  - g%u -> g%u\n", i - 1, i)
                    : sprintf(at, "  - n -> g%u -> output[1]\n", i);
    if (chain)
        sprintf(at, "  - g%u -> output\n", count - 1);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* CPU time of reading the text; of loading it into e, which reads it as well. */
static uint64_t time_reading(void)
{
    struct tac_graph *graph = NULL;
    uint64_t begin = tac_clock_thread_cpu_ns();
    if (tac_graph_read(text, strlen(text), "bench", "", &graph, NULL) < 0)
        exit(1);
    uint64_t took = tac_clock_thread_cpu_ns() - begin;
    tac_graph_free(graph);
    return took;
}

static uint64_t time_loading(struct tac_engine *e)
{
    float *out[2] = {NULL, NULL};
    uint64_t begin = tac_clock_thread_cpu_ns();
    if (tac_engine_load_text(e, text, strlen(text), "bench", NULL, NULL) < 0)
        exit(1);
    uint64_t took = tac_clock_thread_cpu_ns() - begin;
    tac_engine_process(e, NULL, out, 0);
    return took;
}

static void plan(unsigned count)
{
    uint64_t reading = UINT64_MAX, first = UINT64_MAX, second = UINT64_MAX, again = UINT64_MAX;
    if (only && strcmp(only, "plan"))
        return;
    tiny(true, count);
    for (int run = 0; run < PLAN_RUNS; run++) {
        struct tac_engine *e;
        if (tac_engine_new(NULL, &e) < 0)
            exit(1);
        reading = least(reading, time_reading());
        first = least(first, time_loading(e));
        second = least(second, time_loading(e));
        again = least(again, time_loading(e));
        tac_engine_free(e);
    }
    printf(
        "plan     %6u nodes  %8.2f ms from text to graph, then %.2f ms to the plan, %.2f for the "
        "first edit, %.2f for one after others\n",
        count, (double)reading / 1e6, (double)(first - reading) / 1e6,
        (double)(second - reading) / 1e6, (double)(again - reading) / 1e6);
    exchange(count);
}

int main(int argc, char **argv)
{
    seconds = argc > 1 ? atof(argv[1]) : 1;
    only = argc > 2 ? argv[2] : NULL;
    snprintf(text, sizeof text,
             "nodes:\n  s: {block: sine, channels: 1024, level: 0.1 %%}\n  sum: {block: gain}\n"
             "cables: [s -> sum -> output]\n");
    report("sine1", 1024);
    voices("saw", "svf", 256);
    report("voice12", 256);
    report("silent", 256);
    voices("osc", "svf", 256);
    report("voice12a", 256);
    voices("saw", "ladder", 256);
    report("voice24", 256);
    snprintf(
        text, sizeof text,
        "nodes:\n  n: {block: noise, channels: 8}\n  d: {block: delay, channels: 8}\n"
        "  a: {block: eq, gain: 3 dB, channels: 8}\n  b: {block: eq, gain: -4 dB, channels: 8}\n"
        "  c: {block: eq, gain: 2 dB, channels: 8}\n  r: {block: reverb, channels: 8}\n"
        "  sum: {block: gain}\n"
        "cables: [n -> d -> a -> b -> c -> r, r.left -> sum -> output]\n");
    report("fx1", 8);
    tiny(true, 1000);
    report("tchain", 1000);
    tiny(false, 1000);
    report("tpar", 1000);
    voices("saw", "svf", 256);
    blocks("voice12", 256);
    tiny(true, 1000);
    blocks("tchain", 1000);
    plan(5000);
    return 0;
}
