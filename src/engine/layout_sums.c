/* SPDX-License-Identifier: MIT
 * layout_sums.c - sums over the banks of a node: bank by bank within a group, then over the lanes
 * of the group, then over the groups.
 *
 * Running  Each bank adds itself to the sum of the banks before it. In one task that is one buffer
 *          which all of them add to. A bank that waits for something late may be in a later task
 *          than the bank before it; then it begins a buffer of its own with what was imported.
 * Groups   The last bank of a group folds the sum to one lane. So what goes from core to core is
 *          one lane for each group of banks, a 128th of what the banks themselves would be.
 * Threads: control. */
#include "engine/layout.h"

#include <errno.h>

bool tac_layout_is_alone(const struct tac_node *n, uint32_t bank)
{
    return bank % TAC_GROUP_BANKS == 0 && bank + 1 == n->banks;
}

static bool ends_group(const struct tac_node *n, uint32_t bank)
{
    return bank % TAC_GROUP_BANKS == TAC_GROUP_BANKS - 1 || bank + 1 == n->banks;
}

static uint32_t task_of(const struct tac_layout *l, uint32_t node, uint32_t bank)
{
    return l->units.unit[tac_unit_of(&l->units, node, bank)].task;
}

bool tac_layout_sums_on(const struct tac_layout *l, uint32_t node, uint32_t bank)
{
    return bank % TAC_GROUP_BANKS && task_of(l, node, bank - 1) == task_of(l, node, bank);
}

/* All banks of the group are in one task: its sum needs nothing to be kept. */
static bool is_together(const struct tac_layout *l, uint32_t node, uint32_t bank)
{
    const struct tac_node *n = l->plan->node[node].node;
    uint32_t first = bank - bank % TAC_GROUP_BANKS;
    bool together = true;
    for (uint32_t b = first + 1; b < first + TAC_GROUP_BANKS && b < n->banks; b++)
        together = together && tac_layout_sums_on(l, node, b);
    return together;
}

static int follow_section(struct tac_layout *l, uint32_t node, struct tac_signal *reader)
{
    struct tac_layout_reader item = {l->g->node[node].section, reader};
    if (!l->plan->node[node].node->voices)
        return 0;
    return tac_layout_append(&l->reader, &item, sizeof item) ? 0 : -ENOMEM;
}

/* ---- within a group ------------------------------------------------------------------------ */

/* What the banks before it have come to. */
static int connect_sum(struct tac_layout *l, uint32_t node, uint32_t bank,
                       struct tac_layout_port *p, struct tac_gather *g)
{
    struct tac_signal by[TAC_RUNNERS];
    for (int r = 0; r < TAC_RUNNERS; r++)
        by[r] = (struct tac_signal){p->sum[r][bank - 1], g->lanes, 1, 0};
    return tac_layout_connect(l, &g->before, tac_unit_of(&l->units, node, bank - 1), &by[0],
                              &by[1]);
}

/* Add the bank to the running sum of its group. A group of one bank is read as it is. */
static int lay_gather(struct tac_layout *l, uint32_t node, uint32_t bank, struct tac_layout_port *p)
{
    const struct tac_node *n = l->plan->node[node].node;
    if (!p->sum[l->runner] || tac_layout_is_alone(n, bank))
        return 0;
    float **sum = &p->sum[l->runner][bank];
    struct tac_gather *g = TAC_VAULT_NEW(&l->plan->vault, struct tac_gather, 1);
    l->bank = bank;
    *sum = tac_layout_sums_on(l, node, bank)
               ? sum[-1]
               : tac_layout_take(l, n->bank_lanes, !is_together(l, node, bank));
    if (!g || !*sum)
        return -ENOMEM;
    *g = (struct tac_gather){.out = *sum,
                             .in = p->bank[l->runner][bank],
                             .gain = tac_layout_fade(l, node, bank),
                             .lanes = n->bank_lanes,
                             .used = tac_node_lanes_used(n, bank),
                             .first = bank % TAC_GROUP_BANKS == 0};
    int code = g->first ? 0 : connect_sum(l, node, bank, p, g);
    if (code >= 0)
        code = follow_section(l, node, &g->in);
    return code < 0 ? code
                    : tac_layout_op(l, node, tac_gather_run, g, l->plan->frame_io[l->worker]);
}

int tac_layout_gathers(struct tac_layout *l, uint32_t node, uint32_t bank)
{
    int code = 0;
    for (uint32_t o = 0; o < tac_ports_count(l->g->node[node].block->out) && code >= 0; o++) {
        code = tac_layout_peaks(l, node, bank, o);
        if (code >= 0)
            code = lay_gather(l, node, bank, tac_layout_port_of(l, node, o));
    }
    return code;
}

/* ---- a group ------------------------------------------------------------------------------- */

/* The only group is the whole sum, where both are computed by the same task. */
static bool is_whole(const struct tac_layout *l, uint32_t node, uint32_t port)
{
    uint32_t fold = l->units.fold_unit[l->units.port_first[node] + port];
    uint32_t banks = l->plan->node[node].node->banks;
    return banks <= TAC_GROUP_BANKS && l->units.unit[fold].task == task_of(l, node, banks - 1);
}

static bool is_kept(const struct tac_layout *l, uint32_t node, uint32_t port)
{
    return l->exported[l->units.fold_unit[l->units.port_first[node] + port]] ||
           !is_whole(l, node, port);
}

static int lay_lane(struct tac_layout *l, uint32_t node, uint32_t bank, uint32_t port)
{
    const struct tac_node *n = l->plan->node[node].node;
    struct tac_layout_port *p = tac_layout_port_of(l, node, port);
    bool alone = tac_layout_is_alone(n, bank);
    float **sum = p->sum[l->runner];
    struct tac_fold *fold = TAC_VAULT_NEW(&l->plan->vault, struct tac_fold, 1);
    struct tac_signal *in = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, 1);
    float *out = tac_layout_take(l, 1, is_kept(l, node, port));
    if (!fold || !in || !out)
        return -ENOMEM;
    *in = alone ? p->bank[l->runner][bank] : (struct tac_signal){sum[bank], n->bank_lanes, 1, 0};
    *fold = (struct tac_fold){.out = out,
                              .lanes = n->bank_lanes,
                              .groups = 1,
                              .last_used = alone ? tac_node_lanes_used(n, bank) : n->bank_lanes,
                              .alone = alone,
                              .group = in,
                              .last_gain = alone ? tac_layout_fade(l, node, bank) : NULL};
    l->bank = bank;
    p->lane[l->runner][bank / TAC_GROUP_BANKS] = out;
    int code = alone ? follow_section(l, node, in) : 0;
    if (code >= 0 && !alone && is_together(l, node, bank))
        code = tac_layout_give(l, sum[bank], n->bank_lanes);
    return code < 0 ? code
                    : tac_layout_op(l, node, tac_fold_run, fold, l->plan->frame_io[l->worker]);
}

int tac_layout_lanes(struct tac_layout *l, uint32_t node, uint32_t bank)
{
    uint32_t ports = tac_ports_count(l->g->node[node].block->out);
    int code = 0;
    if (!ends_group(l->plan->node[node].node, bank))
        return 0;
    for (uint32_t o = 0; o < ports && code >= 0; o++)
        if (tac_layout_port_of(l, node, o)->sum[l->runner])
            code = lay_lane(l, node, bank, o);
    return code;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int connect_lane(struct tac_layout *l, uint32_t node, const struct tac_layout_port *p,
                        uint32_t group, struct tac_signal *reader)
{
    const struct tac_node *n = l->plan->node[node].node;
    uint32_t end = (group + 1) * TAC_GROUP_BANKS, last = (end < n->banks ? end : n->banks) - 1;
    struct tac_signal by[TAC_RUNNERS];
    for (int r = 0; r < TAC_RUNNERS; r++)
        by[r] = (struct tac_signal){p->lane[r][group], 1, 1, 0};
    return tac_layout_connect(l, reader, tac_unit_of(&l->units, node, last), &by[0], &by[1]);
}

int tac_layout_fold(struct tac_layout *l, uint32_t unit)
{
    const struct tac_piece *u = &l->units.unit[unit];
    const struct tac_node *n = l->plan->node[u->node].node;
    struct tac_layout_port *p = tac_layout_port_of(l, u->node, u->index);
    uint32_t groups = (n->banks + TAC_GROUP_BANKS - 1) / TAC_GROUP_BANKS;
    bool whole = is_whole(l, u->node, u->index);
    float *out = whole ? p->lane[l->runner][0] : tac_layout_take(l, 1, l->exported[unit]);
    p->fold[l->runner] = (struct tac_signal){out, 1, 1, 0};
    if (whole)
        return 0;
    struct tac_fold *fold = TAC_VAULT_NEW(&l->plan->vault, struct tac_fold, 1);
    struct tac_signal *group = TAC_VAULT_NEW(&l->plan->vault, struct tac_signal, groups);
    if (!fold || !group || !out)
        return -ENOMEM;
    *fold =
        (struct tac_fold){.out = out, .lanes = 1, .groups = groups, .last_used = 1, .group = group};
    int code = 0;
    for (uint32_t g = 0; g < groups && code >= 0; g++)
        code = connect_lane(l, u->node, p, g, &group[g]);
    return code < 0 ? code
                    : tac_layout_op(l, u->node, tac_fold_run, fold, l->plan->frame_io[l->worker]);
}
