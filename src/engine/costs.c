/* SPDX-License-Identifier: MIT
 * costs.c - the first estimate of what a block takes; see costs.h. */
#include "engine/costs.h"

#include "base/clock.h"
#include "tactus/engine.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 512, VARIANTS_MAX = 10, SLICES = 4, GUESS_NS = 500, PSEUDO_NS = 20 };

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

/* A heap copy of what a bank needs to run on its own. */
struct bench {
    struct tac_io io;
    struct tac_notes notes;
    _Alignas(64) float rows[TAC_BLOCK_PARAMS_MAX + TAC_BLOCK_PORTS_MAX][TAC_BLOCK_LANES_MAX];
    _Alignas(64) float in[TAC_ENGINE_SLICE_FRAMES * TAC_BLOCK_LANES_MAX];
    _Alignas(64) float out[TAC_BLOCK_PORTS_MAX][TAC_ENGINE_SLICE_FRAMES * TAC_BLOCK_LANES_MAX];
    _Alignas(64) unsigned char state[];
};

static void wire(struct bench *b, const struct tac_node *node)
{
    b->io.frames = TAC_ENGINE_SLICE_FRAMES;
    b->io.notes_in = b->io.notes_out = &b->notes;
    for (uint32_t f = 0; f < TAC_ENGINE_SLICE_FRAMES * node->bank_lanes; f++)
        b->in[f] = 0.5f * sinf((float)f);
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX; i++) {
        b->io.in[i] = (struct tac_signal){b->in, node->bank_lanes, 1, 0};
        b->io.out[i] = b->out[i];
    }
    for (uint32_t p = 0; p < node->params; p++) {
        for (int l = 0; l < TAC_BLOCK_LANES_MAX; l++)
            b->rows[p][l] = tac_node_row(node, p)[l];
        b->io.param[p] = (struct tac_signal){b->rows[p], 0, 0, 0};
    }
}

static uint64_t run(struct bench *b, const struct tac_node *node)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < SLICES; i++) {
        uint64_t begin = tac_counter();
        node->block->process(b->state, &b->io);
        uint64_t took = tac_counter() - begin;
        best = took < best ? took : best;
    }
    return best;
}

void tac_costs_learn(const struct tac_node *node, int block_index, const void *state)
{
    if (block_index >= BLOCKS_MAX)
        return;
    _Atomic uint32_t *known = &learned[variant_index(node->variant)][block_index];
    if (atomic_load_explicit(known, memory_order_relaxed))
        return;
    size_t bytes = (sizeof(struct bench) + node->block->state_bytes + 63) & ~(size_t)63;
    struct bench *b = aligned_alloc(64, bytes);
    if (!b)
        return;
    memset(b, 0, bytes);
    memcpy(b->state, state, node->block->state_bytes);
    wire(b, node);
    uint32_t ns = (uint32_t)tac_costs_ns((double)run(b, node)) + 1;
    atomic_store_explicit(known, ns, memory_order_relaxed);
    free(b);
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
