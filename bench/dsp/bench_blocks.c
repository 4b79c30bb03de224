/* SPDX-License-Identifier: MIT
 * bench_blocks.c - what a voice, a channel strip, a sine and a tiny node cost per block of 64.
 *
 * Units are banks of lanes run through the blocks' own process functions, two banks at a time over
 * the same buffers, as a plan does. Loads: sine1; voice12 (saw -> svf -> VCA by adsr -> pan -> sum,
 * cutoff moved once per block); voice12a (the same with the table-BLEP osc and a cutoff that moves
 * every frame); voice24 (saw -> ladder -> ...); fx1 (noise -> delay -> three eq bands -> reverb);
 * tiny (one gain node of one lane). A figure is the least CPU time of REPEATS runs, FTZ/DAZ set as
 * the engine does. One line per load and variant: nanoseconds per unit per 64 frames. With
 * "blocks" as argument: every block of the registry at rest, per lane, with its mean and the worst
 * of single calls over their median. */
#include "dsp/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

enum { FRAMES = 64, REPEATS = 5, UNITS = 256, CHAIN_MAX = 8, CALLS = 2000 };

struct node {
    const struct tac_block *block;
    struct tac_io io[2]; /* the same for all units, as all use the same buffers */
    void *state[UNITS];
};

struct load {
    const char *name;
    const char *block[CHAIN_MAX + 1];
    int moving; /* the cutoff is given per frame */
};

static const struct load loads[] = {
    {"sine1", {"sine"}, 0},
    {"voice12", {"saw", "svf", "adsr", "gain", "pan"}, 0},
    {"voice12a", {"osc", "svf", "adsr", "gain", "pan"}, 1},
    {"voice24", {"saw", "ladder", "adsr", "gain", "pan"}, 0},
    {"fx1", {"noise", "delay", "eq", "eq", "eq", "reverb"}, 0},
    {"tiny", {"gain"}, 0},
};

static uint32_t lanes;
static float *buffer[2][TAC_BLOCK_PORTS_MAX + 4], *cutoff, *gate, *sum[2];
static struct tac_notes no_notes, notes_out;

static void *zeroed(size_t bytes)
{
    bytes = (bytes + 127) & ~(size_t)63;
    void *p = aligned_alloc(64, bytes);
    if (!p)
        exit(1);
    return memset(p, 0, bytes);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *open_state(const struct tac_block *b, uint32_t unit)
{
    struct tac_setup setup = {.rate_hz = 48000,
                              .frames_max = FRAMES,
                              .lanes = lanes,
                              .lanes_used = lanes,
                              .lane_first = unit * lanes,
                              .seed = unit,
                              .tempo_bpm = 120};
    for (int i = 0; b->option[i].name; i++)
        setup.option[i] = b->option[i].fallback;
    void *state = zeroed(b->state_bytes);
    if (b->init)
        b->init(state, &setup, b->memory_bytes ? zeroed(b->memory_bytes(&setup)) : NULL);
    return state;
}

/* Prepare the io of a block: every parameter at its fallback but for the bank's pitch and cutoff, a
 * key that is held, and nobody who listens to the side outputs of a filter. */
static void prepare(const struct tac_block *b, struct tac_io *io, int bank, int moving)
{
    int is_adsr = !strcmp(b->name, "adsr"), is_filter = !strcmp(b->group, "filter");
    *io = (struct tac_io){.frames = FRAMES, .notes_in = &no_notes, .notes_out = &notes_out};
    for (int i = 0; b->in[i].name; i++)
        io->in[i] = (struct tac_signal){buffer[bank][i], is_adsr ? 0 : lanes, 1, 0};
    for (int i = 0; b->out[i].name; i++)
        io->out[i] = is_filter && i ? NULL : buffer[bank][i + is_adsr];
    for (int i = 0; b->param[i].name; i++) {
        float *constant = zeroed(sizeof(float) * lanes);
        for (uint32_t l = 0; l < lanes; l++)
            constant[l] = b->param[i].fallback;
        io->param[i] = (struct tac_signal){constant, 0, 0, 0};
        if (!strcmp(b->param[i].name, "cutoff"))
            io->param[i] = (struct tac_signal){cutoff, moving ? lanes : 0, 1, 0};
        if (!strcmp(b->param[i].name, "frequency"))
            for (uint32_t l = 0; l < lanes; l++)
                constant[l] = 110.0f * (float)(1 + l % 5);
    }
    if (is_adsr)
        for (uint32_t l = 0; l < lanes; l++)
            gate[l] = 1;
    if (is_adsr)
        io->in[0].data = gate;
}

/* The engine's sums have such clones, too. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
__attribute__((target_clones("default", "avx2", "avx512f")))
#endif
static void
add(float *restrict to, const float *restrict x, const float *restrict y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] += x[i] + y[i];
}

/* One cycle over all units, two at a time; voices are summed into two buffers. */
static void cycle(struct node *nodes, uint32_t count, uint32_t units)
{
    for (uint32_t u = 0; u < units; u += 2) {
        for (uint32_t n = 0; n < count; n++) {
            const struct tac_block *b = nodes[n].block;
            if (b->process2 && u + 1 < units) {
                b->process2(&nodes[n].state[u], nodes[n].io);
                continue;
            }
            b->process(nodes[n].state[u], &nodes[n].io[0]);
            if (u + 1 < units)
                b->process(nodes[n].state[u + 1], &nodes[n].io[1]);
        }
        for (int side = 0; side < 2 && count > 1; side++)
            add(sum[side], buffer[0][side], buffer[1][side], FRAMES * lanes);
    }
}

static double unit_ns(const struct tac_variant *v, const struct load *load, uint32_t units)
{
    static struct node nodes[CHAIN_MAX];
    uint32_t count = 0;
    for (; load->block[count]; count++) {
        nodes[count].block = v->blocks[tac_blocks_find(load->block[count])];
        for (int bank = 0; bank < 2; bank++)
            prepare(nodes[count].block, &nodes[count].io[bank], bank, load->moving);
        for (uint32_t u = 0; u < units; u++)
            nodes[count].state[u] = open_state(nodes[count].block, u);
    }
    double best = 1e30;
    uint32_t cycles = 20000 / units / count + 20;
    for (int r = 0; r < REPEATS; r++) {
        for (uint32_t i = 0; i < FRAMES * lanes; i++)
            buffer[0][0][i] = buffer[1][0][i] = 1;
        double start = now_ns();
        for (uint32_t c = 0; c < cycles; c++)
            cycle(nodes, count, units);
        double ns = (now_ns() - start) / cycles / units / lanes;
        best = ns < best ? ns : best;
    }
    return best;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Mean, median and worst (99th percentile: what is beyond is the machine) of single calls. */
static void print_block(const struct tac_block *b)
{
    static double call[CALLS];
    struct tac_io io;
    void *state = open_state(b, 1);
    prepare(b, &io, 0, 1);
    double total = 0;
    for (int c = 0; c < CALLS; c++) {
        for (uint32_t i = 0; i < FRAMES * lanes; i++)
            buffer[0][0][i] = (float)(i % 37) / 37 - 0.5f;
        double start = now_ns();
        for (int again = 0; again < 4; again++)
            b->process(state, &io);
        call[c] = (now_ns() - start) / 4 / lanes;
        total += call[c];
    }
    qsort(call, CALLS, sizeof *call, by_value);
    printf("%-12s %8.1f ns a lane, p99/mean %.2f\n", b->name, total / CALLS,
           call[CALLS * 99 / 100] / (total / CALLS));
}

static void open_buffers(uint32_t width)
{
    lanes = width;
    for (int i = 0; i < 2 * (TAC_BLOCK_PORTS_MAX + 4); i++)
        buffer[i % 2][i / 2] = zeroed(sizeof(float) * FRAMES * lanes);
    gate = zeroed(sizeof(float) * lanes);
    for (int i = 0; i < 2; i++)
        sum[i] = zeroed(sizeof(float) * FRAMES * lanes);
    cutoff = zeroed(sizeof(float) * FRAMES * lanes);
    for (uint32_t i = 0; i < FRAMES * lanes; i++)
        cutoff[i] = 800 + (float)i;
}

int main(int argc, char **argv)
{
#if defined(__SSE2__)
    _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
    for (uint32_t i = 0; tac_blocks_variant(i); i++) {
        const struct tac_variant *v = tac_blocks_variant(i);
        open_buffers(v->lanes);
        if (argc > 1 && !strcmp(argv[1], "blocks")) {
            printf("-- %s\n", v->name);
            for (uint32_t b = 0; b < tac_blocks_count(); b++)
                print_block(v->blocks[b]);
            continue;
        }
        printf("%-10s", v->name);
        for (size_t l = 0; l < sizeof loads / sizeof *loads; l++)
            printf("  %s %.2f", loads[l].name,
                   unit_ns(v, &loads[l], strcmp(loads[l].name, "fx1") ? UNITS / lanes : 1));
        printf("   ns per unit per 64 frames\n");
    }
    return 0;
}
