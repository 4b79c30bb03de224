/* SPDX-License-Identifier: MIT
 * costs.c - the first estimate of what a block takes; see costs.h. */
#include "engine/costs.h"

#include "base/clock.h"
#include "tactus/engine.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A block takes longer between others than again and again (bench/engine/bench_costs.c). */
#define AMONG_OTHERS 1.3

enum { BLOCKS_MAX = 512, VARIANTS_MAX = 10, SLICES = 4, GUESS_NS = 500, PSEUDO_NS = 3 };

static _Atomic uint32_t learned[VARIANTS_MAX][BLOCKS_MAX]; /* ns; 0: not yet */

/* Told apart by width and by whether an instruction set is named. */
static uint32_t variant_index(const struct tac_variant *variant)
{
    uint32_t index = (uint32_t)__builtin_ctz(variant->lanes) + (*variant->isa ? 5u : 0u);
    return index < VARIANTS_MAX ? index : VARIANTS_MAX - 1;
}

double tac_costs_ns(double ticks)
{
    static _Atomic double ns_per_tick;
    double scale = atomic_load_explicit(&ns_per_tick, memory_order_relaxed);
    if (scale == 0) {
        scale = 1e9 / tac_counter_hz(10000000);
        atomic_store_explicit(&ns_per_tick, scale, memory_order_relaxed);
    }
    return ticks * scale;
}

/* Blocks that take pairs of banks are timed with a pair. */
enum { PAIR = 2 };

/* What one or two banks need to run on their own. */
struct bench {
    struct tac_io io[PAIR];
    struct tac_notes notes;
    _Alignas(64) float rows[TAC_BLOCK_PARAMS_MAX][TAC_BLOCK_LANES_MAX];
    _Alignas(64) float in[TAC_ENGINE_SLICE_FRAMES * TAC_BLOCK_LANES_MAX];
    _Alignas(64) float out[PAIR][TAC_ENGINE_SLICE_FRAMES * TAC_BLOCK_LANES_MAX];
    void *state[PAIR];
};

/* Signals on all inputs, parameters at rest, and a reader for the first output alone, as a rule in
 * patches. */
static void wire(struct bench *b, const struct tac_node *node, struct tac_io *io, float *out)
{
    io->frames = TAC_ENGINE_SLICE_FRAMES;
    io->notes_in = io->notes_out = &b->notes;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX; i++)
        io->in[i] = (struct tac_signal){b->in, node->bank_lanes, 1, 0};
    io->out[0] = out;
    for (uint32_t p = 0; p < node->params; p++)
        io->param[p] = (struct tac_signal){b->rows[p], 0, 0, 0};
}

static void fill(struct bench *b, const struct tac_node *node)
{
    for (uint32_t f = 0; f < TAC_ENGINE_SLICE_FRAMES * node->bank_lanes; f++)
        b->in[f] = 0.5f * sinf((float)f);
    for (uint32_t p = 0; p < node->params; p++)
        for (int l = 0; l < TAC_BLOCK_LANES_MAX; l++)
            b->rows[p][l] = tac_node_row(node, p)[l];
}

static uint64_t run_once(struct bench *b, const struct tac_block *block)
{
    uint64_t begin = tac_counter();
    if (block->process2)
        block->process2(b->state, b->io);
    else
        block->process(b->state[0], b->io);
    return (tac_counter() - begin) / (block->process2 ? PAIR : 1);
}

/* Ticks of a bank. */
static uint64_t run(struct bench *b, const struct tac_node *node)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i < PAIR; i++)
        wire(b, node, &b->io[i], b->out[i]);
    fill(b, node);
    for (int i = 0; i < SLICES; i++) {
        uint64_t took = run_once(b, node->block);
        best = took < best ? took : best;
    }
    return best;
}

/* A state of its own, as a fresh bank of the node has it. */
static bool make_state(const struct tac_node *node, const struct tac_setup *setup, void **ret_state,
                       void **ret_memory)
{
    const struct tac_block *block = node->block;
    size_t bytes = block->memory_bytes ? block->memory_bytes(setup) : 0;
    *ret_state = aligned_alloc(64, (block->state_bytes + 64) & ~(size_t)63);
    *ret_memory = bytes ? aligned_alloc(64, (bytes + 63) & ~(size_t)63) : NULL;
    if (!*ret_state || (bytes && !*ret_memory))
        return false;
    memset(*ret_state, 0, block->state_bytes);
    if (bytes)
        memset(*ret_memory, 0, bytes);
    if (block->init)
        block->init(*ret_state, setup, *ret_memory);
    return true;
}

static uint32_t time_bank(const struct tac_node *node, const struct tac_setup *setup)
{
    struct bench *b = aligned_alloc(64, (sizeof *b + 63) & ~(size_t)63);
    void *memory[PAIR] = {NULL, NULL};
    uint32_t ns = 0;
    if (!b)
        return 0;
    memset(b, 0, sizeof *b);
    if (make_state(node, setup, &b->state[0], &memory[0]) &&
        make_state(node, setup, &b->state[1], &memory[1]))
        ns = (uint32_t)(AMONG_OTHERS * tac_costs_ns((double)run(b, node))) + 1;
    for (int i = 0; i < PAIR; i++) {
        free(b->state[i]);
        free(memory[i]);
    }
    free(b);
    return ns;
}

void tac_costs_learn(const struct tac_node *node, int block_index, const struct tac_setup *setup)
{
    if (block_index >= BLOCKS_MAX)
        return;
    _Atomic uint32_t *known = &learned[variant_index(node->variant)][block_index];
    if (atomic_load_explicit(known, memory_order_relaxed))
        return;
    uint32_t ns = time_bank(node, setup);
    if (ns)
        atomic_store_explicit(known, ns, memory_order_relaxed);
}

float tac_costs_known(const struct tac_node *node, int block_index)
{
    if (block_index < 0)
        return PSEUDO_NS;
    uint32_t ns = block_index < BLOCKS_MAX
                      ? atomic_load_explicit(&learned[variant_index(node->variant)][block_index],
                                             memory_order_relaxed)
                      : 0;
    return ns ? (float)ns : GUESS_NS;
}
