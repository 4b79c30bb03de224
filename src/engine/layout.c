/* SPDX-License-Identifier: MIT
 * layout.c - from nodes and cables to buffers and operations.
 *
 * Node by node in the order of the graph: the mixes its inputs and parameters need, the node itself
 * bank by bank, and what its readers need of it (sums over voices, feedback). A buffer goes back to
 * the pool of its width when the last cable that reads it has been laid, so the next node may write
 * to it. An input that hears exactly one signal of its own width reads that signal in place: a
 * cable costs nothing then. Threads: control. Cost: nodes + cables. */
#include "engine/plan.h"

#include "tactus/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE = TAC_ENGINE_SLICE_FRAMES, WIDTHS = 5, NOTE_LISTS_MAX = 32 };

/* One output of a node while the plan is laid out. */
struct port {
    struct tac_signal *bank; /* [banks] */
    struct tac_signal fold;  /* sum over the voices; data NULL: nobody wants it */
    struct tac_signal *late; /* [banks] one slice later; NULL: nobody wants it */
    struct tac_notes *notes;
    uint32_t readers, fold_readers; /* cables that are not laid yet */
};

struct pool {
    float **buffer;
    uint32_t count, room;
};

struct layout {
    struct tac_plan *plan;
    struct tac_graph *g;
    struct port *port;        /* [all outputs] */
    uint32_t *port_first;     /* [nodes] */
    struct pool pool[WIDTHS]; /* by log2 of lanes */
    struct tac_io *frames;    /* an io for operations that need nothing but frames */
    struct tac_notes *no_notes, *any_notes;
    float *rest;     /* rows for inputs at rest */
    float **scratch; /* mixes of the node that is being laid out */
    uint32_t *scratch_lanes;
    uint32_t scratches, scratch_room;
};

static uint32_t count_ports(const struct tac_port *ports)
{
    uint32_t n = 0;
    while (n < TAC_BLOCK_PORTS_MAX && ports[n].name)
        n++;
    return n;
}

static struct port *port_of(const struct layout *l, uint32_t node, uint32_t port)
{
    return &l->port[l->port_first[node] + port];
}

/* ---- buffers ------------------------------------------------------------------------------- */

static float *take_buffer(struct layout *l, uint32_t lanes)
{
    struct pool *p = &l->pool[__builtin_ctz(lanes)];
    if (p->count)
        return p->buffer[--p->count];
    return TAC_VAULT_NEW(&l->plan->vault, float, SLICE *lanes);
}

static int give_buffer(struct layout *l, const float *buffer, uint32_t lanes)
{
    struct pool *p = &l->pool[__builtin_ctz(lanes)];
    if (p->count == p->room) {
        uint32_t room = p->room ? p->room * 2 : 64;
        float **bigger = realloc(p->buffer, room * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        p->buffer = bigger;
        p->room = room;
    }
    memcpy(&p->buffer[p->count++], &buffer, sizeof buffer);
    return 0;
}

/* A buffer that is given back when the node has been laid out. */
static float *take_scratch(struct layout *l, uint32_t lanes)
{
    if (l->scratches == l->scratch_room) {
        uint32_t room = l->scratch_room ? l->scratch_room * 2 : 64;
        float **buffers = realloc(l->scratch, room * sizeof *buffers);
        l->scratch = buffers ? buffers : l->scratch;
        uint32_t *widths = realloc(l->scratch_lanes, room * sizeof *widths);
        l->scratch_lanes = widths ? widths : l->scratch_lanes;
        if (!buffers || !widths)
            return NULL;
        l->scratch_room = room;
    }
    float *buffer = take_buffer(l, lanes);
    if (buffer) {
        l->scratch[l->scratches] = buffer;
        l->scratch_lanes[l->scratches++] = lanes;
    }
    return buffer;
}

static int give_scratches(struct layout *l)
{
    int code = 0;
    while (l->scratches && code >= 0) {
        l->scratches--;
        code = give_buffer(l, l->scratch[l->scratches], l->scratch_lanes[l->scratches]);
    }
    return code;
}

static int add_op(struct layout *l, uint32_t node, void (*run)(void *, const struct tac_io *),
                  void *self, const struct tac_io *io)
{
    struct tac_plan *p = l->plan;
    if (p->ops == p->op_room) {
        uint32_t room = p->op_room ? p->op_room * 2 : 256;
        struct tac_op *bigger = realloc(p->op, room * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        p->op = bigger;
        p->op_room = room;
    }
    p->op[p->ops++] = (struct tac_op){run, self, io, node};
    return 0;
}

/* ---- what a cable carries ------------------------------------------------------------------ */

/* The banks that cable c reads: *ret_lanes wide each. */
static struct tac_signal *source_banks(struct layout *l, const struct tac_graph_cable *c,
                                       uint32_t *ret_lanes)
{
    struct port *p = port_of(l, c->from.node, c->from.port);
    *ret_lanes = c->summed ? 1 : l->plan->node[c->from.node].node->bank_lanes;
    if (c->feedback)
        return p->late;
    return c->summed ? &p->fold : p->bank;
}

/* Signals of voices change their stride: whoever keeps a copy of one has to be told. */
static void follow(struct layout *l, const struct tac_graph_cable *c, struct tac_signal *reader)
{
    if (l->g->node[c->from.node].block != &tac_graph_block_voices || c->summed || c->feedback)
        return;
    struct tac_plan_section *s = &l->plan->section[l->g->node[c->from.node].section];
    s->reader[s->readers++] = reader;
}

static void add_source(struct layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                       struct tac_signal signal, const struct tac_mix_source *how)
{
    struct tac_mix_source *s = &mix->source[mix->count++];
    *s = *how;
    s->signal = signal;
    follow(l, c, &s->signal);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Lane to lane: pieces that lie in one bank on both sides. */
static void add_pieces(struct layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                       uint32_t bank)
{
    uint32_t lanes, low = bank * mix->lanes, high = low + mix->lanes;
    struct tac_signal *from = source_banks(l, c, &lanes);
    for (uint32_t i = 0; i < c->from.count;) {
        uint32_t a = c->from.first + i, b = c->to.first + i;
        uint32_t n =
            smaller(c->from.count - i, smaller(lanes - a % lanes, mix->lanes - b % mix->lanes));
        if (b >= low && b < high) {
            bool whole = lanes == mix->lanes && a % lanes == 0 && b % lanes == 0 &&
                         (n == lanes || i + n == c->from.count) && c->to.first == 0 &&
                         c->to.count == l->g->node[c->to.node].lanes;
            add_source(l, mix, c, from[a / lanes],
                       &(struct tac_mix_source){.from = a % lanes,
                                                .to = b % mix->lanes,
                                                .count = n,
                                                .kind = whole ? TAC_MIX_WHOLE : TAC_MIX_LANES});
        }
        i += n;
    }
}

static void add_spread(struct layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                       uint32_t bank)
{
    uint32_t lanes, low = bank * mix->lanes, high = low + mix->lanes;
    struct tac_signal *from = source_banks(l, c, &lanes);
    uint32_t first = c->to.first > low ? c->to.first : low;
    uint32_t end = smaller(c->to.first + c->to.count, high);
    if (first < end)
        add_source(l, mix, c, from[c->from.first / lanes],
                   &(struct tac_mix_source){.from = c->from.first % lanes,
                                            .to = first - low,
                                            .count = end - first,
                                            .kind = TAC_MIX_SPREAD});
}

static void add_fold(struct layout *l, struct tac_mix *mix, const struct tac_graph_cable *c,
                     uint32_t bank)
{
    uint32_t lanes;
    struct tac_signal *from = source_banks(l, c, &lanes);
    if (c->to.first / mix->lanes != bank)
        return;
    for (uint32_t i = 0; i < c->from.count;) {
        uint32_t a = c->from.first + i, n = smaller(c->from.count - i, lanes - a % lanes);
        add_source(l, mix, c, from[a / lanes],
                   &(struct tac_mix_source){.from = a % lanes,
                                            .to = c->to.first % mix->lanes,
                                            .count = n,
                                            .kind = TAC_MIX_FOLD});
        i += n;
    }
}

/* How many sources cable c can add to one bank. */
static uint32_t sources_at_most(const struct layout *l, const struct tac_graph_cable *c)
{
    uint32_t lanes = c->summed ? 1 : l->plan->node[c->from.node].node->bank_lanes;
    return c->from.count / lanes + c->to.count / l->plan->node[c->to.node].node->bank_lanes + 4;
}

static const struct tac_graph_cable *cable_at(const struct layout *l,
                                              const struct tac_graph_node *n, uint32_t i)
{
    return &l->g->cable[l->g->by_target[n->cable_first + i]];
}

/* ---- inputs and parameters ----------------------------------------------------------------- */

/* The only cable into that target, when its signal can be read as it is. */
static const struct tac_graph_cable *find_direct(const struct layout *l,
                                                 const struct tac_graph_node *n, uint32_t port)
{
    const struct tac_graph_cable *only = NULL;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = cable_at(l, n, i);
        if (c->target == TAC_CABLE_INPUT && c->to.port == port) {
            if (only)
                return NULL;
            only = c;
        }
    }
    if (!only)
        return NULL;
    uint32_t from_lanes = only->summed ? 1 : l->g->node[only->from.node].lanes;
    bool fits = only->from.first == 0 && only->to.first == 0 && only->from.count == from_lanes &&
                only->to.count == n->lanes && from_lanes == n->lanes;
    return fits ? only : NULL;
}

static int lay_mix(struct layout *l, uint32_t node, enum tac_cable_target target, uint32_t port,
                   uint32_t bank)
{
    const struct tac_graph_node *n = &l->g->node[node];
    struct tac_plan_node *pn = &l->plan->node[node];
    uint32_t room = 0;
    for (uint32_t i = 0; i < n->cable_count; i++)
        if (cable_at(l, n, i)->target == target && cable_at(l, n, i)->to.port == port)
            room += sources_at_most(l, cable_at(l, n, i));
    struct tac_mix *mix = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix, 1);
    if (!mix)
        return -ENOMEM;
    mix->lanes = pn->node->bank_lanes;
    mix->source = TAC_VAULT_NEW(&l->plan->vault, struct tac_mix_source, room);
    mix->out = take_scratch(l, mix->lanes);
    if (!mix->source || !mix->out)
        return -ENOMEM;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = cable_at(l, n, i);
        if (c->target != target || c->to.port != port)
            continue;
        if (c->from.count == c->to.count)
            add_pieces(l, mix, c, bank);
        else if (c->from.count == 1)
            add_spread(l, mix, c, bank);
        else
            add_fold(l, mix, c, bank);
    }
    struct tac_io *io = &pn->io[bank];
    mix->target = target == TAC_CABLE_INPUT ? &io->in[port] : &io->param[port];
    if (target == TAC_CABLE_PARAM) {
        mix->base = io->param[port];
        mix->clamp = 1;
        mix->min = pn->node->block->param[port].min;
        mix->max = pn->node->block->param[port].max;
        pn->set[bank * pn->node->params + port] = &mix->base;
    }
    *mix->target = (struct tac_signal){mix->out, mix->lanes, 1};
    return add_op(l, node, tac_mix_run, mix, l->frames);
}

static int lay_input(struct layout *l, uint32_t node, uint32_t port)
{
    const struct tac_graph_node *n = &l->g->node[node];
    struct tac_plan_node *pn = &l->plan->node[node];
    const struct tac_graph_cable *direct = find_direct(l, n, port);
    int code = 0;
    for (uint32_t bank = 0; bank < pn->node->banks && code >= 0; bank++) {
        uint32_t lanes;
        if (!direct) {
            code = lay_mix(l, node, TAC_CABLE_INPUT, port, bank);
            continue;
        }
        pn->io[bank].in[port] = source_banks(l, direct, &lanes)[bank];
        pn->io[bank].in[port].connected = 1;
        follow(l, direct, &pn->io[bank].in[port]);
    }
    return code;
}

/* Rows for inputs at rest: 0 in the first, 1 in the second; others get their own. */
static const float *rest_row(struct layout *l, float value)
{
    if (value == 0)
        return l->rest;
    float *row = TAC_VAULT_NEW(&l->plan->vault, float, TAC_BLOCK_LANES_MAX);
    for (int i = 0; row && i < TAC_BLOCK_LANES_MAX; i++)
        row[i] = value;
    return row;
}

/* Everything at rest; cables come on top. */
static int rest_node(struct layout *l, uint32_t node)
{
    struct tac_plan_node *pn = &l->plan->node[node];
    const struct tac_node *n = pn->node;
    pn->set = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal *, n->banks * n->params);
    if (!pn->set)
        return -ENOMEM;
    for (uint32_t i = 0; i < count_ports(n->block->in); i++) {
        const float *row = rest_row(l, n->block->in[i].rest);
        if (!row)
            return -ENOMEM;
        for (uint32_t bank = 0; bank < n->banks; bank++)
            pn->io[bank].in[i] = (struct tac_signal){row, 0, 0};
    }
    for (uint32_t bank = 0; bank < n->banks; bank++) {
        pn->io[bank].notes_in = l->no_notes;
        pn->io[bank].notes_out = l->any_notes;
        for (uint32_t p = 0; p < n->params; p++) {
            pn->io[bank].param[p] = (struct tac_signal){tac_node_row(n, p), 0, 0};
            pn->set[bank * n->params + p] = &pn->io[bank].param[p];
        }
    }
    return 0;
}

static int lay_targets(struct layout *l, uint32_t node)
{
    const struct tac_graph_node *n = &l->g->node[node];
    uint32_t inputs = 0, params = 0;
    int code = 0;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = cable_at(l, n, i);
        if (c->target == TAC_CABLE_INPUT)
            inputs |= 1u << c->to.port;
        else if (c->target == TAC_CABLE_PARAM)
            params |= 1u << c->to.port;
    }
    for (uint32_t port = 0; inputs >> port && code >= 0; port++)
        if (inputs >> port & 1)
            code = lay_input(l, node, port);
    for (uint32_t p = 0; params >> p && code >= 0; p++)
        for (uint32_t bank = 0;
             params >> p & 1 && bank < l->plan->node[node].node->banks && code >= 0; bank++)
            code = lay_mix(l, node, TAC_CABLE_PARAM, p, bank);
    return code;
}

/* ---- notes --------------------------------------------------------------------------------- */

static uint32_t collect_notes(struct layout *l, const struct tac_graph_node *n,
                              const struct tac_notes **lists)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->cable_count; i++) {
        const struct tac_graph_cable *c = cable_at(l, n, i);
        if (c->target == TAC_CABLE_NOTES && count < NOTE_LISTS_MAX)
            lists[count++] = port_of(l, c->from.node, c->from.port)->notes;
    }
    return count;
}

static int lay_notes_in(struct layout *l, uint32_t node)
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
    return add_op(l, node, tac_plan_merge_run, merge, l->frames);
}

static int lay_notes_out(struct layout *l, uint32_t node, struct port *p)
{
    p->notes = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes, 1);
    if (!p->notes)
        return -ENOMEM;
    l->plan->node[node].io[0].notes_out = p->notes;
    l->plan->notes[l->plan->notes_count++] = p->notes;
    return 0;
}

static int lay_section(struct layout *l, uint32_t node)
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
                TAC_VAULT_NEW(vault, float, SLICE * s->node->bank_lanes);
            if (!out[bank * TAC_VOICES_OUTS + o])
                return -ENOMEM;
            port_of(l, node, o)->bank[bank] =
                (struct tac_signal){out[bank * TAC_VOICES_OUTS + o], s->node->bank_lanes, 1};
        }
    return add_op(l, node, tac_plan_section_run, s, l->frames);
}

/* ---- outputs ------------------------------------------------------------------------------- */

static bool keeps_buffers(const struct layout *l, uint32_t node)
{
    return l->g->node[node].block_index < 0;
}

static int lay_outputs(struct layout *l, uint32_t node)
{
    struct tac_plan_node *pn = &l->plan->node[node];
    uint32_t lanes = pn->node->bank_lanes;
    for (uint32_t o = 0; o < count_ports(pn->node->block->out); o++) {
        struct port *p = port_of(l, node, o);
        if (pn->node->block->out[o].kind == TAC_PORT_NOTES) {
            if (lay_notes_out(l, node, p) < 0)
                return -ENOMEM;
            continue;
        }
        for (uint32_t bank = 0; bank < pn->node->banks; bank++) {
            float *buffer = keeps_buffers(l, node)
                                ? TAC_VAULT_NEW(&l->plan->vault, float, SLICE *lanes)
                                : take_buffer(l, lanes);
            if (!buffer)
                return -ENOMEM;
            pn->io[bank].out[o] = buffer;
            p->bank[bank] = (struct tac_signal){buffer, lanes, 1};
        }
    }
    return 0;
}

static int lay_process(struct layout *l, uint32_t node)
{
    struct tac_plan_node *pn = &l->plan->node[node];
    int code = 0;
    for (uint32_t bank = 0; bank < pn->node->banks && code >= 0; bank++)
        code = add_op(l, node, pn->node->block->process, pn->node->state[bank], &pn->io[bank]);
    return code;
}

static int lay_fold(struct layout *l, uint32_t node, struct port *p)
{
    const struct tac_node *n = l->plan->node[node].node;
    struct tac_fold *fold = TAC_VAULT_NEW(&l->plan->vault, struct tac_fold, 1);
    struct tac_signal *bank = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, n->banks);
    float *out = take_buffer(l, 1);
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
    return add_op(l, node, tac_fold_run, fold, l->frames);
}

/* A signal has been read for the last time: its memory may be written again. */
static int release_port(struct layout *l, uint32_t node, struct port *p)
{
    int code = 0;
    if (p->readers || keeps_buffers(l, node) || p->notes)
        return 0;
    for (uint32_t bank = 0; bank < l->plan->node[node].node->banks && code >= 0; bank++)
        code = give_buffer(l, p->bank[bank].data, l->plan->node[node].node->bank_lanes);
    return code;
}

static int finish_outputs(struct layout *l, uint32_t node)
{
    int code = 0;
    for (uint32_t o = 0; o < count_ports(l->g->node[node].block->out) && code >= 0; o++) {
        struct port *p = port_of(l, node, o);
        if (p->fold_readers) {
            code = lay_fold(l, node, p);
            p->readers--; /* the sum itself was counted as one reader */
        }
        if (code >= 0 && !p->late)
            code = release_port(l, node, p);
    }
    return code;
}

static int finish_inputs(struct layout *l, uint32_t node)
{
    const struct tac_graph_node *n = &l->g->node[node];
    int code = give_scratches(l);
    for (uint32_t i = 0; i < n->cable_count && code >= 0; i++) {
        const struct tac_graph_cable *c = cable_at(l, n, i);
        struct port *p = port_of(l, c->from.node, c->from.port);
        if (c->feedback)
            continue;
        if (c->summed && --p->fold_readers == 0)
            code = give_buffer(l, p->fold.data, 1);
        else if (!c->summed && --p->readers == 0 && !p->late)
            code = release_port(l, c->from.node, p);
    }
    return code;
}

static int lay_node(struct layout *l, uint32_t node)
{
    bool block = l->g->node[node].block_index >= 0;
    int code = lay_targets(l, node);
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
static int lay_late_read(struct layout *l, const struct tac_graph_cable *c)
{
    struct port *p = port_of(l, c->from.node, c->from.port);
    const struct tac_node *n = l->plan->node[c->from.node].node;
    if (p->late)
        return 0;
    p->late = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, n->banks);
    int code = p->late ? 0 : -ENOMEM;
    for (uint32_t bank = 0; bank < n->banks && code >= 0; bank++) {
        struct tac_feedback *f = TAC_VAULT_NEW(&l->plan->vault, struct tac_feedback, 1);
        float *ring = TAC_VAULT_NEW(&l->plan->vault, float, SLICE * n->bank_lanes);
        float *out = TAC_VAULT_NEW(&l->plan->vault, float, SLICE * n->bank_lanes);
        if (!f || !ring || !out)
            return -ENOMEM;
        *f = (struct tac_feedback){ring, out, {0}, n->bank_lanes, &l->plan->position};
        p->late[bank] = (struct tac_signal){out, n->bank_lanes, 1};
        code = add_op(l, c->from.node, tac_feedback_read, f, l->frames);
    }
    return code;
}

/* Find the signal that this delay delays. */
static void connect_late(struct layout *l, uint32_t node, struct tac_feedback *f)
{
    for (uint32_t o = 0; o < count_ports(l->g->node[node].block->out); o++) {
        struct port *p = port_of(l, node, o);
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
static int lay_late_writes(struct layout *l, uint32_t reads)
{
    int code = 0;
    for (uint32_t i = 0; i < reads && code >= 0; i++) {
        struct tac_op op = l->plan->op[i];
        connect_late(l, op.node, op.self);
        code = add_op(l, op.node, tac_feedback_write, op.self, l->frames);
    }
    return code;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int count_readers(struct layout *l)
{
    for (uint32_t i = 0; i < l->g->cable_count; i++) {
        const struct tac_graph_cable *c = &l->g->cable[i];
        struct port *p = port_of(l, c->from.node, c->from.port);
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
static int prepare_sections(struct layout *l)
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

static int prepare_ports(struct layout *l)
{
    uint32_t ports = 0;
    l->port_first = calloc(l->g->node_count, sizeof *l->port_first);
    for (uint32_t i = 0; l->port_first && i < l->g->node_count; i++) {
        l->port_first[i] = ports;
        ports += count_ports(l->g->node[i].block->out);
        l->plan->banks += l->plan->node[i].node->banks;
    }
    l->port = calloc(ports + 1, sizeof *l->port);
    if (!l->port_first || !l->port)
        return -ENOMEM;
    for (uint32_t i = 0; i < l->g->node_count; i++)
        for (uint32_t o = 0; o < count_ports(l->g->node[i].block->out); o++) {
            uint32_t banks = l->plan->node[i].node->banks;
            l->port[l->port_first[i] + o].bank =
                TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, banks);
            if (!l->port[l->port_first[i] + o].bank)
                return -ENOMEM;
        }
    return count_readers(l);
}

static int prepare(struct layout *l)
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
        code = rest_node(l, node);
    }
    return code < 0 ? code : prepare_sections(l);
}

static int lay_all(struct layout *l)
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

int tac_plan_lay_out(struct tac_plan *plan)
{
    struct layout l = {.plan = plan, .g = plan->graph};
    int code = lay_all(&l);
    for (int i = 0; i < WIDTHS; i++)
        free(l.pool[i].buffer);
    free(l.port);
    free(l.port_first);
    free(l.scratch);
    free(l.scratch_lanes);
    return code;
}
