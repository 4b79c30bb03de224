/* SPDX-License-Identifier: MIT
 * traced.c - the engine's sites and plots; see traced.h. */
#include "engine/traced.h"

#include <stdio.h>

static const struct tac_trace_site *site_or(const char *name, uint32_t category,
                                            const struct tac_trace_site *other)
{
    const struct tac_trace_site *site = tac_trace_site_new(name, category, NULL);
    return site ? site : other;
}

const struct tac_trace_site *tac_traced_node(const char *name)
{
    static const struct tac_trace_site other = {
        .name = "node", .category = TAC_CAT_NODE, .level = 1};
    return site_or(name, TAC_CAT_NODE, &other);
}

const struct tac_trace_site *tac_traced_numbered(const char *what, uint32_t number)
{
    static const struct tac_trace_site other = {
        .name = "task", .category = TAC_CAT_TASK, .level = 1};
    char name[32];
    snprintf(name, sizeof name, "%s %u", what, number);
    return site_or(name, TAC_CAT_TASK, &other);
}

void tac_traced_plot(const struct tac_traced_cycle *cycle)
{
    TAC_PLOT_AT(TAC_CAT_PLOT, 1, "engine load", "%", cycle->load * 100);
    TAC_PLOT_AT(TAC_CAT_PLOT, 1, "engine memory", "B", (double)cycle->bytes);
    TAC_PLOT_AT(TAC_CAT_PLOT, 1, "engine overload", "steps", (double)cycle->shed_level);
}
