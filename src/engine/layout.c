/* SPDX-License-Identifier: MIT
 * layout.c - from nodes and cables to buffers and operations.
 *
 * Node by node in the order of the graph: the mixes its inputs and parameters need, the node itself
 * bank by bank, and what its readers need of it (sums over voices, feedback). A buffer goes back to
 * the pool of its width when the last cable that reads it has been laid, so the next node may write
 * to it. An input that hears exactly one signal of its own width reads that signal in place: a
 * cable costs nothing then. Threads: control. Cost: nodes + cables. */
#include "engine/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE_LISTS_MAX = 32 };

/* ---- notes --------------------------------------------------------------------------------- */

static uint32_t collect_notes(struct tac_layout *l, const struct tac_graph_node *n,
                              const struct tac_notes **lists)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = tac_layout_cable(l, n, i);
        if (c->target == TAC_CABLE_NOTES && count < NOTE_LISTS_MAX)
            lists[count++] = tac_layout_port_of(l, c->from.node, c->from.port)->notes;
    }
    return count;
}

static int lay_notes_in(struct tac_layout *l, uint32_t node)
{
    const struct tac_notes *lists[NOTE_LISTS_MAX];
    uint32_t count = collect_notes(l, &l->g->node[node], lists);
    struct tac_plan_node *pn = &l->plan->node[node];
    if (!count || pn->node->voices)
        return 0;
    pn->io[0].notes_in = lists[0];
    if (count == 1)
        return 0;
    struct tac_notes_merge *merge = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes_merge, 1);
    struct tac_notes *merged = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes, 1);
    const struct tac_notes **list = TAC_VAULT_NEW(&l->plan->vault, const struct tac_notes *, count);
    if (!merge || !merged || !list)
        return -ENOMEM;
    memcpy(list, lists, count * sizeof *list);
    *merge = (struct tac_notes_merge){merged, list, count};
    pn->io[0].notes_in = merged;
    return tac_layout_op(l, node, tac_plan_merge_run, merge, l->frames);
}

static int lay_notes_out(struct tac_layout *l, uint32_t node, struct tac_layout_port *p)
{
    p->notes = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes, 1);
    if (!p->notes)
        return -ENOMEM;
    l->plan->node[node].io[0].notes_out = p->notes;
    l->plan->notes[l->plan->notes_count++] = p->notes;
    return 0;
}

static int lay_section(struct tac_layout *l, uint32_t node)
{
    const struct tac_graph_node *n = &l->g->node[node];
    struct tac_plan_section *s = &l->plan->section[n->section];
    struct tac_vault *vault = &l->plan->vault;
    const struct tac_notes *lists[NOTE_LISTS_MAX];
    uint32_t count = collect_notes(l, n, lists);
    const struct tac_notes **list = TAC_VAULT_NEW(vault, const struct tac_notes *, count + 1);
    float **out = TAC_VAULT_NEW(vault, float *, l->plan->node[node].node->banks *TAC_VOICES_OUTS);
    s->own = TAC_VAULT_NEW(vault, struct tac_notes, 1);
    if (!list || !out || !s->own)
        return -ENOMEM;
    list[0] = s->own;
    memcpy(list + 1, lists, count * sizeof *list);
    s->node = l->plan->node[node].node;
    s->in = (struct tac_voices_input){.lists = list, .count = count + 1};
    s->out = (struct tac_voices_output){out, s->node->bank_lanes, s->node->banks};
    for (uint32_t bank = 0; bank < s->node->banks; bank++)
        for (uint32_t o = 0; o < TAC_VOICES_OUTS; o++) {
            out[bank * TAC_VOICES_OUTS + o] =
                TAC_VAULT_NEW(vault, float, TAC_ENGINE_SLICE_FRAMES * s->node->bank_lanes);
            if (!out[bank * TAC_VOICES_OUTS + o])
                return -ENOMEM;
            tac_layout_port_of(l, node, o)->bank[bank] =
                (struct tac_signal){out[bank * TAC_VOICES_OUTS + o], s->node->bank_lanes, 1};
        }
    return tac_layout_op(l, node, tac_plan_section_run, s, l->frames);
}

/* ---- outputs ------------------------------------------------------------------------------- */

static bool keeps_buffers(const struct tac_layout *l, uint32_t node)
{
    return l->g->node[node].block_index < 0;
}

/* An output that nobody hears needs no memory, but for a node's first and what the engine fills. */
static bool is_unheard(const struct tac_layout *l, uint32_t node, uint32_t port)
{
    const struct tac_layout_port *p = tac_layout_port_of(l, node, port);
    return port && !keeps_buffers(l, node) && !p->readers && !p->fold_readers && !p->late;
}

static int lay_outputs(struct tac_layout *l, uint32_t node)
{
    struct tac_plan_node *pn = &l->plan->node[node];
    uint32_t lanes = pn->node->bank_lanes;
    for (uint32_t o = 0; o < tac_layout_ports(pn->node->block->out); o++) {
        struct tac_layout_port *p = tac_layout_port_of(l, node, o);
        if (pn->node->block->out[o].kind == TAC_PORT_NOTES) {
            if (lay_notes_out(l, node, p) < 0)
                return -ENOMEM;
            continue;
        }
        if (is_unheard(l, node, o))
            continue;
        for (uint32_t bank = 0; bank < pn->node->banks; bank++) {
            float *buffer = keeps_buffers(l, node) ? TAC_VAULT_NEW(&l->plan->vault, float,
                                                                   TAC_ENGINE_SLICE_FRAMES *lanes)
                                                   : tac_layout_take(l, lanes);
            if (!buffer)
                return -ENOMEM;
            pn->io[bank].out[o] = buffer;
            p->bank[bank] = (struct tac_signal){buffer, lanes, 1};
        }
    }
    return 0;
}

static int lay_process(struct tac_layout *l, uint32_t node)
{
    struct tac_plan_node *pn = &l->plan->node[node];
    const struct tac_block *block = pn->node->block;
    int code = 0;
    for (uint32_t bank = 0, n; bank < pn->node->banks && code >= 0; bank += n) {
        n = block->process2 && bank + 1 < pn->node->banks ? 2 : 1;
        code = n == 2
                   ? tac_layout_op(l, node, block->process2, &pn->node->state[bank], &pn->io[bank])
                   : tac_layout_op(l, node, block->process, pn->node->state[bank], &pn->io[bank]);
    }
    return code;
}

static int lay_fold(struct tac_layout *l, uint32_t node, struct tac_layout_port *p)
{
    const struct tac_node *n = l->plan->node[node].node;
    struct tac_fold *fold = TAC_VAULT_NEW(&l->plan->vault, struct tac_fold, 1);
    struct tac_signal *bank = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, n->banks);
    float *out = tac_layout_take(l, 1);
    if (!fold || !bank || !out)
        return -ENOMEM;
    memcpy(bank, p->bank, n->banks * sizeof *bank);
    *fold = (struct tac_fold){out, n->bank_lanes, n->lanes, bank};
    p->fold = (struct tac_signal){out, 1, 1};
    if (n->voices) {
        struct tac_plan_section *s = &l->plan->section[l->g->node[node].section];
        for (uint32_t b = 0; b < n->banks; b++)
            s->reader[s->readers++] = &bank[b];
    }
    return tac_layout_op(l, node, tac_fold_run, fold, l->frames);
}

/* A signal has been read for the last time: its memory may be written again. */
static int release_port(struct tac_layout *l, uint32_t node, struct tac_layout_port *p)
{
    int code = 0;
    if (p->readers || keeps_buffers(l, node) || p->notes || !p->bank[0].data)
        return 0;
    for (uint32_t bank = 0; bank < l->plan->node[node].node->banks && code >= 0; bank++)
        code = tac_layout_give(l, p->bank[bank].data, l->plan->node[node].node->bank_lanes);
    return code;
}

static int finish_outputs(struct tac_layout *l, uint32_t node)
{
    int code = 0;
    for (uint32_t o = 0; o < tac_layout_ports(l->g->node[node].block->out) && code >= 0; o++) {
        struct tac_layout_port *p = tac_layout_port_of(l, node, o);
        if (p->fold_readers) {
            code = lay_fold(l, node, p);
            p->readers--; /* the sum itself was counted as one reader */
        }
        if (code >= 0 && !p->late)
            code = release_port(l, node, p);
    }
    return code;
}

static int finish_inputs(struct tac_layout *l, uint32_t node)
{
    const struct tac_graph_node *n = &l->g->node[node];
    int code = tac_layout_give_scratches(l);
    for (uint32_t i = 0; i < n->cable_count && code >= 0; i++) {
        const struct tac_graph_cable *c = tac_layout_cable(l, n, i);
        struct tac_layout_port *p = tac_layout_port_of(l, c->from.node, c->from.port);
        if (c->feedback)
            continue;
        if (c->summed && --p->fold_readers == 0)
            code = tac_layout_give(l, p->fold.data, 1);
        else if (!c->summed && --p->readers == 0 && !p->late)
            code = release_port(l, c->from.node, p);
    }
    return code;
}

static int lay_node(struct tac_layout *l, uint32_t node)
{
    bool block = l->g->node[node].block_index >= 0;
    int code = tac_layout_targets(l, node);
    if (code >= 0)
        code = lay_notes_in(l, node);
    if (code >= 0 && l->plan->node[node].node->voices)
        code = lay_section(l, node);
    else if (code >= 0)
        code = lay_outputs(l, node);
    if (code >= 0 && block)
        code = lay_process(l, node);
    if (code >= 0)
        code = finish_outputs(l, node);
    if (node == l->g->output)
        l->scratches = 0; /* read after the last operation: kept, and so is what it hears */
    return code < 0 || node == l->g->output ? code : finish_inputs(l, node);
}

/* ---- feedback ------------------------------------------------------------------------------ */

/* The delayed banks are there from the start; the readers do not care where the source runs. */
static int lay_late_read(struct tac_layout *l, const struct tac_graph_cable *c)
{
    struct tac_layout_port *p = tac_layout_port_of(l, c->from.node, c->from.port);
    const struct tac_node *n = l->plan->node[c->from.node].node;
    if (p->late)
        return 0;
    p->late = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, n->banks);
    int code = p->late ? 0 : -ENOMEM;
    for (uint32_t bank = 0; bank < n->banks && code >= 0; bank++) {
        struct tac_feedback *f = TAC_VAULT_NEW(&l->plan->vault, struct tac_feedback, 1);
        float *ring =
            TAC_VAULT_NEW(&l->plan->vault, float, TAC_ENGINE_SLICE_FRAMES * n->bank_lanes);
        float *out = TAC_VAULT_NEW(&l->plan->vault, float, TAC_ENGINE_SLICE_FRAMES * n->bank_lanes);
        if (!f || !ring || !out)
            return -ENOMEM;
        *f = (struct tac_feedback){ring, out, {0}, n->bank_lanes, &l->plan->position};
        p->late[bank] = (struct tac_signal){out, n->bank_lanes, 1};
        code = tac_layout_op(l, c->from.node, tac_feedback_read, f, l->frames);
    }
    return code;
}

/* Find the signal that this delay delays. */
static void connect_late(struct tac_layout *l, uint32_t node, struct tac_feedback *f)
{
    for (uint32_t o = 0; o < tac_layout_ports(l->g->node[node].block->out); o++) {
        struct tac_layout_port *p = tac_layout_port_of(l, node, o);
        for (uint32_t b = 0; p->late && b < l->plan->node[node].node->banks; b++)
            if (p->late[b].data == f->out)
                f->source = p->bank[b];
    }
    if (l->plan->node[node].node->voices) {
        struct tac_plan_section *s = &l->plan->section[l->g->node[node].section];
        s->reader[s->readers++] = &f->source;
    }
}

/* At the end of the plan; sources of feedback keep their buffers. */
static int lay_late_writes(struct tac_layout *l, uint32_t reads)
{
    int code = 0;
    for (uint32_t i = 0; i < reads && code >= 0; i++) {
        struct tac_op op = l->plan->op[i];
        connect_late(l, op.node, op.self);
        code = tac_layout_op(l, op.node, tac_feedback_write, op.self, l->frames);
    }
    return code;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int count_readers(struct tac_layout *l)
{
    for (uint32_t i = 0; i < l->g->cable_count; i++) {
        const struct tac_graph_cable *c = &l->g->cable[i];
        struct tac_layout_port *p = tac_layout_port_of(l, c->from.node, c->from.port);
        if (c->feedback)
            continue;
        if (!c->summed)
            p->readers++;
        else if (!p->fold_readers++)
            p->readers++;
    }
    return 0;
}

/* Every cable from a section may need to be told in each bank, in each of its pieces. */
static int prepare_sections(struct tac_layout *l)
{
    struct tac_plan *plan = l->plan;
    plan->section = TAC_VAULT_NEW(&plan->vault, struct tac_plan_section, l->g->section_count);
    if (!plan->section)
        return -ENOMEM;
    for (uint32_t i = 0; i < l->g->section_count; i++) {
        uint32_t node = l->g->section[i].node, banks = plan->node[node].node->banks;
        size_t room = (size_t)banks * TAC_VOICES_OUTS * 2;
        for (uint32_t k = 0; k < l->g->cable_count; k++)
            if (l->g->cable[k].from.node == node)
                room += (size_t)banks * 2 + 2;
        plan->section[i].reader = TAC_VAULT_NEW(&plan->vault, struct tac_signal *, room);
        if (!plan->section[i].reader)
            return -ENOMEM;
    }
    return 0;
}

static int prepare_ports(struct tac_layout *l)
{
    uint32_t ports = 0;
    l->port_first = calloc(l->g->node_count, sizeof *l->port_first);
    for (uint32_t i = 0; l->port_first && i < l->g->node_count; i++) {
        l->port_first[i] = ports;
        ports += tac_layout_ports(l->g->node[i].block->out);
        l->plan->banks += l->plan->node[i].node->banks;
    }
    l->port = calloc(ports + 1, sizeof *l->port);
    if (!l->port_first || !l->port)
        return -ENOMEM;
    for (uint32_t i = 0; i < l->g->node_count; i++)
        for (uint32_t o = 0; o < tac_layout_ports(l->g->node[i].block->out); o++) {
            uint32_t banks = l->plan->node[i].node->banks;
            l->port[l->port_first[i] + o].bank =
                TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, banks);
            if (!l->port[l->port_first[i] + o].bank)
                return -ENOMEM;
        }
    return count_readers(l);
}

static int prepare(struct tac_layout *l)
{
    struct tac_plan *plan = l->plan;
    int code = prepare_ports(l);
    if (code < 0)
        return code;
    plan->ios = plan->banks + 1;
    plan->io = TAC_VAULT_NEW(&plan->vault, struct tac_io, plan->ios);
    plan->notes = TAC_VAULT_NEW(&plan->vault, struct tac_notes *, l->g->node_count);
    l->no_notes = TAC_VAULT_NEW(&plan->vault, struct tac_notes, 1);
    l->any_notes = TAC_VAULT_NEW(&plan->vault, struct tac_notes, 1);
    l->rest = TAC_VAULT_NEW(&plan->vault, float, TAC_BLOCK_LANES_MAX);
    if (!plan->io || !plan->notes || !l->no_notes || !l->any_notes || !l->rest)
        return -ENOMEM;
    l->frames = &plan->io[plan->banks];
    uint32_t io = 0;
    for (uint32_t k = 0; k < l->g->node_count && code >= 0; k++) {
        uint32_t node = l->g->order[k];
        plan->node[node].io = &plan->io[io];
        io += plan->node[node].node->banks;
        code = tac_layout_rest(l, node);
    }
    return code < 0 ? code : prepare_sections(l);
}

static int lay_all(struct tac_layout *l)
{
    int code = prepare(l);
    for (uint32_t i = 0; i < l->g->cable_count && code >= 0; i++)
        if (l->g->cable[i].feedback)
            code = lay_late_read(l, &l->g->cable[i]);
    uint32_t reads = l->plan->ops;
    for (uint32_t k = 0; k < l->g->node_count && code >= 0; k++)
        code = lay_node(l, l->g->order[k]);
    return code < 0 ? code : lay_late_writes(l, reads);
}

/* The list grew on the heap; the audio thread reads it from memory that does not fault. */
static int settle_ops(struct tac_plan *plan)
{
    struct tac_op *grown = plan->op;
    plan->op = TAC_VAULT_NEW(&plan->vault, struct tac_op, plan->ops);
    if (plan->op && plan->ops)
        memcpy(plan->op, grown, plan->ops * sizeof *grown);
    free(grown);
    return plan->op ? 0 : -ENOMEM;
}

int tac_plan_lay_out(struct tac_plan *plan)
{
    struct tac_layout l = {.plan = plan, .g = plan->graph};
    int code = lay_all(&l);
    int settled = settle_ops(plan);
    code = code < 0 ? code : settled;
    for (int i = 0; i < TAC_LAYOUT_WIDTHS; i++)
        free(l.pool[i].buffer);
    free(l.port);
    free(l.port_first);
    free(l.scratch);
    free(l.scratch_lanes);
    return code;
}
