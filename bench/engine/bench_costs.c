/* SPDX-License-Identifier: MIT
 * bench_costs.c - how good the first estimates are that tasks are formed by.
 *
 * usage: bench_costs [slices]. Patches that use most blocks, as banks of voices and as single
 * nodes, play so many slices of 64 frames (20 000 when not given) with one thread. Printed for each
 * node: ns a bank as its block was timed once before it played, and as its operations took while it
 * played (one slice in 64, least of the means of ten parts); then for the whole patch what the
 * tasks were estimated at, and what they took. */
#include "base/clock.h"
#include "engine/costs.h"
#include "engine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE = 64, PARTS = 10 };

static char text[1 << 16];

static void play(struct tac_engine *e, uint32_t slices)
{
    static float left[SLICE], right[SLICE];
    float *out[2] = {left, right};
    for (uint32_t i = 0; i < slices; i++)
        tac_engine_process(e, NULL, out, SLICE);
}

struct taken {
    uint64_t count, sum;
};

static double part_ns(const struct tac_node *n, struct taken *before)
{
    struct taken now = {atomic_load(&n->cost.count), atomic_load(&n->cost.sum)};
    double ns =
        now.count > before->count
            ? tac_costs_ns((double)(now.sum - before->sum) / (double)(now.count - before->count))
            : 0;
    *before = now;
    return ns;
}

static void print_node(const struct tac_node *n, float first_ns, double measured_ns)
{
    double bank_ns = measured_ns / n->banks;
    if (n->block->process)
        printf("  %-8s %-10s %4u banks of %2u  first %8.1f ns  played %8.1f ns  %5.2f\n", n->name,
               n->block->name, n->banks, n->bank_lanes, (double)first_ns, bank_ns,
               bank_ns > 0 ? (double)first_ns / bank_ns : 0);
}

static void compare(const char *name, uint32_t slices)
{
    struct tac_engine *e;
    struct tac_error err = {0};
    struct tac_engine_config config = {.no_shed = 1};
    static struct taken before[1000];
    static double least[1000];
    if (tac_engine_new(&config, &e) < 0 ||
        tac_engine_load_text(e, text, strlen(text), "bench", NULL, &err) < 0) {
        fprintf(stderr, "%u: %s\n", err.line, err.text);
        exit(1);
    }
    for (int note = 0; note < 127 && strstr(text, "voices:"); note++)
        if (tac_engine_note(e, NULL, 36 + (float)note * 0.3f, 0.8f, 0) < 0)
            break;
    play(e, 1000);
    const struct tac_plan *p = e->latest;
    double task_ns = 0, estimate_ns = 0;
    for (int part = 0; part <= PARTS; part++) {
        for (uint32_t i = 0; i < p->graph->node_count; i++) {
            double ns = part_ns(p->node[i].node, &before[i]);
            least[i] = part <= 1 || ns < least[i] ? ns : least[i];
        }
        play(e, slices / PARTS);
    }
    printf("%s\n", name);
    for (uint32_t i = 0; i < p->graph->node_count; i++)
        print_node(p->node[i].node, p->node[i].node->learned_ns, least[i]);
    struct tac_engine_task task;
    for (uint32_t i = 0; tac_engine_task(e, i, &task) == 0; i++) {
        task_ns += task.mean_ns;
        estimate_ns += task.estimate_ns;
    }
    printf("  all: estimated %.0f ns, took %.0f ns, %.2f\n", estimate_ns, task_ns,
           estimate_ns / task_ns);
    tac_engine_free(e);
}

static void voices(const char *source, const char *filter)
{
    snprintf(text, sizeof text,
             "voices:\n  v:\n    count: 127\n    nodes:\n"
             "      osc: {block: %s, frequency: 8.1758 Hz}\n"
             "      f: {block: %s, cutoff: 900 Hz}\n      env: {block: adsr}\n"
             "      vca: {block: gain, level: -30 dB}\n      place: {block: pan}\n"
             "    cables:\n      - v.pitch -> osc.pitch\n      - v.gate -> env\n"
             "      - osc -> f\n      - f.out -> vca.in\n      - env.out -> vca.control\n"
             "      - vca -> place\n      - place.left -> output[1]\n"
             "      - place.right -> output[2]\n"
             "nodes:\n  lfo: {block: lfo, rate: 2 Hz, depth: 300}\n"
             "cables:\n  - lfo.out -> f.cutoff\n",
             source, filter);
}

static void effects(uint32_t channels)
{
    static const char *const blocks[] = {"delay",      "eq",      "svf",    "ladder", "shaper",
                                         "compressor", "limiter", "reverb", "gain"};
    char *at =
        text + sprintf(text, "nodes:\n  n: {block: noise, channels: %u, level: 1 %%}\n", channels);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        at += sprintf(at, "  e%zu: {block: %s, channels: %u}\n", i, blocks[i], channels);
    at += sprintf(at, "  sum: {block: gain}\ncables:\n");
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        at += sprintf(at, "  - n -> e%zu\n  - e%zu%s -> sum\n", i, i,
                      strcmp(blocks[i], "reverb") ? "" : ".left");
    sprintf(at, "  - sum -> output\n");
}

int main(int argc, char **argv)
{
    uint32_t slices = argc > 1 ? (uint32_t)atoi(argv[1]) : 20000;
    voices("saw", "svf");
    compare("voices: saw, svf", slices);
    voices("osc", "ladder");
    compare("voices: osc, ladder", slices);
    voices("sine", "svf");
    compare("voices: sine, svf", slices);
    effects(16);
    compare("effects, 16 channels", slices);
    effects(1);
    compare("effects, 1 channel", slices);
    return 0;
}
