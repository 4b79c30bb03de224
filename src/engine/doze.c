/* SPDX-License-Identifier: MIT
 * doze.c - banks at sleep and their waking; see doze.h. Real-time. */
#include "engine/doze.h"

#include "engine/direct.h"

#include <string.h>

/* ---- the operations of a pair ---------------------------------------------------------------- */

static bool is_process(const struct tac_block *block, const struct tac_op *op)
{
    return op->run == block->process || (block->process2 && op->run == block->process2);
}

/* The pairs that come before it in its group of banks sleep, too. */
static bool is_group_asleep(const struct tac_stretch *s, uint32_t frames)
{
    bool asleep = true;
    for (uint32_t i = 1; i <= s->before; i++)
        asleep = asleep && s->pair[-(ptrdiff_t)i].from >= frames;
    return asleep;
}

/* What others need of it all the same: that it adds nothing. */
static void run_asleep(const struct tac_stretch *s, const struct tac_op *op)
{
    if (op->run == tac_gather_run) {
        tac_gather_nothing(op->self, op->io->frames);
    } else if (op->run == tac_peak_run) {
        const struct tac_peak *p = op->self;
        memset(p->peak, 0, p->lanes * sizeof *p->peak);
    } else if (op->run == tac_fold_run) {
        const struct tac_fold *fold = op->self;
        if (fold->alone || is_group_asleep(s, op->io->frames))
            memset(fold->out, 0, op->io->frames * sizeof(float));
        else
            op->run(op->self, op->io);
    }
}

/* The rest of the slice, of which frames have gone by. A line beside a signal does not go on. */
static struct tac_io later(const struct tac_io *io, uint32_t frames, uint32_t lanes)
{
    struct tac_io rest = *io;
    rest.frames -= frames;
    for (int i = 0; i < TAC_BLOCK_PORTS_MAX; i++) {
        if (io->in[i].stride)
            rest.in[i].data += (size_t)frames * io->in[i].stride;
        rest.in[i].line = 0;
        if (io->out[i])
            rest.out[i] += (size_t)frames * lanes;
    }
    for (int i = 0; i < TAC_BLOCK_PARAMS_MAX; i++) {
        if (io->param[i].stride)
            rest.param[i].data += (size_t)frames * io->param[i].stride;
        rest.param[i].line = 0;
    }
    return rest;
}

static void run_waking(const struct tac_stretch *s, const struct tac_op *op, uint32_t from)
{
    const struct tac_plan_node *pn = &s->plan->node[op->node];
    const struct tac_node *n = pn->node;
    uint32_t lanes = n->bank_lanes;
    if (op->run == tac_direct_run)
        tac_direct_stand_back(op->self);
    if (op->skip || pn->hush == TAC_HUSH_ASLEEP)
        return;
    if (pn->hush == TAC_HUSH_SILENT)
        from = op->io->frames;
    if (!is_process(n->block, op)) {
        op->run(op->self, op->io);
        return;
    }
    struct tac_io io[TAC_DOZE_BANKS];
    uint32_t banks = op->run == n->block->process ? 1 : TAC_DOZE_BANKS;
    for (uint32_t b = 0; b < banks; b++) {
        io[b] = later(&op->io[b], from, lanes);
        for (int o = 0; o < TAC_BLOCK_PORTS_MAX; o++)
            if (op->io[b].out[o])
                memset(op->io[b].out[o], 0, (size_t)from * lanes * sizeof(float));
    }
    if (from < op->io->frames)
        op->run(op->self, io);
}

/* `from` is looked at once: a helper that was stopped in here and has lost its task goes on when
 * the pair is in another slice, and must not compute lengths from that one's frame. */
void tac_doze_run(void *self, const struct tac_io *io)
{
    const struct tac_stretch *s = self;
    const struct tac_op *op = s->shortcut.op, *end = op + op[-1].skip;
    uint32_t from = s->pair->from;
    if (!from)
        for (; op < end; op += 1 + op->skip)
            op->run(op->self, op->io);
    else if (from < io->frames)
        for (; op < end; op++)
            run_waking(s, op, from);
    else
        for (; op < end; op++)
            run_asleep(s, op);
}

/* ---- who sleeps ------------------------------------------------------------------------------ */

/* Banks of the pair. */
static uint32_t banks_of(const struct tac_plan_section *s, uint32_t pair)
{
    uint32_t left = s->node->banks - pair * TAC_DOZE_BANKS;
    return left < TAC_DOZE_BANKS ? left : TAC_DOZE_BANKS;
}

/* The audio thread alone changes it. */
static void count_asleep(struct tac_doze *d, uint32_t more)
{
    uint32_t asleep = atomic_load_explicit(&d->asleep, memory_order_relaxed);
    atomic_store_explicit(&d->asleep, asleep + more, memory_order_relaxed);
}

static uint32_t lanes_of(const struct tac_plan_section *s)
{
    return TAC_DOZE_BANKS * s->node->bank_lanes;
}

void tac_doze_follow(const struct tac_plan_section *s)
{
    struct tac_doze *d = s->doze;
    if (!d->waking && (!s->moving || !atomic_load_explicit(&d->asleep, memory_order_relaxed)))
        return;
    d->waking = 0;
    for (uint32_t i = 0; i < d->pairs; i++) {
        struct tac_doze_pair *p = &d->pair[i];
        p->from = 0;
        if (!p->asleep)
            continue;
        p->from = tac_voices_struck(s->node->voices, i * lanes_of(s), lanes_of(s));
        if (p->from == UINT32_MAX)
            continue;
        p->asleep = false;
        count_asleep(d, -banks_of(s, i));
        d->waking++;
    }
}

static bool are_silent(const struct tac_doze *d, const uint32_t *node, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!d->silent[node[i]])
            return false;
    return true;
}

static bool is_at_rest(const struct tac_node *n, uint32_t first, uint32_t banks)
{
    for (uint32_t bank = first; n->block->at_rest && bank < first + banks; bank++)
        if (!n->block->at_rest(n->state[bank]))
            return false;
    return true;
}

/* Nothing that leaves the section from these banks will be anything but 0. */
static bool may_sleep(const struct tac_plan *plan, const struct tac_plan_section *s,
                      uint32_t section, uint32_t pair)
{
    const struct tac_doze *d = s->doze;
    if (!tac_voices_are_idle(s->node->voices, pair * lanes_of(s), lanes_of(s)))
        return false;
    for (uint32_t i = 0; i < d->ways; i++)
        d->silent[d->way[i].node] = 0;
    d->silent[plan->graph->section[section].node] = 1;
    for (uint32_t i = 0; i < d->ways; i++) {
        const struct tac_doze_way *w = &d->way[i];
        if (!d->silent[w->node] && are_silent(d, d->source + w->source.first, w->source.count))
            d->silent[w->node] =
                is_at_rest(plan->node[w->node].node, pair * TAC_DOZE_BANKS, banks_of(s, pair));
    }
    return are_silent(d, d->leaving, d->leavings);
}

void tac_doze_consider(struct tac_plan *plan, uint64_t now)
{
    for (uint32_t i = 0; i < plan->graph->section_count; i++) {
        struct tac_plan_section *s = &plan->section[i];
        struct tac_doze *d = s->doze;
        uint32_t pair = d ? (uint32_t)(now / TAC_ENGINE_SLICE_FRAMES % d->pairs) : 0;
        if (!d || d->pair[pair].asleep || !may_sleep(plan, s, i, pair))
            continue;
        d->pair[pair].asleep = true;
        d->pair[pair].from = UINT32_MAX;
        count_asleep(d, banks_of(s, pair));
    }
}
