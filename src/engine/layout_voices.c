/* SPDX-License-Identifier: MIT
 * layout_voices.c - voices sections in a plan: where their signals go, and what happens to signals
 * of their nodes where they leave the section.
 *
 * Fades    Voices that are stolen fade where they are summed: the gather or the fold of a bank
 *          reads a factor for each lane from the section, which has run before, as the node hears
 *          it. Nodes that hear nothing of the notes do not fade: theirs is no voice.
 * Levels   A section that steals what is quietest asks how loud its voices are there. Who runs the
 *          bank takes the peaks of a slice, each runner in memory of its own; when all tasks have
 *          run, the audio thread hands those of who ran them to the section. So no state changes
 *          in a task that may be taken back.
 * Threads: control. */
#include "engine/layout.h"

#include <errno.h>
#include <string.h>

/* ---- sections ------------------------------------------------------------------------------ */

static int take_section_buffers(struct tac_layout *l, uint32_t node, struct tac_plan_section *s)
{
    struct tac_vault *vault = &l->plan->vault;
    float **out = TAC_VAULT_NEW(vault, float *, s->node->banks *TAC_VOICES_OUTS);
    if (!out)
        return -ENOMEM;
    s->out = (struct tac_voices_output){
        .out = out, .bank_lanes = s->node->bank_lanes, .banks = s->node->banks};
    for (uint32_t bank = 0; bank < s->node->banks; bank++)
        for (uint32_t o = 0; o < TAC_VOICES_OUTS; o++) {
            float *buffer =
                TAC_VAULT_NEW(vault, float, TAC_ENGINE_SLICE_FRAMES * s->node->bank_lanes);
            if (!buffer)
                return -ENOMEM;
            out[bank * TAC_VOICES_OUTS + o] = buffer;
            tac_layout_port_of(l, node, o)->bank[0][bank] =
                (struct tac_signal){buffer, s->node->bank_lanes, 1, 0};
        }
    return 0;
}

/* Only chords steal. */
static int take_fades(struct tac_layout *l, struct tac_plan_section *s, uint32_t node)
{
    const struct tac_graph_section *g = &l->g->section[l->g->node[node].section];
    struct tac_vault *vault = &l->plan->vault;
    uint32_t banks = s->node->banks, lanes = s->node->bank_lanes;
    if (g->mode != TAC_VOICES_POLY || g->steal == TAC_VOICES_NONE)
        return 0;
    float **fade = TAC_VAULT_NEW(vault, float *, banks);
    s->fade = TAC_VAULT_NEW(vault, struct tac_signal, banks);
    if (!fade || !s->fade)
        return -ENOMEM;
    for (uint32_t bank = 0; bank < banks; bank++) {
        fade[bank] = TAC_VAULT_NEW(vault, float, TAC_ENGINE_SLICE_FRAMES *lanes);
        if (!fade[bank])
            return -ENOMEM;
        s->fade[bank] = (struct tac_signal){fade[bank], 0, 1, 0};
    }
    s->out.fade = fade;
    return 0;
}

int tac_layout_section(struct tac_layout *l, uint32_t node)
{
    struct tac_plan_section *s = &l->plan->section[l->g->node[node].section];
    const struct tac_notes *lists[TAC_LAYOUT_NOTES_MAX];
    uint32_t count = tac_layout_notes(l, node, lists);
    const struct tac_notes **list =
        TAC_VAULT_NEW(&l->plan->vault, const struct tac_notes *, count + 1);
    s->own = TAC_VAULT_NEW(&l->plan->vault, struct tac_notes, 1);
    s->node = l->plan->node[node].node;
    s->asleep_from = s->node->banks;
    s->rows = &l->plan->rows;
    if (!list || !s->own || take_section_buffers(l, node, s) < 0 || take_fades(l, s, node) < 0)
        return -ENOMEM;
    list[0] = s->own;
    memcpy(list + 1, lists, count * sizeof *list);
    s->in = (struct tac_voices_input){.lists = list, .count = count + 1};
    return tac_layout_op(l, node, tac_plan_section_run, s, l->plan->frame_io[0]);
}

/* ---- what leaves a section ----------------------------------------------------------------- */

static bool leaves(const struct tac_layout *l, uint32_t node, uint32_t port)
{
    return l->g->node[node].follows_notes &&
           l->units.fold_unit[l->units.port_first[node] + port] != TAC_GRAPH_NONE;
}

const struct tac_signal *tac_layout_fade(const struct tac_layout *l, uint32_t node, uint32_t bank)
{
    const struct tac_graph_node *n = &l->g->node[node];
    if (n->section == TAC_GRAPH_NONE || !n->follows_notes || !l->plan->section[n->section].fade)
        return NULL;
    return &l->plan->section[n->section].fade[bank];
}

static bool is_measured(const struct tac_layout *l, uint32_t node, uint32_t port)
{
    const struct tac_graph_node *n = &l->g->node[node];
    return n->section != TAC_GRAPH_NONE && leaves(l, node, port) &&
           l->plan->section[n->section].fade &&
           l->g->section[n->section].steal == TAC_VOICES_QUIETEST;
}

int tac_layout_peaks(struct tac_layout *l, uint32_t node, uint32_t bank, uint32_t port)
{
    struct tac_vault *vault = &l->plan->vault;
    const struct tac_node *n = l->plan->node[node].node;
    struct tac_layout_port *p = tac_layout_port_of(l, node, port);
    if (!is_measured(l, node, port))
        return 0;
    if (!p->peak[l->runner] && !(p->peak[l->runner] = TAC_VAULT_NEW(vault, float *, n->banks)))
        return -ENOMEM;
    struct tac_peak *peak = TAC_VAULT_NEW(vault, struct tac_peak, 1);
    float *most = TAC_VAULT_NEW(vault, float, n->bank_lanes);
    if (!peak || !most)
        return -ENOMEM;
    p->peak[l->runner][bank] = most;
    *peak = (struct tac_peak){most, p->bank[l->runner][bank], n->bank_lanes};
    l->bank = bank;
    return tac_layout_op(l, node, tac_peak_run, peak, l->plan->frame_io[l->worker]);
}

/* ---- levels -------------------------------------------------------------------------------- */

static uint32_t count_levels(const struct tac_layout *l, uint32_t section)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->g->node_count; i++)
        for (uint32_t o = 0;
             l->g->node[i].section == section && o < tac_ports_count(l->g->node[i].block->out); o++)
            if (is_measured(l, i, o))
                count += l->plan->node[i].node->banks;
    return count;
}

static int add_levels(struct tac_layout *l, struct tac_plan_levels *levels, uint32_t node,
                      uint32_t port)
{
    const struct tac_node *n = l->plan->node[node].node;
    const struct tac_layout_port *p = tac_layout_port_of(l, node, port);
    int code = 0;
    for (uint32_t bank = 0; bank < n->banks && code >= 0; bank++) {
        struct tac_plan_level *level = &levels->level[levels->count++];
        struct tac_signal by[TAC_RUNNERS] = {{0}};
        for (int r = 0; r < TAC_RUNNERS; r++)
            by[r].data = p->peak[r] ? p->peak[r][bank] : NULL;
        *level = (struct tac_plan_level){.first = bank * n->bank_lanes,
                                         .lanes = tac_node_lanes_used(n, bank)};
        code =
            tac_layout_connect(l, &level->peak, tac_unit_of(&l->units, node, bank), &by[0], &by[1]);
    }
    return code;
}

static int lay_section_levels(struct tac_layout *l, uint32_t section, uint32_t count)
{
    struct tac_plan_levels *levels = TAC_VAULT_NEW(&l->plan->vault, struct tac_plan_levels, 1);
    struct tac_plan_level *level = TAC_VAULT_NEW(&l->plan->vault, struct tac_plan_level, count);
    int code = 0;
    if (!levels || !level)
        return -ENOMEM;
    *levels = (struct tac_plan_levels){l->plan->section[section].node->voices, level, 0,
                                       &l->plan->position};
    for (uint32_t i = 0; i < l->g->node_count && code >= 0; i++)
        for (uint32_t o = 0; l->g->node[i].section == section &&
                             o < tac_ports_count(l->g->node[i].block->out) && code >= 0;
             o++)
            if (is_measured(l, i, o))
                code = add_levels(l, levels, i, o);
    return code < 0 ? code
                    : tac_layout_op(l, l->g->section[section].node, tac_plan_levels_run, levels,
                                    l->plan->frame_io[0]);
}

int tac_layout_levels(struct tac_layout *l)
{
    int code = 0;
    for (uint32_t s = 0; s < l->g->section_count && code >= 0; s++) {
        bool asks = l->g->section[s].steal == TAC_VOICES_QUIETEST && l->plan->section[s].fade;
        uint32_t count = asks ? count_levels(l, s) : 0;
        if (count)
            code = lay_section_levels(l, s, count);
    }
    return code;
}
