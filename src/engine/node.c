/* SPDX-License-Identifier: MIT
 * node.c - builds running nodes: memory, states, parameters at rest, sound files. Control threads.
 */
#include "engine/node.h"

#include "base/hash.h"

#include "engine/costs.h"
#include "engine/services.h"
#include "engine/stream.h"
#include "engine/voices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TIMED_LEAST = 4 };

/* Everything whose change needs a new node. */
static uint64_t hash_options(const struct tac_graph *graph, const struct tac_graph_node *n,
                             double tempo_bpm)
{
    uint64_t hash = tac_hash_bytes(TAC_HASH_BEGIN, &n->seed, sizeof n->seed);
    if (n->block->follows_tempo)
        hash = tac_hash_bytes(hash, &tempo_bpm, sizeof tempo_bpm);
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && n->block->option[i].name; i++) {
        hash = tac_hash_bytes(hash, &n->option[i], sizeof n->option[i]);
        if (n->file[i])
            hash = tac_hash_bytes(hash, n->file[i], strlen(n->file[i]));
        hash = tac_hash_bytes(hash, n->numbers[i], n->numbers_count[i] * sizeof(float));
    }
    if (n->block == &tac_graph_block_voices) {
        const struct tac_graph_section *s = &graph->section[n->section];
        hash = tac_hash_bytes(hash, &s->count, sizeof s->count);
        hash = tac_hash_bytes(hash, &s->unison, sizeof s->unison);
        hash = tac_hash_bytes(hash, &s->mode, sizeof s->mode);
        hash = tac_hash_bytes(hash, &s->steal, sizeof s->steal);
    }
    return hash;
}

bool tac_node_fits(const struct tac_node *node, const struct tac_graph *graph,
                   const struct tac_graph_node *n, double tempo_bpm)
{
    return !atomic_load_explicit(&node->ill, memory_order_relaxed) &&
           !strcmp(node->block->name, n->block->name) && node->lanes == n->lanes &&
           node->options_hash == hash_options(graph, n, tempo_bpm);
}

static uint32_t count_params(const struct tac_block *block)
{
    uint32_t n = 0;
    while (n < TAC_BLOCK_PARAMS_MAX && block->param[n].name)
        n++;
    return n;
}

/* In one piece: patches have thousands of nodes, and most of their pieces are small. */
static int take_memory(struct tac_vault *vault, struct tac_node *node, const char *name)
{
    size_t rows = (size_t)node->params * TAC_BLOCK_LANES_MAX * sizeof *node->rows;
    size_t states = node->banks * sizeof *node->state;
    size_t values =
        node->params * (sizeof *node->ramp + sizeof *node->patch_value + sizeof *node->target);
    size_t named = strlen(name) + 1;
    char *at = tac_vault_take(vault, rows + 2 * states + values + named);
    if (!at)
        return -ENOMEM;
    node->rows = (float *)(void *)at;
    node->state = (void **)(void *)(at += rows);
    node->spare = (void **)(void *)(at += states);
    node->ramp = (struct tac_ramp *)(void *)(at += states);
    node->patch_value = (float *)(void *)(at += node->params * sizeof *node->ramp);
    node->target = (_Atomic float *)(void *)(at += node->params * sizeof *node->patch_value);
    node->name = strcpy(at + node->params * sizeof *node->target, name);
    return 0;
}

static void set_params(struct tac_node *node, const struct tac_graph_node *n)
{
    for (uint32_t p = 0; p < node->params; p++) {
        node->patch_value[p] = n->param[p];
        node->ramp[p] = (struct tac_ramp){.value = n->param[p], .target = n->param[p]};
        atomic_init(&node->target[p], n->param[p]);
        for (uint32_t lane = 0; lane < TAC_BLOCK_LANES_MAX; lane++)
            tac_node_row(node, p)[lane] = n->param[p];
    }
}

/* No files. */
static bool talks_to_none(const struct tac_block *block)
{
    bool none = block->process;
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && block->option[i].name; i++)
        none = none && (block->option[i].kind == TAC_OPTION_NUMBER ||
                        block->option[i].kind == TAC_OPTION_CHOICE ||
                        block->option[i].kind == TAC_OPTION_NUMBERS);
    return none;
}

/* Notes and files have queues of their own, and delay lines are too large to keep a copy of. */
static bool is_movable(const struct tac_block *block)
{
    bool movable = talks_to_none(block) && !block->memory_bytes;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && block->in[i].name; i++)
        movable = movable && block->in[i].kind == TAC_PORT_SIGNAL;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX && block->out[i].name; i++)
        movable = movable && block->out[i].kind == TAC_PORT_SIGNAL;
    return movable;
}

static int build_bank(struct tac_node *node, const struct tac_graph_node *n,
                      const struct tac_node_build *how, uint32_t bank, struct tac_error *err)
{
    struct tac_vault *vault = &node->batch->vault;
    uint32_t lanes = node->bank_lanes, left = node->lanes - bank * lanes;
    struct tac_setup setup = {.rate_hz = (float)how->rate_hz,
                              .frames_max = 64,
                              .lanes = lanes,
                              .lanes_used = left < lanes ? left : lanes,
                              .lane_first = bank * lanes,
                              .seed = n->seed,
                              .tempo_bpm = (float)how->tempo_bpm};
    for (int i = 0; i < TAC_BLOCK_OPTIONS_MAX && node->block->option[i].name; i++) {
        setup.option[i] = n->option[i];
        setup.numbers_count[i] = n->numbers_count[i];
        float *copy = n->numbers[i] ? TAC_VAULT_NEW(vault, float, n->numbers_count[i]) : NULL;
        if (n->numbers[i] && !copy)
            return -ENOMEM;
        if (copy)
            memcpy(copy, n->numbers[i], n->numbers_count[i] * sizeof *copy);
        setup.numbers[i] = copy;
    }
    int code = tac_services_open(node, n, how, &setup, err);
    if (code < 0)
        return code;
    const struct tac_block *b = node->block;
    size_t bytes = b->memory_bytes ? b->memory_bytes(&setup) : 0;
    void *memory = bytes ? tac_vault_take(vault, bytes) : NULL;
    node->state[bank] = b->state_bytes ? tac_vault_take(vault, b->state_bytes) : node->rows;
    if (how->spare && node->movable)
        node->spare[bank] = b->state_bytes ? tac_vault_take(vault, b->state_bytes) : node->rows;
    if ((bytes && !memory) || !node->state[bank] ||
        (how->spare && node->movable && !node->spare[bank]))
        return -ENOMEM;
    if (b->init)
        b->init(node->state[bank], &setup, memory);
    /* by the setup, so alike in all banks; and while nobody changes the state */
    node->live_bytes = b->live ? b->live(node->state[bank]) : b->state_bytes;
    if (talks_to_none(b))
        tac_costs_learn(node, n->block_index, &setup);
    return 0;
}

/* Asking the registry reads the environment: once for each width is enough. */
static const struct tac_variant *variant_for(struct tac_batch *batch, uint32_t lanes)
{
    uint32_t i = lanes < TAC_BLOCK_LANES_MAX ? lanes : TAC_BLOCK_LANES_MAX;
    if (!batch->variant[i])
        batch->variant[i] = tac_blocks_variant_for(lanes);
    return batch->variant[i];
}

static void choose_variant(struct tac_node *node, const struct tac_graph_node *n)
{
    node->variant = variant_for(node->batch, n->lanes);
    node->block = n->block_index < 0 ? n->block : node->variant->blocks[n->block_index];
    node->lanes = n->lanes;
    node->bank_lanes = node->variant->lanes;
    node->banks = (n->lanes + node->bank_lanes - 1) / node->bank_lanes;
    node->params = count_params(node->block);
    node->movable = n->block_index >= 0 && is_movable(node->block);
}

static int fill_node(struct tac_node *node, const struct tac_graph *graph,
                     const struct tac_graph_node *n, const struct tac_node_build *how,
                     struct tac_error *err)
{
    struct tac_vault *vault = &node->batch->vault;
    choose_variant(node, n);
    node->id = how->id;
    node->options_hash = hash_options(graph, n, how->tempo_bpm);
    if (take_memory(vault, node, n->name) < 0)
        return -ENOMEM;
    node->site = tac_traced_node(node->name);
    set_params(node, n);
    int code = 0;
    if (n->block == &tac_graph_block_voices)
        code = tac_voices_build(vault, &graph->section[n->section], how->rate_hz, &node->voices);
    for (uint32_t bank = 0; bank < node->banks && n->block_index >= 0 && code >= 0; bank++)
        code = build_bank(node, n, how, bank, err);
    node->learned_ns = tac_costs_known(node, n->block_index);
    return code;
}

int tac_node_build(struct tac_batch *batch, const struct tac_graph *graph,
                   const struct tac_graph_node *n, const struct tac_node_build *how,
                   struct tac_node **ret_node, struct tac_error *err)
{
    struct tac_node *node = TAC_VAULT_NEW(&batch->vault, struct tac_node, 1);
    if (!node)
        return tac_error_set(err, -ENOMEM, graph->file, n->line, n->column,
                             "no memory is left for '%s'", n->name);
    node->batch = batch;
    struct tac_error why;
    why.text[0] = 0;
    int code = fill_node(node, graph, n, how, &why);
    if (code == -ENOMEM)
        return tac_error_set(err, code, graph->file, n->line, n->column,
                             "no memory is left for '%s'", n->name);
    if (code < 0)
        return tac_error_set(err, code, graph->file, n->line, n->column, "%s: %s", n->name,
                             why.text);
    *ret_node = node;
    return 0;
}

void tac_batch_unref(struct tac_batch *batch)
{
    if (--batch->refs)
        return;
    tac_services_close(batch->services);
    tac_streams_close(batch->disk, batch->streams);
    tac_vault_fini(&batch->vault);
    free(batch);
}

bool tac_node_is_timed(const struct tac_node *node)
{
    return atomic_load_explicit(&node->cost.count, memory_order_relaxed) >= TIMED_LEAST;
}

/* Without the worst slice: that was the first, as a rule, or an interruption. */
float tac_node_bank_ns(const struct tac_node *node)
{
    uint64_t count = atomic_load_explicit(&node->cost.count, memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&node->cost.sum, memory_order_relaxed);
    uint64_t worst = atomic_load_explicit(&node->cost.worst, memory_order_relaxed);
    if (count < TIMED_LEAST)
        return node->learned_ns;
    sum -= worst < sum ? worst : sum;
    return (float)(tac_costs_ns((double)sum / (double)(count - 1)) / node->banks);
}
