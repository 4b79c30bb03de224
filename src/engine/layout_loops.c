/* SPDX-License-Identifier: MIT
 * layout_loops.c - a loop of short feedback as one operation; see loop.h.
 *
 * Its units are laid out as anywhere else, and their operations taken from the plan's list into one
 * of its own. Its buffers are never given back: in the next step they are needed again. Sums over
 * banks are added to when the loop has run. Threads: control. */
#include "engine/layout.h"
#include "engine/loop.h"

#include <errno.h>
#include <string.h>

static const uint32_t one = 1;

float *tac_layout_echo(struct tac_layout *l, uint32_t node, uint32_t port, uint32_t bank)
{
    struct tac_echo *echo = tac_echo_of(l->plan->node[node].node, TAC_ECHO_CLOSE, port);
    return echo ? echo[bank].rows + TAC_ECHO_FRAMES * echo[bank].lanes : NULL;
}

/* ---- pointers that go on ------------------------------------------------------------------- */

struct collector {
    struct tac_layout *l;
    struct tac_loop *loop;
    struct tac_layout_list reader, writer, io, echo;
    int code;
};

static void add(struct collector *c, struct tac_layout_list *list, const void *item, size_t bytes)
{
    if (!tac_layout_append(list, item, bytes))
        c->code = -ENOMEM;
}

static void add_reader(struct collector *c, const float **at, const uint32_t *stride)
{
    struct tac_loop_reader item = {at, NULL, stride};
    if (*at)
        add(c, &c->reader, &item, sizeof item);
}

static void add_writer(struct collector *c, float **at, const uint32_t *stride)
{
    struct tac_loop_writer item = {at, NULL, stride};
    if (*at)
        add(c, &c->writer, &item, sizeof item);
}

/* A line beside the signal does not go on with it. */
static void add_signal(struct collector *c, struct tac_signal *s)
{
    s->line = 0;
    add_reader(c, &s->data, &s->stride);
}

/* It has to fill every frame, as what stands still in one step may move in the next. */
static void add_mix(struct collector *c, struct tac_mix *mix)
{
    mix->full = 1;
    mix->line = 0;
    add_writer(c, &mix->out, &mix->lanes);
    add_signal(c, &mix->base);
    for (uint32_t i = 0; i < mix->count; i++) {
        add_signal(c, &mix->source[i].signal);
        add_reader(c, &mix->source[i].fade, &one);
    }
}

static void add_io(struct collector *c, const struct tac_node *n, struct tac_io *io)
{
    for (uint32_t i = 0; i < tac_ports_count(n->block->in); i++)
        add_signal(c, &io->in[i]);
    for (uint32_t i = 0; i < n->params; i++)
        add_signal(c, &io->param[i]);
    for (uint32_t i = 0; i < tac_ports_count(n->block->out); i++)
        add_writer(c, &io->out[i], &n->bank_lanes);
    add(c, &c->io, &io, sizeof io);
}

static void add_node(struct collector *c, uint32_t node)
{
    const struct tac_plan_node *pn = &c->l->plan->node[node];
    for (uint32_t bank = 0; bank < pn->node->banks; bank++)
        add_io(c, pn->node, pn->io[c->l->runner][bank]);
    for (uint32_t o = 0; pn->node->echoes && o < TAC_BLOCK_PORTS_MAX; o++)
        for (uint32_t bank = 0; pn->node->echoes->close[o] && bank < pn->node->banks; bank++) {
            struct tac_echo *echo = &pn->node->echoes->close[o][bank];
            add(c, &c->echo, &echo, sizeof echo);
        }
}

static int freeze(struct collector *c)
{
    struct tac_loop *loop = c->loop;
    loop->readers = c->reader.count;
    loop->writers = c->writer.count;
    loop->node_ios = c->io.count;
    loop->echoes = c->echo.count;
    loop->reader = tac_layout_freeze(c->l, &c->reader, sizeof *loop->reader);
    loop->writer = tac_layout_freeze(c->l, &c->writer, sizeof *loop->writer);
    loop->node_io = tac_layout_freeze(c->l, &c->io, sizeof(struct tac_io *));
    loop->echo = tac_layout_freeze(c->l, &c->echo, sizeof(struct tac_echo *));
    bool there = loop->reader && loop->writer && loop->node_io && loop->echo;
    return c->code < 0 || !there ? -ENOMEM : 0;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static int lay_members(struct tac_layout *l, uint32_t loop)
{
    int code = 0;
    for (uint32_t k = l->g->loop_first[loop]; k < l->g->loop_first[loop + 1]; k++) {
        struct tac_range units = l->units.node_units[l->g->loop_node[k]];
        for (uint32_t i = units.first; i < units.first + units.count && code >= 0; i++)
            code = tac_layout_unit(l, i);
    }
    return code;
}

/* Take the operations from `first` on out of the list, and put the loop in their place. */
static int wrap(struct tac_layout *l, uint32_t unit, uint32_t first)
{
    const struct tac_piece *u = &l->units.unit[unit];
    struct tac_layout_list *list = &l->op[l->runner];
    struct tac_loop *loop = TAC_VAULT_NEW(&l->plan->vault, struct tac_loop, 1);
    uint32_t ops = list->count - first;
    struct tac_op *op = TAC_VAULT_NEW(&l->plan->vault, struct tac_op, ops);
    if (!loop || !op)
        return -ENOMEM;
    memcpy(op, (struct tac_op *)list->items + first, ops * sizeof *op);
    list->count = first;
    *loop = (struct tac_loop){.op = op,
                              .ops = ops,
                              .frames = l->g->loop_frames[u->index],
                              .now = &l->plan->now,
                              .guard = &l->plan->guard};
    struct collector c = {.l = l, .loop = loop};
    for (uint32_t i = 0; i < ops; i++)
        if (op[i].run == tac_mix_run) {
            op[i].io = &loop->io;
            add_mix(&c, op[i].self);
        }
    for (uint32_t k = l->g->loop_first[u->index]; k < l->g->loop_first[u->index + 1]; k++)
        add_node(&c, l->g->loop_node[k]);
    l->bank = 0;
    int code = freeze(&c);
    return code < 0 ? code
                    : tac_layout_op(l, u->node, tac_loop_run, loop, l->plan->frame_io[l->worker]);
}

int tac_layout_loop(struct tac_layout *l, uint32_t unit)
{
    uint32_t loop = l->units.unit[unit].index, first = l->op[l->runner].count;
    int code = lay_members(l, loop);
    if (code >= 0)
        code = wrap(l, unit, first);
    for (uint32_t k = l->g->loop_first[loop]; k < l->g->loop_first[loop + 1]; k++) {
        uint32_t node = l->g->loop_node[k];
        for (uint32_t bank = 0; bank < l->plan->node[node].node->banks && code >= 0; bank++)
            code = tac_layout_gathers(l, node, bank);
        for (uint32_t bank = 0; bank < l->plan->node[node].node->banks && code >= 0; bank++)
            code = tac_layout_lanes(l, node, bank);
    }
    return code;
}
